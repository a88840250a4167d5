"""What can be trained in the Training lab, and the presets that a lecture needs."""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from explorer.dataset import ImageDataset
    from explorer.denoiser import Denoiser
    from explorer.training import TrainConfig

OWN = "own"
TWO_LEVELS = 16  # pixels a side, at most
MOST_WEIGHTS = 4_000_000  # of a network: what resuming needs then fits into one message, and the weights into a file


@dataclass(frozen=True)
class Plan:
    """One training, in full: its data, its network, how the network learns, and for how long.

    `dataset` is a name of the registry, or "own" with a `digest` of the images. `take` trains on so many images
    only, 0 on all. The upper level of the network has `width` channels, each below it twice as many. With `decay` the
    learning rate falls to 0 over the run, else it stays. One of `epochs` (passes over the training images) and
    `seconds` says when it ends.
    """

    dataset: str = "digits-8"
    digest: str = ""
    take: int = 0
    width: int = 16
    depth: int = 1
    attention: bool = False
    prediction: str = "v"
    schedule: str = "cosine"
    learning_rate: float = 5e-3
    decay: bool = True
    batch_size: int = 128
    ema_decay: float = 0.99
    epochs: int | None = 100
    seconds: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.epochs is None) == (self.seconds is None):
            raise ValueError("a plan ends after so many epochs or so many seconds")
        if min(self.width, self.depth, self.batch_size, self.epochs or self.seconds or 0) < 1 or self.take < 0:
            raise ValueError("width, depth, batch_size, epochs and seconds are at least 1")

    def size(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """What `UNet` takes for images of `shape` (channels, height, width); larger ones get a third level."""
        _, height, width = shape
        levels = 2 if max(height, width) <= TWO_LEVELS else 3
        return {
            "widths": [self.width * 2**level for level in range(levels)],
            "depth": self.depth,
            "patch": 1 if height % 2 or width % 2 else 2,
            "attention": self.attention,
        }

    def denoiser(self, shape: tuple[int, ...], classes: int | None) -> "Denoiser":
        """The untrained network."""
        from explorer.networks.unet import make_image_denoiser

        channels, height, width = shape
        return make_image_denoiser(
            (channels, height, width),
            classes or None,
            self.seed,
            schedule=self.schedule,
            prediction=self.prediction,
            **self.size(shape),
        )

    def steps(self, images: int) -> int | None:
        """How many steps its epochs are, with so many training images; None where seconds bound it."""
        return None if self.epochs is None else max(1, math.ceil(self.epochs * images / self.batch_size))

    def config(self, images: int) -> "TrainConfig":
        """How to train on so many images."""
        from explorer.training import TrainConfig

        return TrainConfig(
            steps=self.steps(images),
            max_seconds=None if self.seconds is None else float(self.seconds),
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            decay=self.decay,
            ema_decay=self.ema_decay,
            seed=self.seed,
        )

    def longer(self) -> "Plan":
        """The same for as long again."""
        return replace(self, epochs=self.epochs and 2 * self.epochs, seconds=self.seconds and 2 * self.seconds)


@dataclass(frozen=True)
class Preset:
    """A plan that a lecture needs: its name, and a sentence on what it shows."""

    label: str
    about: str
    plan: Plan


PRESETS = {
    "digits": Preset(
        "Digits, 100 epochs",
        "100 passes over 1,438 scans: noise becomes digits, and each is the digit that was asked for.",
        Plan(),
    ),
    "mnist": Preset(
        "Four minutes, MNIST",
        "8,000 images of 28 x 28 pixels: more pixels, more shapes, fewer passes in the time.",
        Plan("mnist-28", batch_size=64, ema_decay=0.995, epochs=None, seconds=240),
    ),
    "rate": Preset(
        "Too high a learning rate",
        "Each step overshoots: the loss leaps and stays high, and the samples never become digits.",
        Plan(learning_rate=0.3, epochs=60),
    ),
    "no-ema": Preset(
        "No EMA",
        "A high learning rate that stays, and no average of the weights: the last step pulls them towards its own "
        "batch. Compare it with the next preset: about one and a half times as many samples, or more, are the wrong "
        "digit.",
        Plan(learning_rate=3e-2, decay=False, batch_size=32, ema_decay=0.0, epochs=20),
    ),
    "ema": Preset(
        "The same with EMA",
        "The same steps, and so the same training loss: but what samples is the average of the last hundred or so.",
        Plan(learning_rate=3e-2, decay=False, batch_size=32, ema_decay=0.99, epochs=20),
    ),
    "memorise": Preset(
        "Only 20 images (watch it memorise)",
        "The training loss keeps falling while the held-out loss turns and rises: it learns its 20 images by heart.",
        Plan(take=20, epochs=5000),
    ),
}


def preset_of(plan: Plan) -> str | None:
    """The preset that a plan is."""
    return next((name for name, preset in PRESETS.items() if preset.plan == plan), None)


def first_of_each_class(dataset: "ImageDataset", take: int) -> "ImageDataset":
    """The first `take` images, the classes in turn; all of them for 0."""
    import torch

    if not take or take >= len(dataset):
        return dataset
    if dataset.labels is None:
        return dataset.part(slice(0, take))
    turn = torch.empty_like(dataset.labels)
    for label in dataset.labels.unique():
        of_label = dataset.labels == label
        turn[of_label] = torch.arange(int(of_label.sum()))
    return dataset.part(torch.argsort(turn, stable=True)[:take])
