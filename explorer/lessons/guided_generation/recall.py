"""Recall or imagination: the nearest of the pictures that artists drew."""

import statistics
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from explorer.data.emoji import emoji
from explorer.metrics import nearest
from explorer.modes import default_modes
from explorer.once import once


def nearest_drawn(pictures: Tensor) -> tuple[np.ndarray, list[str], list[float]]:
    """For each of the pictures (n, 3, height, width) in [-1, 1]: the nearest that the model learned from, mirrored or
    not, (n, 3, height, width), its caption, and the root mean square of their difference."""
    sheet = emoji()
    captions = sheet.captions()
    places = [place for place, held in enumerate(sheet.held) if not held]
    learned = sheet.images(places)
    straight, mirrored = nearest(pictures, learned), nearest(pictures.flip(3), learned)
    found, names, distances = [], [], []
    for place, distance, other, as_mirrored in zip(*straight, *mirrored, strict=True):
        turned = bool(as_mirrored < distance)
        best = int(other if turned else place)
        found.append(learned[best].flip(2) if turned else learned[best])
        names.append(captions[places[best]])
        distances.append(float(as_mirrored if turned else distance))
    return torch.stack(found).numpy(), names, distances


@once()
@default_modes()
def artists_apart() -> float:
    """The median of that distance between two artists' drawings of one concept."""
    sheet = emoji()
    pictures = sheet.images()
    first: dict[tuple[str, str], int] = {}
    for place, named in enumerate(zip(sheet.concepts, sheet.styles, strict=True)):
        first.setdefault(named, place)
    apart = []
    for name in sheet.names():
        places = [place for (concept, _), place in first.items() if concept == name]
        makers = [sheet.makers[sheet.styles[place]]["maker"].partition(",")[0] for place in places]
        drawn = pictures[places].flatten(1)
        distances = torch.pdist(drawn) / drawn.shape[1] ** 0.5
        pairs = zip(combinations(makers, 2), distances.tolist(), strict=True)
        apart += [distance for (one, other), distance in pairs if one != other]
    return statistics.median(apart)
