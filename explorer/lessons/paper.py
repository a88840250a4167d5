"""What is drawn on paper: type, its colours, and pages as one PDF."""

import io
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.once import once

if TYPE_CHECKING:
    from PIL import Image
    from PIL.ImageFont import FreeTypeFont

DOTS = 200  # an inch
SHORT, LONG = 1_654, 2_338  # sides of A4 in dots
INK, ACCENT, PAPER, GREY = "#1f2328", "#0072b2", "#ffffff", "#5b6470"


def fonts() -> Path:
    """The folder of the fonts that come with matplotlib."""
    with resources.as_file(resources.files("matplotlib") / "mpl-data" / "fonts" / "ttf") as folder:
        return folder


def font(size: int, bold: bool = False) -> "FreeTypeFont":
    """DejaVu Sans; `size` in dots."""
    from PIL import ImageFont

    return ImageFont.truetype(str(fonts() / f"DejaVuSans{'-Bold' if bold else ''}.ttf"), size)


@once()
def drawable() -> frozenset[int]:
    """The letters that the font has."""
    from fontTools.ttLib import TTFont

    return frozenset(TTFont(fonts() / "DejaVuSans.ttf", lazy=True).getBestCmap())


def wrapped(text: str, letters: "FreeTypeFont", width: float) -> list[str]:
    """The text in lines that are at most so wide; a word that is wider is broken, and "t = 0.5" is one."""
    lines = [""]
    for word in (
        re.sub(r"[ \t\r\n]+", " ", text).strip().replace(" = ", "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}").split(" ")
    ):
        if letters.getlength(f"{lines[-1]} {word}".strip()) <= width:
            lines[-1] = f"{lines[-1]} {word}".strip()
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if lines[-1] and letters.getlength(lines[-1] + letter) > width:
                lines.append("")
            lines[-1] += letter
    return lines if lines != [""] else []


def as_pdf(pages: Sequence["Image.Image"]) -> bytes:
    """Pages of `DOTS` an inch as one PDF file."""
    file = io.BytesIO()
    pages[0].save(file, "PDF", resolution=float(DOTS), save_all=True, append_images=pages[1:], quality=92)
    return file.getvalue()
