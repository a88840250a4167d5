"""The charts of the Training lab, as Vega-Lite specifications; see `explorer.charts`."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from explorer.charts import palette
from explorer.lessons.trainings.record import Training

TRAINING, HELD_OUT = "training", "held-out"
DASHES = ([1, 0], [5, 3])  # of the run that is shown, and of the one it is compared with
HEIGHT = 300
UNLIKE = 5  # times as many epochs: a linear axis would hide the shorter run


def losses_chart(runs: Sequence[Training], dark: bool = False) -> dict[str, Any]:
    """The losses of one or two runs by epoch: each step's faintly, the smoothed one, and the held-out one."""
    layers = []
    for number, run in enumerate(runs):
        per_epoch = run.plan.batch_size / max(1, run.images)
        smoothed = [(step * per_epoch, loss) for step, loss, _ in run.curve.tolist()]
        raw = [(step * per_epoch, loss) for step, _, loss in run.curve.tolist()]
        held_out = [(step * per_epoch, loss) for step, loss, _ in run.validation.tolist()]
        layers += [
            _line(raw, TRAINING, number, opacity=0.3, width=1),
            _line(smoothed, TRAINING, number),
            _line(held_out, HELD_OUT, number),
        ]
    lengths = [run.plan.epochs or run.epoch_of(run.curve[-1, 0]) for run in runs if len(run.curve)]
    if lengths and max(lengths) > UNLIKE * min(lengths):
        return _chart(layers, "Epoch (log scale)", "Loss", dark, type="log")
    return _chart(layers, "Epoch", "Loss", dark)


def levels_chart(runs: Sequence[Training], dark: bool = False) -> dict[str, Any]:
    """The losses of one or two runs by noise level, as they were measured last."""
    layers = []
    for number, run in enumerate(runs):
        rows = run.levels.tolist()
        layers += [
            _line([(level, loss) for level, _, loss in rows], TRAINING, number, points=True),
            _line([(level, loss) for level, loss, _ in rows], HELD_OUT, number, points=True),
        ]
    return _chart(layers, "log-SNR (left: image, right: noise)", "Loss", dark, reverse=True)


def _line(
    rows: Sequence[tuple[float, float]],
    name: str,
    number: int,
    opacity: float = 1.0,
    width: float = 2,
    points: bool = False,
) -> dict[str, Any]:
    """Values that are not finite or not above 0, which a logarithm cannot show, are left out."""
    shown = [{"x": round(x, 4), "y": float(f"{y:.4g}")} for x, y in rows if math.isfinite(x) and 0 < y < math.inf]
    mark = {"type": "line", "strokeWidth": width, "strokeDash": DASHES[number], "opacity": opacity, "clip": True}
    return {
        "data": {"values": shown},
        "mark": mark | ({"point": {"size": 20}} if points else {}),
        "encoding": {"color": {"datum": name}},
    }


def _chart(layers: Sequence[dict[str, Any]], x: str, y: str, dark: bool, **scale_of_x: Any) -> dict[str, Any]:
    """The layers on a logarithmic axis; the wildest hundredth of the values may leave it."""
    colours = palette.DARK if dark else palette.LIGHT
    colour = {
        "scale": {"domain": [TRAINING, HELD_OUT], "range": [colours["model"], colours["data"]]},
        "legend": {"title": None, "orient": "top", "symbolOpacity": 1, "symbolStrokeWidth": 2},
    }
    values = [row["y"] for layer in layers for row in layer["data"]["values"]]
    low, high = np.quantile(values, [0, 0.995]) if values else (0.1, 1.0)
    scale = {"type": "log", "domain": [float(low) / 1.15, float(high) * 1.3]}
    for layer in layers:
        layer["encoding"] |= {
            "x": {
                "field": "x",
                "type": "quantitative",
                "title": x,
                "scale": {"nice": False, "zero": False, **scale_of_x},
            },
            "y": {
                "field": "y",
                "type": "quantitative",
                "title": y,
                "scale": scale,
                "axis": {"tickCount": 5, "format": "~g"},
            },
        }
        layer["encoding"]["color"] |= colour
    return {"height": HEIGHT, "layer": list(layers)}
