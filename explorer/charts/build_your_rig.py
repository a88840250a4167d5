"""Charts of the page that builds a rig, as Vega-Lite specifications; see `explorer.charts`."""

from collections.abc import Mapping, Sequence
from typing import Any

from explorer.charts import palette
from explorer.hardware.catalogue import GIB

PARTS = {  # each has the colour of a role
    "text encoders": "data",
    "denoiser": "model",
    "VAE": "exact",
    "weights": "model",
    "gradients": "data",
    "optimizer": "exact",
    "activations": "noise",
    "scratch": "noise",
}
FAINT = {"scratch": "80"}  # half as opaque as the part that has the same colour
UNITS = {"MiB": 2**20, "GiB": GIB}
KINDS = {"comparable": "model", "bound": "data", "rule": "exact", "other": "noise"}


def memory_chart(
    phases: Mapping[str, Mapping[str, float]], lines: Mapping[str, float], dark: bool = False, unit: str = "GiB"
) -> dict[str, Any]:
    """Memory by part, bytes, stacked in a bar for each phase; `lines` are what cards hold, by name. `unit` is
    one of `UNITS`."""
    size_of = UNITS[unit]
    colours = palette.DARK if dark else palette.LIGHT
    rows = [
        {"phase": phase, "part": part, "size": size / size_of, "order": list(PARTS).index(part)}
        for phase, parts in phases.items()
        for part, size in parts.items()
        if size > 0
    ]
    shown = [part for part in PARTS if any(row["part"] == part for row in rows)]
    highest = max(sum(parts.values()) for parts in phases.values()) / size_of
    above = [size / size_of for size in lines.values() if size / size_of > highest]
    far = max(1.6 * highest, min(above, default=0))
    near = apart({name: size / size_of for name, size in lines.items() if size / size_of <= far})
    return {
        "height": 56 * len(phases) + 150,  # axis, legend and names of lines lie inside of it
        "layer": [
            {
                "data": {"values": rows},
                "mark": {"type": "bar", "tooltip": True},
                "encoding": {
                    "y": {"field": "phase", "type": "nominal", "title": None, "sort": list(phases)},
                    "x": {"field": "size", "type": "quantitative", "title": f"Memory in {unit}", "stack": True},
                    "color": {
                        "field": "part",
                        "type": "nominal",
                        "title": None,
                        "legend": {"orient": "bottom", "columns": 3},
                        "scale": {
                            "domain": shown,
                            "range": [colours[PARTS[part]] + FAINT.get(part, "") for part in shown],
                        },
                    },
                    "order": {"field": "order", "type": "quantitative"},
                },
            },
            *_lines(near, colours),
        ],
    }


def apart(lines: Mapping[str, float]) -> dict[str, float]:
    """Lines whose names do not run into each other: of sizes that lie close together the larger; cards by name stay."""
    room, kept = 0.1 * max(lines.values(), default=0.0), dict[str, float]()
    for name, size in sorted(lines.items(), key=lambda line: -line[1]):
        if not name[0].isdigit() or all(abs(size - other) >= room for at, other in kept.items() if at[0].isdigit()):
            kept[name] = size
    return kept


def _lines(at: Mapping[str, float], colours: Mapping[str, str]) -> list[dict[str, Any]]:
    """Vertical lines, their names above: sizes in a row, a card by name in a row over it."""
    x = {"field": "size", "type": "quantitative"}
    rule = {"type": "rule", "aria": False, "strokeDash": [5, 4], "color": colours["noise"]}
    layers = []
    for named, above in ((False, 4), (True, 20)):
        rows = [{"name": name, "size": size} for name, size in at.items() if name[0].isdigit() != named]
        text = {"type": "text", "baseline": "bottom", "fontWeight": "bold" if named else "normal"}
        layers += [
            {"data": {"values": rows}, "mark": rule, "encoding": {"x": x}},
            {
                "data": {"values": rows},
                "mark": text | {"color": colours["noise"]},
                "encoding": {"x": x, "y": {"value": -above}, "text": {"field": "name", "type": "nominal"}},
            },
        ]
    return layers


def growth_chart(
    rows: Sequence[tuple[float, str, float]], title: str, lines: Mapping[str, float], dark: bool = False
) -> dict[str, Any]:
    """Memory at the peak over a size, rows of (size, kind of attention, bytes), on a logarithmic scale."""
    colours = palette.DARK if dark else palette.LIGHT
    values = [{"size": size, "attention": kind, "GiB": total / GIB} for size, kind, total in rows]
    last = max(size for size, _, _ in rows)
    return {
        "height": 320,
        "layer": [
            {
                "data": {"values": values},
                "mark": {"type": "line", "point": True, "tooltip": True},
                "encoding": {
                    "x": {"field": "size", "type": "quantitative", "title": title, "scale": {"zero": False}},
                    "y": {
                        "field": "GiB",
                        "type": "quantitative",
                        "title": "Memory at the peak in GiB",
                        "scale": {"type": "log"},
                    },
                    "color": {
                        "field": "attention",
                        "type": "nominal",
                        "title": "Attention",
                        "legend": {"orient": "bottom"},
                        "scale": {"domain": ["flash", "math"], "range": [colours["model"], colours["noise"]]},
                    },
                },
            },
            {
                "data": {"values": [{"name": name, "GiB": size / GIB, "size": last} for name, size in lines.items()]},
                "mark": {"type": "text", "align": "right", "baseline": "bottom"},
                "encoding": {
                    "y": {"field": "GiB", "type": "quantitative"},
                    "x": {"field": "size", "type": "quantitative"},
                    "text": {"field": "name", "type": "nominal"},
                },
            },
            {
                "data": {"values": [{"GiB": size / GIB} for size in lines.values()]},
                "mark": {"type": "rule", "aria": False, "strokeDash": [5, 4], "color": colours["noise"]},
                "encoding": {"y": {"field": "GiB", "type": "quantitative"}},
            },
        ],
    }


def accuracy_chart(rows: Sequence[Mapping[str, Any]], dark: bool = False) -> dict[str, Any]:
    """Estimates against published peaks, both in GiB; rows have "measured", "estimate", "kind", "model", "setting" and
    "source". On the line the two are equal."""
    colours = palette.DARK if dark else palette.LIGHT
    ends = [min(row["measured"] for row in rows), max(max(row["measured"], row["estimate"]) for row in rows)]
    return {
        "height": 380,
        "layer": [
            {
                "data": {"values": [{"measured": end, "estimate": end} for end in ends]},
                "mark": {"type": "line", "color": colours["noise"], "strokeDash": [5, 4]},
                "encoding": {
                    "x": {"field": "measured", "type": "quantitative", "scale": {"type": "log"}},
                    "y": {"field": "estimate", "type": "quantitative", "scale": {"type": "log"}},
                },
            },
            {
                "data": {"values": list(rows)},
                "mark": {"type": "point", "filled": True, "size": 90},
                "encoding": {
                    "x": {"field": "measured", "type": "quantitative", "title": "Published peak in GiB"},
                    "y": {"field": "estimate", "type": "quantitative", "title": "Estimate in GiB"},
                    "color": {
                        "field": "kind",
                        "type": "nominal",
                        "title": None,
                        "legend": {"orient": "bottom"},
                        "scale": {"domain": list(KINDS), "range": [colours[role] for role in KINDS.values()]},
                    },
                    "shape": {"field": "kind", "type": "nominal", "legend": None},
                    "tooltip": [
                        {"field": name, "type": "nominal"}
                        for name in ("model", "setting", "measured", "estimate", "source")
                    ],
                },
            },
        ],
    }


def cost_chart(rows: Sequence[tuple[float, str, float]], currency: str, dark: bool = False) -> dict[str, Any]:
    """Money spent over months, rows of (months, "buy" or "rent", money)."""
    colours = palette.DARK if dark else palette.LIGHT
    return {
        "height": 300,
        "data": {"values": [{"months": months, "way": way, "money": money} for months, way, money in rows]},
        "mark": {"type": "line", "tooltip": True},
        "encoding": {
            "x": {"field": "months", "type": "quantitative", "title": "Months of use"},
            "y": {"field": "money", "type": "quantitative", "title": f"Spent, {currency}"},
            "color": {
                "field": "way",
                "type": "nominal",
                "title": None,
                "legend": {"orient": "bottom"},
                "scale": {"domain": ["buy", "rent"], "range": [colours["model"], colours["data"]]},
            },
        },
    }
