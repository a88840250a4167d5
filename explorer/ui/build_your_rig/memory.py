"""The memory of a task by phase and part, against what cards hold, and what would save most of it."""

import math

import streamlit as st

from explorer.charts.build_your_rig import memory_chart
from explorer.hardware.catalogue import CONTEXT, GIB
from explorer.hardware.published import HEADROOM, measured, summary
from explorer.hardware.systems import asked_by_default, phases, savings, systems, traced_at
from explorer.hardware.traces import LORA_RANK, made
from explorer.lessons.build_your_rig.fits import (
    cheapest,
    fit,
    held,
    training_memory,
)
from explorer.ui.build_your_rig import fresh
from explorer.ui.build_your_rig.asking import Wish
from explorer.ui.chart import chart

SIZES = (8, 12, 16, 24, 32, 48, 80, 141, 192)


def gib(size: float) -> str:
    return f"{size / GIB:.1f} GiB"


def planned(size: float) -> str:
    """Rounded up."""
    return f"{math.ceil(10 * size / GIB) / 10:.1f} GiB"


def show(wish: Wish) -> None:
    """The bars, the answer in words, and the switches."""
    if wish.task == "make":
        fresh.take_in()
        found = phases(wish.system, wish.asked)
        bars = {phase.name: {name: float(size) for name, size in phase.parts.items()} for phase in found}
        fullest = max(found, key=lambda phase: phase.total)
        where, total, computed = f" in {fullest.name}", float(fullest.total), fullest.computed
    else:
        bars = {"a training step": training_memory(wish.system, wish.asked, wish.task)}
        where, total = "", sum(bars["a training step"].values())
        computed = wish.asked.batch == 1 and traced_at(wish.system, wish.asked, "training")
    st.header(f"At least {gib(total)}{where}; plan for {planned(HEADROOM * total)}", anchor=False)
    lines = {f"{size} GiB": size * GIB - CONTEXT for size in SIZES} | {wish.card.name: held(wish.card)}
    lines = {name: size for name, size in lines.items() if name == wish.card.name or size != held(wish.card)}
    chart(
        memory_chart(bars, lines, st.context.theme.type == "dark"),
        alt=f"Memory by part: {'; '.join(f'{name} {gib(sum(parts.values()))}' for name, parts in bars.items())}.",
    )
    st.markdown(answer(wish))
    st.caption(how(wish, computed))
    if wish.task == "make":
        fresh.offer(wish, computed)
        saved = ", ".join(f"**{name}** {gib(size)}" for name, size in savings(wish.system, wish.asked)[:4])
        st.markdown(
            f"What would save most, each alone: {saved}." if saved else "No switch is left that would save any."
        )


@st.cache_data(show_spinner=False)
def noticed() -> tuple[int, int, int]:
    """How many systems there are, in how many half of the weights or more are the text encoders', and how many are
    fullest in decoding, all at their default settings."""
    at = [(phases(system, asked_by_default(system)), system) for system in systems().values()]
    texts = sum(2 * found[0].parts["text encoders"] >= found[0].total for found, _ in at)
    decoding = sum(max(found, key=lambda phase: phase.total).name == "decoding" for found, _ in at)
    return len(at), texts, decoding


@st.cache_data(show_spinner=False)
def trusted() -> dict[str, float]:
    """How far the estimates are from published peaks; see `summary`."""
    return summary(measured())


def guided() -> tuple[int, int]:
    """How many systems compute guidance in one batch, and how many in two calls."""
    kinds = [system.guidance for system in systems().values()]
    return kinds.count("batch"), kinds.count("calls")


def answer(wish: Wish) -> str:
    """Whether it fits on the chosen card, and the cheapest that holds it."""
    verdict = fit(wish.system, wish.asked, wish.card, wish.task)
    fits = f"fits, {gib(verdict.spare)} to spare" if verdict.fits else f"is short by {gib(-verdict.spare)}"
    if verdict.fits and not verdict.safe:
        fits += ", which is less than should be planned for"
    best = cheapest(wish.system, wish.asked, wish.task)
    holds = "No card with a known price holds what to plan for."
    if best:
        price = f"{best.launch_price:,.0f} USD, {best.year}"
        holds = f"The cheapest that holds what to plan for, by launch price: **{best.name}** ({price})."
    return f"On a **{wish.card.name}** it {fits}. {holds}"


def how(wish: Wish, computed: bool) -> str:
    """Where the numbers come from."""
    system = wish.system
    said = "computed at this very setting" if computed else "interpolated between settings that were traced"
    parts = [
        f"Activations, what the layers hand on, are {said}: the system's own code ran with empty arrays, to count "
        f"their sizes ({made()['date']}, diffusers {made()['diffusers']}). Weights are counted, and checked against "
        f"{'the' if system.counts == 'exact' else 'a rounded'} published number. Scratch is what a convolution needs "
        "while it runs. A dashed line is a card's memory less 0.6 GiB that its driver takes (assumed).",
    ]
    if wish.task != "make":
        parts.append(
            "In bf16 with AdamW and gradient checkpointing. Latents and texts are computed beforehand, so that VAE and "
            "text encoders are not on the card: training a few weights can need less than making a picture."
            + (f" LoRA of rank {LORA_RANK} beside every linear layer." if wish.task == "lora" else "")
        )
    if system.experts > 1:
        parts.append(f"It has {system.experts} denoisers that take turns over the noise levels.")
    return " ".join([*parts, system.note]).strip()
