"""Charts of Core concepts, as Vega-Lite specifications; see `explorer.charts`."""

from typing import Any

import numpy as np

from explorer.lessons.core_concepts import Roads

SMALL_STEPS, MODEL, THEORY, ONE_JUMP = "Small steps", "", "Theory", "One jump"
EDGE = 3.5


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
