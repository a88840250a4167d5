"""How long each sound of a sentence lasts: a small network that looks a few sounds around."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.data.speech.phones import NUMBERS, PHONES
from explorer.networks.text import Table

LONGEST = 0.6  # seconds of one sound
SHORTEST = 0.02


class Durations(nn.Module):
    """Numbers of phones, (n, k), as the logarithm of the seconds that each lasts, (n, k)."""

    def __init__(self, width: int = 64, depth: int = 3):
        super().__init__()
        self.size = {"width": width, "depth": depth}
        self.sounds = Table(len(PHONES) + 1, width, 0.5)
        self.around = nn.ModuleList(nn.Conv1d(width, width, 5, padding=2) for _ in range(depth))
        self.head = nn.Linear(width, 1)

    def forward(self, phones: Tensor) -> Tensor:
        x = self.sounds.vectors[phones].transpose(1, 2)
        for layer in self.around:
            x = x + functional.gelu(layer(x))
        return self.head(x.transpose(1, 2))[..., 0] - 2.5

    def seconds(self, phones: list[str], speed: float = 1.0) -> list[float]:
        """How long each of these phones lasts."""
        with torch.inference_mode():
            numbers = torch.tensor([[NUMBERS[phone] for phone in phones]])
            return (self(numbers)[0].exp().clamp(SHORTEST, LONGEST) / speed).tolist()
