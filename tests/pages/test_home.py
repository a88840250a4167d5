"""The welcome page, and the frame that all pages share."""

import ast
import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from explorer.lessons.path import WAYS

ROOT = Path(__file__).parents[2]
Opened = Callable[..., AppTest]
Sent = Callable[[AppTest, str], tuple[dict[str, Any], dict[str, np.ndarray]]]


def map_of_the_course() -> dict[str, dict[str, tuple[str, str, str]]]:
    """MODULES of Home.py, which cannot be imported: it is a script."""
    (modules,) = (
        node.value
        for node in ast.parse((ROOT / "Home.py").read_text()).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "MODULES"
    )
    return ast.literal_eval(modules)


@pytest.fixture(scope="module")
def home(open_page: Opened) -> AppTest:
    return open_page("Home.py")


def test_it_shows_the_course_a_moving_model_and_this_machine(home: AppTest, sent: Sent) -> None:
    assert home.title[0].value == "Diffusion models, computed while you watch"
    meta, arrays = sent(home, "player")
    assert meta["autoplay"]
    assert arrays["0.x"].shape[1:] == (1000, 2)
    assert np.abs(arrays["0.x"][-1].astype(float) - arrays["0.x"][0]).max() > 0
    measured = {metric.label: metric.value for metric in home.metric}
    assert int(measured["Cores"]) >= 1
    assert float(measured["Matrix product"].split()[0]) > 0
    assert float(measured["2D training"].split()[0].replace(",", "")) > 0
    assert not home.get("skeleton")


def test_the_numbers_under_the_animation_are_of_the_shipped_model(home: AppTest) -> None:
    import explorer as ex

    caption = next(element.value for element in home.caption if "weights moved" in element.value)
    denoiser = ex.load_pretrained("toy2d-swiss_roll-flow-velocity")
    assert f"{sum(parameter.numel() for parameter in denoiser.parameters()):,} weights" in caption
    distance = ex.sliced_wasserstein(
        ex.sample(denoiser, 1000, "heun", steps=12, keep="last").samples, ex.toy2d("swiss_roll", 2000, 1)
    )
    assert f"Distance to fresh data {distance:.3f}" in caption
    low, high = map(float, re.findall(r"gets ([\d.]+) to ([\d.]+)\.", caption)[0])
    fresh = ex.toy2d("swiss_roll", 2000, 1)
    perfect = [ex.sliced_wasserstein(ex.toy2d("swiss_roll", 1000, 100 + seed), fresh) for seed in range(40)]
    assert sum(low <= distance <= high for distance in perfect) >= 30
    assert "it came trained" in caption


def test_it_says_where_training_runs_and_how_many_a_minute(home: AppTest, open_page: Opened) -> None:
    from explorer.ui import work

    caption = next(element.value for element in home.caption if "not in your browser" in element.value)
    lab = open_page("pages/geometry_lab.py")
    seconds = next(slider.value for slider in lab.slider if slider.key == "geo_seconds")
    workers, taken, a_minute = map(int, re.findall(r"\d+", caption))
    assert (workers, taken) == (work.manager().workers, seconds)
    assert a_minute == 60 * workers // seconds


def test_every_module_that_is_listed_exists_and_opens(home: AppTest, open_page: Opened) -> None:
    *links, following = [link.proto.page for link in home.get("page_link")]
    course = [Path(page).stem for pages in map_of_the_course().values() for page in pages]
    assert following == course[0]  # the course begins
    assert links[-len(course) :] == course  # the map
    ways = [stop.page for way in WAYS.values() for stop in way.stops]
    assert links[: -len(course)] == ways
    for path in (ROOT / "pages").glob("*.py"):
        assert open_page(f"pages/{path.name}").title


def test_every_page_leads_on_to_the_next() -> None:
    """The course is a path: it goes through every page once, in the order of the map, and ends."""

    class Course(list):
        def follow(self, pages: list, current: object) -> None:
            self[:] = pages

    from explorer.ui import frame

    course = Course()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frame, "follow_course", course.follow)
        AppTest.from_file(ROOT / "Home.py", default_timeout=120).run()
    assert [page.url_path for page in course][1:] == [
        Path(page).stem for pages in map_of_the_course().values() for page in pages
    ]
    with_next = dict(pairwise([*course, None]))
    for page, following in with_next.items():  # a page beside the course leads nowhere
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(frame.st, "session_state", state := {})
            frame.follow_course(course, page)
        assert state == {"course_next": following}


@pytest.mark.parametrize(
    ("script", "skeletons"), [("Home.py", 2), ("pages/geometry_lab.py", 0), ("pages/core_concepts.py", 0)]
)
def test_torch_is_not_imported_before_the_first_paint(script: str, skeletons: int) -> None:
    """The page is stopped when it asks for torch; by then its title (and its place-holders) are on the screen."""
    program = f"""
        import sys
        import streamlit as st
        from streamlit.testing.v1 import AppTest

        class Guard:
            def find_spec(self, name, path=None, target=None):
                if name == "torch":
                    st.stop()

        sys.meta_path.insert(0, Guard())
        app = AppTest.from_file({str(ROOT / script)!r}, default_timeout=60).run()
        print("torch" in sys.modules, len(app.title), len(app.metric), len(app.get("skeleton")))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, cwd=ROOT, timeout=120
    )
    assert done.stdout == f"False 1 0 {skeletons}\n", done.stdout + done.stderr


def test_the_library_loads_without_torch_and_without_streamlit() -> None:
    program = (
        "import sys, explorer, explorer.jobs, explorer.charts.palette; print({'torch', 'streamlit'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.stdout == "set()\n", done.stderr


def test_a_way_leads_on_at_every_pages_end(open_page: Opened) -> None:
    app = open_page("pages/core_concepts.py", way="lecture")
    told = "\n".join(element.value for element in app.markdown)
    assert "**One lecture: step 1 of 6**" in told and "*Step 2: Geometry lab*" in told
    last = open_page("pages/guided_generation.py", way="five")
    assert "**Five minutes: step 3 of 3**" in (told := "\n".join(element.value for element in last.markdown))
    assert "This was the last step" in told
    off = open_page("pages/unet.py", way="five")  # no stop of that way
    assert "step" not in "\n".join(e.value for e in off.markdown if "Five minutes" in e.value)


def stations(home: AppTest) -> list[dict[str, Any]]:
    """What the map shows of each module."""
    protos = [element.proto for element in home.get("bidi_component")]
    sent = next(proto for proto in protos if proto.component_name == "explorer_map")
    found: list[dict[str, Any]] = json.loads(sent.json)["stations"]
    return found


def test_what_was_done_is_on_the_map_and_survives_a_reload(open_page: Opened) -> None:
    page = open_page("pages/core_concepts.py", visitor="e" * 32)
    page.session_state["core_questions"] = True
    page.run()
    questions = [radio for radio in page.radio if "_question_" in (radio.key or "")]
    for question in questions:
        for option in question.options:
            question.set_value(option).run()
            if any(element.value.startswith("Yes.") for element in page.success):
                break
    home = open_page("Home.py", visitor="e" * 32)
    first, page, *others = stations(home)
    assert first["title"] == "Welcome" and first["opened"] and not first["total"]
    assert page["title"] == "Core concepts" and page["opened"] and 1 <= page["right"] <= page["total"] == 3
    assert len(others) == 8 and not any(one["opened"] or one["right"] for one in others)
    assert re.search(r"^1 of 9 pages opened, [1-3] of 25", home.get("progress")[0].proto.text)


def test_a_link_brings_what_was_done_elsewhere(open_page: Opened) -> None:
    home = open_page("Home.py", visitor="f" * 32, done="unet.0.1.2,voice_cloning,<b>.1")
    opened = {one["page"]: one["right"] for one in stations(home) if one["opened"]}
    assert opened == {"": 0, "unet": 3, "voice_cloning": 0}


@pytest.mark.parametrize(
    ("content", "says"), [(b"{}", "not a file of progress"), (b"x" * 20_000, "at most"), (b"\xff", "not a file")]
)
def test_a_progress_file_that_is_none_gets_a_sentence(open_page: Opened, content: bytes, says: str) -> None:
    home = open_page("Home.py")
    next(one for one in home.file_uploader if one.key == "home_progress").set_value(
        ("progress.json", content, "application/json")
    ).run()
    assert not home.exception and says in home.error[0].value


@pytest.mark.parametrize(("name", "says"), [("x" * 100, "60 characters"), ("中文", "cannot be drawn here")])
def test_a_name_that_cannot_be_written_gets_a_sentence(open_page: Opened, name: str, says: str) -> None:
    home = open_page("Home.py")
    next(box for box in home.text_input if box.key == "home_name").set_value(name).run()
    assert not home.exception and says in home.error[0].value
