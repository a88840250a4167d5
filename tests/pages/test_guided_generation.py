"""The page on guided generation: every control, every look, and bad input."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from streamlit.testing.v1 import AppTest

import explorer as ex
from explorer.data.emoji import emoji
from explorer.lessons.guided_generation.models import TELLERS
from explorer.lessons.guided_generation.prompts import LONGEST
from explorer.lessons.views import as_shown
from explorer.metrics import NotFinite
from explorer.ui.film import to_bytes
from explorer.ui.guided_generation import anatomy, arithmetic, clip
from explorer.ui.guided_generation.asking import SAMPLERS, SCALES, STEPS
from explorer.ui.guided_generation.edit import small
from tests.pages.acting import ask, labels, press

PAGE = "pages/guided_generation.py"
QUICK = {"guide_steps": "2", "guide_closer": "The large ones"}
LOOKS = ["Guidance taken apart", "Where each word is looked at", "Scales and seeds", "Arithmetic", "Edit", "CLIP"]
Opened = Callable[..., AppTest]
Sent = Callable[[AppTest, str], tuple[dict[str, Any], dict[str, np.ndarray]]]


@pytest.fixture
def opened(open_page: Opened) -> Opened:
    return lambda **query: open_page(PAGE, **{**QUICK, **query})


@pytest.fixture(scope="module")
def first(open_page: Opened) -> AppTest:
    """The page as a stranger sees it: read it, do not change it."""
    return open_page(PAGE)


def captions(app: AppTest) -> str:
    return "\n".join(caption.value for caption in app.caption)


def sheets(app: AppTest) -> str:
    return "".join(element.proto.body for element in app.get("html"))


def test_it_opens_on_four_pictures_of_a_prompt_and_how_they_came(first: AppTest, sent: Sent) -> None:
    meta, arrays = sent(first, "film")
    assert [strip["role"] for strip in meta["strips"]] == ["noise", "model"]
    assert arrays["strip 0"].shape == arrays["strip 1"].shape == (21, 4, 32, 32, 3)
    wanted = ex.sample(
        ex.load_pretrained("emoji"),
        4,
        "ddim",
        20,
        0,
        condition=TELLERS["emoji"].prompt,
        guidance_scale=4.0,
        keep="last",
    ).samples.clamp(-1, 1)
    shown = arrays["strip 1"][-1].astype(int).transpose(0, 3, 1, 2)
    assert np.abs(shown - to_bytes(wanted.numpy(), 1.0)).mean() < 1
    assert "40 network calls" in captions(first)
    assert "are named" in captions(first)
    assert meta["strips"][0]["captions"][-1] == "done"


def test_guidance_is_taken_apart_in_pictures_and_in_the_plane(first: AppTest, sent: Sent) -> None:
    assert sheets(first).count("<img") == 3
    meta, _ = sent(first, "player")
    assert [scene["title"].partition(":")[0] for scene in meta["scenes"]] == ["Scale 1", "Scale 4"]


@pytest.mark.parametrize("name", TELLERS)
@pytest.mark.parametrize("look", LOOKS)
def test_every_look_shows_something_for_both_models(opened: Opened, name: str, look: str) -> None:
    app = opened(guide_model=TELLERS[name].label, guide_closer=look)
    assert not app.error
    if (name, look) != ("scenes", "CLIP"):
        assert "<img" in sheets(app) or look == "Edit"


def test_a_model_that_blows_up_in_a_look_says_so(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    def blow_up(*_: Any) -> None:
        raise NotFinite

    for look, module in (("Arithmetic", arithmetic), ("CLIP", clip), ("Guidance taken apart", anatomy)):
        monkeypatch.setattr(module, "show", blow_up)
        app = opened(guide_closer=look)
        assert [str(NotFinite()) in error.value for error in app.error] == [True]


def test_a_chip_and_a_surprise_become_the_prompt(opened: Opened) -> None:
    app = opened()
    chip = TELLERS["emoji"].chips[0]
    app.pills(key="guide_emoji_chip").set_value(chip).run()
    assert not app.exception
    assert app.text_input(key="guide_emoji_prompt").value == chip
    press(app, "Surprise me")
    surprised = app.text_input(key="guide_emoji_prompt").value
    assert surprised == TELLERS["emoji"].surprise(1)
    press(app, "Surprise me")
    assert app.text_input(key="guide_emoji_prompt").value == TELLERS["emoji"].surprise(2)


def test_each_model_keeps_its_own_prompt(opened: Opened) -> None:
    app = opened(guide_emoji_prompt="guitar")
    app.session_state["guide_model"] = "scenes"
    app.run()
    assert app.text_input(key="guide_scenes_prompt").value == TELLERS["scenes"].prompt
    assert "show all that the prompt says" in captions(app)


@pytest.mark.parametrize("scale", [SCALES[0], 1.0, SCALES[-1]])
def test_the_scale_says_how_often_the_network_is_asked(opened: Opened, scale: float) -> None:
    app = opened()
    app.select_slider(key="guide_emoji_scale").set_value(scale).run()
    assert not app.exception
    assert f"{2 if scale == 1 else 4} network calls" in captions(app)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_draws(opened: Opened, sampler: str) -> None:
    app = opened()
    app.selectbox(key="guide_sampler").select(sampler).run()
    assert not app.exception
    assert "network calls" in captions(app) or app.error


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        ("", "An empty prompt says nothing"),
        ("qwxz", "None of these words says anything"),
        ("robott", "it knows “robot”"),
        ("кот", "has never seen “кот”"),
        ("<b>cat</b> **dog** $x$", "has never seen “b”"),
        ("red blue cat", "are two colours for one thing"),
        ("cat " * 3000, f"{LONGEST} characters at most"),
        ("cat " * 40, "has no place for so many words"),
    ],
)
def test_a_strange_prompt_gets_a_sentence_and_pictures(opened: Opened, prompt: str, sentence: str) -> None:
    app = opened()
    app.text_input(key="guide_emoji_prompt").set_value(prompt).run()
    assert not app.exception
    assert sentence.replace("“", "").replace("”", "") in captions(app).replace("“", "").replace("”", "")
    assert "network calls" in captions(app)


def test_an_emoji_is_a_word(opened: Opened) -> None:
    app = opened(guide_emoji_prompt="🐧")
    assert "**penguin**" in captions(app)
    assert "never seen" not in captions(app)


def test_a_negative_prompt_that_is_the_prompt_is_said_and_changes_nothing(opened: Opened, sent: Sent) -> None:
    films = []
    for scale in (2.0, 8.0):
        app = opened(guide_emoji_prompt="guitar", guide_emoji_negative="guitar")
        app.select_slider(key="guide_emoji_scale").set_value(scale).run()
        assert "their difference is nothing" in captions(app)
        films.append(sent(app, "film")[1]["strip 1"][-1].astype(int))
    assert np.abs(films[0] - films[1]).max() <= 1


def test_a_negative_prompt_that_says_nothing_is_said(opened: Opened) -> None:
    assert "takes its place" in captions(opened(guide_emoji_negative="qwxz"))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=st.dictionaries(
        st.sampled_from(
            [
                "guide_emoji_scale",
                "guide_seed",
                "guide_steps",
                "guide_sampler",
                "guide_model",
                "guide_plane",
                "guide_closer",
            ]
        ),
        st.sampled_from(["inf", "-1", "nan", "1e9", "<b>", "", "🐧", "999999999999999999999999"]) | st.text(max_size=9),
        min_size=1,
    )
)
def test_any_link_opens(open_page: Opened, query: dict[str, str]) -> None:
    app = open_page(PAGE, **{"guide_steps": "2", **query})
    assert app.select_slider(key="guide_emoji_scale").value in SCALES
    assert app.select_slider(key="guide_steps").value in STEPS


def test_what_was_drawn_is_compared_with_what_was_learned(opened: Opened) -> None:
    app = opened()
    assert "apart, in the median" not in captions(app)
    app.session_state["guide_recall"] = True
    app.run()
    assert not app.exception
    assert "apart, in the median" in captions(app)
    app.session_state["guide_model"] = "scenes"
    app.run()
    assert "apart, in the median" not in captions(app)


def test_words_that_say_nothing_have_no_looks(opened: Opened) -> None:
    app = opened(guide_emoji_prompt="", guide_closer="Where each word is looked at")
    assert ["no word to look at" in info.value for info in app.info] == [True]


def test_the_shares_of_the_looks_add_up(opened: Opened) -> None:
    app = opened(guide_closer="Where each word is looked at", guide_steps="6", guide_emoji_prompt="red cat")
    assert all(word in sheets(app) for word in ("start", "red", "cat", "First third", "Last third"))


def test_a_link_says_which_picture_is_looked_at_and_from_where(opened: Opened) -> None:
    links = [{}, {"guide_look_at": "C"}, {"guide_emoji_look_from": "decoder 3: 4 x 4 places"}]
    seen = [sheets(opened(guide_closer="Where each word is looked at", **link)) for link in links]
    assert len(set(seen)) == 3


def test_a_link_says_at_which_step_guidance_is_taken_apart(opened: Opened) -> None:
    apart = {"guide_closer": "Guidance taken apart", "guide_steps": "6"}
    seen = [sheets(opened(**apart, guide_step_6=step)) for step in ("1", "5", "99", "-1")]
    assert len(set(seen)) == 2
    assert seen[0] == seen[2] == seen[3]


@pytest.mark.parametrize("held", [True, False])
def test_what_no_training_saw_is_said(opened: Opened, held: bool) -> None:
    (concept, colour), *_ = emoji().held_colours
    app = opened(guide_emoji_prompt=f"{colour} {concept}" if held else concept)
    assert (f"never trained on: {colour} {concept}." in captions(app)) == held


@pytest.mark.parametrize("name", TELLERS)
def test_a_sum_is_a_click_away_and_says_how_often_such_sums_are_right(opened: Opened, name: str) -> None:
    app = opened(guide_model=TELLERS[name].label, guide_closer="Arithmetic")
    chosen = arithmetic.SUMS[name][1]
    app.pills(key=f"guide_{name}_sum").set_value(1).run()
    assert not app.exception
    assert tuple(app.text_input(key=f"guide_{name}_{place}").value for place in range(3)) == chosen
    assert "{} − {} + {}".format(*chosen) in sheets(app)
    assert "Measured on" in captions(app)


def test_prompts_of_other_lengths_cannot_keep_their_looks(opened: Opened) -> None:
    app = opened(guide_closer="Arithmetic", guide_emoji_prompt="cat", guide_emoji_other="a red dog")
    assert "as many words as each other" in captions(app)
    assert "looking as the first did" not in sheets(app)
    app.text_input(key="guide_emoji_other").set_value("dog").run()
    assert "looking as the first did" in sheets(app)


@pytest.mark.parametrize(("value", "sentence"), [(0, "Nothing is painted over"), (255, "All of it is painted over")])
def test_a_mask_of_nothing_or_of_everything_is_said(opened: Opened, value: int, sentence: str) -> None:
    import base64
    import zlib

    from explorer.ui.guided_generation.computed import drawing
    from explorer.ui.sheet import data_url

    app = opened(guide_closer="Edit", guide_emoji_prompt="guitar")
    from explorer.lessons.guided_generation.pictures import Asked

    picture = drawing("emoji", Asked("guitar", None, 4, 0, 4.0, "ddim", 2)).pictures[0]
    key = f"guide_mask_{zlib.crc32(data_url(as_shown(picture[None])).encode()):x}_kept"
    app.session_state[key] = base64.b64encode(bytes([value] * 1024)).decode()
    app.run()
    assert not app.exception
    assert sentence in captions(app) + "".join(info.value for info in app.info)


def test_an_upload_as_wide_as_a_page_becomes_a_square() -> None:
    wide = np.zeros((20, 700, 3), np.float32)
    wide[:, 340:360, 0] = 1
    square = small(wide, 32)
    assert square.shape == (3, 32, 32)
    assert square[0].mean() > 0.9
    assert square[1].max() == -1


def test_a_picture_is_uploaded_and_one_that_is_none_gets_a_sentence(opened: Opened) -> None:
    app = opened(guide_closer="Edit", guide_edit="Start from a picture", guide_start="An upload")
    assert ["no picture to start from" in info.value for info in app.info] == [True]
    app.file_uploader(key="guide_upload").set_value(("no.png", b"nothing", "image/png"))
    app.run()
    assert ["not an image" in error.value for error in app.error] == [True]
    content = io.BytesIO()
    Image.new("RGB", (40, 30), (250, 20, 20)).save(content, "PNG")
    app.file_uploader(key="guide_upload").set_value(("red.png", content.getvalue(), "image/png"))
    app.run()
    assert not app.exception
    assert not app.error
    assert "start" in sheets(app)
    again = opened(
        visitor=app.session_state["visitor"],
        guide_closer="Edit",
        guide_edit="Start from a picture",
        guide_start="An upload",
    )
    assert not again.info


def test_the_card_says_how_it_was_made_and_the_weights_go_with_you(opened: Opened) -> None:
    app = opened()
    said = "\n".join(element.value for element in app.markdown)
    assert "train_pictures.py emoji" in said
    assert "Microsoft, Fluent Emoji" in said
    assert "| trained | 500 |" in said
    assert "Weakest: style" in captions(app)
    assert "Weights as safetensors" in {button.label for button in app.get("download_button")}


def test_the_snippet_runs(opened: Opened) -> None:
    scope: dict[str, Any] = {}
    exec(opened(guide_emoji_prompt='"); raise SystemExit("').code[0].value, scope)
    assert scope["drawn"].samples.shape == (4, 3, 32, 32)


def test_questions_answer_back(opened: Opened) -> None:
    app = opened()
    assert len(ask(app, "guide")) == 3
    app.radio(key="guide_question_0").set_value("Once")
    app.radio(key="guide_question_1").set_value("It draws at random").run()
    assert app.success[0].value.startswith("Yes.")
    assert app.warning[0].value.startswith("Not quite.")
    assert "Surprise me" in labels(app)
