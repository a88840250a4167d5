"""A person's own images, in a zip or as files, as a data set: read defensively, refused in a sentence.

Nothing is written to disk, so that the names inside a zip can do no harm, and bytes are counted as they are
unpacked, whatever a header claims.
"""

import io
import struct
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
import torch

from explorer.data.uploads import ENDINGS, MOST_BYTES, centred_square, open_image, read_image
from explorer.dataset import HELD_OUT_EVERY, ImageDataset

SIZE = 28
FEWEST_IMAGES, MOST_IMAGES = 10, 5_000
FEWEST_CLASSES, MOST_CLASSES = 2, 10
FEWEST_OF_A_CLASS = HELD_OUT_EVERY  # so that some can be held out
MOST_ZIP_BYTES = 20_000_000
MOST_UNPACKED_BYTES = 200_000_000
MOST_PIXELS = 250_000_000  # of all images together, which bounds the time to decode them
MOST_ENTRIES = 20_000  # of a zip, with its folders and what is no image
TOO_MANY = f"At most {MOST_IMAGES:,} are read: choose some of them, and leave the others out."
CHUNK_BYTES = 2**16
UPDATE_EVERY = 20  # images
ENTRY = b"PK\1\2"  # so begins each entry in the directory of a zip
PARTS = {"train", "training", "val", "valid", "validation", "test", "testing"}
SYSTEM = {"__macosx", "thumbs.db", "desktop.ini", "icon\r"}  # what systems add
LOCKED, UTF8 = 1, 1 << 11  # bits in the flags of an entry
UNICODE_PATH = 0x7075  # an extra field of an entry
BOUNDED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # zipfile unpacks the other methods without a limit

Progress = Callable[[float], object]


class _File(NamedTuple):
    name: str
    chunks: Callable[[], Iterator[bytes]]  # raises ValueError, with a sentence


@dataclass(frozen=True)
class OwnImages:
    """What was read: `grey` (m, size, size) uint8, `labels` (m,) int64 or None, numbers into `classes`.

    `cropped` counts the images that were not square, `skipped` the files that gave none; `problem` is the name of
    the first of those, and why.
    """

    grey: np.ndarray
    labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    cropped: int = 0
    skipped: int = 0
    problem: str = ""

    def dataset(self) -> ImageDataset:
        """The images in [-1, 1], black at -1 and white at 1, as they were: nothing is inverted."""
        images = torch.tensor(self.grey[:, None], dtype=torch.float32).mul_(2 / 255).sub_(1)
        labels = None if self.labels is None else torch.tensor(self.labels)
        return ImageDataset("own", images, labels, self.classes)

    def summary(self) -> str:
        """What was made of the files, in sentences."""
        size = self.grey.shape[1]
        said = [f"{len(self.grey):,} images, made grey and scaled to {size} x {size} pixels."]
        if self.cropped:
            said.append(f"Not square, so cropped to their middle: {self.cropped:,}.")
        if self.classes:
            said.append(f"Their folders are their classes: {', '.join(self.classes)}.")
        if self.skipped:
            said.append(_left_out(self.skipped, self.problem))
        return " ".join(said)


def from_zip(content: bytes, size: int = SIZE) -> ImageDataset:
    """The images of a zip, (m, 1, size, size), their folders as classes; limits and errors as in `read_zip`."""
    return read_zip(content, size).dataset()


def from_files(files: Sequence[tuple[str, bytes]], size: int = SIZE) -> ImageDataset:
    """Images given as (name, content), (m, 1, size, size); limits and errors as in `read_files`."""
    return read_files(files, size).dataset()


def read_zip(content: bytes, size: int = SIZE, progress: Progress | None = None) -> OwnImages:
    """The images of a zip, each its centred square at (size, size), in the order of their names.

    Their folders are their classes where there are 2 to 10, with 5 images at least in each and none outside; folders
    within a class belong to it.
    Hidden files, and those that macOS adds, are left out; others that give no image are skipped and counted.
    `progress` is told the share that is read. Raises ValueError, with a sentence, for a zip that is broken, locked,
    too large or a bomb, and for fewer than 10 images or more than 5,000.
    """
    if len(content) > MOST_ZIP_BYTES:
        raise ValueError(
            f"This zip has {len(content) / 1e6:.1f} MB. Choose one of at most {MOST_ZIP_BYTES / 1e6:.0f} MB, "
            f"for example with its images scaled down: only {size} x {size} pixels of each are used."
        )
    if (entries := content.count(ENTRY)) > MOST_ENTRIES:
        raise ValueError(f"This zip holds {entries:,} files. {TOO_MANY}")
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except Exception as error:  # zipfile raises many kinds for a broken directory
        raise ValueError("This file is not a zip, or it is damaged. Pack the images again.") from error
    with archive:
        named = [(_path(entry), entry) for entry in archive.infolist()]
        kept = [(path, entry) for path, entry in named if not path.endswith("/") and not _is_hidden(path)]
        if any(entry.flag_bits & LOCKED for _, entry in kept):
            raise ValueError("This zip is locked with a password. Pack the images again without one.")
        if any(entry.compress_type not in BOUNDED for _, entry in kept):
            raise ValueError("This zip is packed in an unusual way. Pack the images again as an ordinary zip.")
        return _read([_File(path, partial(_unpack, archive, entry)) for path, entry in kept], size, progress)


def _path(entry: zipfile.ZipInfo) -> str:
    """Its name as it should have been written: some programs of Windows part folders with backslashes."""
    name = entry.orig_filename if entry.flag_bits & UTF8 else _decoded(entry)
    return name.partition("\0")[0].replace("\\", "/")


def _decoded(entry: zipfile.ZipInfo) -> str:
    """A name that does not say how it is written: as its Unicode path says, in UTF-8, which macOS does not mark, or
    in the code page in which it reads as words."""
    raw = entry.orig_filename.encode("cp437")  # which zipfile took it for, and which loses no byte
    said = _unicode_path(entry.extra, raw)
    for written, encoding in ((said or raw, "utf-8"), (raw, "cp437"), (raw, "cp1252")):  # of DOS, and of Windows
        with suppress(UnicodeDecodeError):
            name = written.decode(encoding)
            letters = (unicodedata.name(letter, "") for letter in name if not letter.isascii())
            if encoding == "utf-8" or all(letter.startswith("LATIN") for letter in letters):
                return name
    return entry.orig_filename


def _unicode_path(extra: bytes, raw: bytes) -> bytes:
    """The name in UTF-8 that some programs keep beside an older one; nothing where there is none, or of another."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == UNICODE_PATH and extra[5:9] == struct.pack("<L", zlib.crc32(raw)):
            return extra[9 : 4 + length]
        extra = extra[4 + length :]
    return b""


def _is_hidden(name: str) -> bool:
    parts = PurePosixPath(name.lower()).parts
    return any((part.startswith(".") and part != "..") or part in SYSTEM for part in parts)


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    unpacked = 0
    try:
        with archive.open(entry) as file:
            while unpacked <= MOST_BYTES and (chunk := file.read(CHUNK_BYTES)):
                unpacked += len(chunk)
                yield chunk
    except Exception as error:  # zipfile and zlib raise many kinds for a broken entry
        raise ValueError("It is damaged inside the zip.") from error
    if unpacked > MOST_BYTES:
        raise ValueError(f"It unpacks to more than {MOST_BYTES / 1e6:.0f} MB.")


def read_files(files: Sequence[tuple[str, bytes]], size: int = SIZE, progress: Progress | None = None) -> OwnImages:
    """Images given as (name, content), or one zip: as `read_zip`, with the folders in the names as classes."""
    zips = [content for name, content in files if name.lower().endswith(".zip")]
    if not zips:
        shown = [(name, content) for name, content in files if not _is_hidden(name)]
        return _read([_File(name, partial(iter, [content])) for name, content in shown], size, progress)
    if len(files) > 1:
        raise ValueError("Keep one zip, or only images: take the other files off the list.")
    return read_zip(zips[0], size, progress)


def _read(files: Sequence[_File], size: int, progress: Progress | None) -> OwnImages:
    """The images among some files, one after the other until the first limit."""
    endings = tuple(f".{ending}" for ending in ENDINGS)
    files = [_File(unicodedata.normalize("NFC", name), chunks) for name, chunks in files]  # macOS takes accents apart
    named = sorted((file for file in files if file.name.lower().endswith(endings)), key=lambda file: file.name)
    if len(named) > MOST_IMAGES:
        raise ValueError(f"These are {len(named):,} images. {TOO_MANY}")
    problems = [f"{name}, which is not named as an image." for name, _ in files if not name.lower().endswith(endings)]
    squares: list[np.ndarray] = []
    folders: list[tuple[str, ...]] = []
    cropped = unpacked = pixels = 0
    for number, (name, chunks) in enumerate(named):
        if progress and number % UPDATE_EVERY == 0:
            progress(number / len(named))
        content = bytearray()
        try:
            for chunk in chunks():
                content += chunk
            pixels += _pixels(content)
            grey = read_image(bytes(content))
        except ValueError as error:
            problems.append(f"{name}: {error}")
        else:
            squares.append(np.rint(255 * centred_square(grey, size)).astype(np.uint8))
            folders.append(PurePosixPath(name).parent.parts)
            cropped += grey.shape[0] != grey.shape[1]
        unpacked += len(content)
        if unpacked > MOST_UNPACKED_BYTES or pixels > MOST_PIXELS:
            raise ValueError(
                f"These images have more than {MOST_UNPACKED_BYTES / 1e6:.0f} MB or {MOST_PIXELS / 1e6:.0f} million "
                "pixels in all. Choose fewer, or scale them down."
            )
    if len(squares) < FEWEST_IMAGES:
        raise ValueError(_too_few(len(squares), problems))
    labels, classes = _classes(folders)
    return OwnImages(np.stack(squares), labels, classes, cropped, len(problems), problems[0] if problems else "")


def _pixels(content: bytes | bytearray) -> int:
    """Of an image, as its header says, which is what a decoder would make of it; 0 for what is no image."""
    try:
        with open_image(bytes(content))[0] as image:
            return image.width * image.height
    except Exception:  # decoders raise many kinds; read_image finds the sentence
        return 0


def _too_few(count: int, problems: Sequence[str]) -> str:
    found = {0: "There is no image here", 1: "This is one image"}.get(count, f"These are {count} images")
    advice = f"{found}; choose at least {FEWEST_IMAGES}, as PNG, JPEG, GIF, WebP or BMP."
    return f"{advice} {_left_out(len(problems), problems[0])}" if problems else advice


def _left_out(count: int, first: str) -> str:
    return f"{count:,} files were skipped, the first of them {first}" if count > 1 else f"One file was skipped: {first}"


def _classes(paths: Sequence[tuple[str, ...]]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Labels (m,) int64 and the names of the classes where the folders can be classes; else None and no names.

    A class is the first folder in which paths differ, whatever folders it holds; those of `PARTS` are no classes.
    Names that differ in their case alone are one, unless they stand side by side in one folder.
    """

    def is_shared(level: tuple[str, ...]) -> bool:
        return len(set(level)) == 1 or {folder.lower() for folder in level} <= PARTS

    shared = len([*takewhile(is_shared, zip(*paths, strict=False))])
    folders = ["".join(path[shared : shared + 1]) for path in paths]
    places = {(path[:shared], folder) for path, folder in zip(paths, folders, strict=True)}
    together = Counter((parent, folder.casefold()) for parent, folder in places)
    apart = {folder for (_, folder), spellings in together.items() if spellings > 1}
    spelling = {folder.casefold(): folder for folder in reversed(folders)}  # as the first of them
    folders = [folder if folder.casefold() in apart else spelling[folder.casefold()] for folder in folders]
    counts = Counter(folders)
    names = sorted(counts)
    if "" in counts or not FEWEST_CLASSES <= len(names) <= MOST_CLASSES or min(counts.values()) < FEWEST_OF_A_CLASS:
        return None, ()
    return np.array([names.index(folder) for folder in folders], dtype=np.int64), tuple(names)
