"""What tells things that a person brought from one another."""

import hashlib

import numpy as np


def digest(array: np.ndarray) -> str:
    """A short name for an array: its content, shape and type."""
    described = repr((array.shape, array.dtype)).encode()
    return hashlib.blake2b(described + np.ascontiguousarray(array).tobytes(), digest_size=8).hexdigest()
