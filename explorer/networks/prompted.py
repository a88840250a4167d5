"""A network that is told in words, for whoever only knows classes: each class stands for a prompt."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from explorer.denoiser import Denoiser
from explorer.networks.text import Text
from explorer.networks.unet import ClassEmbedding, UNet


class Prompted(nn.Module):
    """A U-Net with a text encoder whose condition is class numbers, each of which stands for one of the `prompts`."""

    takes_condition = True

    def __init__(self, network: UNet, prompts: Sequence[str]):
        super().__init__()
        self.network, self.prompts = network, tuple(prompts)
        self.numbers = ClassEmbedding(len(self.prompts), 1)

    def read_condition(self, condition: Any, n: int) -> Tensor | Text:
        """Class numbers of n samples, or one for all, as the network reads their prompts. Raises ValueError for
        anything else."""
        return self.network.read_condition([self.prompts[number] for number in self.numbers.read(condition, n)], n)

    def side_by_side(self, conditions: Sequence[Tensor | Text | None], n: int) -> Tensor | Text | None:
        return self.network.side_by_side(conditions, n)

    def forward(self, x: Tensor, log_snr: Tensor, condition: Any = None) -> Tensor:
        return self.network(x, log_snr, condition)


def prompted(denoiser: Denoiser, prompts: Sequence[str]) -> Denoiser:
    """The same denoiser, told by numbers. Raises ValueError for one that is not told in words."""
    network = denoiser.network
    if not isinstance(network, UNet) or network.text is None:
        raise ValueError("this model is not told in words")
    told = Prompted(network, prompts).requires_grad_(False)
    return Denoiser(told, denoiser.schedule, denoiser.prediction, denoiser.shape)
