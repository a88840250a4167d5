"""A sheet of small images in labelled rows, which shrinks with the page and keeps its pixels crisp."""

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from PIL import Image

from explorer.charts.slides.figures import Images
from explorer.once import once
from explorer.ui import gathering
from explorer.ui.film import in_bytes

_GAP = 1 / 16  # of an image's width
_LETTERS = 14  # height of a caption's letters, in hundredths of its column


@dataclass(frozen=True)
class Row:
    """Images under one title: float (columns, height, width), greys as in `film`, or (columns, height, width, 3),
    colours, and a caption for each."""

    title: str
    images: np.ndarray
    captions: Sequence[str]
    alt: str


def sheet(rows: Sequence[Row], head: Sequence[str], *, title: str) -> None:
    """Rows of equally many images under the column heads `head`; a row is one picture. `title` says what they are, for
    screen readers and for a slide."""
    gathering.keep(lambda: Images(title, head, [(row.title, in_bytes(row.images, 3), row.captions) for row in rows]))
    parts = [_captions(head)]
    for row in rows:
        parts.append(f'<strong style="display: block; margin: 0.5rem 0 0.125rem">{html.escape(row.title)}</strong>')
        parts.append(
            f'<img src="{data_url(row.images)}" alt="{html.escape(row.alt, quote=True)}" '
            'style="display: block; width: 100%; image-rendering: pixelated">'
        )
        parts.append(_captions(row.captions))
    size = f"font-size: max(var(--least, 0px), clamp(0.625rem, {_LETTERS / len(head):.2f}cqi, 1.25rem))"
    inner = f'<div style="{size}; font-variant-numeric: tabular-nums">{"".join(parts)}</div>'
    label = html.escape(title, quote=True)
    st.html(f'<div role="group" aria-label="{label}" style="container-type: inline-size">{inner}</div>')


def _captions(texts: Sequence[str]) -> str:
    cells = "".join(f"<span>{html.escape(text)}</span>" for text in texts)
    grid = f"display: grid; grid-template-columns: repeat({len(texts)}, minmax(0, 1fr))"
    return f'<div aria-hidden="true" style="{grid}; text-align: center; opacity: 0.7">{cells}</div>'


def data_url(images: np.ndarray) -> str:
    """Images, (columns, height, width) or (columns, height, width, 3), side by side with clear gaps, as the URL of a
    PNG."""
    values = in_bytes(images, 3)
    return _encoded(values.tobytes(), values.shape)


@once(512)
def _encoded(values: bytes, shape: tuple[int, int, int, int]) -> str:
    columns, height, width, channels = shape
    gap = max(1, round(_GAP * width)) if columns > 1 else 0
    picture = np.zeros((height, columns, width + gap, channels + 1), np.uint8)  # grey or colours, and opacity
    inside = picture[:, :, gap // 2 : gap // 2 + width]
    inside[..., :channels] = np.frombuffer(values, np.uint8).reshape(shape).swapaxes(0, 1)
    inside[..., channels] = 255
    file = io.BytesIO()
    Image.fromarray(picture.reshape(height, -1, channels + 1)).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
