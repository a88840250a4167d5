"""This project's default 2D model, as the geometry lab trains and samples it."""

import time

import numpy as np
import torch

import explorer as ex


class Ours:
    """Trains afresh on every call, because the learning rate falls to its end at the given seconds."""

    def __init__(self, points: np.ndarray, seed: int):
        self.points, self.seed = torch.from_numpy(points), seed
        self.denoiser = ex.make_denoiser_2d(seed=seed)

    def train(self, seconds: float) -> tuple[int, float]:
        self.denoiser = ex.make_denoiser_2d(seed=self.seed)
        config = ex.TrainConfig(max_seconds=seconds, seed=self.seed)
        start, steps = time.perf_counter(), 0
        for event in ex.train(self.denoiser, self.points, config):
            steps = event.step
        return steps, time.perf_counter() - start

    def sample(self, n: int, steps: int | None = None) -> np.ndarray:
        drawn = ex.sample(self.denoiser, n, "heun", steps or 20, seed=self.seed + 1000, keep="last")
        return drawn.samples.numpy()

    def close(self) -> None:
        pass
