"""A U-Net for short videos: that for images, one frame at a time, and between its blocks every frame looks along time.

    frames -> stem -> encoder 1 -> time -> down 1 -> encoder 2 -> time ... decoder 1 -> time -> head -> frames

A place sees itself a frame before and after, and in the middle, where few places are left, in all frames: space and
time apart cost a fraction of both at once (Ho et al., Video diffusion models, 2022).
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.denoiser import Denoiser
from explorer.modes import default_modes
from explorer.networks.blocks import FourierFeatures, GroupNorm, build
from explorer.networks.text import Table
from explorer.networks.unet import GROUPS, Attention, ClassEmbedding, ResidualBlock
from explorer.schedules import make_schedule


class AlongTime(nn.Module):
    """x plus what each place sees of itself in other frames; maps (n * frames, width, h, w) to the same.

    A convolution over three frames, or with `attention` a look at all of them.
    """

    def __init__(self, width: int, frames: int, attention: bool = False):
        super().__init__()
        self.frames = frames
        self.places = Table(frames, width, 0.1)
        self.norm = GroupNorm(GROUPS, width)
        self.near = nn.Conv2d(width, width, (3, 1), padding=(1, 0))
        self.far = Attention(width) if attention else None

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        clips = x.unflatten(0, (-1, self.frames)).transpose(1, 2).flatten(3)  # (n, c, frames, h * w)
        clips = clips + self.near(functional.silu(self.norm(clips)))
        if self.far is not None:
            each = clips.permute(0, 3, 1, 2).flatten(0, 1)[:, :, None]  # (n * h * w, c, 1, frames)
            each = each + self.far(each + self.places.vectors.T[:, None])
            clips = each[:, :, 0].unflatten(0, (len(clips), -1)).permute(0, 2, 3, 1)
        return clips.transpose(1, 2).flatten(0, 1).unflatten(-1, (height, width))


class VideoUNet(nn.Module):
    """Maps grey videos (n, frames, height, width) and their log-SNR, (1,) or (n,), to videos of the same shape.

    `widths` are the channels of each level, multiples of 8; sides are multiples of 2 ** len(widths), since the stem
    folds squares of 2 x 2 pixels into channels. The condition is class numbers (n,) or None.
    """

    takes_condition = True

    def __init__(self, frames: int = 16, widths: Sequence[int] = (32, 48, 64), classes: int = 10):
        super().__init__()
        self.size = {"frames": frames, "widths": list(widths), "classes": classes}
        self.frames = frames
        embedding = 4 * widths[0]
        self.noise_level = FourierFeatures(1, 16, scale=0.3)
        self.time = nn.Sequential(nn.Linear(33, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.label = ClassEmbedding(classes, embedding)
        self.stem = nn.Conv2d(4, widths[0], 3, padding=1)
        self.encoders = nn.ModuleList(ResidualBlock(width, width, embedding) for width in widths)
        self.encoders_along = nn.ModuleList(AlongTime(width, frames) for width in widths)
        self.downs = nn.ModuleList(nn.Conv2d(*pair, 3, stride=2, padding=1) for pair in pairwise(widths))
        self.middle = nn.ModuleList(ResidualBlock(widths[-1], widths[-1], embedding) for _ in range(2))
        self.middle_along = AlongTime(widths[-1], frames, attention=True)
        self.decoders = nn.ModuleList(ResidualBlock(2 * width, width, embedding) for width in widths)
        self.decoders_along = nn.ModuleList(AlongTime(width, frames) for width in widths)
        self.ups = nn.ModuleList(nn.Conv2d(deeper, width, 3, padding=1) for width, deeper in pairwise(widths))
        self.head_norm = GroupNorm(GROUPS, widths[0])
        self.head = nn.Conv2d(widths[0], 4, 3, padding=1)

    def read_condition(self, condition: Any, n: int) -> Tensor:
        """Class numbers of n videos. Raises ValueError for anything else."""
        return self.label.read(condition, n)

    def side_by_side(self, conditions: Sequence[Tensor | None], n: int) -> Tensor:
        """One condition of len(conditions) * n videos, of several of n."""
        none = torch.full((n,), self.label.classes, device=self.label.vectors.device)
        return torch.cat([none if condition is None else condition for condition in conditions])

    def forward(self, x: Tensor, log_snr: Tensor, condition: Tensor | None = None) -> Tensor:
        n = len(x)
        waves = torch.cat([self.noise_level(log_snr[:, None]), log_snr[:, None] / 4], 1)
        e = functional.silu(self.time(waves) + self.label(condition))
        e = e.expand(n, -1).repeat_interleave(self.frames, 0)  # all frames of a video are as noisy

        h = self.stem(functional.pixel_unshuffle(x.flatten(0, 1)[:, None], 2))
        skips = []
        for level, (encoder, along) in enumerate(zip(self.encoders, self.encoders_along, strict=True)):
            h = along(encoder(self.downs[level - 1](h) if level else h, e))
            skips.append(h)
        h = self.middle[1](self.middle_along(self.middle[0](h, e)), e)
        for level in range(len(skips) - 1, -1, -1):
            if level < len(skips) - 1:
                h = functional.interpolate(self.ups[level](h), size=skips[level].shape[-2:], mode="nearest")
            h = self.decoders_along[level](self.decoders[level](torch.cat([h, skips[level]], 1), e))
        frames = functional.pixel_shuffle(self.head(functional.silu(self.head_norm(h))), 2)
        return frames[:, 0].unflatten(0, (n, self.frames))


@default_modes()
def make_video_denoiser(shape: tuple[int, int, int], classes: int, seed: int = 0, **size: Any) -> Denoiser:
    """An untrained class-conditional model of videos (frames, height, width); `size` is what `VideoUNet` takes."""
    network = build(lambda: VideoUNet(shape[0], classes=classes, **size), seed)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Denoiser(network, make_schedule("cosine"), "v", shape)
