"""Controls that several pages share, and the names that people read for the names that code uses."""

from collections.abc import Mapping

import streamlit as st

from explorer.denoiser import PREDICTIONS
from explorer.samplers import SAMPLERS
from explorer.schedules import schedule_names

_WORDS = {"edm": "EDM", "epsilon": "Noise epsilon", "x0": "Clean point x0", "v": "v"}

SCHEDULE_LABELS = {name: _WORDS.get(name, name.capitalize()) for name in schedule_names()}
PREDICTION_LABELS = {name: _WORDS.get(name, name.capitalize()) for name in PREDICTIONS}
SAMPLER_LABELS = {name: sampler.label for name, sampler in SAMPLERS.items()}


def choice(
    label: str, labels: Mapping[str, str], default: str, *, key: str, help: str | None = None, width: int | None = None
) -> str:
    """A select box over the keys of `labels`, kept in the URL."""
    names = list(labels)
    return st.selectbox(
        label,
        names,
        names.index(default),
        format_func=labels.__getitem__,
        key=key,
        help=help,
        width=width or "stretch",
        bind="query-params",
    )


def sentence(error: Exception) -> str:
    """What an error says, from a capital letter to a full stop."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
