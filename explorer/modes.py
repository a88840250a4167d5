"""The modes that torch keeps for each thread: what is shared or measured must not depend on those of its caller."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def default_modes() -> Iterator[None]:
    """Within it, and within a function that it decorates, torch is as it was when it was imported: no inference
    mode, no autocast, gradients on, new tensors on the CPU. (Its default dtype belongs to the whole process.)"""
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast("cpu", enabled=False), torch.device("cpu"):
        yield
