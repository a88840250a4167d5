"""Digits that fly."""

import torch

from explorer.data.mnist import shipped_mnist
from explorer.data.moving import DIGIT, FRAMES, SIDE, SPEED, folded, moving_digits


def middles(videos: torch.Tensor) -> torch.Tensor:
    ink, place = videos + 1, torch.arange(SIDE) + 0.5
    total = ink.sum((2, 3))
    return torch.stack([(ink.sum(2) * place).sum(2) / total, (ink.sum(3) * place).sum(2) / total], -1)


def test_walls_reflect() -> None:
    assert folded(torch.tensor([-1.0, 0.0, 3.0, 5.0, 6.0, 11.0]), 5.0).tolist() == [1.0, 0.0, 3.0, 5.0, 4.0, 1.0]


def test_a_digit_keeps_its_ink_and_its_speed_between_walls() -> None:
    videos, classes = moving_digits(shipped_mnist("held-out"), 64, 0)
    assert videos.shape == (64, FRAMES, SIDE, SIDE) and classes.shape == (64,)
    assert videos.min() >= -1 and videos.max() <= 1
    ink = (videos + 1).sum((2, 3))
    assert bool(((ink - ink[:, :1]).abs() < 0.02 * ink[:, :1]).all())
    steps = middles(videos).diff(dim=1)
    straight = (steps.diff(dim=1).norm(dim=2) < 0.05).all(1)  # those that met no wall
    assert 5 < int(straight.sum()) < 64
    speed = steps[straight].norm(dim=2)
    assert SPEED[0] - 0.05 < speed.min() and speed.max() < SPEED[1] + 0.05


def test_digits_stay_inside_and_seeds_repeat() -> None:
    videos, classes = moving_digits(shipped_mnist("held-out"), 32, 3)
    again, labels = moving_digits(shipped_mnist("held-out"), 32, 3)
    assert torch.equal(videos, again) and torch.equal(classes, labels)
    inside = middles(videos)
    assert inside.min() > 2 and inside.max() < SIDE - 2
    assert DIGIT < SIDE
