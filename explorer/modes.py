"""The modes that torch keeps for each thread: what is shared or measured must not depend on those of its caller."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch


@contextmanager
def default_modes() -> Iterator[None]:
    """Within it, and within a function that it decorates, torch is as it was when it was imported: no inference
    mode, no autocast, gradients on, new tensors on the CPU. (Its default dtype belongs to the whole process.)"""
    # A device that is entered looks at every call of torch: a walk takes half as long again.
    device = nullcontext() if torch.get_default_device().type == "cpu" else torch.device("cpu")
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast("cpu", enabled=False), device:
        yield


def learning() -> AbstractContextManager[Any]:
    """Gradients on, also inside a caller's torch.no_grad or torch.inference_mode: for a step of a loop, which can tell
    an entered mode from none."""
    if torch.is_grad_enabled() and not torch.is_inference_mode_enabled():
        return nullcontext()
    return torch.inference_mode(False)
