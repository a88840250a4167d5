import math

import pytest
import torch

from explorer.networks.blocks import build
from explorer.networks.clip import Clip

WORDS = ["red", "blue", "green", "thing"]
COLOURS = {"red": (1.0, -1.0, -1.0), "green": (-1.0, 1.0, -1.0), "blue": (-1.0, -1.0, 1.0)}


def clip() -> Clip:
    return build(lambda: Clip({"words": WORDS, "width": 16, "length": 4}, width=8, dimensions=12), seed=0)


def test_vectors_have_length_one() -> None:
    network = clip()
    ones = torch.ones(3)
    torch.testing.assert_close(network.texts(["red", "blue thing", ""]).norm(dim=1), ones)
    torch.testing.assert_close(network.pictures(torch.randn(3, 3, 16, 16)).norm(dim=1), ones)


def test_the_loss_is_that_of_a_guess_where_all_pictures_are_alike() -> None:
    network = clip()
    numbers = network.text.read(["red", "blue", "green", "thing"], 4)
    fit = network.sharpness(network.pictures(torch.zeros(4, 3, 8, 8)) @ network.texts(numbers).T)
    among_texts = torch.nn.functional.cross_entropy(fit, torch.arange(4))
    expected = (among_texts + math.log(4)) / 2
    assert network.loss(torch.zeros(4, 3, 8, 8), numbers).item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_text_that_stands_there_twice_competes_once() -> None:
    network = clip()
    images = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    numbers = network.text.read(["red", "red", "red"], 3)
    assert network.loss(images, numbers).item() == pytest.approx(0, abs=1e-6)


def test_it_learns_which_text_goes_with_which_picture() -> None:
    network, generator = clip(), torch.Generator().manual_seed(0)
    names = list(COLOURS)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)

    def batch() -> torch.Tensor:
        plain = torch.tensor([COLOURS[name] for name in names])[:, :, None, None]
        return plain * 0.6 + 0.3 * torch.randn(3, 3, 8, 8, generator=generator)

    numbers = network.text.read(names, 3)
    for _ in range(60):
        optimizer.zero_grad()
        network.loss(batch(), numbers).backward()
        optimizer.step()
    fit = network.pictures(batch()) @ network.texts(names).T
    assert fit.argmax(1).tolist() == fit.argmax(0).tolist() == [0, 1, 2]
