"""Machines by tier: their parts, cost and power, and what each can make, fine-tune and train."""

import streamlit as st

from explorer.charts.slides.figures import Table
from explorer.hardware.catalogue import GIB, Build, builds, problems, rents
from explorer.hardware.published import HEADROOM
from explorer.hardware.systems import asked_by_default, systems
from explorer.lessons.build_your_rig.fits import Verdict, fine_tuning, held, making
from explorer.ui import gathering
from explorer.ui.build_your_rig.origins import origins
from explorer.ui.controls import choice
from explorer.ui.markdown import plain


def show() -> None:
    """One machine, and all systems on one of its cards."""
    for problem in problems():
        st.warning(plain(problem), icon=":material/table:")
    offered = {build.name: build for build in builds()}
    if not offered:
        st.info("The table of machines is empty.", icon=":material/table:")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        budget = st.slider("Budget, USD", 500, 35_000, 8_000, 500, key="rig_budget", bind="query-params", width=300)
        affordable = {name: build for name, build in offered.items() if build.price[0] <= budget}
        if affordable:
            labels = {name: f"{build.label} ({build.card.name})" for name, build in affordable.items()}
            build = affordable[choice("Tier", labels, next(reversed(labels)), key="rig_tier", width=420)]
    if not affordable:
        least = min(build.price[0] for build in offered.values())
        st.info(
            f"The cheapest machine costs about {least:,.0f} USD: rent a card by the hour, {by_the_hour()}.",
            icon=":material/savings:",
        )
        return
    left, right = st.columns([1, 1.9], gap="medium")
    with left:
        parts(build)
    with right:
        rows = [row(build, key) for key in systems()]
        gathering.keep(lambda: Table(f"What each system can do on one {build.card.name}", rows))
        st.table(
            rows,
            border="horizontal",
            height=600,
            hide_index=True,
            alt=f"What each system can do on one {build.card.name}.",
        )
        origins(
            computed=f"on one {build.card.name}, which holds {held(build.card) / GIB:.1f} GiB: every system at its "
            "default size, a batch of 1, with the first of several remedies that lets it fit; “just” where less is "
            f"spare than {HEADROOM - 1:.0%} of the estimate, which should be planned for. Fine-tuning and training: "
            "one sample at a time, bf16, gradient checkpointing, latents and texts computed before",
            quoted="what the card holds, and its power",
        )


def by_the_hour() -> str:
    """What cards cost where they are rented."""
    offers = ", ".join(f"{one.card.name} {one.hourly:g}" for one in rents())
    return f"for about so many USD: {offers}"


def row(build: Build, key: str) -> dict[str, str]:
    """What one system can do there."""
    system = systems()[key]
    asked = asked_by_default(system)

    def said(verdict: Verdict) -> str:
        return ("✓ " if verdict.fits else "✗ ") + verdict.reason

    return {
        "System": system.name,
        "Make": said(making(system, asked, build.card)),
        "Fine-tune (LoRA)": said(fine_tuning(system, asked, build.card, "lora")),
        "Train all weights": said(fine_tuning(system, asked, build.card, "full")),
    }


def parts(build: Build) -> None:
    """What a machine is made of, and what each part decides."""
    low, high = build.price
    st.markdown(f"**{build.label}**: {low:,.0f} to {high:,.0f} USD, {build.draw:,.0f} W under load")
    st.markdown(
        "\n".join(
            f"- **{part.name}**: {part.what}, {part.low:,.0f} to {part.high:,.0f} USD. {part.decides}"
            for part in build.parts
        )
    )
    st.caption(
        f"Power supply: {build.count} x {build.card.power or 0:,.0f} W and {build.rest:,.0f} W for the rest, "
        f"{build.headroom:.0%} more: {build.needed:,.0f} W, so {build.power_supply:,.0f} W."
        + (f" Prices are assumptions of {build.date}, without a source." if build.assumed else "")
        + f" To rent by the hour instead, {by_the_hour()} (assumed too)."
    )
