"""Diffusion models small enough to train, sample and measure while you watch.

    import explorer as ex

    points = ex.toy2d("swiss_roll", n=20_000, seed=0)
    denoiser = ex.make_denoiser_2d(seed=0)
    for event in ex.train(denoiser, points, ex.TrainConfig(max_seconds=3)):
        pass
    trajectory = ex.sample(denoiser, n=2000, sampler="heun", steps=20, seed=0)

Names are resolved on first use (PEP 562), so importing the package imports no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from explorer.data.toy2d import toy2d, toy2d_names
    from explorer.denoiser import Denoiser, Estimate, ideal_denoiser
    from explorer.hardware.memory import Memory, estimate_memory
    from explorer.metrics import frechet_distance, sliced_wasserstein
    from explorer.networks.mlp import make_denoiser_2d
    from explorer.networks.unet import make_image_denoiser
    from explorer.samplers import Step, Trajectory, sample, sample_steps, sampler_names
    from explorer.schedules import Schedule, make_schedule, schedule_from_betas, schedule_names
    from explorer.training import Diverged, TrainConfig, TrainEvent, TrainState, train
    from explorer.zoo import load, load_pretrained, pretrained_names, save

_HOME = {
    "toy2d": "data.toy2d",
    "toy2d_names": "data.toy2d",
    "Denoiser": "denoiser",
    "Estimate": "denoiser",
    "ideal_denoiser": "denoiser",
    "Memory": "hardware.memory",
    "estimate_memory": "hardware.memory",
    "frechet_distance": "metrics",
    "sliced_wasserstein": "metrics",
    "make_denoiser_2d": "networks.mlp",
    "make_image_denoiser": "networks.unet",
    "Step": "samplers",
    "Trajectory": "samplers",
    "sample": "samplers",
    "sample_steps": "samplers",
    "sampler_names": "samplers",
    "Schedule": "schedules",
    "make_schedule": "schedules",
    "schedule_from_betas": "schedules",
    "schedule_names": "schedules",
    "Diverged": "training",
    "TrainConfig": "training",
    "TrainEvent": "training",
    "TrainState": "training",
    "train": "training",
    "load": "zoo",
    "load_pretrained": "zoo",
    "pretrained_names": "zoo",
    "save": "zoo",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'explorer' has no attribute {name!r}")
    return getattr(import_module(f"explorer.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
