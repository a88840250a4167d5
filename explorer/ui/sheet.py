"""A sheet of small images in labelled rows, which shrinks with the page and keeps its pixels crisp."""

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from PIL import Image

from explorer.ui.film import to_grey

_FAINT = "opacity: 0.7; font-variant-numeric: tabular-nums"


@dataclass(frozen=True)
class Row:
    """Images under one title: float (columns, height, width), greys as in `film`, and a caption each."""

    title: str
    images: np.ndarray
    captions: Sequence[str]
    alt: str


def sheet(rows: Sequence[Row], head: Sequence[str]) -> None:
    """Rows of equally many images under the column heads `head`."""
    cells = "".join(_cell(text) for text in head)
    parts = [f'<div style="display: contents" aria-hidden="true">{cells}</div>']
    for row in rows:
        tiles = "".join(_cell(caption, _png(image)) for image, caption in zip(row.images, row.captions, strict=True))
        title = f'<strong style="grid-column: 1 / -1; margin-top: 0.5rem">{html.escape(row.title)}</strong>'
        label = html.escape(row.alt, quote=True)
        parts.append(f'{title}<div role="img" aria-label="{label}" style="display: contents">{tiles}</div>')
    grid = f"display: grid; grid-template-columns: repeat({len(head)}, minmax(0, 1fr)); gap: 2px 3px"
    st.html(f'<div style="{grid}; font-size: clamp(0.625rem, 2.2vw, 0.8125rem)">{"".join(parts)}</div>')


def _cell(text: str, source: str | None = None) -> str:
    image = (
        f'<img src="{source}" alt="" style="display: block; width: 100%; image-rendering: pixelated">' if source else ""
    )
    return f'<div style="text-align: center">{image}<span style="{_FAINT}">{html.escape(text)}</span></div>'


def _png(image: np.ndarray) -> str:
    """A grey image as a data URL."""
    file = io.BytesIO()
    Image.fromarray(to_grey(image)).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
