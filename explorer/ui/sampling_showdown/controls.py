"""The controls of the page's sections."""

import streamlit as st

from explorer.guidance import MIDDLE
from explorer.lessons.sampling_showdown.walks import Method
from explorer.samplers import SPACINGS
from explorer.ui.controls import SAMPLER_LABELS, choice
from explorer.ui.glossary import meaning
from explorer.ui.shelf import ImageModel

STEPS = [1, 2, 3, 5, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1000]
FEW_STEPS = [2, 5, 10, 20]
LARGE = 1_000_000  # weights: of such networks a page makes fewer steps at once
SPACING_LABELS = {"own": "The sampler's own", **SPACINGS}


def class_control(model: ImageModel, key: str, default: str, several: bool = False) -> tuple[int, ...]:
    """The classes that images take in turn: all where there are `several`, one, or none."""
    if not model.classes:
        return ()
    labels = {str(number): name for number, name in enumerate(model.classes)} | {"none": "No class"}
    if several:
        labels = {"all": "All in turn"} | labels
    chosen = choice("Class asked for", labels, default if default in labels else "0", key=key, width=130)
    if chosen == "all":
        return tuple(range(len(model.classes)))
    return () if chosen == "none" else (int(chosen),)


def steps_control(key: str, options: list[int], default: int) -> int:
    return st.select_slider(
        "Steps",
        options,
        default,
        key=key,
        bind="query-params",
        width=180,
        help="Times visited between noise and data.",
    )


def guidance_controls(key: str) -> tuple[float, tuple[float, float] | None]:
    """The guidance scale, and the log-SNR between which it holds, None for all."""
    scale = st.slider(
        "Guidance scale", 1.0, 5.0, 1.0, 0.5, key=key, bind="query-params", width=160, help=meaning("guidance")
    )
    if scale == 1:
        return scale, None
    low, high = (f"{level:g}".replace("-", "\N{MINUS SIGN}") for level in MIDDLE)
    help = (
        f"In the middle: only while the log-SNR is between {low} and {high}; outside, the model is asked once. On "
        "MNIST at scale 4, guidance at more noise than that costs a third of the variety of the threes; at less noise "
        "it moves a pixel by 0.03 (root mean square)."
    )
    where = {"all": "At all levels", "middle": "In the middle"}
    return scale, MIDDLE if choice("Guided", where, "all", key=f"{key}_at", help=help, width=150) == "middle" else None


def few_steps(model: ImageModel, most: int) -> list[int]:
    """Numbers of steps, up to `most`, that a page walks while a person waits."""
    weights = sum(parameter.numel() for parameter in model.denoiser.parameters())
    return [steps for steps in FEW_STEPS if steps <= (most if weights <= LARGE else most // 2)]


def seed_control(key: str, default: int, label: str = "Noise seed") -> int:
    return st.slider(label, 0, 99, default, key=key, bind="query-params", width=150)


def method_controls(prefix: str, side: str, default: str) -> Method:
    """The sampler of one side, its steps, eta and times."""
    with st.container(horizontal=True):
        sampler = choice(f"{side} sampler", SAMPLER_LABELS, default, key=f"{prefix}_sampler", width=190)
        steps = steps_control(f"{prefix}_steps", STEPS, 3)
        help = (
            "Which times the steps visit. Quadratic times lie denser where there is little noise, Karras's at both "
            "ends."
        )
        spacing = choice("Times", SPACING_LABELS, "own", key=f"{prefix}_times", width=190, help=help)
        eta = None
        if sampler == "ddim":
            help = "Share of fresh noise in each step: 0 is DDIM, 1 is DDPM."
            eta = st.slider("eta", 0.0, 1.0, 0.0, 0.1, key=f"{prefix}_eta", bind="query-params", width=180, help=help)
    return Method(sampler, steps, eta, None if spacing == "own" else spacing)
