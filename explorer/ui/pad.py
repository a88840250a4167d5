"""Pads to draw on: a distribution of points in the plane, and a small image.

The browser keeps the strokes; a finished stroke arrives here as base64 of the drawing.
A pad's drawing is there again when its page was left, and after a reload.
"""

import base64
import binascii
import zlib
from typing import Any

import numpy as np
import streamlit as st

from explorer.charts import palette
from explorer.ui import made
from explorer.ui.components import component

MOST_POINTS = 20_000
_UNIT = 32767  # int16 coordinates: _UNIT is `extent`
_LONGEST = 4 * (4 * MOST_POINTS + 2) // 3  # characters of base64

_pad = component("pad", "mount", "pixels", "theme")


def draw_points(*, key: str, initial: np.ndarray | None = None, extent: float = 3.2) -> np.ndarray | None:
    """A pad to spray points on: float32 (n, 2) in [-extent, extent], at most `MOST_POINTS`; None when empty.

    Until the person draws, it shows and returns the points of `initial`, (n, 2).
    """
    encoded = "" if initial is None else encode_points(initial, extent)
    return decode_points(_draw(key, encoded, paper="points"), extent)


def draw_image(*, key: str, size: int = 28, backdrop: str = "") -> np.ndarray | None:
    """A pad to draw an image on, white on black: float32 (size, size) in [-1, 1]; None when blank.

    With a `backdrop`, the URL of a picture, one paints white over that; the URL names the pad as well as its key does.
    """
    key = f"{key}_{zlib.crc32(backdrop.encode()):x}" if backdrop else key
    return decode_image(_draw(key, "", paper="image", size=size, backdrop=backdrop), size)


def _draw(key: str, initial: str, **options: Any) -> str:
    """Mounts the pad and returns its drawing: the last text that the browser sent, else `initial`."""
    kept = f"{key}_kept"
    sent = (st.session_state.get(key) or {}).get("drawing")
    if isinstance(sent, str) and len(sent) <= _LONGEST and sent != st.session_state.get(kept):
        made.remember(kept, sent)
    drawn = made.recall(kept)
    drawing = initial if drawn is None else drawn
    data = {**options, "drawing": drawing, "drawn": drawn is not None, "palette": palette.THEMES}
    _pad(key=key, data=data, on_drawing_change=lambda: None)
    return drawing


def encode_points(points: np.ndarray, extent: float) -> str:
    """Base64 of the first `MOST_POINTS` points, (n, 2), clipped, as little-endian int16 pairs."""
    scaled = np.clip(points[:MOST_POINTS] / extent, -1, 1) * _UNIT
    return base64.b64encode(np.rint(scaled).astype("<i2").tobytes()).decode()


def decode_points(drawing: Any, extent: float) -> np.ndarray | None:
    """The points of `encode_points`, float32 (n, 2); None for an empty drawing and for anything else."""
    content = _decode(drawing)
    if not content or len(content) % 4:
        return None
    points = np.frombuffer(content[: 4 * MOST_POINTS], "<i2").reshape(-1, 2)
    return np.maximum(points, -_UNIT).astype(np.float32) * np.float32(extent / _UNIT)


def decode_image(drawing: Any, size: int) -> np.ndarray | None:
    """Base64 of size * size bytes as float32 (size, size) in [-1, 1]; None when black or anything else."""
    content = _decode(drawing)
    if len(content) != size * size or not any(content):
        return None
    return np.frombuffer(content, np.uint8).reshape(size, size).astype(np.float32) / 127.5 - 1


def _decode(drawing: Any) -> bytes:
    """The bytes of a base64 text; none for anything else."""
    try:
        return base64.b64decode(drawing, validate=True) if isinstance(drawing, str) else b""
    except (binascii.Error, ValueError):
        return b""
