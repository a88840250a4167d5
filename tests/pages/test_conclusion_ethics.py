"""The last page: every look, every control, bad files."""

import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

import explorer as ex
from explorer.lessons.conclusion_ethics import bias, memory, motion, provenance, words
from explorer.lessons.conclusion_ethics.figures import figures
from tests.pages.acting import ask, labels, press, said, until

PAGE = "pages/conclusion_ethics.py"
LOOKS = [
    "Learned by heart",
    "Bias",
    "Watermarks",
    "Deepfakes",
    "Energy",
    "Few steps",
    "Text",
    "Video",
    "Timeline",
]
Opened = Callable[..., AppTest]
Sent = Callable[[AppTest, str], tuple[dict[str, Any], dict[str, np.ndarray]]]


def text_of(app: AppTest) -> str:
    return "\n".join(element.value for element in (*app.markdown, *app.caption))


@pytest.mark.parametrize("look", LOOKS)
def test_every_look_opens_by_its_link(open_page: Opened, look: str) -> None:
    app = open_page(PAGE, ethics_look=look)
    assert not said(app) and len(text_of(app)) > 500


@pytest.mark.parametrize("query", [{"ethics_look": "nothing"}, {"ethics_images": "7"}, {"ethics_memory_seed": "-1"}])
def test_a_bad_link_opens_the_page_as_it_opens(open_page: Opened, query: dict[str, str]) -> None:
    assert "samples are copies of a training image" in text_of(open_page(PAGE, **query))


@pytest.mark.parametrize(("label", "count"), [("20 images", 20), ("200 images", 200), ("8,000 images", 8_000)])
def test_the_copies_on_the_page_are_those_of_the_model(open_page: Opened, label: str, count: int) -> None:
    app = open_page(PAGE, ethics_images=label, ethics_memory_seed="3")
    copies = int(memory.extract(count, 10, 3).near.copies.sum())
    assert f"{copies} of these 10 samples are copies" in text_of(app)
    assert f"Of {figures('memory')['curves'][str(count)]['samples']:,} samples" in text_of(app)


@pytest.mark.parametrize(
    "remedy", ["Stopping early", "A smaller model", "Removing duplicates", "How many tries?", "Artists' pictures"]
)
def test_each_remedy_has_its_figures(open_page: Opened, remedy: str) -> None:
    app = open_page(PAGE, ethics_remedy=remedy)
    assert re.search(r"\d %|\d%", text_of(app))


def test_the_share_of_usual_colours_is_measured(open_page: Opened) -> None:
    app = open_page(PAGE, ethics_look="Bias", ethics_share="90 %", ethics_scale="3.0", ethics_bias_seed="2")
    found = bias.returned(ex.load_pretrained("tinted-90"), 24, 3.0, 2)
    assert f"{found.usual:.0%} of {int(found.readable.sum())} pictures have the usual colour" in text_of(app)
    assert f"what guidance should return: {bias.expected(0.9, 3):.1%}" in text_of(app)


@pytest.mark.parametrize("scale", ["Guidance 1", "Guidance 4"])
def test_people_are_judged_with_the_judges_error(open_page: Opened, scale: str) -> None:
    app = open_page(PAGE, ethics_look="Bias", ethics_bias="Emoji of people", ethics_people_scale=scale)
    of = figures("people")
    shares = of["returned"][scale.split()[1]].values()
    assert f"**{sum(shares) / len(shares):.0%}** of what the model returns at guidance {scale.split()[1]}" in text_of(
        app
    )
    assert f"**{of['judge']['right']:.0%}** of roles that it has not seen" in text_of(app)


@pytest.mark.parametrize("harm", list(provenance.HARMS))
def test_the_verdict_is_that_of_the_picture(open_page: Opened, harm: str) -> None:
    label = provenance.HARMS[harm].label
    shown = label if harm == "jpeg90" else label.capitalize()
    app = open_page(PAGE, ethics_look="Watermarks", ethics_harm=shown, ethics_mark_seed="1")
    after = provenance.HARMS[harm].does(provenance.pair("purple penguin", 1)).clamp(-1, 1)
    fit = provenance.score(after)[0].item()
    told = "found" if fit >= provenance.FOUND else "not found"
    assert f"The mark is {told}: the rings fit {fit:.2f}" in text_of(app)


def upload(app: AppTest, name: str, content: bytes, kind: str) -> AppTest:
    next(one for one in app.file_uploader if one.key == "ethics_file").set_value((name, content, kind)).run()
    assert not app.exception
    return app


@pytest.fixture
def looking(open_page: Opened) -> AppTest:
    return open_page(PAGE, ethics_look="Watermarks", ethics_marked="A file")


def test_a_marked_file_is_known_with_what_its_metadata_say(looking: AppTest) -> None:
    content = provenance.as_file(provenance.picture("red car", 4, True)[0], "PNG", "<b>made</b> by a model")
    app = upload(looking, "car.png", content, "image/png")
    assert "The mark is there" in app.success[0].value
    assert "<b>" not in next(line for line in text_of(app).splitlines() if "Its metadata say" in line).replace(
        "\\<b", ""
    )


def test_a_file_without_it_is_not_called_real(looking: AppTest) -> None:
    content = provenance.as_file(provenance.picture("red car", 4, False)[0], "PNG")
    app = upload(looking, "car.png", content, "image/png")
    assert "No mark is found" in app.info[0].value and "does not mean that a person drew it" in app.info[0].value


def one_pixel() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (1, 1)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"a text file", "not an image that can be read"), (one_pixel(), "one of at least 8 x 8")],
    ids=["a text", "a pixel"],
)
def test_what_is_no_picture_gets_a_sentence(looking: AppTest, content: bytes, says: str) -> None:
    assert says in upload(looking, "x.png", content, "image/png").error[0].value


def test_energy_counts_what_this_session_computed(open_page: Opened) -> None:
    app = open_page(PAGE, ethics_look="Energy", ethics_watts="20")
    app.run()
    total = sum(app.session_state["cpu_seconds"].values())
    assert total > 0 and "37.5 MWh" in text_of(app) and "Conclusion and ethics" in text_of(app)


def test_a_student_is_taught_and_lands_where_its_teacher_ends(open_page: Opened, sent: Sent) -> None:
    app = open_page(PAGE, visitor="d" * 32, ethics_look="Few steps", ethics_shape="Moons")
    before, _ = sent(app, "player")
    press(app, "Teach the student")
    until(app, lambda: "Teach the student" in labels(app))
    meta, arrays = sent(app, "player")
    told = [float(re.search(r"fresh data ([\d.]+)", one["scenes"][0]["caption"]).group(1)) for one in (before, meta)]  # type: ignore[union-attr]
    assert told[1] < told[0] / 4 and "untrained" in before["scenes"][0]["caption"]
    assert "untrained" not in meta["scenes"][0]["caption"]
    assert [scene["title"] for scene in meta["scenes"]] == ["Student, one step", "Teacher, 20 steps"]
    assert arrays["0.x"].shape[0] == 2 and arrays["1.x"].shape[0] == 21


def test_words_keep_the_letters_that_were_given(open_page: Opened) -> None:
    app = open_page(PAGE, ethics_look="Text", ethics_pattern="di____ion", ethics_words_seed="3")
    found = words.invent("di____ion", 6, "random", 1, 1.0, 3)
    shown = "\n".join(element.body for element in app.get("html"))
    assert all(one.word.startswith("di") for one in found) and all(one.word in shown for one in found)


@pytest.mark.parametrize("pattern", ["über", "a b", "x1", "<b>"])
def test_a_pattern_that_is_none_gets_a_sentence(open_page: Opened, pattern: str) -> None:
    app = open_page(PAGE, ethics_look="Text", ethics_pattern=pattern)
    assert "letters a to z" in app.error[0].value


def test_a_video_is_smoother_than_its_frames_one_by_one(open_page: Opened, sent: Sent) -> None:
    app = open_page(PAGE, ethics_look="Video", ethics_digit="7", ethics_video_seed="2")
    together, alone = motion.video(7, 2), motion.one_by_one(7)
    assert motion.consistency(together).path < motion.consistency(alone).path / 4
    assert f"| this video | **{motion.consistency(together).path:.2f}**" in text_of(app)
    meta, arrays = sent(app, "film")
    assert arrays["strip 0"].shape == (16, 1, 32, 32) and len(meta["strips"]) == 2


def test_the_questions_answer(open_page: Opened) -> None:
    app = open_page(PAGE, ethics_look="Timeline")
    for question, right in zip(ask(app, "ethics"), (1, 1, 1), strict=True):
        question.set_value(question.options[right])
    app.run()
    assert len(app.success) == 3
