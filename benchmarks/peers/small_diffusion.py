"""smalldiffusion's toy example: its own model, schedule, training loop and accelerated sampler."""

import contextlib
import io

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from benchmarks.peers import TorchPeer

BATCH, LEARNING_RATE, STEPS = 2048, 1e-3, 20


class Points(Dataset):
    """A batch is one look-up, not BATCH of them."""

    def __init__(self, points: np.ndarray):
        self.points = torch.from_numpy(points)

    def __len__(self) -> int:
        return len(self.points)

    def __getitems__(self, indices: list[int]) -> Tensor:
        return self.points[indices]


class SmallDiffusion(TorchPeer):
    def __init__(self, points: np.ndarray, seed: int):
        import smalldiffusion

        torch.manual_seed(seed)
        self.library = smalldiffusion
        self.model = smalldiffusion.TimeInputMLP(hidden_dims=(16, 128, 128, 128, 128, 16))
        self.schedule = smalldiffusion.ScheduleLogLinear(N=200, sigma_min=0.005, sigma_max=10)
        loader = DataLoader(Points(points), BATCH, shuffle=True, collate_fn=lambda batch: batch)
        loop = smalldiffusion.training_loop(loader, self.model, self.schedule, epochs=10**9, lr=LEARNING_RATE)
        with contextlib.redirect_stderr(io.StringIO()):  # its progress bar
            next(loop)
        self.step = lambda: next(loop)

    def sample(self, n: int, steps: int | None = None) -> np.ndarray:
        sigmas = self.schedule.sample_sigmas(steps or STEPS)
        *_, last = self.library.samples(self.model, sigmas, gam=2, batchsize=n)
        return last.cpu().numpy()
