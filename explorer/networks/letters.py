"""A network that guesses the letters of a word that are hidden."""

import torch
from torch import Tensor, nn

from explorer.networks.blocks import build
from explorer.networks.text import Block, Table

LETTERS = "abcdefghijklmnopqrstuvwxyz"
END, HIDDEN = len(LETTERS), len(LETTERS) + 1  # nothing stands here any more; what stands here is not told
LONGEST = 12


class Letters(nn.Module):
    """Numbers of the symbols of words, (n, 12), as logits of what stands at each place, (n, 12, 27): a letter, or END.

    Every place looks at every other (Vaswani et al. 2017); none is told how much is hidden, since it sees that.
    """

    def __init__(self, width: int = 128, layers: int = 4, heads: int = 4):
        super().__init__()
        self.size = {"width": width, "layers": layers, "heads": heads}
        self.symbols, self.places = Table(HIDDEN + 1, width, 0.5), Table(LONGEST, width, 0.5)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, END + 1)

    def forward(self, symbols: Tensor) -> Tensor:
        x = self.symbols.vectors[symbols] + self.places.vectors
        seen = torch.ones_like(symbols, dtype=torch.bool)
        for block in self.blocks:
            x = block(x, seen)
        return self.head(self.norm(x))


def spelt(words: list[str]) -> Tensor:
    """Words of at most 12 letters as numbers, (n, 12)."""
    rows = [[LETTERS.index(letter) for letter in word] + [END] * (LONGEST - len(word)) for word in words]
    return torch.tensor(rows, dtype=torch.int64)


def read(symbols: Tensor) -> list[str]:
    """The words that numbers (n, 12) spell; a hidden letter is an underscore, and all ends at the first END."""
    alphabet = LETTERS + " _"
    return ["".join(alphabet[k] for k in row).split(" ")[0] for row in symbols.tolist()]


def make_letters(seed: int = 0, **size: int) -> Letters:
    """An untrained network; `size` is what `Letters` takes."""
    return build(lambda: Letters(**size), seed)
