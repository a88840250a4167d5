"""The trajectory player: clouds of points that walk from noise to data, animated in the browser.

Everything travels in one buffer, with coordinates as int16; playing, scrubbing, layers, hovering
and exports then need no round trip.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from explorer.charts import palette
from explorer.charts.slides.figures import Walk
from explorer.ui import gathering
from explorer.ui.buffer import pack
from explorer.ui.components import component

LAYERS = {
    "points": "Points",
    "density": "Density",
    "mesh": "Mesh",
    "paths": "Paths",
    "field": "Velocity",
    "score": "Score",
    "x0": "Guess of x₀",
}

_UNIT = 32767  # of int16: the coordinate `_CLIP * extent`, and an arrow `_LONGEST_ARROW` cells long
_CLIP = 4.0
_LONGEST_ARROW = 1.5
_SECONDS = 4.0

_player = component("player", "buffer", "contours", "gif", "mount", "save", "screen", "stage", "theme", "transport")


@dataclass(frozen=True)
class Scene:
    """One stage: n particles over a number of frames, noise first, data last.

    Coordinates are view units: x_t / sqrt(alpha^2 + sigma^2), so that all families fit one stage.
    Vectors are drawn in the direction given, with lengths relative to the 95th percentile of their
    frame. A grid's row k lies at y = extent (2 k / (g - 1) - 1), and so do its columns in x.
    """

    title: str
    x: np.ndarray  # (frames, n, 2)
    t: np.ndarray  # (frames,), times in [0, 1]
    x0: np.ndarray | None = None  # (frames or frames - 1, n, 2): the model's guess of the clean point
    role: str = "model"  # of the moving points: a role of the palette
    target: np.ndarray | None = None  # (m, 2) data, faintly behind
    source: np.ndarray | None = None  # (m, 2) noise, faintly behind
    mesh: np.ndarray | None = None  # (frames, rows, columns, 2): a regular mesh of starts, carried along
    field: np.ndarray | None = None  # (frames, g, g, 2): velocity on a grid over [-extent, extent]^2
    score: np.ndarray | None = None  # (frames, g, g, 2): the same for the score
    started: np.ndarray | None = None  # (frames, k, 2): particles that the person started, as bold paths
    caption: str = ""  # one line under the stage

    def __post_init__(self) -> None:
        """Raises `ValueError` for an array whose shape does not fit the others."""
        frames, particles = self.x.shape[:2]
        wanted: dict[str, tuple[tuple[int | None, ...], ...]] = {
            "x": ((frames, particles, 2),),
            "t": ((frames,),),
            "x0": ((frames, particles, 2), (frames - 1, particles, 2)),
            "target": ((None, 2),),
            "source": ((None, 2),),
            "mesh": ((frames, None, None, 2),),
            "field": ((frames, None, None, 2),),
            "score": ((frames, None, None, 2),),
            "started": ((frames, None, 2),),
        }
        for name, shapes in wanted.items():
            array = getattr(self, name)
            if array is not None and not any(_fits(array.shape, shape) for shape in shapes):
                raise ValueError(f"{name} of {self.title!r} has shape {array.shape}, not one of {shapes}")


def player(
    scenes: Sequence[Scene],
    *,
    key: str,
    extent: float = 3.2,
    layers: Sequence[str] = ("points",),
    autoplay: bool = True,
    fps: float | None = None,
    name: str = "",
    on_start: Callable[[tuple[int, float, float]], None] | None = None,
) -> tuple[int, float, float] | None:
    """Play one scene, or two side by side on one clock.

    Stages show [-extent, extent]^2, as large as the first screen leaves room for. `layers` are keys
    of `LAYERS`, at first; then the person chooses, and their choice, the position and the speed stay
    when new scenes come under the same `key`. `fps` is frames a second; by default the walk lasts
    four seconds, however many frames it has. Saved files are named after `name`, what the walks lead
    to, and the titles.

    With `on_start`, a click on a stage is where a particle shall start: `on_start((scene index, x,
    y))` is called before the rerun, as a widget's callback is, and in that rerun the same tuple is
    returned (otherwise None). Give the particle's path back as `started`.

    Raises `ValueError` for an unknown layer.
    """
    if unknown := set(layers) - set(LAYERS):
        raise ValueError(f"unknown layers: {', '.join(sorted(unknown))}")
    gathering.keep(lambda: _as_walk(scenes, extent, name))
    frames = max(len(scene.t) for scene in scenes)
    meta: dict[str, Any] = {
        "reach": _UNIT / _CLIP,
        "extent": extent,
        "arrow_scale": _LONGEST_ARROW / _UNIT,
        "layers": list(layers),
        "labels": LAYERS,
        "autoplay": autoplay,
        "fps": fps or max(frames - 1, 1) / _SECONDS,
        "name": name,
        "startable": on_start is not None,
        "palette": palette.THEMES,
        "scenes": [{"title": scene.title, "caption": scene.caption, "role": scene.role} for scene in scenes],
    }
    arrays = {
        f"{index}.{name}": array
        for index, scene in enumerate(scenes)
        for name, array in _quantise(scene, extent).items()
    }

    def start_clicked() -> None:
        if on_start and (start := _start(st.session_state[key], len(scenes), extent)):
            on_start(start)

    clicked = _player(key=key, data=pack(meta, **arrays), on_start_change=start_clicked)
    return _start(clicked, len(scenes), extent)


def _as_walk(scenes: Sequence[Scene], extent: float, name: str) -> Walk:
    """The scenes as a figure; points as float32."""
    arrays = ("t", "x", "x0", "target", "source", "mesh", "field", "score", "started")
    title = " beside ".join(scene.title for scene in scenes)
    kept = []
    for scene in scenes:
        own = {key: getattr(scene, key) for key in arrays if getattr(scene, key) is not None}
        kept.append((scene.title, scene.role, {key: np.asarray(array, np.float32) for key, array in own.items()}))
    if name.casefold() not in title.casefold():
        title = f"{name[:1].upper()}{name[1:]}: {title}"
    return Walk(title, extent, kept)


def _start(state: Mapping[str, Any], scenes: int, extent: float) -> tuple[int, float, float] | None:
    """The click in the component's state, if this rerun comes from one; a browser may send anything."""
    try:
        click = state["start"]
        scene, x, y = int(click["scene"]), float(click["x"]), float(click["y"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    inside = abs(x) <= _CLIP * extent and abs(y) <= _CLIP * extent
    return (scene, x, y) if scene in range(scenes) and inside else None


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    """Whether a shape is the wanted one, where None stands for any length."""
    return len(shape) == len(wanted) and all(
        length == expected or expected is None for length, expected in zip(shape, wanted, strict=True)
    )


def _quantise(scene: Scene, extent: float) -> dict[str, np.ndarray]:
    """The arrays of a scene as the browser takes them: (frames, ..., 2) int16, and t as float32."""
    arrays = {"t": scene.t.astype(np.float32)}
    for name in ("x", "x0", "mesh", "started"):
        if (array := getattr(scene, name)) is not None:
            arrays[name] = _to_int16(array, _CLIP * extent)
    for name in ("target", "source"):
        if (array := getattr(scene, name)) is not None:
            arrays[name] = _to_int16(array[None], _CLIP * extent)
    for name in ("field", "score"):
        if (array := getattr(scene, name)) is not None:
            lengths = np.linalg.norm(array, axis=-1).reshape(len(array), -1)
            ordered = np.sort(lengths, axis=1)  # NaN come last
            last = np.isfinite(ordered).sum(1, keepdims=True) - 1
            usual = np.take_along_axis(ordered, (0.95 * last).round().astype(int).clip(0), 1) + 1e-12
            arrays[name] = _to_int16(array / usual[..., None, None], _LONGEST_ARROW)
    return arrays


def _to_int16(values: np.ndarray, limit: float) -> np.ndarray:
    """Values in [-limit, limit] as int16; outliers are clipped, and NaN goes to the limit, out of sight."""
    clipped = np.clip(np.nan_to_num(values, nan=limit), -limit, limit)
    return np.rint(clipped * (_UNIT / limit)).astype(np.int16)
