"""Videos of a moving digit: frames that know of each other beside frames that were drawn one by one."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

import explorer as ex
from explorer.data.moving import DIGIT, FRAMES, SIDE
from explorer.hardware import systems

MODEL = "moving-digits"
STEPS = 10
STRANGERS, STRANGERS_SEED = 4, 1_000  # videos whose frames are put one after another
GUIDANCE = 3.0


def dearer() -> tuple[float, float]:
    """How many times the operations of a step here, with guidance, those of published video systems are at their
    defaults: of the least of them, and of the largest."""
    from torch.utils.flop_counter import FlopCounterMode

    denoiser = ex.load_pretrained(MODEL)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        denoiser.predict(torch.zeros(1, *denoiser.shape), 0.5, torch.tensor([0]))
    large = [
        systems.operations(one, systems.asked_by_default(one)) for one in systems.systems().values() if one.frames > 1
    ]
    ours = 2 * counter.get_total_flops()
    return min(large) / ours, max(large) / ours


def video(digit: int, seed: int, guidance_scale: float = GUIDANCE, n: int = 1) -> Tensor:
    """n videos of a digit, (n, 16, 32, 32), each drawn as one thing."""
    return ex.sample(
        ex.load_pretrained(MODEL),
        n,
        "dpmpp_2m",
        STEPS,
        seed=seed,
        condition=torch.full((n,), digit),
        guidance_scale=guidance_scale,
        keep="last",
    ).samples.clamp(-1, 1)


def one_by_one(digit: int, guidance_scale: float = GUIDANCE) -> Tensor:
    """A video whose frames come from four in turn, (1, 16, 32, 32): each frame is as good as any, and none knows of the
    one before."""
    several = video(digit, STRANGERS_SEED, guidance_scale, STRANGERS)
    return several[torch.arange(FRAMES) % STRANGERS, torch.arange(FRAMES)][None]


@dataclass(frozen=True)
class Consistency:
    """Of videos (n, frames, height, width): how far the digit's middle strays from a straight line over three frames,
    in pixels, and how unlike its ink is in neighbouring frames once it is laid upon itself, as a share of the ink."""

    path: float
    shape: float


def _middles(frames: Tensor) -> Tensor:
    """The centre of the ink of each frame, (..., 2), x and y in pixels."""
    ink = (frames + 1).clamp(min=0)
    total = ink.sum((-1, -2)) + 1e-6
    place = torch.arange(frames.shape[-1], dtype=frames.dtype)
    return torch.stack([(ink.sum(-2) * place).sum(-1) / total, (ink.sum(-1) * place).sum(-1) / total], -1)


def _centred(frames: Tensor, middles: Tensor) -> Tensor:
    """Each frame moved so that the digit's middle lies in that of the picture, (k, height, width)."""
    k, side = len(frames), frames.shape[-1]
    shift = (middles - (side - 1) / 2) * (2 / side)
    theta = torch.eye(2, 3).repeat(k, 1, 1)
    theta[:, :, 2] = shift
    grid = functional.affine_grid(theta, [k, 1, side, side], align_corners=False)
    return functional.grid_sample((frames + 1)[:, None], grid, align_corners=False)[:, 0]


def consistency(videos: Tensor) -> Consistency:
    """Measured without any model. A bounce off a wall bends the path, in real videos too."""
    middles = _middles(videos)
    bend = (middles[:, 2:] - 2 * middles[:, 1:-1] + middles[:, :-2]).norm(dim=-1)
    flat = _centred(videos.flatten(0, 1), middles.flatten(0, 1)).view_as(videos)
    change = (flat[:, 1:] - flat[:, :-1]).abs().sum((-1, -2)) / (flat[:, 1:].sum((-1, -2)) + 1e-6)
    return Consistency(float(bend.median()), float(change.mean()))


def digit_in(frames: Tensor) -> Tensor:
    """The digit's own square of each frame, (k, 1, 28, 28), as a classifier of MNIST knows it."""
    centred = _centred(frames, _middles(frames))
    low = (SIDE - DIGIT) // 2
    square = centred[:, None, low : low + DIGIT, low : low + DIGIT] - 1
    return functional.interpolate(square, size=(28, 28), mode="bilinear")


def as_film(videos: Tensor) -> np.ndarray:
    """Frames of videos for a player: (frames, n, height, width)."""
    return videos.transpose(0, 1).numpy()
