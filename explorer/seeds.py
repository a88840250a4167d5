"""Seeds, and other whole numbers that a person, NumPy or a tensor may hold."""

import operator
from typing import SupportsIndex

import torch


def whole_number(value: SupportsIndex, name: str, least: int | None = None) -> int:
    """`value` as an int. Raises ValueError, which calls it `name`, for a fraction or a number below `least`."""
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be a whole number, not {value!r}") from None
    if least is not None and number < least:
        raise ValueError(f"{name} must be at least {least}, not {number}")
    return number


def seeded(seed: SupportsIndex, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator of its own for any whole number, so that the global one is never touched."""
    return torch.Generator(device).manual_seed(whole_number(seed, "seed") % 2**64)
