"""What this machine has and how fast it is, measured."""

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path


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


def available_cores() -> int:
    """Cores that this process may use: its affinity mask and, in a container, the CPU quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        cores = min(cores, max(1, round(int(quota) / int(period))))
    return cores


def allowed_memory() -> int | None:
    """Bytes that this process may have: what is installed, or less in a container; None where nothing tells."""
    try:
        installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    limit = Path("/sys/fs/cgroup/memory.max")
    allowed = limit.read_text().strip() if limit.exists() else "max"
    return min(installed, int(allowed)) if allowed.isdecimal() else installed
