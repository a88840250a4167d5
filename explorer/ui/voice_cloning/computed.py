"""What was spoken and measured before: of built-in voices once a process, of a visitor's own recording in their session
alone."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import streamlit as st

from explorer.lessons.voice_cloning.speaking import Asked
from explorer.ui.turns import in_turn, turn

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.lessons.voice_cloning.speaking import Spoken
    from explorer.lessons.voice_cloning.voices import Reference

MOST_OWN = 6  # results of a visitor's own recording
SPEAKING = "Speaking…"
Result = TypeVar("Result")


@st.cache_resource(max_entries=12, show_spinner=False)
@in_turn
def _spoken(name: str, text: str, speed: float, asked: Asked) -> "Spoken":
    from explorer.lessons.voice_cloning import speaking, voices

    return speaking.spoken(voices.model(), text, speed, voices.reference_of(name).voice, asked)


@st.cache_resource(max_entries=24, show_spinner=SPEAKING)
@in_turn
def _found(what: str, name: str, text: str, speed: float, asked: Asked, _find: Callable[[], Any]) -> Any:
    return _find()


def spoken(key: str, own: "Reference | None", text: str, speed: float, asked: Asked) -> "Spoken":
    """The text in the voice of a built-in one, by its name, or in that of a recording, whose `key` is its own."""
    from explorer.lessons.voice_cloning import speaking, voices

    if own is None:
        return _spoken(key, text, speed, asked)
    return _mine(
        ("spoken", key, text, speed, asked),
        lambda: speaking.spoken(voices.model(), text, speed, own.voice, asked),
    )


def found(
    what: str, key: str, own: "Reference | None", text: str, speed: float, asked: Asked, find: Callable[[], Result]
) -> Result:
    """What `find` finds out about it, kept under the name `what`."""
    if own is None:
        return _found(what, key, text, speed, asked, find)
    return _mine((what, key, text, speed, asked), find)


def _mine(key: tuple[Any, ...], make: Callable[[], Result]) -> Result:
    kept: dict[tuple[Any, ...], Any] = st.session_state.setdefault("voice_results", {})
    if key not in kept:
        with st.spinner(SPEAKING, show_time=False), turn():
            kept[key] = make()
        while len(kept) > MOST_OWN:
            del kept[next(iter(kept))]
    return kept[key]


def forget_mine() -> None:
    """Drop all that was made of a visitor's recording."""
    st.session_state.pop("voice_results", None)


def as_int16(audio: "Tensor") -> Any:
    """Sound in [-1, 1] as 16 bits."""
    return (audio * 32767).round().clamp(-32768, 32767).short().numpy()
