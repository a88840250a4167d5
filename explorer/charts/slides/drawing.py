"""Figures as pictures of 1920 x 1080 for slides, in the light and in the dark theme, legible from the last row.

Titles and captions are never cut: what is too long is set smaller, then in more lines. Rows of images that would
become too small are shared among several pictures.
"""

import io
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from explorer.charts import palette
from explorer.charts.slides.figures import Chart, Figure, Film, Images, Spectrograms, Walk
from explorer.lessons.paper import font, fonts, wrapped

SIZE = (1920, 1080)
MARGIN = 60
LABEL = 26  # pixels; 2.4 % of the height
GAP = 18
SHORTEST_CELL = 100  # of one image; below it rows go on to another picture
SHORTEST_GRID = 160  # of several
ROW_TITLE = 330  # widest
SCALE = 2.4  # of a chart's own pixels: its smallest letters become those of a label
LETTERS = 11  # of a chart, in its own pixels: LABEL of the picture
MOMENTS = 5  # of a film; of a wide one, and of points, 3
POINT = 0.007  # radius, of a stage's side

Painter = Callable[[int, int], Image.Image]
"""Draws a cell that is at most so wide and so high."""


def pictures(figure: Figure, foot: str, theme: str) -> Iterator[Image.Image]:
    """The pictures of a figure in a theme, "light" or "dark", over a line `foot`; none of what is empty, or a table."""
    if isinstance(figure, Chart):
        yield chart_picture(figure, foot, theme)
    elif isinstance(figure, Images) and all(len(images) for _, images, _ in figure.rows) and figure.rows:
        rows = [(title, captions, [_pixels(image) for image in images]) for title, images, captions in figure.rows]
        ratio = figure.rows[0][1].shape[2] / figure.rows[0][1].shape[1]
        yield from _grids(figure.title, SHORTEST_CELL, figure.heads, rows, ratio, foot, theme)
    elif isinstance(figure, Film) and all(frames.size for _, frames, _ in figure.strips) and figure.strips:
        strips = []
        height, width = together(figure.strips[0][1][0]).shape[:2]
        count = MOMENTS if width < 1.5 * height else 3
        for title, frames, captions in figure.strips:
            seen = moments(len(frames), count)
            cells = [_pixels(together(frames[k])) for k in seen]
            strips.append((title, [captions[k] for k in seen] if captions else [], cells))
        yield from _grids(figure.title, SHORTEST_GRID, [], strips, width / height, foot, theme)
    elif isinstance(figure, Walk):
        walks = []
        for title, role, arrays in figure.scenes:
            seen = moments(len(arrays["t"]), 3)
            stages = [_stage(arrays, k, figure.extent, role, theme) for k in seen]
            name = title if len(figure.scenes) > 1 else ""  # the only one is named above
            walks.append((name, [f"t = {arrays['t'][k]:.2f}" for k in seen], stages))
        yield from _grids(figure.title, SHORTEST_GRID, [], walks, 1.0, foot, theme)
    elif isinstance(figure, Spectrograms):
        sounds = []
        for title, role, bands, captions in figure.strips:
            seen = moments(len(bands), 3)
            cells = [_spectrogram(bands[k], role, theme) for k in seen]
            sounds.append((title, [captions[k] for k in seen], cells))
        yield from _grids(figure.title, SHORTEST_GRID, [], sounds, 1.5, foot, theme)


def moments(frames: int, count: int) -> list[int]:
    """Frames from the first to the last, evenly apart, `count` at most."""
    return sorted({round(k) for k in np.linspace(0, frames - 1, min(count, frames)).tolist()})


def together(images: np.ndarray) -> np.ndarray:
    """n images, (n, height, width, channels), as one: in full rows where their number allows it, with thin gaps."""
    n, height, width, channels = images.shape
    side = math.ceil(math.sqrt(n))
    columns = next((k for k in range(side, 2 * side) if n % k == 0), side)
    rows = -(-n // columns)
    gap = max(1, width // 14)
    whole = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 128, np.uint8)
    for number, image in enumerate(images):
        top, left = number // columns * (height + gap), number % columns * (width + gap)
        whole[top : top + height, left : left + width] = image
    return whole


def chart_picture(chart: Chart, foot: str, theme: str) -> Image.Image:
    """A chart at the size of a slide, drawn by Vega."""
    import vl_convert

    vl_convert.register_font_directory(str(fonts()))
    image, (left, top, right, bottom) = blank(chart.title, foot, theme)
    spec = themed(chart.spec, theme) | {
        "width": int((right - left) / SCALE),
        "height": int((bottom - top) / SCALE),
        "autosize": {"type": "fit", "contains": "padding"},
        "config": config(theme),
        "background": palette.GROUNDS[theme],
    }
    drawn = Image.open(io.BytesIO(vl_convert.vegalite_to_png(spec, scale=SCALE))).convert("RGB")
    drawn.thumbnail((right - left, bottom - top))  # a chart that could not be fitted
    image.paste(drawn, (left + (right - left - drawn.width) // 2, top))
    return image


def themed(spec: Any, theme: str) -> Any:
    """A specification with the colours of `theme` for those of the other one; its data stay as they are."""
    colours = palette.as_in(theme)

    def change(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: inner if name == "values" else change(inner) for name, inner in part.items()}
        if isinstance(part, list):
            return [change(inner) for inner in part]
        return colours.get(part, part) if isinstance(part, str) else part

    return change(spec)


def config(theme: str) -> dict[str, Any]:
    """How Vega draws: as the app does, with the letters of a slide."""
    ink, line, colours = palette.INKS[theme], palette.LINES[theme], palette.THEMES[theme]
    words = {"labelColor": ink, "titleColor": ink, "labelFontSize": LETTERS, "titleFontSize": LETTERS + 1}
    return {
        "font": "DejaVu Sans",
        "axis": {
            **words,
            "titleFontWeight": "normal",
            "gridColor": line,
            "domainColor": line,
            "tickColor": line,
            "labelFlush": False,
            "labelOverlap": "greedy",
            "labelSeparation": 6,
        },
        "legend": {
            **words,
            "labelLimit": 600,
            "titleFontWeight": "normal",
            "symbolStrokeWidth": 2,
            "symbolBaseFillColor": ink,
            "symbolBaseStrokeColor": ink,
        },
        "title": {"color": ink, "fontSize": LETTERS + 2, "anchor": "start"},
        "mark": {"color": colours["data"]},
        "text": {"color": ink, "fontSize": LETTERS},
        "rule": {"color": ink},
        "range": {"category": [colours[role] for role in palette.CATEGORIES]},
        "view": {"stroke": None},
        "padding": 4,
    }


def blank(title: str, foot: str, theme: str) -> tuple[Image.Image, tuple[int, int, int, int]]:
    """A slide with its title and its foot, and the box that is left: left, top, right, bottom."""
    image = Image.new("RGB", SIZE, palette.GROUNDS[theme])
    pen = ImageDraw.Draw(image)
    ink = palette.INKS[theme]
    width = SIZE[0] - 2 * MARGIN
    size = next((size for size in range(50, 36, -2) if len(wrapped(title, font(size, True), width)) < 3), 36)
    top = 44
    for line in wrapped(title, font(size, True), width):
        pen.text((MARGIN, top), line, ink, font(size, True))
        top += round(1.25 * size)
    pen.text((SIZE[0] - MARGIN, SIZE[1] - 22), foot, palette.THEMES[theme]["noise"], font(24), anchor="rs")
    return image, (MARGIN, top + GAP, SIZE[0] - MARGIN, SIZE[1] - 64)


def _grids(
    title: str,
    shortest: int,
    heads: Sequence[str],
    rows: Sequence[tuple[str, Sequence[str], Sequence[Painter]]],
    ratio: float,
    foot: str,
    theme: str,
) -> Iterator[Image.Image]:
    """Rows of cells (title, captions, painters), each cell `ratio` times as wide as high, on as many pictures as leave
    them large enough."""
    _, (left, top, right, bottom) = blank(title, foot, theme)
    if len(rows) == 1:
        beside = ROW_TITLE + GAP if rows[0][0] else 0
        heads, rows = _lines(heads, rows[0], ratio, right - left - beside, bottom - top)
    under = 2 * LABEL if any(any(captions) for _, captions, _ in rows) else 0
    most = max(1, (bottom - top - 2 * LABEL) // (shortest + under + GAP))
    count = -(-len(rows) // most)
    for number, part in enumerate(np.array_split(np.arange(len(rows)), count), start=1):
        told = f"{title} ({number}\N{NO-BREAK SPACE}of\N{NO-BREAK SPACE}{count})" if count > 1 else title
        yield _grid(told, heads, [rows[k] for k in part], ratio, foot, theme)


def _lines(
    heads: Sequence[str], row: tuple[str, Sequence[str], Sequence[Painter]], ratio: float, width: int, height: int
) -> tuple[Sequence[str], list[tuple[str, Sequence[str], Sequence[Painter]]]]:
    """One row in as many lines as make its cells largest; then its heads stand under them."""
    name, captions, cells = row

    def size(count: int) -> float:
        wide = width / math.ceil(len(cells) / count) - GAP
        return min(wide, ratio * (height / count - 3 * LABEL - GAP))

    count = max(range(1, len(cells) + 1), key=size)
    if count == 1:
        return heads, [row]
    told = [", ".join(part[k] for part in (heads, captions) if k < len(part) and part[k]) for k in range(len(cells))]
    parts = np.array_split(np.arange(len(cells)), count)
    names = [name, *[""] * (count - 1)]
    return [], [
        (one, [told[k] for k in part], [cells[k] for k in part]) for one, part in zip(names, parts, strict=True)
    ]


def _grid(
    title: str,
    heads: Sequence[str],
    rows: Sequence[tuple[str, Sequence[str], Sequence[Painter]]],
    ratio: float,
    foot: str,
    theme: str,
) -> Image.Image:
    image, (left, top, right, bottom) = blank(title, foot, theme)
    pen = ImageDraw.Draw(image)
    letters, line = font(LABEL), round(1.3 * LABEL)
    columns = max(len(cells) for _, _, cells in rows)
    names = [wrapped(name, font(LABEL, True), ROW_TITLE) for name, _, _ in rows]
    widest = max((font(LABEL, True).getlength(part) for name in names for part in name), default=0)
    beside = min(ROW_TITLE, round(widest)) + GAP if widest else 0
    pitch = (right - left - beside) / columns

    def text(x: float, y: float, lines: Sequence[str]) -> None:
        for number, part in enumerate(lines):
            pen.text((x, y + number * line), part, palette.INKS[theme], letters, anchor="ma")

    over = [wrapped(head, letters, pitch - 8) for head in heads]
    under = [[wrapped(caption, letters, pitch - 8) for caption in captions] for _, captions, _ in rows]
    head = line * max((len(lines) for lines in over), default=0)
    foots = [line * max((len(lines) for lines in row), default=0) for row in under]
    high = (bottom - top - head - sum(foots) - GAP * len(rows)) / len(rows)
    width = max(8, int(min(pitch - GAP, max(high, 8) * ratio)))
    height = max(8, int(width / ratio))
    longest = max((letters.getlength(text) for _, captions, _ in rows for text in [*heads, *captions]), default=0)
    pitch = min(pitch, max(width + 3 * GAP, longest + GAP))
    left += int(right - left - beside - columns * pitch) // 2
    top += int(bottom - top - head - sum(foots) - (height + GAP) * len(rows)) // 2
    for column, lines in enumerate(over):
        text(left + beside + (column + 0.5) * pitch, top, lines)
    y = top + head
    for name, captions, foot_height, (_, _, cells) in zip(names, under, foots, rows, strict=True):
        start = y + max(0, height - line * len(name)) // 2
        for number, part in enumerate(name):
            pen.text((left, start + number * line), part, palette.INKS[theme], font(LABEL, True))
        for column, paint in enumerate(cells):
            cell = paint(width, height)
            middle = left + beside + (column + 0.5) * pitch
            image.paste(cell, (round(middle - cell.width / 2), y + (height - cell.height) // 2))
        for column, lines in enumerate(captions):
            text(left + beside + (column + 0.5) * pitch, y + height + 4, lines)
        y += height + foot_height + GAP
    return image


def _pixels(image: np.ndarray) -> Painter:
    """An image, uint8 (height, width, 1 or 3), whose pixels stay sharp squares where it grows."""

    def paint(width: int, height: int) -> Image.Image:
        picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).convert("RGB")
        factor = min(width / picture.width, height / picture.height)
        whole = max(1, math.ceil(factor))
        large = picture.resize((whole * picture.width, whole * picture.height), Image.Resampling.NEAREST)
        size = max(1, round(factor * picture.width)), max(1, round(factor * picture.height))
        return large.resize(size, Image.Resampling.BOX)

    return paint


def _stage(arrays: dict[str, np.ndarray], frame: int, extent: float, role: str, theme: str) -> Painter:
    """The points at a moment, over what they are to become; started particles with their way so far."""

    def paint(width: int, height: int) -> Image.Image:
        side = 2 * min(width, height)  # drawn twice as large, for smooth edges
        picture = Image.new("RGB", (side, side), palette.GROUNDS[theme])
        pen = ImageDraw.Draw(picture)

        def place(points: np.ndarray) -> np.ndarray:
            shares = np.nan_to_num(points, nan=9.0 * extent).clip(-9 * extent, 9 * extent) / (2 * extent)
            return np.stack([0.5 + shares[..., 0], 0.5 - shares[..., 1]], -1) * side

        def cloud(points: np.ndarray, colour: str, share: float) -> None:
            mask = Image.new("L", picture.size, 0)
            dots = ImageDraw.Draw(mask)
            radius = POINT * side
            for x, y in place(points):
                dots.ellipse((x - radius, y - radius, x + radius, y + radius), fill=round(255 * share))
            picture.paste(Image.new("RGB", picture.size, colour), mask=mask)

        colours = palette.THEMES[theme]
        if (target := arrays.get("target")) is not None:
            cloud(target, colours["data"], 0.35)
        cloud(arrays["x"][frame], colours[role], 0.85)
        if (started := arrays.get("started")) is not None:
            for way in place(started[: frame + 1]).swapaxes(0, 1):
                pen.line([tuple(point) for point in way.tolist()], palette.INKS[theme], max(2, side // 200))
        pen.rectangle((0, 0, side - 1, side - 1), outline=palette.LINES[theme], width=4)
        return picture.resize((side // 2, side // 2), Image.Resampling.LANCZOS)

    return paint


def _spectrogram(loud: np.ndarray, role: str, theme: str) -> Painter:
    """Loudness (bands, places), low tones below, from the ground to the role's colour."""

    def paint(width: int, height: int) -> Image.Image:
        quiet, full = (
            np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)], np.float32)
            for colour in (palette.GROUNDS[theme], palette.THEMES[theme][role])
        )
        mixed = quiet + np.clip(loud[::-1, :, None], 0, 1) * (full - quiet)
        return Image.fromarray(mixed.round().astype(np.uint8)).resize((width, height), Image.Resampling.NEAREST)

    return paint
