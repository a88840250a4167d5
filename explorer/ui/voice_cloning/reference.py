"""Whose voice: a built-in one, or the visitor's own recording, with its owner's consent."""

import hashlib
from dataclasses import dataclass

import numpy as np
import streamlit as st
import torch

from explorer.audio.recordings import ENDINGS, Recording, read_recording
from explorer.audio.spectrogram import RATE
from explorer.lessons.voice_cloning.voices import Reference, built_in, halves_alike, reference, reference_of
from explorer.ui import made
from explorer.ui.controls import choice, one_of, sentence
from explorer.ui.markdown import plain
from explorer.ui.voice_cloning.computed import forget_mine

SOURCES = {"built": "A built-in voice", "record": "Record", "upload": "Upload"}
KINDS = {"known": "known", "blend": "a blend, known", "stranger": "kept out of training"}
TWO_VOICES = 0.5  # halves of a recording that are less alike are not one voice


@dataclass(frozen=True)
class Kept:
    """A visitor's own recording: 8 kHz, what it was, and what to be said of it."""

    audio: np.ndarray
    told: str
    warnings: tuple[str, ...]


def choose_voice() -> tuple[str, str, Reference, bool] | None:
    """A key of the voice, its name, its recording, and whether that is the visitor's own; None where there is none
    yet, which has then been said."""
    source = one_of("Voice", SOURCES, key="voice_source")
    return choose() if source == "built" else own(source)


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
    st.audio(kept.audio, sample_rate=RATE)
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
    seconds = len(recording.audio) / RATE
    channels = f"{recording.channels} channel{'s' * (recording.channels > 1)}"
    told = f"{recording.seconds:.1f} s of {recording.rate:,} Hz in {channels}, {seconds:.1f} s of speech in it"
    return Kept(recording.audio.numpy(), told, tuple(warnings))


def _forget() -> None:
    made.remember("voice_own", None)
    for name in ("voice_own_key", "voice_own_reference", "voice_problem"):
        st.session_state.pop(name, None)
    forget_mine()
