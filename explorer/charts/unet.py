"""Charts of the U-Net page, as Vega-Lite specifications; see `explorer.charts`."""

from typing import Any

import numpy as np

from explorer.charts import palette

HEIGHT = 300


def heat_chart(log_snr: np.ndarray, rows: np.ndarray, title: str, now: float, theme: str) -> dict[str, Any]:
    """`rows`, (n, k), one line of colour each over `log_snr`, (k,): negative values blue, positive orange."""
    step = float(log_snr[1] - log_snr[0])
    values = [{"x": float(x), "v": column} for x, column in zip(log_snr, rows.T.round(2).tolist(), strict=True)]
    colours = palette.THEMES[theme]
    scale = {"domainMid": 0, "range": [colours["data"], palette.GROUNDS[theme], colours["model"]], "interpolate": "rgb"}
    return {
        "height": HEIGHT,
        "title": title,
        "layer": [
            {
                "data": {"values": values},
                "transform": [
                    {"flatten": ["v"]},
                    {"window": [{"op": "row_number", "as": "row"}], "groupby": ["x"]},
                    {"calculate": f"datum.x - {step / 2}", "as": "from"},
                    {"calculate": f"datum.x + {step / 2}", "as": "to"},
                    {"calculate": "datum.row - 1", "as": "above"},
                ],
                "mark": {"type": "rect"},
                "encoding": {
                    "x": _level("from"),
                    "x2": {"field": "to"},
                    "y": {"field": "above", "type": "quantitative", "axis": None, "scale": {"nice": False}},
                    "y2": {"field": "row"},
                    "color": {"field": "v", "type": "quantitative", "scale": scale, "legend": None},
                },
            },
            _now(now, theme),
        ],
    }


def likeness_chart(log_snr: np.ndarray, likeness: np.ndarray, now: float, theme: str) -> dict[str, Any]:
    """`likeness`, (k,), of the embeddings at `log_snr`, (k,), to the one at `now`."""
    values = [{"x": float(x), "y": float(y)} for x, y in zip(log_snr, likeness.round(4), strict=True)]
    return {
        "height": HEIGHT,
        "title": "How alike other levels are",
        "layer": [
            {
                "data": {"values": values},
                "mark": {"type": "line", "color": palette.THEMES[theme]["model"], "strokeWidth": 2.5},
                "encoding": {
                    "x": _level("x"),
                    "y": {"field": "y", "type": "quantitative", "title": "cosine of the angle"},
                },
            },
            _now(now, theme),
        ],
    }


def _level(field: str) -> dict[str, Any]:
    return {
        "field": field,
        "type": "quantitative",
        "title": "log-SNR (left: image, right: noise)",
        "scale": {"reverse": True, "nice": False},
        "axis": {"tickCount": 5},
    }


def _now(now: float, theme: str) -> dict[str, Any]:
    return {
        "data": {"values": [{}]},
        "mark": {"type": "rule", "aria": False, "strokeWidth": 2, "strokeDash": [4, 3], "color": palette.INKS[theme]},
        "encoding": {"x": {"datum": now, "type": "quantitative"}},
    }
