"""Charts of the page on guided generation, as Vega-Lite specifications; see `explorer.charts`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from explorer.charts import palette


def sweep_chart(points: Sequence[tuple[float, float | None, float]], dark: bool = False) -> dict[str, Any]:
    """The share of right pictures and their variety against the guidance scale; `points` are (scale, share or None,
    variety)."""
    colours = palette.DARK if dark else palette.LIGHT
    x = {"field": "scale", "type": "quantitative", "title": "Guidance scale"}

    def line(field: str, title: str, colour: str, format: str) -> dict[str, Any]:
        rows = [
            {"scale": scale, "right": share, "variety": variety}
            for scale, share, variety in points
            if field != "right" or share is not None
        ]
        axis = {"format": format, "titleColor": colours[colour], "tickCount": 5}
        scale = {"domain": [0, 1]} if field == "right" else {"zero": True}
        return {
            "data": {"values": rows},
            "mark": {"type": "line", "color": colours[colour], "point": {"color": colours[colour]}, "tooltip": True},
            "encoding": {
                "x": x,
                "y": {"field": field, "type": "quantitative", "title": title, "axis": axis, "scale": scale},
            },
        }

    return {
        "height": 260,
        "layer": [line("right", "Right", "model", "%"), line("variety", "Variety", "data", ".2f")],
        "resolve": {"scale": {"y": "independent"}},
    }


def map_chart(names: Sequence[str], places: np.ndarray, near: Sequence[str], dark: bool = False) -> dict[str, Any]:
    """Concepts as points in the plane, places (n, 2), with the names of some of them; those `near` what was asked
    stand out."""
    colours = palette.DARK if dark else palette.LIGHT
    rows = [
        {"name": name, "first": float(x), "second": float(y), "near": name in near}
        for name, (x, y) in zip(names, places, strict=True)
    ]
    told = [row for index, row in enumerate(rows) if row["near"] or index % 6 == 0]
    encoding = {
        "x": {"field": "first", "type": "quantitative", "title": "First component"},
        "y": {"field": "second", "type": "quantitative", "title": "Second component"},
        "color": {
            "field": "near",
            "type": "nominal",
            "legend": None,
            "scale": {"domain": [False, True], "range": [colours["noise"], colours["model"]]},
        },
    }
    return {
        "height": 420,
        "layer": [
            {
                "data": {"values": rows},
                "mark": {"type": "circle", "size": 40},
                "encoding": encoding | {"tooltip": {"field": "name", "type": "nominal", "title": "Concept"}},
            },
            {
                "data": {"values": told},
                "mark": {"type": "text", "dy": -9},
                "encoding": encoding | {"text": {"field": "name", "type": "nominal"}},
            },
        ],
    }
