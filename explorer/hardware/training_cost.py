"""What training a denoiser takes at any batch size, from forward passes of two images.

All that a pass saves, computes and moves grows with the batch in proportion, so it is counted once a network, on
passes so small that they are over sooner than those on shapes alone (`estimate_memory`, `seconds_per_step`), which
agree to a fiftieth.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from explorer.hardware.dry_run import AttentionKernel
from explorer.hardware.memory import saved_bytes
from explorer.hardware.timing import (
    PASSES_OF_A_STEP,
    Counter,
    Work,
    measure_rates,
    seconds_per_operation,
    seconds_per_weight,
)

if TYPE_CHECKING:
    from explorer.denoiser import Denoiser

COUNTED = 2  # images


@dataclass(frozen=True)
class TrainingCost:
    """Of one network: its weights, the bytes that it keeps beside the batch, the bytes that autograd saves of each
    image, and the work of a forward pass of COUNTED images."""

    weights: int
    kept: int
    saved: float
    work: Work

    def bytes(self, batch_size: int) -> int:
        """Memory of `ex.train`: weights, gradients, three vectors of the optimiser, and activations."""
        return self.kept + round(batch_size * self.saved)

    def seconds_per_step(self, batch_size: int) -> float:
        """One step of `ex.train`: batch, forward, backward, optimiser."""
        times = batch_size / COUNTED
        convolutions = tuple(
            (round(times * count), round(times * moved), at) for count, moved, at in self.work.convolutions
        )
        moved, multiplied = round(times * self.work.moved), round(times * self.work.multiplied)
        work = Work(convolutions, multiplied, moved, self.work.operations)
        passes = PASSES_OF_A_STEP * self.weights * seconds_per_weight()
        calls = work.operations * seconds_per_operation(True, False)
        return calls + measure_rates(True, False).seconds(work) + passes


def training_cost(denoiser: "Denoiser", classes: int) -> TrainingCost:
    """Count what the network of a denoiser of images takes, of so many classes; its weights are only read."""
    network = denoiser.network
    inputs = [torch.zeros(COUNTED, *denoiser.shape), torch.zeros(COUNTED)]
    if classes:
        inputs.append(torch.zeros(COUNTED, dtype=torch.long))
    with torch.inference_mode(False), AttentionKernel("flash"):
        saved = saved_bytes(network, inputs, {})
        with torch.no_grad(), Counter() as counter:
            network(*inputs)
    weights = sum(parameter.numel() for parameter in network.parameters())
    buffers = sum(buffer.numel() * buffer.element_size() for buffer in network.buffers())
    return TrainingCost(weights, buffers + 5 * 4 * weights, saved / COUNTED, counter.work)
