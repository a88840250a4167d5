"""Batches of captioned emoji for training: what a picture may be called, and how it may be turned, tinted and moved."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from explorer.data.scenes import COLOURS, article
from explorer.networks.text import PLURAL

EMPTY, GAP = 0.1, 0.02  # the shares of captions that say nothing, and of words that are not known
ARTICLES, FRAME = ("a", "an", "the"), ("in", "style", "on", "background")
PEOPLE = (
    "baby",
    "santa claus",
    "princess",
    "doctor",
    "police officer",
    "cook",
    "astronaut",
    "firefighter",
    "farmer",
    "teacher",
)
WRITTEN = ("alarm clock", "book", "envelope", "piano")  # a mirror would show


def with_gaps(captions: list[str], rng: np.random.Generator) -> list[str]:
    """Captions as a person might write them: one in ten is empty, and now and then a word is strange."""
    return [
        "" if rng.random() < EMPTY else " ".join("xyzzy" if rng.random() < GAP else word for word in caption.split())
        for caption in captions
    ]


class Emoji:
    """The pictures that `draw_emoji.py` has drawn, and captions for them; `held` are left out of all batches."""

    def __init__(self, folder: Path):
        drawn = np.load(folder / "emoji.npz")
        self.about: dict[str, Any] = json.loads((folder / "emoji.json").read_text())
        self.pictures, self.recoloured, self.which = (drawn[name] for name in ("pictures", "recoloured", "which"))
        self.rows: list[dict[str, Any]] = self.about["rows"]
        self.colours, self.styles = list(self.about["colours"]), list(self.about["styles"])
        self.held_colours = {tuple(pair) for pair in self.about["held_colours"]}
        self.trained = np.array([k for k, row in enumerate(self.rows) if not row["held"]])
        self.held = np.array([k for k, row in enumerate(self.rows) if row["held"]])

    def names(self, row: dict[str, Any]) -> list[list[str]]:
        """What a picture may be called: its concept, its own label, and that without "face"."""
        label = "".join(c if c.isalnum() else " " for c in row["label"]).split()
        short = [word for word in label if word != "face"] or label
        return [row["concept"].replace("-", " ").split(), label, short]

    def words(self) -> list[str]:
        """All words of the captions, sorted."""
        told = {word for row in self.rows for name in self.names(row) for word in name}
        told |= {word for tags in self.about["keywords"].values() for tag in tags for word in tag}
        return sorted({*told, *COLOURS, *self.styles, *ARTICLES, *FRAME, PLURAL})

    def plain(self, row: dict[str, Any], style: bool = True) -> str:
        """The caption by which a picture is judged: "cat in noto style"."""
        return row["concept"] + (f" in {row['style']} style" if style else "")

    def caption(self, row: dict[str, Any], colour: str | None, background: str | None, rng: np.random.Generator) -> str:
        """One of many ways to say what a picture shows."""
        named, kind = self.names(row), rng.random()
        words = list(named[0] if kind < 0.5 else named[1] if kind < 0.7 else named[2])
        tags = self.about["keywords"][row["label"]]
        if tags and kind > 0.84:
            tag = tags[rng.integers(len(tags))]
            words = list(tag) if kind > 0.94 else [*tag, *(word for word in words if word not in tag)]
        told = colour or (row["colour"] if rng.random() < 0.1 else None)
        if told:
            words = [told, *(word for word in words if word not in COLOURS)]
        if rng.random() < 0.35:
            words = [article(words[0]), *words]
        kind = rng.random()
        if kind < 0.8:
            words += [row["style"], "style"] if kind < 0.12 else ["in", row["style"], "style"]
            words = words if kind < 0.7 else [row["style"], *words[:-3]]
        if background:
            words += ["on", "a", background, "background"] if rng.random() < 0.6 else ["on", background]
        return " ".join(words)

    def draw(self, n: int, seed: int) -> tuple[Tensor, list[str]]:
        """n pictures, (n, 3, 32, 32) in [-1, 1], and their captions."""
        images, shown, rng = self.examples(n, seed)
        return images, with_gaps([self.caption(*one, rng) for one in shown], rng)

    def examples(
        self, n: int, seed: int, recolour: float = 0.25
    ) -> tuple[Tensor, list[tuple[dict[str, Any], str | None, str | None]], np.random.Generator]:
        """n pictures to learn from, (n, 3, 32, 32) in [-1, 1], what each shows (its row, the colour that it was given
        and that of its ground, None for its own and for white), and the generator that drew them."""
        rng = np.random.default_rng(seed)
        images, shown = np.empty((n, 3, 32, 32), np.float32), []
        for k, index in enumerate(rng.choice(self.trained, n)):
            row, image, colour, background = self.rows[index], self.pictures[index], None, None
            if self.which[index] >= 0 and row["concept"] not in PEOPLE and rng.random() < recolour:
                colour = self.colours[rng.integers(len(self.colours))]
                if (row["concept"], colour) in self.held_colours:
                    colour = None
                else:
                    image = self.recoloured[self.which[index], self.colours.index(colour)]
            if rng.random() < 0.1:
                background = list(COLOURS)[rng.integers(len(COLOURS))]
                background = None if background in (colour, row["colour"]) else background
            images[k] = self.on_ground(self.moved(image, row, rng), background, rng)
            shown.append((row, colour, background))
        return torch.from_numpy(images), shown, rng

    def real(self, indices: np.ndarray) -> Tensor:
        """Pictures as their makers drew them, on white, (n, 3, 32, 32)."""
        return torch.from_numpy(np.stack([self.on_ground(self.pictures[index]) for index in indices]))

    @staticmethod
    def moved(image: np.ndarray, row: dict[str, Any], rng: np.random.Generator) -> np.ndarray:
        """Shifted by a pixel at most, and mirrored half of the time where nobody could tell."""
        sided = {"left", "right"} & set(row["label"].split()) or row["concept"] in WRITTEN
        image = image if sided or rng.random() < 0.5 else image[:, ::-1]
        return np.roll(image, tuple(rng.integers(-1, 2, 2)), (0, 1))

    def on_ground(
        self, image: np.ndarray, background: str | None = None, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """(3, 32, 32) float32 in [-1, 1]: a premultiplied RGBA picture on white, or on a colour."""
        ground = np.full(3, 255.0) if background is None else np.array(COLOURS[background], float)
        if background is not None and rng is not None:
            ground = (ground + rng.normal(0, 6, 3)).clip(0, 255)
        rgb = image[..., :3] + (1 - image[..., 3:] / 255) * ground
        return (rgb.transpose(2, 0, 1) / 127.5 - 1).astype(np.float32)
