"""The scenes of a lecture on paper, each with a code that opens it on a phone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from explorer.lessons.paper import ACCENT, GREY, INK, LONG, PAPER, SHORT, as_pdf, font, wrapped
from explorer.lessons.scenes import LISTS, Scene, scenes

if TYPE_CHECKING:
    from PIL import Image

LONGEST_ADDRESS = 200
COLUMNS, ROWS = 2, 5
MARGIN, TOP = 90, 330  # dots; below the top are the scenes
CODE = 300  # side of a code: 38 mm
TEXT = 370  # where the text begins, from the left of a scene
QUIET = 4  # modules that a code needs free around it
LOCAL = ("localhost", "127.0.0.1", "::1", "0.0.0.0")


def checked_address(text: str) -> str:
    """The address of the app without its end. Raises ValueError, with a sentence, for what no phone can open."""
    text = text.strip().rstrip("/")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if len(text) > LONGEST_ADDRESS:
        raise ValueError(f"An address has {LONGEST_ADDRESS} characters at most here; this has {len(text)}.")
    if not host or parts.scheme not in ("http", "https") or not text.isascii() or len(text.split()) != 1:
        raise ValueError("An address begins with http:// or https:// and names a machine: https://course.example.org")
    if parts.query or parts.fragment:
        raise ValueError("Give the address of the app alone, without what follows a question mark or a hash.")
    return text


def is_local(address: str) -> bool:
    """Whether only the machine itself can open it."""
    return urlsplit(address).hostname in LOCAL


def link_of(address: str, scene: Scene) -> str:
    """The link that opens a scene, without the lecture's bar."""
    return f"{address}/{scene.page}{'?' if scene.query else ''}{urlencode(scene.query)}"


def code(link: str, side: int = CODE) -> "Image.Image":
    """A link as a QR code of about `side` dots, black on white, with the free space that it needs around it."""
    import segno
    from PIL import Image

    matrix = segno.make_qr(link, error="m").matrix
    modules = len(matrix)
    image = Image.new("1", (modules + 2 * QUIET, modules + 2 * QUIET), 1)
    for row, bits in enumerate(matrix):
        for column, bit in enumerate(bits):
            image.putpixel((column + QUIET, row + QUIET), not bit)
    scale = max(1, round(side / image.width))
    return image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)


def draw(which: str, address: str) -> "list[Image.Image]":
    """Pages of A4 with the scenes of a list. Raises ValueError for a bad address."""
    address = checked_address(address)
    several = list(enumerate(scenes(which), start=1))
    pages = [several[first : first + COLUMNS * ROWS] for first in range(0, len(several), COLUMNS * ROWS)]
    return [_page(which, address, part, f"{number} of {len(pages)}") for number, part in enumerate(pages, start=1)]


def lines(text: str, size: int, width: float) -> str:
    """The text as it fits into a width."""
    return "\n".join(wrapped(text, font(size), width))


def _page(which: str, address: str, part: Sequence[tuple[int, Scene]], number: str) -> "Image.Image":
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (SHORT, LONG), PAPER)
    pen = ImageDraw.Draw(image)
    pen.text((MARGIN, 90), "Diffusion Explorer", ACCENT, font(44))
    pen.text((MARGIN, 150), LISTS[which], INK, font(60, bold=True))
    pen.text((MARGIN, 245), lines(address, 30, SHORT - 2 * MARGIN), GREY, font(30))
    wide, high = (SHORT - 2 * MARGIN) / COLUMNS, (LONG - TOP - 100) / ROWS
    for place, (scene_number, scene) in enumerate(part):
        row, column = divmod(place, COLUMNS)
        x, y = MARGIN + column * wide, TOP + row * high
        square = code(link_of(address, scene))
        image.paste(square, (round(x), round(y)))
        left, room = x + TEXT, wide - TEXT - 30
        title = lines(f"{scene_number}. {scene.title}", 34, room * 0.88)  # bold type is wider
        pen.multiline_text((left, y + 30), title, INK, font(34, bold=True), spacing=8)
        below = y + 30 + 46 * (title.count("\n") + 1)
        pen.multiline_text((left, below), lines(scene.say, 26, room), INK, font(26), spacing=8)
    pen.text((SHORT - MARGIN, LONG - 80), number, GREY, font(28), anchor="rm")
    return image


def made(which: str, address: str) -> bytes:
    """The pages as a PDF. Raises ValueError for a bad address."""
    return as_pdf(draw(which, address))
