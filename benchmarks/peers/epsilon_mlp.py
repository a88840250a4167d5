"""The plain PyTorch recipe: an MLP on sinusoidal embeddings predicts epsilon (as in tiny-diffusion).

Ho et al. 2020 with 50 timesteps; 3 residual layers of 128, batches of 32, AdamW at 1e-3.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.peers import TorchPeer

WIDTH, DEPTH, BATCH, LEARNING_RATE, TIMESTEPS = 128, 3, 32, 1e-3, 50


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return x + nn.functional.gelu(self.linear(x))


class Network(nn.Module):
    frequencies: Tensor

    def __init__(self) -> None:
        super().__init__()
        half = WIDTH // 2
        frequencies = torch.exp(-math.log(10_000) * torch.arange(half) / (half - 1))
        self.register_buffer("frequencies", frequencies)
        hidden = [Residual() for _ in range(DEPTH)]
        self.layers = nn.Sequential(nn.Linear(3 * WIDTH, WIDTH), nn.GELU(), *hidden, nn.Linear(WIDTH, 2))

    def forward(self, x: Tensor, timestep: Tensor) -> Tensor:
        """Points (n, 2) and timesteps (n,) to the noise in them, (n, 2)."""
        angles = torch.stack([25 * x[:, 0], 25 * x[:, 1], timestep], 1)[..., None] * self.frequencies
        return self.layers(torch.cat([angles.sin(), angles.cos()], -1).flatten(1))


class EpsilonMLP(TorchPeer):
    def __init__(self, points: np.ndarray, seed: int):
        torch.manual_seed(seed)
        self.points = torch.from_numpy(points)
        self.network = Network()
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=LEARNING_RATE)
        self.betas = torch.linspace(1e-4, 0.02, TIMESTEPS)
        self.alpha_bar = torch.cumprod(1 - self.betas, 0)

    def step(self) -> None:
        x0 = self.points[torch.randint(len(self.points), (BATCH,))]
        k = torch.randint(TIMESTEPS, (BATCH,))
        epsilon = torch.randn_like(x0)
        alpha_bar = self.alpha_bar[k, None]
        guess = self.network(alpha_bar.sqrt() * x0 + (1 - alpha_bar).sqrt() * epsilon, k)
        loss = nn.functional.mse_loss(guess, epsilon)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()

    @torch.no_grad()
    def sample(self, n: int, steps: int | None = None) -> np.ndarray:
        """Ancestral sampling over all timesteps; `steps` must be None or their number."""
        if steps not in (None, TIMESTEPS):
            raise ValueError(f"this recipe has {TIMESTEPS} steps, not {steps}")
        x = torch.randn(n, 2)
        for k in reversed(range(TIMESTEPS)):
            beta, alpha_bar = self.betas[k], self.alpha_bar[k]
            epsilon = self.network(x, torch.full((n,), k))
            x = (x - beta / (1 - alpha_bar).sqrt() * epsilon) / (1 - beta).sqrt()
            if k:
                x += (beta * (1 - self.alpha_bar[k - 1]) / (1 - alpha_bar)).sqrt() * torch.randn_like(x)
        return x.numpy()
