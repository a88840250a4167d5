"""Learned by heart: what comes back from a model that has seen few images, and how to tell.

A sample counts as a copy when its distance to the nearest training image is less than a third of that to the second
nearest (Yoon et al., Diffusion probabilistic models generalize when they fail to memorize, 2023).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

import explorer as ex
from explorer.data.mnist import shipped_mnist
from explorer.dataset import ImageDataset
from explorer.modes import default_modes
from explorer.once import once
from explorer.zoo import model_card

COPY = 1 / 3
CLASSES = 10
STEPS = 20
MODELS = {20: "memory-20", 200: "memory-200", 8_000: "mnist-28"}  # training images: shipped model


@once()
@default_modes()
def training_images(count: int) -> ImageDataset:
    """The first images of each digit of the 200 shipped ones that a model of `count` training images has seen; of more
    than 200 these are some."""
    shipped = shipped_mnist("training")
    each = min(count, len(shipped)) // CLASSES
    return shipped.part(torch.arange(len(shipped)).view(CLASSES, -1)[:, :each].flatten())


def times_seen(count: int) -> int:
    """How often the training of the model of `count` images showed it each of them."""
    training = model_card(MODELS[count])["training"]
    return training["steps"] * training["batch_size"] // count


@dataclass(frozen=True)
class Nearest:
    """For each of n samples the nearest of a set of images: which, (n,), its distance as the root mean square of the
    pixels, (n,), and its distance over that of the second nearest, (n,)."""

    which: Tensor
    distance: Tensor
    ratio: Tensor

    @property
    def copies(self) -> Tensor:
        """Which samples are copies, (n,) bool."""
        return self.ratio < COPY


def nearest_two(samples: Tensor, images: Tensor) -> Nearest:
    """The nearest of `images` (m, ...), all different, to each of `samples` (n, ...). Raises ValueError for fewer than
    two images."""
    if len(images) < 2:
        raise ValueError("the second nearest of fewer than two images is none")
    distances = torch.cdist(samples.flatten(1), images.flatten(1), compute_mode="donot_use_mm_for_euclid_dist")
    two = distances.topk(2, largest=False)
    first, second = two.values.T
    return Nearest(two.indices[:, 0], first / images[0].numel() ** 0.5, first / second)


@dataclass(frozen=True)
class Extracted:
    """Samples (n, 28, 28), the nearest training image of each, and the nearest of those that no training saw."""

    samples: np.ndarray
    trained: np.ndarray
    unseen: np.ndarray
    near: Nearest
    near_unseen: Nearest


def digits(n: int) -> Tensor:
    """The classes that n samples take in turn."""
    return torch.arange(n) % CLASSES


def samples_of(denoiser: ex.Denoiser, n: int, seed: int, guidance_scale: float = 1.0) -> Tensor:
    """n samples of all classes in turn, as they are measured."""
    return ex.sample(
        denoiser, n, "heun", STEPS, seed=seed, condition=digits(n), guidance_scale=guidance_scale, keep="last"
    ).samples


def extract(count: int, n: int, seed: int) -> Extracted:
    """Ask the model of `count` training images for n samples, and look for each in what it has seen and has not."""
    samples = samples_of(ex.load_pretrained(MODELS[count]), n, seed)
    seen, unseen = training_images(count).images, shipped_mnist("held-out").images
    near, near_unseen = nearest_two(samples, seen), nearest_two(samples, unseen)
    return Extracted(
        samples[:, 0].numpy(), seen[near.which, 0].numpy(), unseen[near_unseen.which, 0].numpy(), near, near_unseen
    )
