"""What is drawn on paper: type, its colours, and pages as one PDF."""

import io
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image
    from PIL.ImageFont import FreeTypeFont

DOTS = 200  # an inch
SHORT, LONG = 1_654, 2_338  # sides of A4 in dots
INK, ACCENT, PAPER, GREY = "#1f2328", "#0072b2", "#ffffff", "#5b6470"


def font(size: int, bold: bool = False) -> "FreeTypeFont":
    """DejaVu Sans, which comes with matplotlib; `size` in dots."""
    from PIL import ImageFont

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    with resources.as_file(resources.files("matplotlib") / "mpl-data" / "fonts" / "ttf" / name) as path:
        return ImageFont.truetype(str(path), size)


@cache
def drawable() -> frozenset[int]:
    """The letters that the font has."""
    from fontTools.ttLib import TTFont

    with resources.as_file(resources.files("matplotlib") / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf") as path:
        return frozenset(TTFont(path, lazy=True).getBestCmap())


def wrapped(text: str, size: int, width: float) -> str:
    """The text in lines that are at most `width` dots long; a word longer than that is broken."""
    type_ = font(size)
    lines = [""]
    for word in text.split():
        if lines[-1] and type_.getlength(f"{lines[-1]} {word}") > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
        while type_.getlength(lines[-1]) > width:
            fits = next(k for k in range(len(lines[-1]) - 1, 0, -1) if type_.getlength(lines[-1][:k]) <= width)
            lines[-1:] = [lines[-1][:fits], lines[-1][fits:]]
    return "\n".join(lines)


def as_pdf(pages: Sequence["Image.Image"]) -> bytes:
    """Pages of `DOTS` an inch as one PDF file."""
    file = io.BytesIO()
    pages[0].save(file, "PDF", resolution=float(DOTS), save_all=True, append_images=pages[1:], quality=92)
    return file.getvalue()
