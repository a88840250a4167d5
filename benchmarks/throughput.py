"""How fast are training and sampling, against this machine's own matrix multiplication and the peers?"""

import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import nn

import explorer as ex
from benchmarks.peers import PEERS
from benchmarks.tables import table

POINTS, STEPS = 2_000, 100


def best_of(work: Callable[[], object], repeats: int) -> float:
    """Seconds of the fastest of `repeats` calls, after one that warms up."""
    work()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def matmul_peak(size: int = 1024) -> float:
    """Floating-point operations a second of a large float32 product, with torch's threads."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    return 2 * size**3 / best_of(lambda: a @ b, 20)


def training_flops(network: nn.Module, batch_size: int) -> int:
    """Operations of one training step in the linear layers: forward, and backward to weights and inputs.

    The first layer's inputs need no gradient.
    """
    weights = [layer.weight.numel() for layer in network.modules() if isinstance(layer, nn.Linear)]
    return batch_size * (6 * sum(weights) - 2 * weights[0])


def training(seconds: float) -> str:
    """Our default 2D model at several batch sizes, its arithmetic against the peak."""
    peak = matmul_peak()
    points = ex.toy2d("swiss_roll", 20_000, seed=0)
    default = ex.TrainConfig(max_seconds=1).batch_size
    rows = []
    for batch_size in sorted({64, default, 1024, 4096}):
        denoiser = ex.make_denoiser_2d(seed=0)
        config = ex.TrainConfig(max_seconds=seconds, batch_size=batch_size, seed=0)
        start = time.perf_counter()
        steps = [event.step for event in ex.train(denoiser, points, config)][-1]
        speed = steps / (time.perf_counter() - start)
        rate = speed * training_flops(denoiser.network, batch_size)
        label = f"{batch_size} (default)" if batch_size == default else str(batch_size)
        rows.append([label, f"{speed:,.0f}", f"{speed * batch_size / 1e6:.2f}", rate / 1e9, f"{rate / peak:.0%}"])
    title = f"Training the 2D model; peak of a matrix product here: {peak / 1e9:.0f} GFLOP/s"
    return table(title, ["batch", "steps/s", "million points/s", "GFLOP/s", "of the peak"], rows)


def sampling(repeats: int) -> str:
    """2,000 points in 100 steps, every point of every step kept by us, by each sampler and by the peers."""
    denoiser = ex.make_denoiser_2d(seed=0)
    rows = []
    for sampler in ex.sampler_names():
        evaluations = ex.sample(denoiser, 2, sampler, STEPS).evaluations
        seconds = best_of(partial(ex.sample, denoiser, POINTS, sampler, STEPS), repeats)
        rows.append([f"this project, {sampler}", evaluations, 1000 * seconds])
    points = ex.toy2d("swiss_roll", 20_000, seed=0).numpy()
    for name, evaluations in {"smalldiffusion": STEPS, "TensorFlow.js recipe": 2 * STEPS}.items():
        try:
            peer = PEERS[name](points, 0)
        except (ImportError, FileNotFoundError) as error:
            rows.append([f"{name}: left out, {error}", "", ""])
            continue
        seconds = best_of(partial(peer.sample, POINTS, STEPS), min(repeats, 3))
        rows.append([name, evaluations, 1000 * seconds])
        peer.close()
    return table(f"Sampling {POINTS:,} points in {STEPS} steps", ["", "network calls", "milliseconds"], rows)


def run(arguments: Namespace) -> Iterator[str]:
    """The tables of training and of sampling speed."""
    yield training(0.5 if arguments.quick else 3.0)
    yield sampling(2 if arguments.quick else 5)
