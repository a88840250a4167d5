"""Scenes of coloured shapes with captions, deterministic from a seed: pictures in which every word can be checked.

Images are (n, 3, 32, 32) in [-1, 1]; places are pixels, x to the right and y downwards, from the top left corner.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from explorer.arguments import whole_number

SIDE = 32
COLOURS = {
    "red": (224, 49, 47),
    "orange": (245, 138, 31),
    "yellow": (255, 212, 59),
    "green": (63, 174, 73),
    "blue": (59, 130, 224),
    "purple": (142, 79, 196),
    "pink": (245, 130, 174),
    "brown": (141, 90, 59),
    "gray": (140, 140, 140),
    "black": (27, 27, 31),
    "white": (255, 255, 255),
}
RADII = {"small": 3.6, "": 5.2, "big": 7.2}
APART = 9.8  # things in a row
NUMBERS = ("", "one", "two", "three")
RELATIONS = {  # where the first lies of the second: the places of both, and where the second lies of the first
    "above": ("top", "bottom", "below"),
    "below": ("bottom", "top", "above"),
    "left": ("left", "right", "right"),
    "right": ("right", "left", "left"),
}
SAID = {
    "above": ("above", "above", "on top of", "over"),
    "below": ("below", "below", "under", "beneath"),
    "left": ("to the left of", "left of", "is on the left of"),
    "right": ("to the right of", "right of", "is on the right of"),
}
PLACES = {
    "centre": (16.0, 16.0),
    "top": (16.0, 8.5),
    "bottom": (16.0, 23.5),
    "left": (8.5, 16.0),
    "right": (23.5, 16.0),
    "top left": (8.5, 8.5),
    "top right": (23.5, 8.5),
    "bottom left": (8.5, 23.5),
    "bottom right": (23.5, 23.5),
}
NEAR = 5.5  # pixels that a thing may lie from its place; the next place is 7.5 away, and things are moved by 1
LEAST = 6  # pixels of a thing
DIFFERENT = 40  # of 255, of a colour that is not the background's
HELD_OUT = 10  # one in so many triples of shape, colour and place
Distance = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _polygon(corners: int, size: float, notch: float) -> Distance:
    """The distance to a polygon with a corner upwards and its corners at `size`, its notches at `size * notch`."""
    half = math.pi / corners
    edge = notch * np.array([math.cos(half), math.sin(half)]) - [1, 0]
    outwards = np.array([edge[1], -edge[0]]) / np.hypot(*edge)

    def distance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        angle = np.abs((np.arctan2(y, x) + math.pi / 2 + half) % (2 * half) - half)  # all corners folded onto one
        radius = np.hypot(x, y)
        return (radius * np.cos(angle) - size) * outwards[0] + radius * np.sin(angle) * outwards[1]

    return distance


def _heart(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Two discs and a square on its corner."""
    x = np.abs(x)
    disc = np.hypot(x - 0.5, y + 0.4) - 0.54
    square = (x + np.abs(y + 0.02)) / math.sqrt(2) - 0.66
    return np.minimum(disc, square)


SHAPES: dict[str, Distance] = {
    "circle": lambda x, y: np.hypot(x, y) - 0.95,
    "square": lambda x, y: np.maximum(np.abs(x), np.abs(y)) - 0.84,
    "triangle": _polygon(3, 1.2, 0.5),
    "diamond": lambda x, y: (1.3 * np.abs(x) + np.abs(y) - 1.1) / math.hypot(1.3, 1.0),
    "star": _polygon(5, 1.2, 0.48),
    "heart": _heart,
}


@dataclass(frozen=True)
class Thing:
    """A shape: its kind, its colour, its size ("small", "big" or "" for between), the `place` that words name it by
    ("top", "left", ...), and where its middle lies."""

    shape: str
    colour: str
    size: str
    place: str
    x: float
    y: float

    @property
    def held_out(self) -> bool:
        """Whether nothing is trained on this shape in this colour at this place."""
        shape, colour, place = list(SHAPES), list(COLOURS), list(PLACES)
        turn = 3 * shape.index(self.shape) + 7 * colour.index(self.colour) + place.index(self.place)
        return turn % HELD_OUT == 0


@dataclass(frozen=True)
class Scene:
    """Groups of equal things, one or two; `relation` says where the first lies of the second ("above", "left", ...)."""

    groups: tuple[tuple[Thing, ...], ...]
    background: str = "white"
    relation: str = ""

    @property
    def things(self) -> tuple[Thing, ...]:
        return tuple(thing for group in self.groups for thing in group)

    @property
    def held_out(self) -> bool:
        return any(thing.held_out for thing in self.things)


def draw(scene: Scene) -> Tensor:
    """(3, 32, 32): the scene with smooth edges."""
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    image = np.tile(np.array(COLOURS[scene.background], np.float32)[:, None, None], (1, SIDE, SIDE))
    for thing in scene.things:
        radius = RADII[thing.size]
        cover = np.clip(0.5 - radius * SHAPES[thing.shape]((x - thing.x) / radius, (y - thing.y) / radius), 0, 1)
        image += cover * (np.array(COLOURS[thing.colour], np.float32)[:, None, None] - image)
    return torch.from_numpy((image / 127.5 - 1).astype(np.float32))


def _pick(rng: np.random.Generator, names: Iterable[str]) -> str:
    known = list(names)
    return known[rng.integers(len(known))]


def _group(place: str, colour: str, count: int, rng: np.random.Generator) -> tuple[Thing, ...]:
    """So many equal things at a place, in a row."""
    shape, size = _pick(rng, SHAPES), "small" if count > 1 else _pick(rng, RADII)
    x, y = PLACES[place]
    x, y = x + rng.uniform(-1, 1), y + rng.uniform(-1, 1)
    return tuple(Thing(shape, colour, size, place, x + APART * (k - (count - 1) / 2), y) for k in range(count))


def compose(rng: np.random.Generator) -> Scene:
    """A scene at random: one thing at one of nine places, several in a row, or two groups in a relation."""
    background = "white" if rng.random() < 0.5 else _pick(rng, COLOURS)
    colours = [colour for colour in COLOURS if colour != background]
    kind = rng.random()
    if kind < 0.25:
        return Scene((_group(_pick(rng, PLACES), _pick(rng, colours), 1, rng),), background)
    if kind < 0.4:
        place = _pick(rng, ("centre", "top", "bottom"))
        return Scene((_group(place, _pick(rng, colours), int(rng.integers(2, 4)), rng),), background)
    relation = _pick(rng, RELATIONS)
    upright = relation in ("above", "below")
    counts = [int(rng.choice([1, 2, 3], p=[0.7, 0.2, 0.1])) if upright else 1 for _ in range(2)]
    counts = [1, counts[1]] if sum(counts) > 3 else counts
    groups = [
        _group(place, _pick(rng, colours), count, rng)
        for place, count in zip(RELATIONS[relation][:2], counts, strict=True)
    ]
    return Scene((groups[0], groups[1]), background, relation)


def article(words: str) -> str:
    return "an" if words[0] in "aeiou" else "a"


def _named(group: tuple[Thing, ...], rng: np.random.Generator, exact: bool) -> str:
    """A group in words: "a big red circle", "two small blue squares"."""
    thing, count = group[0], len(group)
    if count > 1:
        size = "small " if rng.random() < 0.5 or exact else ""
        return f"{NUMBERS[count]} {size}{thing.colour} {thing.shape}s"
    words = f"{thing.size} {thing.colour} {thing.shape}".strip()
    return f"{_pick(rng, (article(words), article(words), 'one', 'the'))} {words}" if rng.random() < 0.8 else words


def describe(scene: Scene, rng: np.random.Generator, exact: bool = False) -> str:
    """One of many ways to say what a scene shows; an `exact` one says how two groups lie, and what size each has."""
    first, *rest = (_named(group, rng, exact) for group in scene.groups)
    place = scene.groups[0][0].place
    if rest:
        (second,), opposite = rest, RELATIONS[scene.relation][2]
        if rng.random() < 0.5:
            first, second, said = second, first, opposite
        else:
            said = scene.relation
        loose = "and" if said in ("above", "below") else _pick(rng, ("and", "next to", "beside"))
        words = f"{first} {loose if rng.random() < 0.12 and not exact else _pick(rng, SAID[said])} {second}"
    elif place == "centre":
        words = f"{first} in the {_pick(rng, ('centre', 'middle'))}" if rng.random() < 0.6 or exact else first
    else:
        words = f"{first} {_pick(rng, ('at', 'in'))} the {place}"
    if scene.background != "white" or rng.random() < 0.2:
        ground = f"{article(scene.background)} {scene.background} background"
        words = f"{words} {_pick(rng, (f'on {ground}', f'on {scene.background}', f'with {ground}'))}"
    return words


def scenes(n: int, seed: int = 0, held_out: bool = False) -> tuple[Tensor, list[str], list[Scene]]:
    """n scenes, deterministic from the seed: images (n, 3, 32, 32), their captions, and what they hold.

    Of every shape, colour and place one triple in ten is held out: none of `scenes(n)` has one, and each of
    `scenes(n, held_out=True)` does. Raises ValueError for n below 1.
    """
    n, rng = whole_number(n, "n", 1), np.random.default_rng([whole_number(seed, "seed"), held_out])
    found: list[Scene] = []
    while len(found) < n:
        scene = compose(rng)
        if scene.held_out == held_out:
            found.append(scene)
    return torch.stack([draw(scene) for scene in found]), [describe(scene, rng) for scene in found], found


@dataclass(frozen=True)
class Seen:
    """What stands in an image: a shape's kind, colour and size, and its middle in pixels."""

    shape: str
    colour: str
    size: str
    x: float
    y: float


def read(image: Tensor) -> tuple[str, list[Seen]]:
    """The background of an image (3, 32, 32), and the shapes on it from the top left, by measuring its pixels.

    The background is the colour that most of the rim is nearest to; what is not of it falls into connected pieces. A
    piece has the colour that most of its inside is nearest to, and those, if there are two, that a fair part of it is;
    the shape and the size of each are those that cover the same pixels best.
    """
    from scipy.ndimage import binary_dilation, binary_erosion, label, maximum_filter

    rgb = ((image.clamp(-1, 1) + 1) * 127.5).numpy().astype(np.float64)
    palette = np.array(list(COLOURS.values()), np.float64)
    nearest = np.linalg.norm(rgb[None] - palette[:, :, None, None], axis=1).argmin(0)
    rim = np.concatenate([nearest[0], nearest[-1], nearest[1:-1, 0], nearest[1:-1, -1]])
    ground = int(np.bincount(rim, minlength=len(palette)).argmax())
    away = np.linalg.norm(rgb - palette[ground][:, None, None], axis=0)
    pieces, count = label(away > np.maximum(DIFFERENT, 0.4 * maximum_filter(away, 5)))
    names, seen = list(COLOURS), []
    for piece in (pieces == number for number in range(1, count + 1)):
        if piece.sum() < LEAST:
            continue
        inside = binary_erosion(piece)
        inside = inside if inside.any() else piece  # of a thin one
        colours = np.bincount(nearest[inside], minlength=len(palette))
        found = np.flatnonzero(colours >= max(0.2 * colours.sum(), 1))
        found = found[found != ground]
        for colour in found if len(found) < 3 else found[colours[found].argmax()][None]:
            mine = piece if len(found) == 1 else binary_dilation(inside & (nearest == colour))
            towards = palette[colour] - palette[ground]
            cover = np.einsum("c,chw->hw", towards, rgb - palette[ground][:, None, None]) / (towards @ towards)
            seen.append(_fitted(cover.clip(0, 1) * binary_dilation(mine), names[colour]))
    return names[ground], sorted(seen, key=lambda one: (round(one.y / 6), one.x))


def _fitted(cover: np.ndarray, colour: str) -> Seen:
    """The shape and size that cover most of the same pixels, its middle tried at places around that of the piece."""
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    middle = (cover * x).sum() / cover.sum(), (cover * y).sum() / cover.sum()
    best, found = -1.0, None
    for shape, distance in SHAPES.items():
        for size, radius in RADII.items():
            for shift in (-1.5, -0.75, 0.0, 0.75, 1.5):
                u, v = (x - middle[0]) / radius, (y - middle[1] - shift) / radius
                drawn = np.clip(0.5 - radius * distance(u, v), 0, 1)
                fit = float(np.minimum(drawn, cover).sum() / np.maximum(drawn, cover).sum())
                if fit > best:
                    best, found = fit, Seen(shape, colour, size, *middle)
    assert found is not None
    return found


def right(image: Tensor, scene: Scene) -> dict[str, bool]:
    """Which of the things that a scene says an image shows: "number", "shape", "colour", "size", "place" (or relation)
    and "background". The shapes of an image are told apart by where they stand."""
    background, seen = read(image)
    verdict = dict.fromkeys(("number", "shape", "colour", "size", "place"), False)
    verdict["number"] = len(seen) == len(scene.things)
    if verdict["number"]:
        pairs = _matched(seen, scene.things)
        for part in ("shape", "colour", "size"):
            verdict[part] = all(getattr(one, part) == getattr(thing, part) for one, thing in pairs)
        verdict["place"] = all(math.hypot(one.x - thing.x, one.y - thing.y) < NEAR for one, thing in pairs)
    return {**verdict, "background": background == scene.background}


def _matched(seen: list[Seen], things: tuple[Thing, ...]) -> list[tuple[Seen, Thing]]:
    """Each shape with the thing that stands nearest to it, one to one."""
    from scipy.optimize import linear_sum_assignment

    distance = [[math.hypot(one.x - thing.x, one.y - thing.y) for thing in things] for one in seen]
    return [(seen[i], things[j]) for i, j in zip(*linear_sum_assignment(np.array(distance)), strict=True)]


def words() -> list[str]:
    """All words of the captions, sorted, and the plural's ending."""
    told = "a an the and in at on is to of with next beside top over under beneath middle background ##s"
    named = (word for names in (NUMBERS, RELATIONS, PLACES, RADII) for name in names for word in name.split())
    return sorted({*told.split(), *named, *COLOURS, *SHAPES})
