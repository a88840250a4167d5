"""The emoji that the text-to-image model learned from, as a sheet of small pictures: each by its maker's terms.

`assets/pictures` holds the sheet, what each picture is, and the credits; `scripts/ship_pictures.py` makes it.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from explorer.dataset import ImageDataset
from explorer.files import ASSETS, read_asset
from explorer.once import once

FOLDER = ASSETS / "pictures"
SIDE = 32


@dataclass(frozen=True)
class Emoji:
    """Pictures (n, 3, 32, 32) uint8, and for each its concept ("cat"), its style ("noto") and whether it was held out
    of all training.

    `makers` says of each style who drew it and under which terms; `characters` are the emoji that stand for words.
    `held_colours` are the pairs of concept and colour that no training saw.
    """

    pictures: np.ndarray
    concepts: tuple[str, ...]
    styles: tuple[str, ...]
    held: tuple[bool, ...]
    makers: dict[str, dict[str, str]]
    characters: dict[str, str]
    held_colours: tuple[tuple[str, str], ...]

    def images(self, places: int | list[int] | slice = slice(None)) -> Tensor:
        """The pictures at these places as float32 in [-1, 1]."""
        return torch.from_numpy(self.pictures[places]).float() / 127.5 - 1

    def names(self) -> list[str]:
        """All concepts, each once, in their order."""
        return list(dict.fromkeys(self.concepts))

    def held_out(self, classes: Sequence[str]) -> ImageDataset:
        """The pictures of these concepts that no training saw."""
        places = [place for place, held in enumerate(self.held) if held and self.concepts[place] in classes]
        labels = torch.tensor([list(classes).index(self.concepts[place]) for place in places])
        return ImageDataset("emoji", self.images(places), labels, tuple(classes))

    def captions(self) -> list[str]:
        """What each picture is called: "cat in noto style"."""
        return [f"{concept} in {style} style" for concept, style in zip(self.concepts, self.styles, strict=True)]


@once()
def emoji() -> Emoji:
    """The sheet, read once a process."""
    about = json.loads(read_asset(FOLDER / "emoji.json"))
    sheet = np.array(Image.open(io.BytesIO(read_asset(FOLDER / "emoji.png"))).convert("RGB"))
    rows, columns = len(sheet) // SIDE, sheet.shape[1] // SIDE
    tiles = sheet.reshape(rows, SIDE, columns, SIDE, 3).transpose(0, 2, 4, 1, 3).reshape(-1, 3, SIDE, SIDE)
    pictures = tiles[: len(about["concepts"])]
    return Emoji(
        pictures=pictures,
        concepts=tuple(about["concepts"]),
        styles=tuple(about["styles"]),
        held=tuple(map(bool, about["held"])),
        makers=about["makers"],
        characters=about["characters"],
        held_colours=tuple((concept, colour) for concept, colour in about["held_colours"]),
    )
