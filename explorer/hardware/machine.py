"""What this machine has and how fast it is, measured."""

import time
from dataclasses import dataclass

from explorer.hardware.limits import allowed_memory, available_cores


@dataclass(frozen=True)
class Machine:
    """`memory` in bytes, as much as this process may have (None where the system does not say), `flops` in
    float32 operations a second of a large matrix product, `training_steps` a second of the 2D lab's network."""

    cores: int
    memory: int | None
    flops: float
    training_steps: float


def measure() -> Machine:
    """Takes about half a second, on one thread."""
    import torch

    from explorer.data.toy2d import toy2d
    from explorer.networks.mlp import make_denoiser_2d
    from explorer.training import TrainConfig, train

    a = torch.ones(768, 768)
    rates = []
    for _ in range(4):
        began = time.perf_counter()
        a @ a
        rates.append(2 * len(a) ** 3 / (time.perf_counter() - began))
    *_, event = train(make_denoiser_2d(0), toy2d("moons", 2000), TrainConfig(max_seconds=0.25))
    return Machine(
        cores=available_cores(),
        memory=allowed_memory(),
        flops=max(rates),
        training_steps=event.step / event.seconds,
    )
