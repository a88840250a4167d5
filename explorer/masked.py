"""Diffusion for symbols: noise hides them one by one, and the model guesses what is hidden.

At time t in [0, 1] each symbol is hidden with probability t. What has been hidden stays hidden; the reverse process
shows symbols, in any order, and never changes one (Austin et al. 2021; Sahoo et al. 2024; Shi et al. 2024).
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.arguments import seeded


def hide(symbols: Tensor, t: Tensor, hidden: int, generator: torch.Generator) -> Tensor:
    """Symbols (n, k), each replaced by the number `hidden` with the probability t of its row, (n,)."""
    chance = torch.rand(symbols.shape, generator=generator).to(symbols.device)
    return torch.where(chance < t[:, None], hidden, symbols)


def masked_loss(network: nn.Module, symbols: Tensor, hidden: int, generator: torch.Generator) -> Tensor:
    """The bound on the negative log-likelihood of a symbol, in nats: what is hidden must be guessed, and counts 1 / t
    (Sahoo et al. 2024, equation 10). Times lie evenly in (0, 1), one in each n-th part, so that it varies little."""
    n, k = symbols.shape
    t = ((torch.arange(n) + torch.rand(n, generator=generator)) / n).to(symbols.device)
    noisy = hide(symbols, t, hidden, generator)
    logits = network(noisy)
    each = functional.cross_entropy(logits.transpose(1, 2), symbols, reduction="none")
    return (each * (noisy == hidden) / t.clamp(min=1e-3)[:, None]).sum() / (n * k)


@torch.no_grad()
def unmask(
    network: nn.Module,
    start: Tensor,
    hidden: int,
    seed: int,
    order: str = "random",
    temperature: float = 1.0,
    at_once: int = 1,
) -> Iterator[Tensor]:
    """Show what is hidden in `start`, (n, k), `at_once` symbols a step; yields each state, `start` first.

    `order` is "random", as the reverse process has it, "left", or "confident": where the model is surest. Symbols shown
    in one step do not know of each other. Raises ValueError for another order.
    """
    if order not in ORDERS:
        raise ValueError(f"no order is called {order!r}; choose one of {', '.join(ORDERS)}")
    generator, symbols = seeded(seed), start.clone()
    yield symbols.clone()
    while bool((symbols == hidden).any()):
        probabilities = (network(symbols) / max(temperature, 1e-3)).softmax(-1)
        drawn = torch.multinomial(probabilities.flatten(0, 1), 1, generator=generator).view_as(symbols)
        if order == "left":
            eager = -torch.arange(symbols.shape[1]).expand(symbols.shape).float()
        elif order == "random":
            eager = torch.rand(symbols.shape, generator=generator)
        else:
            eager = probabilities.amax(-1)
        waiting = symbols == hidden
        eager = eager.masked_fill(~waiting, -torch.inf)
        chosen = (
            torch.zeros_like(waiting).scatter(1, eager.topk(min(at_once, symbols.shape[1])).indices, True) & waiting
        )
        symbols = torch.where(chosen, drawn, symbols)
        yield symbols.clone()


ORDERS = ("random", "left", "confident")
