"""Weights on disk: safetensors with what is needed to rebuild the model, never pickle.

Shipped models lie in `assets/weights`, each a NAME.safetensors beside its model card NAME.json;
`scripts/train_zoo.py` makes them again.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import torch

from explorer.denoiser import PREDICTIONS, Denoiser
from explorer.networks.blocks import build
from explorer.networks.mlp import MLP
from explorer.schedules import SCHEDULES, make_schedule

FOLDER = Path(__file__).parents[1] / "assets" / "weights"
LARGEST_FILE = 20 * 2**20
SIZES = {"width": range(1, 513), "depth": range(1, 13), "features": range(1, 257), "dimensions": range(2, 3)}


def to_bytes(denoiser: Denoiser, **about: str) -> bytes:
    """A 2D denoiser as a safetensors file; `about` is kept in its header, as text."""
    from safetensors.torch import save

    tensors = {name: tensor.detach().contiguous() for name, tensor in denoiser.network.state_dict().items()}
    described = {
        "size": denoiser.network.size,
        "schedule": denoiser.schedule.name,
        "prediction": denoiser.prediction,
    }
    return save(tensors, metadata={"explorer": json.dumps({**described, **about})})


def from_bytes(content: bytes) -> tuple[Denoiser, dict[str, Any]]:
    """The denoiser in a file that `to_bytes` made, and what its header says.

    Nothing in the file is run. Raises ValueError, with a sentence, for a file that is too large, is no
    safetensors file, is not of this app, or holds weights that do not fit what its header describes.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    if len(content) > LARGEST_FILE:
        raise ValueError(f"This file is larger than {LARGEST_FILE // 2**20} MB; weights of the 2D lab are far smaller.")
    try:
        tensors = load(content)
        length = int.from_bytes(content[:8], "little")
        about = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["explorer"])
        size, schedule, prediction = about["size"], about["schedule"], about["prediction"]
        known = schedule in SCHEDULES and prediction in PREDICTIONS
        sensible = known and all(type(n) is int and n in SIZES[name] for name, n in size.items())
    except (SafetensorError, AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError("This is not a file of weights from this lab; choose one that it saved.") from error
    if not sensible:
        raise ValueError("This file describes a model that this lab does not know.")
    network = build(lambda: MLP(**size), seed=0)
    wanted = {name: tensor.shape for name, tensor in network.state_dict().items()}
    if {name: tensor.shape for name, tensor in tensors.items()} != wanted:
        raise ValueError("The weights in this file do not fit the network that its header describes.")
    if not all(tensor.dtype == torch.float32 and bool(tensor.isfinite().all()) for tensor in tensors.values()):
        raise ValueError("This file holds weights that are not finite 32-bit numbers.")
    network.load_state_dict(tensors)
    return Denoiser(network, make_schedule(schedule), prediction, shape=(2,)), about


def pretrained_names() -> list[str]:
    """Names that `load_pretrained` takes."""
    return sorted(path.stem for path in FOLDER.glob("*.safetensors"))


@cache
def load_pretrained(name: str) -> Denoiser:
    """A shipped model, frozen and shared by the whole process: copy it before training it.

    Raises ValueError for an unknown name.
    """
    if name not in pretrained_names():
        raise ValueError(f"no shipped model is called {name!r}; choose one of {', '.join(pretrained_names())}")
    denoiser, _ = from_bytes((FOLDER / f"{name}.safetensors").read_bytes())
    return denoiser.requires_grad_(False)


def model_card(name: str) -> dict[str, Any]:
    """The model card of a shipped model: data and its terms, architecture, command, time, metrics."""
    return json.loads((FOLDER / f"{name}.json").read_text())
