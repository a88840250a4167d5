"""Data in, chart out, as Vega-Lite specifications: importing Altair and pandas would cost 100 MB.

The data lie in the layers and not at the top of a chart, where Streamlit would make a data frame of them.
In the app's theme the categories have the colours of data, model, exact and noise, in this order.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from explorer import palette
from explorer.forward import Roads

SMALL_STEPS, MODEL, THEORY, ONE_JUMP = "Small steps", "", "Theory", "One jump"
EDGE = 3.5


def loss_chart(curve: np.ndarray, dark: bool = False) -> dict[str, Any]:
    """Loss against step, curve (k, 2). Values that are not finite, as a run that diverges may have, are left out."""
    rows = [{"step": float(step), "loss": float(loss)} for step, loss in curve if math.isfinite(loss)]
    colours = palette.DARK if dark else palette.LIGHT
    y = {"field": "loss", "title": "Loss (smoothed)", "scale": {"zero": False}}
    return _against_step({"data": {"values": rows}, "mark": {"type": "line", "color": colours["model"]}}, y)


def distance_chart(history: Sequence[Mapping[str, Any]], floor: float, dark: bool = False) -> dict[str, Any]:
    """Distance to fresh data of each moment of a training, above the floor, on a logarithmic axis.

    Values that are not finite are left out.
    """
    rows = [{"step": at["step"], "distance": at["distance"]} for at in history if math.isfinite(at["distance"])]
    colours = palette.DARK if dark else palette.LIGHT
    mark = {"type": "line", "color": colours["model"], "point": {"color": colours["model"]}, "tooltip": True}
    y = {"field": "distance", "title": "Distance", "scale": {"type": "log", "nice": False, "padding": 6}}
    level = {
        "data": {"values": [{}]},
        "mark": {"type": "rule", "strokeDash": [4, 3], "color": colours["data"]},
        "encoding": {"y": {"datum": floor, "type": "quantitative"}},
    }
    return _against_step({"data": {"values": rows}, "mark": mark}, y, level)


def _against_step(line: dict[str, Any], y: dict[str, Any], *others: dict[str, Any]) -> dict[str, Any]:
    """A low chart of `y` against the training step; the axes of two such charts stand one above the other."""
    encoding = {
        "x": {"field": "step", "type": "quantitative", "title": "Training step", "scale": {"zero": True}},
        "y": {"type": "quantitative", "axis": {"tickCount": 4, "minExtent": 40}, **y},
    }
    return {"height": 170, "layer": [{**line, "encoding": encoding}, *others]}


def roads_chart(roads: Roads) -> dict[str, Any]:
    """Density of all pixels: bars for the jump, an outline for the small steps, a curve for theory."""
    edges = np.linspace(-EDGE, EDGE, 71)
    jump, steps = (np.histogram(x, edges)[0] / x.size / np.diff(edges) for x in (roads.jump, roads.steps))
    bins = _rows(x=(edges[:-1] + edges[1:]) / 2, jump=jump, steps=steps)
    x = np.unique(roads.mean + roads.std * np.linspace(-4, 4, 61)[:, None])
    z = (x - roads.mean[:, None]) / roads.std[:, None]
    density = np.exp(-(z**2) / 2) / (roads.std[:, None] * np.sqrt(2 * np.pi))
    bars = {"type": "area", "interpolate": "step", "opacity": 0.5}
    outline = {"type": "line", "interpolate": "step", "strokeWidth": 1.5}
    return {
        "height": 260,
        "layer": [
            _layer(bins, bars, "jump", ONE_JUMP),
            _layer(bins, outline, "steps", SMALL_STEPS),
            _layer(_rows(x=x, theory=density.mean(0)), {"type": "line", "strokeWidth": 2}, "theory", THEORY),
        ],
    }


def _rows(**columns: np.ndarray) -> list[dict[str, float]]:
    lists = (column.round(4).tolist() for column in columns.values())
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


def _layer(rows: list[dict[str, float]], mark: dict[str, Any], y: str, name: str) -> dict[str, Any]:
    colour = {
        "datum": name,
        "scale": {"domain": [SMALL_STEPS, MODEL, THEORY, ONE_JUMP]},
        "legend": {"values": [ONE_JUMP, SMALL_STEPS, THEORY], "title": None, "orient": "top"},
    }
    shown = {"scale": {"domain": [-EDGE, EDGE]}}
    encoding = {
        "x": {"field": "x", "type": "quantitative", "title": "pixel value, in units of √(α² + σ²)", **shown},
        "y": {"field": y, "type": "quantitative", "title": "density"},
        "color": colour,
    }
    return {"data": {"values": rows}, "mark": {**mark, "clip": True}, "encoding": encoding}
