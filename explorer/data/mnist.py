"""MNIST and Fashion-MNIST from the files that their authors publish, and where this machine keeps them.

(LeCun, Cortes and Burges, The MNIST database of handwritten digits, 1998; Xiao, Rasul and Vollgraf,
Fashion-MNIST, 2017.) An IDX file is two zero bytes, the type of the values (8: unsigned byte), the number of
axes, the length of each as a big-endian uint32, then the values.
"""

import gzip
import math
import os
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from explorer import settings
from explorer.dataset import ImageDataset
from explorer.files import ASSETS, read_asset
from explorer.modes import default_modes
from explorer.once import once

SIZE = 28
MOST_BYTES = 60_000 * SIZE * SIZE  # of one file, unpacked: MNIST's own 60,000 training images
UNSIGNED_BYTE = 8
PARTS = ("train", "t10k")
SHIPPED = ASSETS / "mnist"
SHIPPED_HALVES = ("held-out", "training")


@dataclass(frozen=True)
class Published:
    """A data set in MNIST's format: its class in `torchvision.datasets`, and the names of its ten classes."""

    torchvision: str
    classes: tuple[str, ...]


MNIST = {
    "mnist-28": Published("MNIST", tuple("0123456789")),
    "fashion-28": Published(
        "FashionMNIST",
        ("T-shirt", "Trousers", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
}


def data_folder() -> Path:
    """Where downloads are kept: DIFFUSION_EXPLORER_DATA, else diffusion-explorer in the user's cache folder."""
    if chosen := settings.read().data:
        return chosen
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "diffusion-explorer"


def folder_of(name: str) -> Path:
    """Where the files of one data set are kept: the place that torchvision gives them below its root."""
    return data_folder() / MNIST[name].torchvision / "raw"


def files_of(part: str) -> tuple[str, str]:
    """The names of the images and labels of "train" (60,000) or "t10k" (10,000), as published."""
    return f"{part}-images-idx3-ubyte.gz", f"{part}-labels-idx1-ubyte.gz"


def find(folder: Path, part: str) -> tuple[Path, Path] | None:
    """The images and labels of a part in a folder, packed or not; None where one of them is missing."""
    pair = []
    for name in files_of(part):
        packed = folder / name
        found = next((path for path in (packed, packed.with_suffix("")) if os.path.isfile(path)), None)
        if found is None:
            return None
        pair.append(found)
    return pair[0], pair[1]


def load_mnist(folder: Path, name: str, parts: Sequence[str] = PARTS) -> ImageDataset:
    """The images of "mnist-28" or "fashion-28" in a folder: those of `parts` that lie there, in that order.

    Images are (m, 1, 28, 28) float32 in [-1, 1] with the ink at 1; 10,000 of them take 31 MB. Raises ValueError,
    with a sentence, for a file that is damaged or holds something else, or where there is none.
    """
    pairs = [pair for part in parts if (pair := find(folder, part))]
    if not pairs:
        wanted = " or ".join(" and ".join(files_of(part)) for part in parts)
        raise ValueError(f"There is no {wanted} in {folder}.")
    sets = [_read_pair(*pair) for pair in pairs]
    images = torch.cat([torch.tensor(images, dtype=torch.float32) for images, _ in sets]).mul_(2 / 255).sub_(1)
    labels = torch.cat([torch.tensor(labels, dtype=torch.int64) for _, labels in sets])
    return ImageDataset(name, images[:, None], labels, MNIST[name].classes)


@once()
@default_modes()
def shipped_mnist(half: str) -> ImageDataset:
    """200 real images of MNIST that come with the app, 20 of each digit, digit by digit; `half` says which.

    "held-out" are images that no training sees, "training" are some of those that the shipped model learned from: not
    enough to train on (`load_dataset` has them all). They are read once and shared: do not write to them. Raises
    ValueError for another half.
    """
    if half not in SHIPPED_HALVES:
        raise ValueError(f"no half of the shipped images is called {half!r}; choose {' or '.join(SHIPPED_HALVES)}")
    for file in files_of(half):
        read_asset(SHIPPED / file)
    return load_mnist(SHIPPED, "mnist-28", [half])


def _read_pair(images_path: Path, labels_path: Path) -> tuple[np.ndarray, np.ndarray]:
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.shape[1:] != (SIZE, SIZE) or not len(images):
        raise ValueError(f"{images_path.name} holds {_shape(images)} values instead of images of {SIZE} x {SIZE}.")
    if labels.shape != images.shape[:1]:
        raise ValueError(f"{labels_path.name} holds {_shape(labels)} labels for {len(images):,} images.")
    if labels.max() > 9:
        raise ValueError(f"{labels_path.name} holds the label {labels.max()}; only 0 to 9 can be.")
    return images, labels


def _shape(array: np.ndarray) -> str:
    return " x ".join(f"{length:,}" for length in array.shape)


def read_idx(path: Path) -> np.ndarray:
    """The values of an IDX file of unsigned bytes, packed with gzip or not: uint8, in the shape that it states.

    Never reads more than that shape needs. Raises ValueError, with a sentence, for any other file.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as stream:
            zeros, kind, axes = struct.unpack(">HBB", stream.read(4))
            if zeros or kind != UNSIGNED_BYTE or not 1 <= axes <= 3:
                raise ValueError(f"{path.name} is not an IDX file of bytes.")
            shape = struct.unpack(f">{axes}I", stream.read(4 * axes))
            if (size := math.prod(shape)) > MOST_BYTES:
                raise ValueError(f"{path.name} claims {size:,} values; at most {MOST_BYTES:,} are read.")
            values = stream.read(size + 1)
    except (OSError, EOFError, struct.error, zlib.error) as error:
        raise ValueError(f"{path.name} cannot be read: it is damaged, cut short or locked.") from error
    if len(values) != size:
        more = "more" if len(values) > size else "fewer"
        raise ValueError(f"{path.name} holds {more} values than the {size:,} that it claims.")
    return np.frombuffer(values, np.uint8).reshape(shape)
