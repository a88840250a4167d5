"""Diffusion for symbols: what hides them, what that costs, and what shows them again."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from explorer.arguments import seeded
from explorer.masked import ORDERS, hide, masked_loss, unmask

HIDDEN = 3


class Fixed(nn.Module):
    """Says the same of every place: these probabilities of three symbols."""

    def __init__(self, probabilities: list[float]):
        super().__init__()
        self.logits = torch.tensor(probabilities).log()

    def forward(self, symbols: Tensor) -> Tensor:
        return self.logits.expand(*symbols.shape, -1)


class Successor(nn.Module):
    """Knows that each symbol follows the one before it, 0, 1, 2, 0, ..., and nothing of one whose neighbour is "
    "hidden."""

    def forward(self, symbols: Tensor) -> Tensor:
        before = symbols.roll(1, 1)
        sure = nn.functional.one_hot((before + 1) % 3, 3).float().clamp(min=1e-6).log()
        first = torch.tensor([1.0, 1e-6, 1e-6]).log().expand(len(symbols), 1, 3)
        sure = torch.cat([first, sure[:, 1:]], 1)
        blind = (before == HIDDEN) & (torch.arange(symbols.shape[1]) > 0)
        return torch.where(blind[..., None], torch.zeros(3), sure)


def test_each_symbol_is_hidden_with_the_probability_of_its_row() -> None:
    symbols = torch.zeros(3, 20_000, dtype=torch.int64)
    hidden = hide(symbols, torch.tensor([0.0, 0.3, 1.0]), HIDDEN, seeded(0)) == HIDDEN
    assert torch.allclose(hidden.float().mean(1), torch.tensor([0.0, 0.3, 1.0]), atol=0.01)


def test_the_loss_of_a_model_that_knows_the_frequencies_is_their_entropy() -> None:
    """The bound is tight where symbols are independent."""
    shares = [0.5, 0.3, 0.2]
    symbols = torch.multinomial(torch.tensor(shares), 400_000, replacement=True, generator=seeded(1)).view(4_000, 100)
    entropy = -sum(share * math.log(share) for share in shares)
    assert masked_loss(Fixed(shares), symbols, HIDDEN, seeded(2)).item() == pytest.approx(entropy, rel=0.01)


@pytest.mark.parametrize("order", ORDERS)
def test_what_is_shown_stays_and_so_many_are_shown_a_step(order: str) -> None:
    start = torch.full((5, 7), HIDDEN)
    start[:, 2] = 1
    states = list(unmask(Fixed([0.4, 0.3, 0.3]), start, HIDDEN, 0, order, at_once=2))
    assert torch.equal(states[0], start) and [int((x == HIDDEN).sum()) for x in states] == [30, 20, 10, 0]
    for before, after in pairwise(states):
        assert torch.equal(before[before != HIDDEN], after[before != HIDDEN])


def test_left_to_right_and_the_surest_first_find_what_follows_and_all_at_once_does_not() -> None:
    start = torch.full((200, 9), HIDDEN)
    truth = torch.arange(9) % 3
    for order in ("left", "confident"):
        *_, end = unmask(Successor(), start, HIDDEN, 0, order)
        assert bool((end == truth).all())
    *_, end = unmask(Successor(), start, HIDDEN, 0, "random", at_once=9)
    assert bool((end[:, 0] == 0).all()) and (end[:, 1:] == truth[1:]).float().mean().item() == pytest.approx(
        1 / 3, abs=0.05
    )


def test_cold_sampling_takes_the_likeliest_and_seeds_repeat() -> None:
    start = torch.full((50, 4), HIDDEN)
    *_, cold = unmask(Fixed([0.5, 0.3, 0.2]), start, HIDDEN, 0, temperature=0.01)
    assert bool((cold == 0).all())
    *_, one = unmask(Fixed([0.5, 0.3, 0.2]), start, HIDDEN, 7)
    *_, other = unmask(Fixed([0.5, 0.3, 0.2]), start, HIDDEN, 7)
    assert torch.equal(one, other)


def test_another_order_is_refused() -> None:
    with pytest.raises(ValueError, match="choose one of random, left, confident"):
        next(unmask(Fixed([1.0, 0.0, 0.0]), torch.full((1, 1), HIDDEN), HIDDEN, 0, "sideways"))
