"""The page on voice cloning: every control, every look, and bad input."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from explorer.lessons.voice_cloning.voices import built_in, reference_of
from explorer.ui.voice_cloning import asking
from explorer.ui.voice_cloning.asking import CHIPS, SAMPLERS, SCALES, STEPS, TEXT
from explorer.ui.voice_cloning.reference import KINDS
from tests.pages.acting import ask, labels, press

PAGE = "pages/voice_cloning.py"
QUICK = {"voice_steps": "2", "voice_closer": "The large ones", "voice_text": "one"}
LOOKS = ["How near?", "The voice", "All voices", "Between two", "Guidance", "Known, kept out", "The mark"]
Opened = Callable[..., AppTest]
Sent = Callable[[AppTest, str], tuple[dict[str, Any], dict[str, np.ndarray]]]


@pytest.fixture
def opened(open_page: Opened) -> Opened:
    return lambda **query: open_page(PAGE, **{**QUICK, **query})


@pytest.fixture(scope="module")
def first(open_page: Opened) -> AppTest:
    """The page as a stranger sees it: read it, do not change it."""
    return open_page(PAGE)


def text_of(app: AppTest) -> str:
    return "\n".join(element.value for element in (*app.markdown, *app.caption))


def wav(seconds: float = 2.0, format: str = "WAV") -> bytes:
    file = io.BytesIO()
    audio = reference_of("am_adam").audio[: int(8_000 * seconds)].numpy()
    soundfile.write(file, audio, 8_000, format=format)
    return file.getvalue()


def upload(app: AppTest, content: bytes, name: str = "voice.wav") -> AppTest:
    next(one for one in app.checkbox if one.key == "voice_consent").check().run()
    app.file_uploader(key="voice_upload").upload(name, content).run()
    assert not app.exception
    return app


def test_it_opens_on_speech_from_noise_with_a_sound_for_every_step(first: AppTest, sent: Sent) -> None:
    meta, arrays = sent(first, "speech")
    assert [strip["role"] for strip in meta["strips"]] == ["noise", "model"]
    steps, bands, places = arrays["strip 0"].shape
    assert (steps, bands) == (13, 64)
    assert arrays["sound 0"].shape == arrays["sound 1"].shape == (13, (places - 1) * 100)
    assert meta["strips"][0]["captions"][-1] == "done"
    assert [word for word, _, _ in meta["words"]] == TEXT.lower().replace(",", "").replace(".", "").split()
    assert 0 < meta["phones"][-1][2] <= meta["seconds"] + 0.3
    assert np.array_equal(arrays["sound 0"][-1], arrays["sound 1"][-1])
    assert "likeness to the reference" in text_of(first)
    assert "12 steps of 2 network calls each" in text_of(first)


@pytest.mark.parametrize("look", LOOKS)
def test_every_look_opens(opened: Opened, look: str) -> None:
    app = opened(voice_closer=look, voice_all="true")
    assert not app.exception
    assert not app.error


@pytest.mark.parametrize("sampler", SAMPLERS.values())
def test_every_sampler_speaks(opened: Opened, sampler: str, sent: Sent) -> None:
    _, arrays = sent(opened(voice_sampler=sampler), "speech")
    assert len(arrays["strip 0"]) == 3


@pytest.mark.parametrize("name", ["af_heart", "blend-2", "bm_daniel"])
def test_a_voice_is_in_the_link_and_says_what_kind_it_is(opened: Opened, name: str) -> None:
    one = built_in()[name]
    app = opened(voice_built=f"{one.label} ({KINDS[one.kind]})")
    assert app.selectbox(key="voice_built").value == name


def test_controls_change_what_is_heard(opened: Opened, sent: Sent) -> None:
    before = sent(opened(), "speech")[1]["sound 1"][-1]
    for change in ({"voice_seed": "3"}, {"voice_words": "4"}, {"voice_voice": "0"}, {"voice_speed": "1.4"}):
        after = sent(opened(**change), "speech")[1]["sound 1"][-1]
        assert len(after) != len(before) or not np.array_equal(after, before)


def test_a_text_is_a_click_away(opened: Opened) -> None:
    app = opened()
    next(group for group in app.button_group if group.key == "voice_chip").select(CHIPS[0]).run()
    assert app.text_input(key="voice_text").value == CHIPS[0]
    assert not app.exception


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("", "nothing to say"), ("\N{GRINNING FACE}", "Latin letters"), ("привет", "Latin letters")],
)
def test_texts_that_cannot_be_spoken_get_a_sentence(opened: Opened, text: str, sentence: str) -> None:
    app = opened()
    app.text_input(key="voice_text").set_value(text).run()
    assert not app.exception
    assert sentence in app.error[0].value


@pytest.mark.parametrize(
    "text", ["<img src=x onerror=alert(1)>", "**bold** :red[hi] $x$", "zyxgork at https://a.org/b"]
)
def test_texts_with_signs_are_spoken_and_never_read_as_more(opened: Opened, text: str) -> None:
    app = opened(voice_closer="How near?")
    app.text_input(key="voice_text").set_value(text).run()
    assert not app.exception
    assert not app.error
    assert "<img" not in "".join(element.proto.body for element in app.get("html"))


def test_the_sounds_of_each_word_are_shown_with_their_lengths(first: AppTest) -> None:
    table = next(element.value for element in first.markdown if element.value.startswith("| word |"))
    assert len(table.splitlines()) == 2 + len(TEXT.split())
    assert "| voice | V " in table


def test_unknown_words_are_told(opened: Opened) -> None:
    app = opened(voice_text="zyxgork")
    assert "Not in the dictionary" in text_of(app)


def test_a_recording_needs_consent_first(opened: Opened) -> None:
    app = opened(voice_source="Upload")
    assert not app.get("file_uploader")
    assert "Tick this first" in app.info[0].value
    assert not [one for one in app.get("bidi_component") if one.proto.component_name == "explorer_speech"]


def test_an_upload_is_cloned_measured_kept_and_forgotten(opened: Opened, sent: Sent) -> None:
    app = upload(opened(voice_source="Upload", voice_closer="How near?"), wav())
    assert "Your recording: 2.0 s of 8,000 Hz in 1 channel" in text_of(app)
    assert len(sent(app, "speech")[1]["strip 0"]) == 3
    assert "Your voice, the reference" in text_of(app)
    press(app, "Forget it")
    assert "No recording is there yet" in app.info[0].value
    assert "voice_results" not in app.session_state
    assert "Forget it" not in labels(app)


@pytest.mark.parametrize("look", LOOKS)
def test_every_look_opens_for_a_recording_too(opened: Opened, look: str) -> None:
    app = upload(opened(voice_source="Upload", voice_closer=look), wav())
    assert not app.error


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "empty"),
        (b"%PDF-1.7" + bytes(100), "a PDF"),
        (wav(0.1), "the least"),
    ],
    ids=["empty", "pdf", "short"],
)
def test_bad_recordings_get_a_sentence_and_what_was_there_stays(opened: Opened, content: bytes, sentence: str) -> None:
    app = upload(opened(voice_source="Upload"), wav())
    app.file_uploader(key="voice_upload").upload("other.wav", content).run()
    assert not app.exception
    assert sentence in app.error[0].value
    assert "Your recording" in text_of(app)


def test_two_voices_in_one_recording_are_told(opened: Opened) -> None:
    file = io.BytesIO()
    both = np.concatenate([reference_of(name).audio[:16_000].numpy() for name in ("am_adam", "af_bella")])
    soundfile.write(file, both, 8_000, format="WAV")
    assert "are these two voices" in text_of(upload(opened(voice_source="Upload"), file.getvalue()))


def test_the_mark_is_looked_for_in_a_file(opened: Opened) -> None:
    app = opened(voice_closer="The mark", voice_marked="A file")
    app.file_uploader(key="voice_marked_file").upload("speech.wav", wav(3)).run()
    assert not app.exception
    assert any("No mark is found" in info.value for info in app.info)
    app.file_uploader(key="voice_marked_file").upload("other.wav", b"%PDF" + bytes(100)).run()
    assert "a PDF" in app.error[0].value


def test_the_questions_are_answered(opened: Opened) -> None:
    app = opened()
    assert len(ask(app, "voice")) == 3


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "voice_steps": st.one_of(st.sampled_from(STEPS[:3]).map(str), st.text(max_size=8)),
            "voice_words": st.one_of(st.sampled_from(SCALES).map(str), st.text(max_size=8)),
            "voice_voice": st.text(max_size=8),
            "voice_seed": st.one_of(st.integers().map(str), st.just("inf"), st.just("nan")),
            "voice_speed": st.one_of(st.floats().map(str), st.text(max_size=8)),
            "voice_built": st.text(max_size=12),
            "voice_source": st.text(max_size=12),
            "voice_text": st.text(max_size=20),
            "voice_closer": st.text(max_size=12),
        },
    )
)
def test_any_link_opens(open_page: Opened, query: dict[str, str]) -> None:
    app = open_page(PAGE, **{"voice_text": "one", "voice_steps": "2", **query})
    assert not app.exception


def test_samplers_that_need_more_calls_are_left_out() -> None:
    assert "dpmpp_2m" in asking.SAMPLERS
    assert "langevin" not in asking.SAMPLERS


def test_a_text_of_ten_thousand_letters_in_the_link_is_no_error(opened: Opened) -> None:
    app = opened(voice_text="a " * 5_000)
    assert not app.exception
