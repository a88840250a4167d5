"""What is asked for: whose voice, what it shall say, and how."""

from collections.abc import Iterator
from dataclasses import dataclass

import streamlit as st

from explorer.lessons.voice_cloning.speaking import Asked, Script, script
from explorer.lessons.voice_cloning.voices import Reference, model
from explorer.ui.controls import SAMPLER_LABELS, choice
from explorer.ui.glossary import meaning
from explorer.ui.markdown import plain
from explorer.ui.voice_cloning.reference import choose_voice

SAMPLERS = {name: label for name, label in SAMPLER_LABELS.items() if name not in ("langevin", "euler_maruyama")}
STEPS = [2, 4, 6, 8, 12, 16, 20]
SCALES = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0]
TEXT = "I never said this sentence, but it is my voice."
CHIPS = ("three one four one five", "The train was full, so we waited for the next one.", "Call me at 10:05, please!")
LONGEST = 120  # characters of the field


@dataclass(frozen=True)
class Wish:
    """The voice and its name, a key of it, and the recording itself where it is the visitor's own; the text and its
    script; how to speak."""

    key: str
    label: str
    reference: Reference
    own: bool
    text: str
    speed: float
    script: Script
    asked: Asked

    @property
    def mine(self) -> Reference | None:
        return self.reference if self.own else None


def ask() -> Wish | None:
    """The controls; None where there is no voice to speak in, or nothing to say, which the page has then said."""
    voice = choose_voice()
    text = st.text_input(
        "What to say",
        TEXT,
        max_chars=LONGEST,
        key="voice_text",
        bind="query-params",
        help="English words, numbers and common symbols. Words that the dictionary does not know are spoken by their "
        "letters.",
    )
    _try()
    with st.container(horizontal=True):
        words_scale = scale("Words", "voice_words", "How far to go from speech without words to speech with them.")
        voice_scale = scale("Voice", "voice_voice", "How far to go from any voice to the reference's, and beyond.")
    with st.container(horizontal=True):
        steps = st.select_slider("Steps", STEPS, 12, key="voice_steps", bind="query-params", width=92)
        speed = st.slider("Speed", 0.7, 1.4, 1.0, 0.1, format="%g×", key="voice_speed", bind="query-params", width=92)
        seed = st.slider("Seed", 0, 99, 0, key="voice_seed", bind="query-params", width=92)
    sampler = choice("Sampler", SAMPLERS, "dpmpp_2m", key="voice_sampler")
    asked = Asked(words_scale, voice_scale, steps, sampler, seed)
    try:
        told = script(model(), text, speed)
    except ValueError as error:
        st.error(plain(str(error)), icon=":material/short_text:")
        return None
    with st.popover("Its sounds", icon=":material/text_to_speech:"):
        st.markdown("\n".join(_sounds(told)))
    strange = [word.text for word in told.words if not word.known]
    if strange:
        st.caption(f":material/info: Not in the dictionary, and spoken by their letters: {plain(', '.join(strange))}.")
    if voice is None:
        return None
    key, label, heard, mine = voice
    return Wish(key, label, heard, mine, text, speed, told, asked)


def scale(label: str, key: str, help: str) -> float:
    return st.select_slider(
        f"{label}: guidance",
        SCALES,
        2.0,
        format_func=lambda scale: f"{scale:g}",
        key=key,
        bind="query-params",
        width=140,
        help=f"{help} {meaning('guidance')}",
    )


def _try() -> None:
    """Texts that are a click away."""

    def take() -> None:
        if chosen := st.session_state.pop("voice_chip", None):
            st.session_state["voice_text"] = chosen

    st.pills("Texts to try", CHIPS, key="voice_chip", on_change=take, label_visibility="collapsed")


def _sounds(told: Script) -> Iterator[str]:
    """Each word with its sounds and how long each lasts, as a table in Markdown."""
    yield from ("| word | sounds, and their milliseconds |", "|:--|:--|")
    start = 1
    for word in told.words:
        seconds = told.seconds[start : start + len(word.phones)]
        start += len(word.phones)
        if word.text != ",":
            sounds = zip(word.phones, seconds, strict=True)
            yield f"| {word.text} | {', '.join(f'{phone} {1000 * length:.0f}' for phone, length in sounds)} |"
