"""What callers give, in whatever a person, NumPy or torch may hold it: whole numbers, numbers, tensors, seeds."""

import math
import operator
from typing import Any, SupportsFloat, SupportsIndex

import numpy as np
import torch
from torch import Tensor


def whole_number(value: SupportsIndex, name: str, least: int | None = None) -> int:
    """`value` as an int. Raises ValueError, which calls it `name`, for a fraction or a number below `least`."""
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be a whole number, not {value!r}") from None
    if least is not None and number < least:
        raise ValueError(f"{name} must be at least {least}, not {number}")
    return number


def number(value: SupportsFloat, name: str) -> float:
    """`value` as a float. Raises ValueError, which calls it `name`, for what is no single number."""
    try:
        if not isinstance(value, str | bytes):
            return float(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        pass
    raise ValueError(f"{name} must be a number, not {value!r:.40}")


def pair(value: Any) -> tuple[float, float]:
    """`value` as two floats, both NaN where it is no pair of numbers."""
    try:
        first, second = (number(one, "each") for one in value)
    except (TypeError, ValueError):
        return math.nan, math.nan
    return first, second


def tensor_of(value: Any, **options: Any) -> Tensor:
    """As `torch.as_tensor`, from NumPy arrays of any byte order and any strides too."""
    if isinstance(value, np.ndarray):
        value = value.tolist() if value.dtype == object else value.astype(value.dtype.newbyteorder("="), order="C")
    return torch.as_tensor(value, **options)


def seeded(seed: SupportsIndex, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator of its own for any whole number, so that the global one is never touched."""
    return torch.Generator(device).manual_seed(whole_number(seed, "seed") % 2**64)
