"""How near the estimates come to what others measured and published."""

import streamlit as st

from explorer.charts.build_your_rig import accuracy_chart
from explorer.hardware.catalogue import GIB
from explorer.hardware.published import measured, summary
from explorer.hardware.speed import reached
from explorer.ui import tables
from explorer.ui.build_your_rig.origins import origins
from explorer.ui.chart import chart


def show() -> None:
    """The chart, the counts, and the rows."""
    found = measured()
    rows = [
        {
            "model": one.model,
            "setting": one.setting,
            "kind": one.kind,
            "measured": round(one.measured / GIB, 2),
            "estimate": None if one.estimate is None else round(one.estimate / GIB, 2),
            "error": None if one.estimate is None else round(100 * one.error, 1),
            "source": one.source,
        }
        for one in found
    ]
    told = summary(found)
    shown = [row for row in rows if row["estimate"] is not None]
    chart(accuracy_chart(shown, st.context.theme.type == "dark"), alt="Estimated against published peaks of memory.")
    st.markdown(
        f"Of **{told['rows comparable']} comparable** rows (diffusers, allocated memory, an exact unit, every switch "
        f"modelled) the median error is **{told['median error']:.1%}**, from {told['least error']:+.1%} to "
        f"{told['greatest error']:+.1%}. {told['above']} were measured above the estimate, and "
        f"{told['above the plan']} of these above the tenth more that this page plans for. Of "
        f"{told['rows bound']} published as “about” or “minimum” {told['bounds estimated']} can be estimated, "
        f"{told['bounds missed']} of these too low. {told['rows rule']} rows are of FLUX.1, on which the rule for the "
        f"scratch of convolutions was found, and {told['rows other']} of other code or of reserved memory: shown, not "
        "counted."
    )
    tables.figures(
        rows,
        title="Published peaks of memory and their estimates",
        column_config={
            "measured": st.column_config.NumberColumn("published, GiB"),
            "estimate": st.column_config.NumberColumn("estimate, GiB"),
            "error": st.column_config.NumberColumn("error", format="%+.1f %%"),
        },
    )
    st.markdown("**Published speeds**: the share of a card's dense peak that they reach, from the shortest step.")
    tables.figures(
        [
            {
                "model": one.model,
                "card": one.card,
                "a step at the peak, ms": round(1000 * one.ideal, 1),
                "reached": one.share,
                "source": one.source,
            }
            for one in sorted(reached(), key=lambda one: one.ideal)
        ],
        title="Published speeds",
        column_config={"reached": st.column_config.NumberColumn("reached", format="percent")},
    )
    origins(
        computed="the estimates and their errors",
        quoted="what others measured and published, with sources in the tables",
        measured="nothing: no card was at hand here, so all of this was held against published figures alone",
    )
