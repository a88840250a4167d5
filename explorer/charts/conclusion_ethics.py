"""Charts of the page on ethics, as Vega-Lite specifications; see `explorer.charts`."""

from collections.abc import Mapping, Sequence
from typing import Any

from explorer.charts import palette

LEGEND = {"title": None, "orient": "top", "columns": 1, "labelLimit": 420}


def distances_chart(curves: Mapping[str, tuple[str, Sequence[float]]], dark: bool = False) -> dict[str, Any]:
    """Shares of images that lie at most so far from their nearest: label -> (role of the palette, percentiles of the
    distance, 0 to 100)."""
    colours = palette.DARK if dark else palette.LIGHT
    rows = [
        {"what": label, "distance": distance, "share": place / (len(values) - 1)}
        for label, (_, values) in curves.items()
        for place, distance in enumerate(values)
    ]
    return {
        "height": 330,
        "data": {"values": rows},
        "mark": {"type": "line", "strokeWidth": 2.5},
        "encoding": {
            "x": {"field": "distance", "type": "quantitative", "title": "Distance to the nearest (RMS of the pixels)"},
            "y": {
                "field": "share",
                "type": "quantitative",
                "title": "Share of images nearer than this",
                "axis": {"format": "%"},
            },
            "color": {
                "field": "what",
                "type": "nominal",
                "scale": {"domain": list(curves), "range": [colours[role] for role, _ in curves.values()]},
                "legend": LEGEND,
            },
            "strokeDash": {"field": "what", "type": "nominal", "scale": {"domain": list(curves)}, "legend": LEGEND},
            "order": {"field": "share"},
        },
    }


def lines_chart(
    lines: Mapping[str, Mapping[float, float]],
    x: str,
    y: str,
    dark: bool = False,
    dashed: Mapping[str, Mapping[float, float]] | None = None,
    point: tuple[float, float] | None = None,
    log: bool = False,
    least: float = 0.0,
) -> dict[str, Any]:
    """Shares against a number, one line each; `dashed` lines of the same names are what theory says, and `point` is
    what was just measured."""
    colours = palette.DARK if dark else palette.LIGHT
    range_ = [colours[role] for role in palette.CATEGORIES] + palette.MORE["dark" if dark else "light"][:2]
    scale = {"type": "log", "nice": False} if log else {"nice": False}
    encoding = {
        "x": {"field": "x", "type": "quantitative", "title": x, "scale": scale},
        "y": {
            "field": "y",
            "type": "quantitative",
            "title": y,
            "axis": {"format": "%"},
            "scale": {"domain": [least, 1]},
        },
        "color": {
            "field": "line",
            "type": "nominal",
            "scale": {"domain": list(lines), "range": range_[: len(lines)]},
            "legend": LEGEND,
        },
    }
    layers: list[dict[str, Any]] = [
        {
            "data": {"values": _rows(lines)},
            "mark": {"type": "line", "point": {"size": 60, "filled": True}, "strokeWidth": 2.5},
            "encoding": {
                **encoding,
                "shape": {"field": "line", "type": "nominal", "scale": {"domain": list(lines)}, "legend": LEGEND},
            },
        }
    ]
    if dashed:
        layers.append(
            {
                "data": {"values": _rows(dashed)},
                "mark": {"type": "line", "strokeDash": [5, 4], "strokeWidth": 1.5},
                "encoding": encoding,
            }
        )
    if point:
        layers.append(
            {
                "data": {"values": [{"x": point[0], "y": point[1]}]},
                "mark": {"type": "point", "size": 220, "strokeWidth": 3, "color": colours["model"]},
                "encoding": {"x": encoding["x"], "y": encoding["y"]},
            }
        )
    return {"height": 370, "layer": layers}


def _rows(lines: Mapping[str, Mapping[float, float]]) -> list[dict[str, Any]]:
    return [{"line": label, "x": float(x), "y": y} for label, points in lines.items() for x, y in points.items()]


def shares_chart(rows: Sequence[tuple[str, str, float, float]], title: str, dark: bool = False) -> dict[str, Any]:
    """Shares with their intervals: (row, kind, share, half of the interval)."""
    colours = palette.DARK if dark else palette.LIGHT
    kinds = list(dict.fromkeys(kind for _, kind, _, _ in rows))
    values = [
        {"row": row, "kind": kind, "share": share, "low": max(0, share - half), "high": min(1, share + half)}
        for row, kind, share, half in rows
    ]
    y = {"field": "row", "type": "nominal", "title": None, "sort": None}
    colour = {
        "field": "kind",
        "type": "nominal",
        "scale": {"domain": kinds, "range": [colours["data"], colours["model"], colours["exact"]][: len(kinds)]},
        "legend": LEGEND,
    }
    offset = {"field": "kind", "type": "nominal", "sort": kinds}
    share = {"type": "quantitative", "title": title, "axis": {"format": "%"}, "scale": {"domain": [0, 1]}}
    return {
        "height": {"step": 34},
        "layer": [
            {
                "data": {"values": values},
                "mark": {"type": "rule", "aria": False, "strokeWidth": 2},
                "encoding": {
                    "y": y,
                    "yOffset": offset,
                    "color": colour,
                    "x": {"field": "low", **share},
                    "x2": {"field": "high"},
                },
            },
            {
                "data": {"values": values},
                "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
                "encoding": {
                    "y": y,
                    "yOffset": offset,
                    "color": colour,
                    "shape": {"field": "kind", "type": "nominal", "scale": {"domain": kinds}, "legend": LEGEND},
                    "x": {"field": "share", **share},
                },
            },
        ],
    }
