"""Charts of the Sampling showdown, as Vega-Lite specifications (see `explorer.charts`).

Samplers have colours of their own, apart from those of the palette's roles, and a shape each.
"""

import math
from collections.abc import Sequence
from typing import Any

from explorer.charts import palette
from explorer.lessons.sampling_showdown.quality import Quality
from explorer.samplers import SAMPLERS

SHAPES = ["circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "triangle-right"]
DISTANCES = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200]
ERRORS = [0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1]
LEGEND = {"title": None, "orient": "top", "columns": 2, "columnPadding": 6}  # fits a phone
TICKS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]


def quality_chart(
    measured: Sequence[Quality],
    earlier: Sequence[Quality],
    what: str,
    against: str,
    floor: float | None = None,
    dark: bool = False,
) -> dict[str, Any]:
    """`what`, "accuracy" or "frechet", against "steps" or "evaluations", one line a sampler.

    What was measured `earlier` lies faintly behind; `floor` is a level to compare with.
    """
    title = {"accuracy": "Class asked for", "frechet": "Fréchet distance"}[what]
    lowest = min((point.accuracy or 0.0 for point in (*measured, *earlier)), default=0.0)
    y: dict[str, Any] = {
        "scale": {"domain": [max(0.0, math.floor(10 * lowest - 0.5) / 10), 1]},
        "axis": {"format": "%", "tickCount": 5},
    }
    if what == "frechet":
        y = {"scale": {"type": "log", "nice": False, "padding": 8}, "axis": {"values": DISTANCES}}
    rows = [
        {
            "sampler": SAMPLERS[point.sampler].label,
            "steps": point.steps,
            "evaluations": point.evaluations,
            "samples": point.n,
            "measured": when,
            what: getattr(point, what),
        }
        for points, when in ((earlier, "before"), (measured, "here"))
        for point in points
    ]
    labels = [sampler.label for sampler in SAMPLERS.values()]
    present = [number for number, label in enumerate(labels) if any(row["sampler"] == label for row in rows)]
    colours = palette.MORE["dark" if dark else "light"]

    def by_sampler(values: Sequence[str]) -> dict[str, Any]:
        scale = {"domain": [labels[number] for number in present], "range": [values[number] for number in present]}
        return {"field": "sampler", "scale": scale, "legend": LEGEND}

    behind = {"test": "datum.measured == 'before'", "value": 0.3 if measured else 1.0}
    lines = {
        "data": {"values": rows},
        "mark": {"type": "line", "point": {"filled": True, "size": 55}},
        "encoding": {
            "x": _counts(against, {"steps": "Steps", "evaluations": "Network calls for each image"}[against]),
            "y": {"field": what, "type": "quantitative", "title": title, **y},
            "color": by_sampler(colours),
            "shape": by_sampler(SHAPES),
            "opacity": {"condition": behind, "value": 1},
            "detail": {"field": "measured"},
            "tooltip": [
                *({"field": field} for field in ("sampler", "steps", "samples")),
                {"field": what, "format": ".1%" if what == "accuracy" else ".3f"},
            ],
        },
    }
    return {"height": 380, "layer": [lines] if floor is None else [lines, _level(floor, dark)]}


def _counts(field: str, title: str) -> dict[str, Any]:
    return {
        "field": field,
        "type": "quantitative",
        "title": f"{title} (log scale)",
        "scale": {"type": "log", "nice": False, "padding": 12},
        "axis": {"values": TICKS, "format": "d", "grid": False},
    }


def _level(value: float, dark: bool) -> dict[str, Any]:
    colour = (palette.DARK if dark else palette.LIGHT)["data"]
    return {
        "data": {"values": [{"what": "training images"}]},
        "mark": {
            "type": "rule",
            "aria": False,
            "strokeDash": [4, 3],
            "color": colour,
            "tooltip": "real training images",
        },
        "encoding": {"y": {"datum": value, "type": "quantitative"}},
    }


def error_chart(errors: dict[int, float], chosen: int, dark: bool = False) -> dict[str, Any]:
    """Error of a round trip against its steps, both logarithmic; the chosen number of steps stands out."""
    rows = [{"steps": steps, "error": error, "chosen": steps == chosen} for steps, error in sorted(errors.items())]
    colour = (palette.DARK if dark else palette.LIGHT)["model"]
    encoding = {
        "x": _counts("steps", "Steps each way"),
        "y": {
            "field": "error",
            "type": "quantitative",
            "title": "Error, RMS over pixels",
            "scale": {"type": "log", "nice": False, "padding": 10},
            "axis": {"values": ERRORS, "grid": True},
        },
        "tooltip": [{"field": "steps"}, {"field": "error", "format": ".4f"}],
    }
    size = {"condition": {"test": "datum.chosen", "value": 160}, "value": 50}
    points = {
        "mark": {"type": "point", "filled": True, "color": colour, "opacity": 1},
        "encoding": {**encoding, "size": size},
    }
    line = {"mark": {"type": "line", "color": colour}, "encoding": encoding}
    return {"height": 260, "layer": [{"data": {"values": rows}, **layer} for layer in (line, points)]}
