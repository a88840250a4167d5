"""A text encoder, to be read from top to bottom: words in, a vector for each and one for all of them out.

    "two green cats" -> two | green | cat | ##s -> vectors + places -> transformer blocks -> vectors, their mean

Every block lets each word look at all the others, so that "green" can learn whose colour it is (Vaswani et al. 2017).
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.networks.blocks import Drawn

PADDING, START, UNKNOWN = range(3)
PLURAL = "##s"
SPECIAL = 3


class Vocabulary:
    """Words as numbers: 0 fills up, 1 starts every text, 2 is a word that is not known, and then come `words`.

    A plural that is not a word of its own is two pieces, the word and "##s".
    """

    def __init__(self, words: Sequence[str]):
        self.words = tuple(words)
        self._numbers = {word: number for number, word in enumerate(self.words, start=SPECIAL)}

    def __len__(self) -> int:
        return SPECIAL + len(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self._numbers

    def pieces(self, text: str) -> list[str]:
        """The words of a text in lower case, plurals in two pieces; those that are not known as they are."""
        pieces = []
        for word in re.findall(r"[^\W\d_]+|\d+", text.lower().replace("'", "").replace("’", "")):
            stem = next((stem for stem in (word.removesuffix("s"), word.removesuffix("es")) if stem in self), word)
            pieces += [word] if word in self or stem == word else [stem, PLURAL]
        return pieces

    def numbers(self, text: str, length: int) -> list[int]:
        """The start, the pieces of a text as numbers, and zeros up to `length`; what does not fit is cut off."""
        known = [START, *(self._numbers.get(piece, UNKNOWN) for piece in self.pieces(text))][:length]
        return known + [PADDING] * (length - len(known))


class Text(NamedTuple):
    """What an encoder makes of n texts: `vectors` (n, k, width), `mask` (n, k), true where a word stands, and the mean
    of each text's vectors, `pooled` (n, width)."""

    vectors: Tensor
    mask: Tensor
    pooled: Tensor

    def to(self, other: "Text", share: Tensor) -> "Text":
        """What lies between these texts and others of the same encoder, `share` (n,): 0 is this one, 1 the other.

        Their words are mixed place by place; a word that the other lacks fades, which the mask says by a number
        between 0 and 1.
        """
        first, second = filled(self, other)
        share = share[:, None]
        one, two = (1 - share) * first.mask, share * second.mask
        vectors = (one[..., None] * first.vectors + two[..., None] * second.vectors) / (one + two + 1e-9)[..., None]
        return Text(vectors, one + two, torch.lerp(first.pooled, second.pooled, share))


def filled(*texts: Text) -> list[Text]:
    """The same texts, each with as many places as the longest of them has."""
    longest = max(text.mask.shape[1] for text in texts)

    def fill(text: Text) -> Text:
        more = longest - text.mask.shape[1]
        return Text(functional.pad(text.vectors, (0, 0, 0, more)), functional.pad(text.mask, (0, more)), text.pooled)

    return [fill(text) for text in texts]


class Table(Drawn):
    """Learned vectors, (count, width)."""

    def __init__(self, count: int, width: int, scale: float):
        super().__init__()
        self.scale = scale
        self.vectors = nn.Parameter(torch.empty(count, width))

    def draw(self, generator: torch.Generator) -> None:
        nn.init.normal_(self.vectors, std=self.scale, generator=generator)


class Block(nn.Module):
    """A transformer block with its norms first; maps (n, k, width) to the same."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.first_norm, self.second_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.wider, self.narrower = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        parts = self.query_key_value(self.first_norm(x)).chunk(3, dim=-1)
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None])
        x = x + self.out(seen.transpose(1, 2).flatten(2))
        return x + self.narrower(functional.gelu(self.wider(self.second_norm(x))))


class TextEncoder(nn.Module):
    """Texts of up to `length` pieces, the start included, as numbers of a vocabulary of `words`.

    `width` is that of the vectors, `layers` the number of blocks, `heads` that of each block's attention.
    """

    def __init__(self, words: Sequence[str], width: int = 96, layers: int = 2, length: int = 16, heads: int = 4):
        super().__init__()
        self.vocabulary, self.length = Vocabulary(words), length
        self.words, self.places = Table(len(self.vocabulary), width, 0.5), Table(length, width, 0.1)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, numbers: Tensor | Text) -> Text:
        """Numbers of pieces, (n, length), as vectors of as many pieces as the longest text has. What has been through
        it comes back as it is."""
        if isinstance(numbers, Text):
            return numbers
        if not numbers.is_meta:
            numbers = numbers[:, : int((numbers != PADDING).sum(1).max())]
        mask = numbers != PADDING
        x = self.words.vectors[numbers] + self.places.vectors[: numbers.shape[1]]
        for block in self.blocks:
            x = block(x, mask)
        x = self.norm(x)
        weights = mask[..., None].to(x) / mask.sum(1)[:, None, None]
        return Text(x, mask, (x * weights).sum(1))

    def nothing(self, n: int) -> Tensor:
        """The numbers of n empty texts, (n, length)."""
        numbers = torch.zeros(n, self.length, dtype=torch.int64, device=self.words.vectors.device)
        numbers[:, 0] = START
        return numbers

    def read(self, condition: Any, n: int) -> Tensor | Text:
        """The numbers of n texts, (n, length): of a list of them, or of one for all; or as they are, what this or
        `forward` has returned. Raises ValueError for anything else."""
        wanted = f"the condition must be {n} texts, or one for all"
        if isinstance(condition, Text):
            if len(condition.mask) != n or condition.pooled.shape[-1] != self.words.vectors.shape[-1]:
                raise ValueError(f"{wanted}, not {len(condition.mask)} that another encoder has read")
            return condition
        if isinstance(condition, Tensor):
            if condition.shape != (n, self.length) or condition.dtype != torch.int64:
                raise ValueError(f"{wanted}, not a tensor of shape {tuple(condition.shape)}")
            if bool(((condition < 0) | (condition >= len(self.vocabulary))).any() | (condition[:, 0] != START).any()):
                raise ValueError(f"{wanted}, or their numbers in this model's vocabulary")
            return condition.clone()
        texts = [condition] * n if isinstance(condition, str) else condition
        if not isinstance(texts, Sequence) or len(texts) != n or not all(isinstance(text, str) for text in texts):
            raise ValueError(f"{wanted}, not {condition!r:.40}")
        read = [self.vocabulary.numbers(text, self.length) for text in texts]
        return torch.tensor(read, dtype=torch.int64, device=self.words.vectors.device)
