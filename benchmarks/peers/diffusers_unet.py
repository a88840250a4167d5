"""Diffusers' tutorial, "Train a diffusion model", on small images: its U-Net, its loop, its pipelines.

Constants are the tutorial's: DDPM with 1,000 timesteps predicts epsilon; AdamW at 1e-4, warmed up over 500 steps,
then falling along a cosine to the end of the run; batches of 16, gradients clipped at 1. The U-Net has two levels
instead of six, whose widths are chosen so that it has about as many parameters as ours, and it is told the class, as
ours is.
"""

import math
import time

import torch
from torch import Tensor, nn

from benchmarks.peers import TorchPeer

BATCH, LEARNING_RATE, WARMUP, TIMESTEPS = 16, 1e-4, 500, 1000


class DiffusersUNet(TorchPeer):
    """`images` (m, 1, side, side) in [-1, 1] and `labels` (m,); `parameters` is what to come near to.

    It is made to be trained for `seconds`, once.
    """

    def __init__(self, images: Tensor, labels: Tensor, seed: int, parameters: int, seconds: float):
        from diffusers import DDIMScheduler, DDPMScheduler

        torch.manual_seed(seed)
        self.images, self.labels = images, labels
        self.network = like(images.shape[-1], parameters)
        self.scheduler = DDPMScheduler(num_train_timesteps=TIMESTEPS)
        self.ddim = DDIMScheduler(num_train_timesteps=TIMESTEPS)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=LEARNING_RATE)
        self.seconds, self.steps, self.began = seconds, 0, 0.0

    def step(self) -> None:
        self.began = self.began or time.perf_counter()
        self.steps += 1
        share = min(1.0, (time.perf_counter() - self.began) / self.seconds)
        rate = LEARNING_RATE * min(1.0, self.steps / WARMUP) * (1 + math.cos(math.pi * share)) / 2
        self.optimizer.param_groups[0]["lr"] = rate
        picked = torch.randint(len(self.images), (BATCH,))
        clean = self.images[picked]
        noise, timesteps = torch.randn_like(clean), torch.randint(TIMESTEPS, (BATCH,))
        noisy = self.scheduler.add_noise(clean, noise, timesteps)
        guess = self.network(noisy, timesteps, self.labels[picked]).sample
        self.optimizer.zero_grad()
        nn.functional.mse_loss(guess, noise).backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()

    def sample(self, labels: Tensor, steps: int) -> Tensor:
        """One image of each class in `labels` (n,): the loop of the pipeline, with its DDIM scheduler."""
        return pipeline_loop(self.network, self.ddim, torch.randn(len(labels), *self.images.shape[1:]), labels, steps)


@torch.no_grad()
def pipeline_loop(network: nn.Module, scheduler: object, x: Tensor, labels: Tensor, steps: int) -> Tensor:
    """What `DDIMPipeline` does between its start and its conversion to pictures."""
    scheduler.set_timesteps(steps)  # type: ignore[attr-defined]
    for timestep in scheduler.timesteps:  # type: ignore[attr-defined]
        guess = network(x, timestep, labels).sample
        x = scheduler.step(guess, timestep, x).prev_sample  # type: ignore[attr-defined]
    return x


def like(side: int, parameters: int) -> nn.Module:
    """The `UNet2DModel` of two levels whose number of parameters is nearest to `parameters`."""
    from diffusers import UNet2DModel

    def make(width: int) -> nn.Module:
        return UNet2DModel(
            sample_size=side,
            in_channels=1,
            out_channels=1,
            layers_per_block=1,
            block_out_channels=(width, 2 * width),
            norm_num_groups=8,
            down_block_types=("DownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "UpBlock2D"),
            add_attention=False,
            num_class_embeds=10,
        )

    def miss(width: int) -> int:
        with torch.device("meta"):
            return abs(sum(parameter.numel() for parameter in make(width).parameters()) - parameters)

    return make(min(range(8, 129, 8), key=miss))
