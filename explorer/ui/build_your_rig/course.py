"""The models of this course, and those that this visitor trained: their memory, to the byte."""

from typing import TYPE_CHECKING

import streamlit as st

from explorer.charts.build_your_rig import memory_chart
from explorer.hardware.limits import allowed_memory
from explorer.hardware.memory import Memory
from explorer.hardware.weights import OPTIMIZERS
from explorer.lessons.build_your_rig.fits import has_blocks, of_batch, of_one_sample
from explorer.ui import shelf
from explorer.ui.chart import chart
from explorer.ui.controls import choice
from explorer.ui.kept import choose_kept, gone
from explorer.ui.markdown import plain
from explorer.zoo import load_pretrained

if TYPE_CHECKING:
    from explorer.denoiser import Denoiser

OTHERS = {"scenes": "Scenes 32 x 32", "toy2d-swiss_roll-flow-velocity": "2D points"}
MODES = {"train": "Train all weights", "inference": "Make"}
PRECISIONS = {"fp32": "32 bits (fp32)", "mixed": "32 and 16 bits (mixed)", "bf16": "16 bits (bf16)"}
ATTENTION = {"flash": "flash", "math": "plain"}
BATCHES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]


@st.cache_data(show_spinner=False, max_entries=256)
def counted(key: str, _denoiser: "Denoiser", **options: str | bool) -> Memory:
    """For one sample, from the network's own forward pass on shapes."""
    return of_one_sample(_denoiser, **options)


def show() -> None:
    """The controls beside the bar."""
    left, right = st.columns([1, 1.6], gap="large")
    with left:
        key, denoiser = choose()
        first, second = st.columns(2)
        with first:
            mode = choice("Task", MODES, "train", key="rig_course_task")
            batch = st.select_slider("Batch", BATCHES, 64, key="rig_course_batch", bind="query-params")
        with second:
            precision = choice("Precision", PRECISIONS, "fp32", key="rig_course_precision")
            attention = choice("Attention", ATTENTION, "flash", key="rig_course_attention")
        options: dict[str, str | bool] = {"mode": mode, "precision": precision, "attention": attention}
        if mode == "train":
            optimizers = {name: name for name in OPTIMIZERS}
            options["optimizer"] = choice("Optimiser", optimizers, "adamw", key="rig_course_optimizer")
            if has_blocks(denoiser):
                options["gradient_checkpointing"] = st.toggle(
                    "Gradient checkpointing",
                    key="rig_course_checkpointing",
                    bind="query-params",
                    help="Blocks keep their inputs alone, and run a second time on the way back.",
                )
    parts = of_batch(counted(key, denoiser, **options), batch)
    total = sum(parts.values())
    with right:
        st.header(f"{mib(total)}, computed", anchor=False)
        chart(
            memory_chart({MODES[mode].lower(): parts}, {}, st.context.theme.type == "dark", "MiB"),
            alt=f"Memory by part: {', '.join(f'{name} {mib(size)}' for name, size in parts.items() if size)}.",
        )
        allowed = allowed_memory()
        share = f" That is {100 * total / allowed:.2g} % of what this server may use." if allowed else ""
        st.caption(
            f"{sum(weight.numel() for weight in denoiser.parameters()):,} weights. Counted in the network's own "
            "forward pass on shapes, with texts of full length; for our networks the same to the byte as hooks count "
            f"in a real run on a CPU. What Python and torch take themselves comes on top.{share}"
        )


def choose() -> tuple[str, "Denoiser"]:
    """Key and denoiser of a shipped model, or of one on the shelf."""
    kept = shelf.models()
    labels = shelf.SHIPPED | OTHERS | {model.key: model.label for model in kept.values()}
    key = choose_kept("Model", labels, "emoji", key="rig_course_model")
    if gone("rig_course_model"):
        st.info(
            f"The model of this link is not on your shelf: {plain(labels[key])} is shown.",
            icon=":material/bookmark_remove:",
        )
    return key, kept[key].denoiser if key in kept else load_pretrained(key)


def mib(size: float) -> str:
    return f"{size / 2**20:,.2f} MiB"
