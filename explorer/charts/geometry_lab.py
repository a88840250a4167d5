"""Charts of the Geometry lab, as Vega-Lite specifications; see `explorer.charts`."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from explorer.charts import palette


def loss_chart(curve: np.ndarray, dark: bool = False) -> dict[str, Any]:
    """Loss against step, curve (k, 2). Values that are not finite, as a run that diverges may have, are left out."""
    rows = [{"step": float(step), "loss": float(loss)} for step, loss in curve if math.isfinite(loss)]
    colours = palette.DARK if dark else palette.LIGHT
    y = {"field": "loss", "title": "Loss (smoothed)", "scale": {"zero": False}}
    return _against_step({"data": {"values": rows}, "mark": {"type": "line", "color": colours["model"]}}, y)


def distance_chart(
    history: Sequence[Mapping[str, Any]], perfect: tuple[float, float], dark: bool = False
) -> dict[str, Any]:
    """Distance to fresh data of each moment of a training, on a logarithmic axis, over the band of what a perfect
    model gets. Values that are not finite are left out.
    """
    rows = [{"step": at["step"], "distance": at["distance"]} for at in history if math.isfinite(at["distance"])]
    colours = palette.DARK if dark else palette.LIGHT
    mark = {"type": "line", "color": colours["model"], "point": {"color": colours["model"]}, "tooltip": True}
    y = {"field": "distance", "title": "Distance", "scale": {"type": "log", "nice": False, "padding": 6}}
    low, high = ({"datum": level, "type": "quantitative"} for level in perfect)
    band = {
        "data": {"values": [{}]},
        "mark": {"type": "rect", "opacity": 0.25, "color": colours["data"]},
        "encoding": {"y": low, "y2": high},
    }
    return _against_step({"data": {"values": rows}, "mark": mark}, y, band)


def _against_step(line: dict[str, Any], y: dict[str, Any], *others: dict[str, Any]) -> dict[str, Any]:
    """A low chart of `y` against the training step; the axes of two such charts stand one above the other."""
    encoding = {
        "x": {"field": "step", "type": "quantitative", "title": "Training step", "scale": {"zero": True}},
        "y": {"type": "quantitative", "axis": {"tickCount": 4, "minExtent": 40}, **y},
    }
    return {"height": 170, "layer": [{**line, "encoding": encoding}, *others]}
