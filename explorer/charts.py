"""Data in, chart out: Altair charts that follow the app's theme."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np


def training_chart(curve: np.ndarray, history: Sequence[Mapping[str, Any]], floor: float) -> alt.VConcatChart:
    """Loss against step, curve (k, 2), above the distance of each snapshot, with its floor.

    Values that are not finite, as a run that diverges may have, are left out.
    """
    finite = curve[np.isfinite(curve).all(1)]
    loss = alt.Data(values=[{"step": float(step), "loss": float(value)} for step, value in finite])
    losses = (
        alt.Chart(loss, height=110)
        .mark_line(strokeWidth=1.5)
        .encode(
            x=alt.X("step:Q", title=None),
            y=alt.Y("loss:Q", title="Loss (smoothed)", scale=alt.Scale(zero=False)),
        )
    )
    rows = alt.Data(
        values=[
            {"step": about["step"], "distance": about["distance"], "floor": floor}
            for about in history
            if math.isfinite(about["distance"])
        ]
    )
    points = (
        alt.Chart(rows, height=110)
        .mark_line(point=True, strokeWidth=1.5)
        .encode(
            x=alt.X("step:Q", title="Training step"),
            y=alt.Y("distance:Q", title="Distance", scale=alt.Scale(type="log")),
            tooltip=["step:Q", "distance:Q"],
        )
    )
    level = alt.Chart(rows).mark_rule(strokeDash=[4, 3]).encode(y="min(floor):Q")
    return alt.vconcat(losses, points + level)
