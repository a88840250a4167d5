"""Words invented letter by letter, in any order: masked diffusion over 12 places."""

import re
from dataclasses import dataclass

import torch
from torch import Tensor

from explorer.data.speech.pronunciation import look_up
from explorer.masked import unmask
from explorer.networks.letters import HIDDEN, LETTERS, LONGEST, read
from explorer.zoo import load_letters

MODEL = "words"


def asked(pattern: str) -> Tensor:
    """Numbers (1, 12) of a pattern of letters and underscores, which stand for what is hidden; the places behind it are
    hidden too. Raises ValueError, with a sentence, for one that has more than 12 signs or other ones."""
    pattern = pattern.strip().lower()
    if len(pattern) > LONGEST:
        raise ValueError(f"A word here has {LONGEST} letters at most; this has {len(pattern)}.")
    if not re.fullmatch(r"[a-z_]*", pattern):
        raise ValueError("A pattern holds the letters a to z, and _ for one that the model chooses.")
    numbers = [HIDDEN if sign == "_" else LETTERS.index(sign) for sign in pattern]
    return torch.tensor([numbers + [HIDDEN] * (LONGEST - len(numbers))])


@dataclass(frozen=True)
class Invented:
    """How one word came to be, a state for each step with what is hidden as "_", and whether the dictionary has it."""

    states: tuple[str, ...]
    known: bool

    @property
    def word(self) -> str:
        return self.states[-1]


def invent(pattern: str, n: int, order: str, at_once: int, temperature: float, seed: int) -> list[Invented]:
    """n words that fit a pattern."""
    start = asked(pattern).expand(n, -1)
    steps = [read(symbols) for symbols in unmask(load_letters(MODEL), start, HIDDEN, seed, order, temperature, at_once)]
    return [
        Invented(states, look_up(states[-1]) is not None if states[-1] else False)
        for states in zip(*steps, strict=True)
    ]
