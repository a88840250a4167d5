"""The page for teachers: the scenes open as they say, exercises, the test of a class."""

import importlib.util
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer.charts import palette
from explorer.lessons.for_teachers.exercises import EXERCISES
from explorer.lessons.for_teachers.questions import TEST
from explorer.lessons.path import MODULES
from explorer.lessons.scenes import LISTS, SCENES, Scene, scenes
from explorer.ui.for_teachers.teaching import classes
from explorer.ui.lecture import scene_in
from tests.pages.acting import press, said

ROOT = Path(__file__).parents[2]
PAGE = "pages/for_teachers.py"
Opened = Callable[..., AppTest]


def text_of(app: AppTest) -> str:
    return "\n".join(element.value for element in (*app.markdown, *app.caption))


@pytest.mark.parametrize("which", LISTS)
def test_the_list_names_its_scenes_in_order(open_page: Opened, which: str) -> None:
    app = open_page(PAGE, teach_list=LISTS[which])
    told = text_of(app)
    places = [told.index(f"{number}. {scene.title}") for number, scene in enumerate(scenes(which), start=1)]
    assert places == sorted(places)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.title)
def test_a_scene_opens_as_its_link_says(open_page: Opened, scene: Scene) -> None:
    number = SCENES.index(scene)
    app = open_page(f"pages/{scene.page}.py", **{**scene.query, "scene": f"45.{number + 1}"})
    assert f"Scene {number + 1} of {len(SCENES)}: {scene.title}" in text_of(app) and not said(app)
    for key, wanted in scene.query.items():
        widget = next(
            one
            for one in (*app.selectbox, *app.toggle, *app.slider, *app.select_slider, *app.get("button_group"))
            if one.key == key
        )
        value = widget.value
        labels = getattr(widget, "options", None) or []
        assert wanted in (str(value), str(value).lower(), f"{value}", *map(str, labels)), (key, value)
        if hasattr(widget, "format_func") and labels:
            shown = widget.format_func(value[0] if isinstance(value, list) else value)
            assert shown == wanted


@pytest.mark.parametrize("text", ["", "45", "45.0", "45.99", "60.1", "45.x", "45.²", "1.1.1", "45.-1", "<b>"])
def test_a_scene_that_is_no_more_is_none(text: str) -> None:
    assert scene_in(text) is None


def test_the_scenes_are_on_paper_for_an_address_that_phones_reach(open_page: Opened) -> None:
    app = open_page(PAGE)
    app.session_state["teach_paper"] = True
    app.run()
    (address,) = (box for box in app.text_input if box.key == "teach_address")
    assert "leads a phone to itself" in app.warning[0].value and app.get("image")
    address.set_value("https://course.example.org/").run()
    assert not app.warning and not app.error and app.get("image") and app.get("download_button")
    address.set_value("<b>no address</b>").run()
    assert "begins with http" in app.error[0].value and not app.get("image") and not app.get("download_button")
    assert not app.exception


def test_a_scene_of_another_page_is_not_shown(open_page: Opened) -> None:
    assert "Scene 1 of" not in text_of(open_page("pages/unet.py", scene="45.1"))


def test_exercises_have_answers_behind_a_switch(open_page: Opened) -> None:
    app = open_page(PAGE, teach_look="Exercises")
    assert EXERCISES[0].task in text_of(app) and EXERCISES[0].answer not in text_of(app)
    assert {exercise.page for exercise in EXERCISES} == set(MODULES)
    app.toggle[0].set_value(True).run()
    assert not app.exception and EXERCISES[0].answer in text_of(app)


def answer(app: AppTest, count: int) -> AppTest:
    """Answer so many questions right and the others wrong."""
    for number in range(len(TEST)):
        box = next(radio for radio in app.radio if radio.key.endswith(f"_{number}"))
        box.set_value(0 if number < count else 1)
    return app.run()


def test_a_class_takes_the_test_before_and_after(open_page: Opened) -> None:
    teacher = open_page(PAGE, teach_look="Does it teach?", teach_role="I teach a class")
    assert "not been tried on a class" in text_of(teacher)
    press(teacher, "Open a class")
    code = teacher.session_state["teach_mine"]
    for visitor, (before, after) in (("a" * 32, (3, 7)), ("b" * 32, (5, 6))):
        for when, count in (("Before the course", before), ("After the course", after)):
            app = open_page(
                PAGE, visitor=visitor, teach_look="Does it teach?", teach_class=code.lower(), teach_when=when
            )
            press(answer(app, count), "Hand in")
            assert f"{count} of 10 are right" in app.success[0].value
    press(teacher, "Look again")
    told = text_of(teacher)
    assert "4.00 of 10 right before, 6.50 after; paired difference **+2.50**" in told and "Student" in told
    assert len(classes().answers(code)["before"]) == 2


def test_the_test_can_be_taken_alone(open_page: Opened) -> None:
    app = open_page(PAGE, teach_look="Does it teach?")
    press(app, "See how many are right")
    assert "0 of 10 are right; 10 were left open" in app.success[0].value


@pytest.mark.parametrize("code", ["nope", "ABCDE", "<b>x</b>", "ABCDEFG", "O0O0O0"])
def test_what_is_no_code_gets_a_sentence(open_page: Opened, code: str) -> None:
    app = open_page(PAGE, teach_look="Does it teach?", teach_class=code)
    assert "six letters and digits" in app.error[0].value


def test_a_class_that_is_not_there_gets_a_sentence(open_page: Opened) -> None:
    app = open_page(PAGE, teach_look="Does it teach?", teach_role="I teach a class", teach_mine="ABCDEF")
    assert "There is no class" in app.error[0].value
    app = open_page(PAGE, teach_look="Does it teach?", teach_class="ABCDEF")
    press(app, "Hand in")
    assert "There is no class" in app.error[0].value


def test_the_figures_of_scenes_are_drawn_into_folders(open_page: Opened) -> None:
    spec = importlib.util.spec_from_file_location("lecture_figures", ROOT / "scripts" / "lecture_figures.py")
    assert spec is not None and spec.loader is not None
    drawing = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(drawing)
    scene = Scene("geometry_lab", "Two <b>samplers</b>", 1, "Look.", {"geo_compare": "true", "geo_data": "Moons"})
    found = dict(drawing.pictures([scene]))
    assert len(found) == len(palette.THEMES)
    for name, picture in found.items():
        assert re.fullmatch(r"01-two-b-samplers-b/(light|dark)/01-moons-[\w-]+-beside-[\w-]+\.png", name)
        assert Image.open(io.BytesIO(picture)).size == (1920, 1080)
    assert "scripts/lecture_figures.py 15 " in text_of(open_page(PAGE, teach_list=LISTS["15"]))
