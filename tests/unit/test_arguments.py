"""Any whole number is a seed, whatever holds it; nothing else is. Numbers and pairs of them likewise."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from explorer.arguments import number, pair, seeded, whole_number
from explorer.data.toy2d import points_from_drawing, points_from_image, toy2d
from explorer.metrics import sliced_wasserstein
from explorer.networks.blocks import build
from explorer.networks.mlp import make_denoiser_2d
from explorer.networks.unet import make_image_denoiser
from explorer.samplers import sample

POINTS = toy2d("moons", 100)
DRAWN: dict[str, Any] = {
    "sample": lambda seed: sample(make_denoiser_2d(), 3, "ddpm", 2, seed).x,
    "make_denoiser_2d": lambda seed: make_denoiser_2d(seed).network.layers[0].weight,
    "make_image_denoiser": lambda seed: make_image_denoiser((1, 8, 8), seed=seed, widths=(8,)).network.head.weight,
    "build": lambda seed: build(lambda: torch.nn.Linear(2, 2), seed).weight,
    "toy2d": lambda seed: toy2d("moons", 20, seed),
    "points_from_drawing": lambda seed: points_from_drawing(POINTS.numpy(), 20, seed),
    "points_from_image": lambda seed: points_from_image(np.eye(5), 20, seed),
    "sliced_wasserstein": lambda seed: torch.tensor(sliced_wasserstein(POINTS, POINTS + 1, 5, seed)),
    "seeded": lambda seed: torch.rand(3, generator=seeded(seed)),
}
SEVENS = [np.int64(7), np.int32(7), np.uint8(7), torch.tensor(7), torch.tensor(7, dtype=torch.uint8), np.array(7)]


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN.keys())
def test_one_number_draws_one_thing_whatever_holds_it(draw: Any) -> None:
    expected = draw(7)
    for seven in SEVENS:
        assert torch.equal(draw(seven), expected), type(seven)
    assert not torch.equal(draw(8), expected)


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN.keys())
@pytest.mark.parametrize("seed", [-1, -7, 2**63, 2**64 - 1, 2**200, np.uint64(2**64 - 1), np.int64(-(2**63))])
def test_no_whole_number_is_out_of_range(draw: Any, seed: Any) -> None:
    assert torch.equal(draw(seed), draw(int(seed)))


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN.keys())
@pytest.mark.parametrize("seed", [0.5, 7.0, np.float64(7), "7", None, torch.tensor(0.5), [7]], ids=repr)
def test_what_is_no_whole_number_is_refused(draw: Any, seed: Any) -> None:
    with pytest.raises(ValueError, match="seed must be a whole number, not"):
        draw(seed)


@given(st.integers(-(2**70), 2**70), st.integers(-(2**70), 2**70))
def test_a_whole_number_below_the_least_is_refused(value: int, least: int) -> None:
    if value < least:
        with pytest.raises(ValueError, match=f"count must be at least {least}, not {value}"):
            whole_number(value, "count", least)
    else:
        assert whole_number(value, "count", least) == value


@pytest.mark.parametrize(
    "value", [2, 2.0, np.float32(2), np.int8(2), np.array(2.0), torch.tensor(2), torch.tensor([2.0])]
)
def test_one_number_is_a_number_whatever_holds_it(value: Any) -> None:
    assert number(value, "x") == 2
    assert type(number(value, "x")) is float


@pytest.mark.parametrize("value", [None, "2", b"2", [2], 1j, 10**400, torch.ones(2), object], ids=str)
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="x must be a number, not "):
        number(value, "x")
    assert np.isnan(pair((1, value))).all()


@pytest.mark.parametrize("value", [None, 5, (), (1,), (1, 2, 3), "12", torch.ones(3)], ids=str)
def test_what_is_no_pair_is_none(value: Any) -> None:
    assert np.isnan(pair(value)).all()


@pytest.mark.parametrize("value", [(1, 2), [1.0, 2.0], np.array([1, 2]), torch.tensor([1.0, 2.0])], ids=str)
def test_two_numbers_are_a_pair(value: Any) -> None:
    assert pair(value) == (1.0, 2.0)
