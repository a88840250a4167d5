import numpy as np
import pytest
import torch

from explorer.data.emoji import emoji
from explorer.lessons.guided_generation.recall import artists_apart, nearest_drawn


def test_what_was_learned_finds_itself_and_so_does_its_mirror_image() -> None:
    sheet = emoji()
    place = next(place for place, held in enumerate(sheet.held) if not held and sheet.concepts[place] == "guitar")
    picture = sheet.images(place)
    found, names, distances = nearest_drawn(torch.stack([picture, picture.flip(2)]))
    assert names == [sheet.captions()[place]] * 2
    assert distances == pytest.approx([0, 0], abs=1e-6)
    np.testing.assert_allclose(found[1], picture.flip(2))


def test_what_is_held_out_finds_another() -> None:
    sheet = emoji()
    place = sheet.held.index(True)
    _, names, (distance,) = nearest_drawn(sheet.images(place)[None])
    assert distance > 0
    assert names != [sheet.captions()[place]]


def test_two_artists_are_apart() -> None:
    assert 0.1 < artists_apart() < 1.5
