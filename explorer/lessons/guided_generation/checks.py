"""What a prompt asks of a scene, word by word, and whether a picture shows it: measured, for scenes alone."""

import math
from collections import Counter
from dataclasses import dataclass
from itertools import permutations
from statistics import fmean

from torch import Tensor

from explorer.data.scenes import COLOURS, NEAR, NUMBERS, PLACES, RADII, SHAPES, Seen, Thing, read
from explorer.data.scenes import RELATIONS as LIE
from explorer.networks.text import PLURAL

RELATIONS = {
    "above": (0, -1),
    "over": (0, -1),
    "top": (0, -1),  # on top of
    "below": (0, 1),
    "under": (0, 1),
    "beneath": (0, 1),
    "left": (-1, 0),
    "right": (1, 0),
}
SIDES = {RELATIONS[word]: lie[:2] for word, lie in LIE.items()}  # the places of both
WHERE = ("top", "bottom", "left", "right", "centre", "middle")
ASIDE = 3  # pixels by which one thing must lie on its side of another


@dataclass(frozen=True)
class Wanted:
    """So many equal shapes; what was not said is ""."""

    count: int
    size: str
    colour: str
    shape: str

    def fits(self, seen: Seen) -> bool:
        said = ((self.size, seen.size), (self.colour, seen.colour), (self.shape, seen.shape))
        return all(wanted in ("", there) for wanted, there in said)


@dataclass(frozen=True)
class Request:
    """The groups of shapes of a prompt, the ground, where the first group lies of the second, (0, -1) for above, and
    the place of a single one, a name of `PLACES`."""

    groups: tuple[Wanted, ...]
    background: str = ""
    relation: tuple[int, int] | None = None
    place: str = ""


def request(pieces: tuple[str, ...]) -> Request | None:
    """What the pieces of a prompt, plurals in two, ask for; None where they name no shape, more than two groups, or
    something that is not understood here."""
    groups: list[Wanted] = []
    told: dict[str, str] = {}
    background, ends, grounded = "", list[int](), False
    for at, piece in enumerate(pieces):
        if piece in COLOURS:
            told["colour"], grounded = piece, {"on", "with"} & {*pieces[max(0, at - 2) : at]} != set()
        elif piece in RADII:
            told["size"] = piece
        elif piece in NUMBERS:
            told["count"] = piece
        elif piece in SHAPES:
            plural = pieces[at + 1 : at + 2] == (PLURAL,)
            count = NUMBERS.index(told["count"]) if "count" in told else 2 if plural else 1
            groups.append(Wanted(count, told.get("size", ""), told.get("colour", ""), piece))
            ends.append(at)
            told = {}
        elif piece == "background":
            background = told.pop("colour", "")
    if groups and grounded and not background:
        background = told.pop("colour", "")
    if told or not 1 <= len(groups) <= 2:
        return None
    if len(groups) == 1:
        where = " ".join("centre" if piece == "middle" else piece for piece in pieces if piece in WHERE)
        return Request((groups[0],), background, place=where) if where in ("", *PLACES) else None
    between = pieces[ends[0] + 1 : ends[1]]
    lies = [piece for piece in between if piece in RELATIONS and (piece != "top" or "on" in between)]
    named = [piece for piece in pieces if piece in {*WHERE, *RELATIONS}]
    if len(named) > len(lies) or len(lies) > 1:
        return None
    return Request(tuple(groups), background, RELATIONS[lies[0]] if lies else None)


def held_out(asked: Request) -> list[tuple[str, str, str]]:
    """The triples of colour, shape and place of a prompt, where it says all three, that no training saw."""
    places = SIDES[asked.relation] if asked.relation else (asked.place,)
    things = [
        Thing(group.shape, group.colour, group.size, place, 0, 0)
        for group, place in zip(asked.groups, places, strict=False)
        if group.colour and place
    ]
    return [(thing.colour, thing.shape, thing.place) for thing in things if thing.held_out]


def shows(image: Tensor, asked: Request) -> bool:
    """Whether a picture (3, 32, 32) shows the shapes that are asked for and no others, where and on what was said."""
    background, seen = read(image)
    if asked.background not in ("", background) or len(seen) != sum(group.count for group in asked.groups):
        return False
    wanted = [group for group in asked.groups for _ in range(group.count)]
    return any(
        all(group.fits(one) for group, one in zip(wanted, order, strict=True)) and _placed(asked, order)
        for order in permutations(seen)
    )


def _placed(asked: Request, order: tuple[Seen, ...]) -> bool:
    if asked.place:
        x, y = PLACES[asked.place]
        return math.hypot(fmean(one.x for one in order) - x, fmean(one.y for one in order) - y) < NEAR
    if asked.relation is None:
        return True
    first, second = order[: asked.groups[0].count], order[asked.groups[0].count :]
    across, down = asked.relation
    right = fmean(one.x for one in first) - fmean(one.x for one in second)
    below = fmean(one.y for one in first) - fmean(one.y for one in second)
    return across * right + down * below > ASIDE


def said(image: Tensor) -> str:
    """What stands in a picture, in words: "red circle, blue square on white"."""
    background, seen = read(image)
    counted = Counter(f"{one.size} {one.colour} {one.shape}".strip() for one in seen)
    things = ", ".join(f"{count} x {name}" if count > 1 else name for name, count in counted.items())
    return f"{things or 'nothing'} on {background}"
