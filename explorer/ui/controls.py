"""Controls that several pages share, and what people read for the names that code uses: a label and a line."""

from collections.abc import Mapping

import streamlit as st

from explorer.denoiser import PREDICTIONS
from explorer.samplers import SAMPLERS
from explorer.schedules import schedule_names

_WORDS = {"edm": "EDM", "epsilon": "Noise epsilon", "x0": "Clean point x0", "v": "v"}

SCHEDULE_LABELS = {name: _WORDS.get(name, name.capitalize()) for name in schedule_names()}
PREDICTION_LABELS = {name: _WORDS.get(name, name.capitalize()) for name in PREDICTIONS}
SAMPLER_LABELS = {name: sampler.label for name, sampler in SAMPLERS.items()}

LINES = {
    "linear": "DDPM's own, whose steps of noise grow evenly: the image is gone early.",
    "cosine": "keeps the image for longer and loses it at an even pace.",
    "flow": "a straight mix, (1 - t) of the image and t of noise.",
    "edm": "the image stays at full strength, and noise grows over it from σ = 0.002 to 80.",
    "epsilon": "the noise that was added.",
    "x0": "what was there before any noise.",
    "v": "a mix that turns with the noise level, from the noise where there is little to minus the data where there is "
    "much.",
    "velocity": "where a point moves as time runs towards noise, and how fast. The sampler walks against it.",
    "score": "the direction in which data become most likely: minus the noise, over σ.",
    "ddpm": "draws fresh noise at every step, so that one start has many ends.",
    "ddim": "draws none (at eta 0): one start, one end, in fewer steps.",
    "euler": "follows the flow in straight steps.",
    "heun": "looks ahead and corrects each step: two network calls a step, and from ten steps on less error than "
    "Euler's.",
    "dpmpp_2m": "uses the guess before as well as the last one: its error falls faster than Euler's as steps are "
    "added.",
    "euler_maruyama": "small steps of the random walk that undoes the noise.",
    "langevin": "at each noise level, climbs the score and shakes, then goes on to the next level.",
}


def choice(
    label: str, labels: Mapping[str, str], default: str, *, key: str, help: str | None = None, width: int | None = None
) -> str:
    """A select box over the keys of `labels`, kept in the URL; its help has the line of each key that has one."""
    names = list(labels)
    lines = "\n".join(f"- **{labels[name]}**: {LINES[name]}" for name in names if name in LINES)
    return st.selectbox(
        label,
        names,
        names.index(default),
        format_func=labels.__getitem__,
        key=key,
        help="\n\n".join(filter(None, (help, lines))) or None,
        width=width or "stretch",
        bind="query-params",
    )


def one_of(label: str, labels: Mapping[str, str], *, key: str) -> str:
    """One of the keys of `labels`, from a row of buttons without a title, kept in the URL; at first the first."""
    first = next(iter(labels))
    chosen = st.segmented_control(
        label,
        list(labels),
        default=first,
        format_func=labels.__getitem__,
        key=key,
        bind="query-params",
        required=True,
        label_visibility="collapsed",
    )
    return chosen or first


def sentence(error: Exception) -> str:
    """What an error says, from a capital letter to a full stop."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
