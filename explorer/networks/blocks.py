"""Pieces that several networks share."""

import math
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from explorer.arguments import seeded
from explorer.modes import default_modes

Network = TypeVar("Network", bound=nn.Module)


@default_modes()
def build(make: Callable[[], Network], seed: int) -> Network:
    """The network that `make` returns, its weights drawn from `seed` and not from the global generator.

    It is float32, on the CPU and able to learn, whatever modes and defaults its caller has set. It is made on
    the meta device, where nothing is drawn; weight matrices and their biases are then uniform within
    1 / sqrt(inputs), as in torch's own layers, norms start as the identity, and modules that are `Drawn` fill what
    is theirs. Raises TypeError for any other with weights or buffers of its own.
    """
    with torch.device("meta"):
        network = make().float()
    network = network.to_empty(device="cpu")
    generator = seeded(seed)
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d):
            bound = 1 / math.sqrt(module.weight[0].numel())
            for parameter in module.parameters(recurse=False):
                nn.init.uniform_(parameter, -bound, bound, generator=generator)
        elif isinstance(module, nn.GroupNorm | nn.LayerNorm):
            module.reset_parameters()
        elif isinstance(module, Drawn):
            module.draw(generator)
        elif [*module.parameters(recurse=False), *module.buffers(recurse=False)]:
            raise TypeError(f"build does not know how to fill a {type(module).__name__}; make it Drawn")
    return network


class Drawn(nn.Module):
    """A module that fills its own weights or buffers."""

    def draw(self, generator: torch.Generator) -> None:
        raise NotImplementedError


class GroupNorm(nn.GroupNorm):
    """Group norm (Wu and He 2018). On a CPU torch's takes several times as long for narrow groups of channels-last
    maps as for contiguous ones; where nothing is to be differentiated, a copy costs less than that. A single value
    in a group, which has no spread, becomes 0, for one sample as for several; torch's refuses one."""

    def forward(self, x: Tensor) -> Tensor:
        narrow = self.num_channels < 8 * self.num_groups
        x = x.contiguous() if narrow and not torch.is_grad_enabled() else x
        return torch.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)


class FourierFeatures(Drawn):
    """cos and sin of `count` random projections of a vector of `width` (Tancik et al. 2020).

    Maps (n, width) to (n, 2 count); the frequencies are fixed, normal with standard deviation `scale`.
    """

    frequencies: Tensor

    def __init__(self, width: int, count: int, scale: float):
        super().__init__()
        self.scale = scale
        self.register_buffer("frequencies", torch.empty(width, count))

    def draw(self, generator: torch.Generator) -> None:
        self.frequencies.normal_(generator=generator).mul_(self.scale)

    def forward(self, x: Tensor) -> Tensor:
        angle = x @ self.frequencies
        return torch.cat([angle.cos(), angle.sin()], -1)
