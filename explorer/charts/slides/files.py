"""Figures as ZIP files: pictures for slides, and the data that they show."""

import csv
import io
import re
import unicodedata
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from explorer.charts import palette
from explorer.charts.slides.drawing import pictures
from explorer.charts.slides.figures import Chart, Figure, Film, Images, Spectrograms, Table, Walk

LONGEST = 60  # letters of a file's name


def slug(text: str) -> str:
    """A file's name that says what it shows: letters and figures, joined by hyphens."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    words = re.findall(r"[^\W_]+", "".join(letter for letter in plain if not unicodedata.combining(letter)))
    name = ""
    for word in words:
        if name and len(name) + len(word) >= LONGEST:
            break
        name = f"{name}-{word}" if name else word[:LONGEST]
    return name or "figure"


def figures_zip(figures: Sequence[Figure], page: str) -> bytes:
    """Every figure at 1920 x 1080 in both themes, in a folder each."""
    files = {
        f"{theme}/{name}.png": picture
        for theme in palette.THEMES
        for name, figure in named(figures)
        for name, picture in _numbered(name, [_png(image) for image in pictures(figure, _foot(page), theme)])
    }
    return _zipped(files)


def data_zip(figures: Sequence[Figure], page: str) -> bytes:
    """What the figures show, as tables, arrays and images, with a README that says what each file is."""
    files: dict[str, bytes] = {}
    lines = [f"{_foot(page)}: the data of its figures", ""]
    for name, figure in named(figures):
        for file, content, about in _data(name, figure):
            files[file] = content
            lines.append(f"{file}: {' '.join(figure.title.split())}: {about}")
    return _zipped({"README.txt": "\n".join([*lines, ""]).encode()} | files)


def named(figures: Sequence[Figure]) -> list[tuple[str, Figure]]:
    """Each figure with its number and name."""
    return [(f"{number:02}-{slug(figure.title)}", figure) for number, figure in enumerate(figures, start=1)]


def _foot(page: str) -> str:
    return f"Diffusion Explorer · {page}"


def _numbered(name: str, contents: Sequence[bytes]) -> list[tuple[str, bytes]]:
    several = len(contents) > 1
    return [(f"{name}-{number}" if several else name, one) for number, one in enumerate(contents, start=1)]


def _zipped(files: Mapping[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return whole.getvalue()


def _data(name: str, figure: Figure) -> Iterator[tuple[str, bytes, str]]:
    """Files of a figure: the name, the content, and what it is."""
    if isinstance(figure, Chart):
        tables = [_csv(rows) for rows in chart_tables(figure.spec)]
        for file, content in _numbered(name, tables):
            yield f"{file}.csv", content, "what the chart draws"
    elif isinstance(figure, Table):
        yield f"{name}.csv", _csv(figure.rows), "the table"
    elif isinstance(figure, Images):
        rows = [_png(Image.fromarray(_side_by_side(images))) for _, images, _ in figure.rows]
        for (file, content), (title, _, _) in zip(_numbered(name, rows), figure.rows, strict=True):
            yield f"{file}.png", content, f"{' '.join(title.split()) or 'its images'}, a pixel for each of the model's"
        told = [
            {"row": title, "column": column + 1, "head": _at(figure.heads, column), "caption": _at(captions, column)}
            for title, images, captions in figure.rows
            for column in range(len(images))
        ]
        yield f"{name}.csv", _csv(told), "what stands over and under each image"
    elif isinstance(figure, Film):
        arrays = {f"strip {number}": frames for number, (_, frames, _) in enumerate(figure.strips, start=1)}
        said = {f"captions {number}": np.array(captions) for number, (_, _, captions) in enumerate(figure.strips, 1)}
        titles = "; ".join(title for title, _, _ in figure.strips)
        yield f"{name}.npz", _npz(arrays | said), f"uint8 (frames, images, height, width, channels) of {titles}"
    elif isinstance(figure, Walk):
        arrays = {f"{n}.{key}": array for n, (_, _, own) in enumerate(figure.scenes, 1) for key, array in own.items()}
        about = "x (frames, points, 2) at the times t, and what else is drawn, x_t / sqrt(alpha^2 + sigma^2), of "
        about += "; ".join(f"{number}: {title}" for number, (title, _, _) in enumerate(figure.scenes, start=1))
        yield f"{name}.npz", _npz(arrays), about
        ends = [
            {"scene": title, "point": number, "x": round(float(x), 5), "y": round(float(y), 5)}
            for title, _, own in figure.scenes
            for number, (x, y) in enumerate(own["x"][-1])
        ]
        yield f"{name}.csv", _csv(ends), "where the points end"
    elif isinstance(figure, Spectrograms):
        bands = {f"strip {number}": loud for number, (_, _, loud, _) in enumerate(figure.strips, start=1)}
        titles = "; ".join(title for title, _, _, _ in figure.strips)
        yield f"{name}.npz", _npz(bands), f"loudness from 0 to 1, (frames, bands, places), of {titles}"


def chart_tables(spec: Mapping[str, Any]) -> list[list[dict[str, Any]]]:
    """The tables that a specification draws, each once; lists in them have a column for each place."""
    found: list[list[dict[str, Any]]] = []
    for part in (spec, *spec.get("layer", ())):
        values = part.get("data", {}).get("values", [])
        rows = [_flat(row) for row in values]
        if any(rows) and rows not in found:
            found.append(rows)
    return found


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        flat |= {f"{name}{k}": one for k, one in enumerate(value)} if isinstance(value, list) else {name: value}
    return flat


def _csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """A table with a line of heads; text that a spreadsheet would take for a formula starts with an apostrophe."""
    file = io.StringIO(newline="")
    heads = dict.fromkeys(name for row in rows for name in row)
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(map(_harmless, heads))
    writer.writerows([_harmless(row.get(name, "")) for name in heads] for row in rows)
    return file.getvalue().encode()


def _harmless(value: Any) -> Any:
    risky = isinstance(value, str) and value.lstrip().startswith(("=", "@", "+", "-"))
    number = r"\s*[+-](∞|\d[\d.,]*(e[+-]?\d+)?( ?%| \w+)?)"
    return f"'{value}" if risky and not re.fullmatch(number, value) else value


def _at(texts: Sequence[str], column: int) -> str:
    return texts[column] if column < len(texts) else ""


def _side_by_side(images: np.ndarray) -> np.ndarray:
    whole = images.transpose(1, 0, 2, 3).reshape(images.shape[1], -1, images.shape[3])
    return whole[..., 0] if whole.shape[-1] == 1 else whole


def _npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
