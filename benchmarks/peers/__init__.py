"""What the course is measured against: each peer trains on the same points and gives samples back.

A peer is made from the training points, (n, 2) float32, and a seed. Its constants are those of the
recipe it is named after; where the recipe leaves a choice, the faster one is taken.
"""

import time
from collections.abc import Callable
from typing import Protocol

import numpy as np


class Peer(Protocol):
    """A 2D model that can be trained for a while and sampled from."""

    def train(self, seconds: float) -> tuple[int, float]:
        """Train for about `seconds` more; steps taken and seconds they took, setup left out."""

    def sample(self, n: int, steps: int | None = None) -> np.ndarray:
        """n samples, (n, 2) float32, in `steps` (the recipe's own number when None)."""

    def close(self) -> None:
        """Release what the peer holds outside this process."""


class TorchPeer:
    """A peer in this process, trained by repeating `step()`."""

    step: Callable[[], object]

    def train(self, seconds: float) -> tuple[int, float]:
        steps, start, spent = 0, time.perf_counter(), 0.0
        while spent < seconds:
            self.step()
            steps += 1
            spent = time.perf_counter() - start
        return steps, spent

    def close(self) -> None:
        pass


def ours(points: np.ndarray, seed: int) -> Peer:
    from benchmarks.peers.ours import Ours

    return Ours(points, seed)


def tensorflow_js(points: np.ndarray, seed: int) -> Peer:
    from benchmarks.peers.tensorflow_js import TensorFlowJS

    return TensorFlowJS(points, seed)


def small_diffusion(points: np.ndarray, seed: int) -> Peer:
    from benchmarks.peers.small_diffusion import SmallDiffusion

    return SmallDiffusion(points, seed)


def epsilon_mlp(points: np.ndarray, seed: int) -> Peer:
    from benchmarks.peers.epsilon_mlp import EpsilonMLP

    return EpsilonMLP(points, seed)


PEERS: dict[str, Callable[[np.ndarray, int], Peer]] = {
    "TensorFlow.js recipe": tensorflow_js,
    "smalldiffusion": small_diffusion,
    "epsilon-MLP recipe": epsilon_mlp,
}
"""Raise ImportError or FileNotFoundError, with a sentence, where what they need is not installed."""
