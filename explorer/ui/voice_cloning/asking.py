"""What is asked for: whose voice, with the owner's consent, what it shall say, and how."""

import hashlib
from dataclasses import dataclass

import numpy as np
import streamlit as st
import torch

from explorer.audio.recordings import ENDINGS, Recording, read_recording
from explorer.lessons.voice_cloning.speaking import Asked, Script, script
from explorer.lessons.voice_cloning.voices import Reference, built_in, halves_alike, model, reference, reference_of
from explorer.ui import made
from explorer.ui.controls import SAMPLER_LABELS, choice, one_of, sentence
from explorer.ui.markdown import plain
from explorer.ui.voice_cloning.computed import forget_mine

SOURCES = {"built": "A built-in voice", "record": "Record", "upload": "Upload"}
KINDS = {"known": "known", "blend": "a blend, known", "stranger": "kept out of training"}
SAMPLERS = {name: label for name, label in SAMPLER_LABELS.items() if name not in ("langevin", "euler_maruyama")}
STEPS = [2, 4, 6, 8, 12, 16, 20]
SCALES = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0]
TEXT = "I never said this sentence, but it is my voice."
CHIPS = ("three one four one five", "The train was full, so we waited for the next one.", "Call me at 10:05, please!")
LONGEST = 120  # characters of the field
TWO_VOICES = 0.5  # halves of a recording that are less alike are not one voice


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


@dataclass(frozen=True)
class Kept:
    """A visitor's own recording: 8 kHz, what it was, and what to be said of it."""

    audio: np.ndarray
    told: str
    warnings: tuple[str, ...]


def ask() -> Wish | None:
    """The controls; None where there is no voice to speak in, or nothing to say, which the page has then said."""
    source = one_of("Voice", SOURCES, key="voice_source")
    voice = choose() if source == "built" else own(source)
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
        help=f"{help} 0 does not hear of it, 1 takes the model at its word, more exaggerates.",
    )


def _try() -> None:
    """Texts that are a click away."""

    def take() -> None:
        if chosen := st.session_state.pop("voice_chip", None):
            st.session_state["voice_text"] = chosen

    st.pills("Texts to try", CHIPS, key="voice_chip", on_change=take, label_visibility="collapsed")


def choose() -> tuple[str, str, Reference, bool]:
    """One of the built-in voices, and its recording."""
    labels = {one.name: f"{one.label} ({KINDS[one.kind]})" for one in built_in().values()}
    name = choice("Whose voice", labels, "af_bella", key="voice_built")
    st.audio(built_in()[name].content, format="audio/flac")
    return name, built_in()[name].label, reference_of(name), False


def own(source: str) -> tuple[str, str, Reference, bool] | None:
    """A recording of the visitor's, once they have said that they may use it."""
    agreed = st.checkbox(
        "This voice is mine, or its owner has agreed that I clone it here.",
        key="voice_consent",
        help="To clone somebody's voice without their consent is fraud's first step, and against the law in many "
        "places. What is made here carries a mark that says so.",
    )
    if not agreed:
        st.info("Tick this first: a voice belongs to the person who speaks with it.", icon=":material/verified_user:")
        return None

    def take() -> None:
        st.session_state.pop("voice_problem", None)
        if (file := st.session_state.get(f"voice_{source}")) is None:
            return
        try:
            made.remember("voice_own", _kept(read_recording(file.getvalue())))
        except ValueError as error:
            st.session_state["voice_problem"] = sentence(error)

    if source == "record":
        st.audio_input("Speak for about five seconds", key="voice_record", on_change=take, sample_rate=16_000)
    else:
        st.file_uploader(
            "A recording of one person, about five seconds",
            ENDINGS,
            key="voice_upload",
            max_upload_size=20,
            on_change=take,
        )
    if problem := st.session_state.get("voice_problem"):
        st.error(plain(problem), icon=":material/mic_off:")
    kept: Kept | None = made.recall("voice_own")
    if kept is None:
        st.info(
            "No recording is there yet. It stays in this server's memory, for you alone, and never goes to a disk.",
            icon=":material/mic:",
        )
        return None
    st.audio(kept.audio, sample_rate=8_000)
    left, right = st.columns([3, 1], vertical_alignment="center")
    left.caption(f"Your recording: {kept.told}. Only in memory, for a day at most.")
    right.button("Forget it", on_click=_forget, key="voice_forget", icon=":material/delete:")
    for warning in kept.warnings:
        st.caption(f":material/warning: {plain(warning)}")
    key = hashlib.sha256(kept.audio.tobytes()).hexdigest()
    if st.session_state.get("voice_own_key") != key:
        st.session_state["voice_own_key"] = key
        st.session_state["voice_own_reference"] = reference(torch.from_numpy(kept.audio))
    return key, "Your voice", st.session_state["voice_own_reference"], True


def _kept(recording: Recording) -> Kept:
    warnings = list(recording.warnings)
    if (alike := halves_alike(reference(recording.audio).features)) < TWO_VOICES:
        warnings.append(
            f"Its first and its second half are only {alike:.2f} alike: are these two voices, or is there music?"
        )
    seconds = len(recording.audio) / 8_000
    channels = f"{recording.channels} channel{'s' * (recording.channels > 1)}"
    told = f"{recording.seconds:.1f} s of {recording.rate:,} Hz in {channels}, {seconds:.1f} s of speech in it"
    return Kept(recording.audio.numpy(), told, tuple(warnings))


def _forget() -> None:
    made.remember("voice_own", None)
    for name in ("voice_own_key", "voice_own_reference", "voice_problem"):
        st.session_state.pop(name, None)
    forget_mine()
