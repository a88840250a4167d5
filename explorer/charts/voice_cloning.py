"""Charts of the page on voice cloning, as Vega-Lite specifications; see `explorer.charts`."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from explorer.charts import palette

KIND_ROLES = {"known": "data", "blend": "noise", "stranger": "exact", "reference": "model", "made": "model"}
KIND_NAMES = {
    "known": "known",
    "blend": "blends",
    "stranger": "kept out",
    "reference": "the reference",
    "made": "what was made",
}


def wave_chart(audio: np.ndarray, rate: int, dark: bool = False) -> dict[str, Any]:
    """A waveform (samples,) as the lowest and the highest value of each of 400 stretches."""
    colours = palette.DARK if dark else palette.LIGHT
    stretches = np.array_split(audio, min(400, len(audio)))
    rows, start = [], 0
    for stretch in stretches:
        rows.append({"time": start / rate, "low": float(stretch.min()), "high": float(stretch.max())})
        start += len(stretch)
    return {
        "height": 170,
        "data": {"values": rows},
        "mark": {"type": "area", "color": colours["data"]},
        "encoding": {
            "x": {"field": "time", "type": "quantitative", "title": "Time (s)"},
            "y": {"field": "low", "type": "quantitative", "title": "Amplitude", "scale": {"domain": [-1, 1]}},
            "y2": {"field": "high"},
        },
    }


def spectrogram_chart(bands: np.ndarray, hertz: Sequence[float], seconds: float, dark: bool = False) -> dict[str, Any]:
    """Loudness by band and time, (bands, places): the mean of each two bands, and of as many places as leave 120."""
    colours = palette.DARK if dark else palette.LIGHT
    step = -(-bands.shape[1] // 120)
    places = bands.shape[1] // step
    bands = bands[:, : places * step].reshape(len(bands) // 2, 2, places, step).mean((1, 3))
    hertz = hertz[::2]
    rows = [
        {"time": round(k * seconds / places, 3), "end": round((k + 1) * seconds / places, 3), "band": j, "loud": value}
        for j, row in enumerate(bands.round(2).tolist())
        for k, value in enumerate(row)
    ]
    ticks = [4, 12, 22, 31]
    names = "{" + ",".join(f"'{j}': '{hertz[j] / 1000:.1f} kHz'" for j in ticks) + "}"
    return {
        "height": 220,
        "data": {"values": rows},
        "mark": {"type": "rect"},
        "encoding": {
            "x": {"field": "time", "type": "quantitative", "title": "Time (s)"},
            "x2": {"field": "end"},
            "y": {
                "field": "band",
                "type": "ordinal",
                "sort": "descending",
                "title": "Frequency",
                "axis": {"values": ticks, "labelExpr": f"{names}[datum.value]"},
            },
            "color": {
                "field": "loud",
                "type": "quantitative",
                "legend": None,
                "scale": {"range": ["#00000000", colours["data"]], "domain": [-2, 2], "clamp": True},
            },
        },
    }


def pitch_chart(hertz: np.ndarray, voiced: np.ndarray, frames: float, dark: bool = False) -> dict[str, Any]:
    """The pitch of each frame in Hz, where there is a voice."""
    colours = palette.DARK if dark else palette.LIGHT
    rows = [
        {"time": k / frames, "pitch": float(pitch) if on else None}
        for k, (pitch, on) in enumerate(zip(hertz, voiced, strict=True))
    ]
    return {
        "height": 170,
        "data": {"values": rows},
        "mark": {"type": "line", "color": colours["data"], "invalid": "break-paths-show-path-domains"},
        "encoding": {
            "x": {"field": "time", "type": "quantitative", "title": "Time (s)"},
            "y": {
                "field": "pitch",
                "type": "quantitative",
                "title": "Pitch (Hz)",
                "scale": {"type": "log", "domain": [60, 420]},
                "axis": {"values": [80, 120, 200, 300, 400]},
            },
        },
    }


def map_chart(places: Sequence[tuple[float, float, str, str]], dark: bool = False) -> dict[str, Any]:
    """Voices as points of the plane, (x, y, kind, name); those with a name say it."""
    colours = palette.DARK if dark else palette.LIGHT
    rows = [{"first": x, "second": y, "kind": KIND_NAMES[kind], "name": name} for x, y, kind, name in places]
    kinds = [kind for kind in KIND_NAMES if any(kind == one[2] for one in places)]
    names = [KIND_NAMES[kind] for kind in kinds]
    encoding = {
        "x": {"field": "first", "type": "quantitative", "title": "First component", "scale": {"zero": False}},
        "y": {"field": "second", "type": "quantitative", "title": "Second component", "scale": {"zero": False}},
        "color": {
            "field": "kind",
            "type": "nominal",
            "title": "Voices",
            "scale": {"domain": names, "range": [colours[KIND_ROLES[kind]] for kind in kinds]},
        },
        "shape": {
            "field": "kind",
            "type": "nominal",
            "title": "Voices",
            "scale": {
                "domain": names,
                "range": [
                    {"reference": "diamond", "made": "triangle-up", "stranger": "square"}.get(kind, "circle")
                    for kind in kinds
                ],
            },
        },
    }
    told = [row for row in rows if row["name"]]
    return {
        "height": 400,
        "layer": [
            {
                "data": {"values": rows},
                "mark": {"type": "point", "filled": True, "size": 70, "opacity": 0.85, "tooltip": True},
                "encoding": encoding,
            },
            {
                "data": {"values": told},
                "mark": {"type": "text", "dy": -11, "color": colours["noise"]},
                "encoding": {"x": encoding["x"], "y": encoding["y"], "text": {"field": "name", "type": "nominal"}},
            },
        ],
    }


def curves_chart(
    points: Sequence[Mapping[str, float]], x: tuple[str, str], lines: Mapping[str, tuple[str, str]], dark: bool = False
) -> dict[str, Any]:
    """Several measures of the same things, shares or cosines, against one of them: `x` is its field and its title,
    `lines` the title and the colour's role of each field."""
    colours = palette.DARK if dark else palette.LIGHT
    rows: list[dict[str, Any]] = [
        {x[0]: point[x[0]], "what": title, "value": point[field]}
        for point in points
        for field, (title, _) in lines.items()
    ]
    least = min(0.0, math.floor(4 * min(row["value"] for row in rows)) / 4)
    return {
        "height": 260,
        "data": {"values": rows},
        "mark": {"type": "line", "point": True, "tooltip": True},
        "encoding": {
            "x": {"field": x[0], "type": "quantitative", "title": x[1]},
            "y": {
                "field": "value",
                "type": "quantitative",
                "title": "Share or cosine",
                "scale": {"domain": [least, 1]},
            },
            "color": {
                "field": "what",
                "type": "nominal",
                "title": None,
                "scale": {
                    "domain": [title for title, _ in lines.values()],
                    "range": [colours[role] for _, role in lines.values()],
                },
                "legend": {"orient": "top", "labelLimit": 400},
            },
        },
    }


def loudness_chart(
    bands: Sequence[float], speech: Sequence[float], mark: Sequence[float], dark: bool = False
) -> dict[str, Any]:
    """The level of speech and of the mark in it in each critical band, in dB; `bands` are their centres in Hz."""
    colours = palette.DARK if dark else palette.LIGHT
    rows = [
        {"hertz": hertz, "what": what, "level": level}
        for what, levels in (("the speech", speech), ("the mark in it", mark))
        for hertz, level in zip(bands, levels, strict=True)
    ]
    return {
        "height": 240,
        "data": {"values": rows},
        "mark": {"type": "line", "point": True, "tooltip": True},
        "encoding": {
            "x": {
                "field": "hertz",
                "type": "quantitative",
                "title": "Critical band (Hz)",
                "scale": {"type": "log", "domain": [100, 4000]},
                "axis": {"values": [125, 250, 500, 1000, 2000, 4000]},
            },
            "y": {"field": "level", "type": "quantitative", "title": "Level (dB)", "scale": {"zero": False}},
            "color": {
                "field": "what",
                "type": "nominal",
                "title": None,
                "scale": {"domain": ["the speech", "the mark in it"], "range": [colours["data"], colours["model"]]},
                "legend": {"orient": "top"},
            },
        },
    }
