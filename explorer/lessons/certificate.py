"""A certificate that somebody has answered the questions of the course, as a picture and as a PDF, made here."""

import datetime
import io
import unicodedata
from typing import TYPE_CHECKING

from explorer.lessons.paper import ACCENT, GREY, INK, LONG, PAPER, SHORT, as_pdf, drawable, font
from explorer.lessons.path import MODULES, QUESTIONS, Progress

if TYPE_CHECKING:
    from PIL import Image

LONGEST_NAME = 60
WIDTH, HEIGHT = LONG, SHORT


def checked(name: str) -> str:
    """A name as it is written. Raises ValueError, with a sentence, for one that is too long or that cannot be."""
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if len(name) > LONGEST_NAME:
        raise ValueError(f"A name has {LONGEST_NAME} characters at most here; this has {len(name)}.")
    for letter in name:
        if unicodedata.bidirectional(letter) in ("R", "AL") or ord(letter) not in drawable():
            raise ValueError(
                f"“{letter}” cannot be drawn here: the font has Latin, Greek, Cyrillic and some other letters, "
                "from left to right. Write the name in those, or leave it empty and write it by hand."
            )
    return name


def draw(name: str, progress: Progress, day: datetime.date) -> "Image.Image":
    """The certificate. Raises ValueError for a name that cannot be written."""
    from PIL import Image, ImageDraw

    name = checked(name)
    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    pen = ImageDraw.Draw(image)
    pen.rectangle((60, 60, WIDTH - 60, HEIGHT - 60), outline=ACCENT, width=8)
    middle = WIDTH / 2

    def line(text: str, y: int, size: int, bold: bool = False, fill: str = INK) -> None:
        while size > 12 and pen.textlength(text, font(size, bold)) > WIDTH - 300:
            size -= 2
        pen.text((middle, y), text, fill, font(size, bold), anchor="mm")

    line("Diffusion Explorer", 220, 56, fill=ACCENT)
    line("Certificate", 340, 110, bold=True)
    if name:
        line(name, 520, 90, bold=True)
    else:
        pen.line((middle - 600, 560, middle + 600, 560), fill=INK, width=3)
    line(f"has answered {progress.answered} of {QUESTIONS} questions of the course right", 650, 46)
    opened = [(title, len(progress.pages.get(page, ())), count) for page, (title, count) in MODULES.items()]
    for place, (title, right, count) in enumerate(opened):
        column, row = divmod(place, 5)
        x, y = 430 + 900 * column, 800 + 100 * row
        pen.ellipse((x - 70, y - 22, x - 26, y + 22), outline=ACCENT, width=5, fill=ACCENT if right == count else PAPER)
        pen.text((x, y), f"{title}: {right} of {count}", INK, font(40), anchor="lm")
    line(f"{day:%d %B %Y}", 1_420, 44)
    line("Nobody watched: it says what was answered in the app, and not by whom.", 1_520, 32, fill=GREY)
    return image


def made(name: str, progress: Progress, day: datetime.date, kind: str) -> bytes:
    """The certificate as a "PNG" or a "PDF" file. Raises ValueError for a name that cannot be written."""
    image = draw(name, progress, day)
    if kind == "PDF":
        return as_pdf([image])
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()
