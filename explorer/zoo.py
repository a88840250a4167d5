"""Weights on disk: safetensors with what is needed to rebuild the model, never pickle.

Shipped models lie in `assets/weights`, each a NAME.safetensors beside its model card NAME.json;
`scripts/train_zoo.py` makes them again. Those named classifier-... judge samples.
"""

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import torch
from torch import nn

from explorer.denoiser import PREDICTIONS, Denoiser
from explorer.files import ASSETS
from explorer.networks.blocks import build
from explorer.networks.classifier import Classifier
from explorer.networks.mlp import MLP
from explorer.networks.unet import GROUPS, UNet
from explorer.schedules import SCHEDULES, make_schedule

FOLDER = ASSETS / "weights"
CLASSIFIER = "classifier-"
LARGEST_FILE = 20 * 2**20


def _one_of(*values: Any) -> Callable[[Any], bool]:
    return lambda value: any(type(value) is type(good) and value == good for good in values)


def _within(first: int, last: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and first <= value <= last


def _or_none(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or fits(value)


def _widths(value: Any) -> bool:
    fits = _within(GROUPS, 512)
    return type(value) is list and 1 <= len(value) <= 4 and all(fits(width) and width % GROUPS == 0 for width in value)


NETWORKS: dict[str, type[MLP] | type[UNet]] = {"MLP": MLP, "UNet": UNet}
SIZES: dict[str, Mapping[str, Callable[[Any], bool]]] = {
    "MLP": {
        "width": _within(1, 512),
        "depth": _within(1, 12),
        "features": _within(1, 256),
        "dimensions": _one_of(2),
    },
    "UNet": {
        "channels": _within(1, 4),
        "widths": _widths,
        "depth": _within(1, 4),
        "patch": _one_of(1, 2, 4, 7, 8),
        "classes": _or_none(_within(1, 100)),
        "attention": _one_of(False, True),
        "context": _or_none(_within(1, 512)),
    },
}
LONGEST_SIDE = 64
MOST_VALUES = 2**16  # of the maps of one part: pages keep those of many noise levels


def to_bytes(denoiser: Denoiser, **about: Any) -> bytes:
    """A denoiser of a network of ours as a safetensors file; `about`, JSON values, is kept in its header."""
    from safetensors.torch import save

    described = {
        "network": type(denoiser.network).__name__,
        "size": denoiser.network.size,
        "shape": denoiser.shape,
        "schedule": denoiser.schedule.name,
        "prediction": denoiser.prediction,
    }
    return save(_tensors(denoiser.network), metadata={"explorer": json.dumps({**described, **about})})


def _tensors(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().contiguous() for name, tensor in network.state_dict().items()}


def from_bytes(content: bytes, kind: str | None = None) -> tuple[Denoiser, dict[str, Any]]:
    """The denoiser in a file that `to_bytes` made, and what its header says.

    Nothing in the file is run. `kind` is the only network that is welcome, "MLP" or "UNet". Raises ValueError,
    with a sentence, for a file that is too large, is no safetensors file, is not of this app, holds another kind
    of network, or weights that do not fit what its header describes.
    """
    tensors, about = _read(content)
    try:
        name, size = about.get("network", "MLP"), about["size"]
        shape, schedule, prediction = about.get("shape", [2]), about["schedule"], about["prediction"]
        sensible = (
            name in NETWORKS
            and schedule in SCHEDULES
            and prediction in PREDICTIONS
            and all(SIZES[name][part](value) for part, value in size.items())
            and not (size.get("classes") and size.get("context"))
            and _shape_fits(name, size, shape)
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError("This is not a file of weights from this app; choose one that it saved.") from error
    if not sensible:
        raise ValueError("This file describes a model that this app does not know.")
    if kind not in (None, name):
        made = {"MLP": "points, for the Geometry lab", "UNet": "images, for the Training lab"}[name]
        raise ValueError(f"This file holds a model of {made}: it does not fit here.")
    network = _fill(lambda: NETWORKS[name](**size), tensors)
    if isinstance(network, UNet):
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Denoiser(network, make_schedule(schedule), prediction, tuple(shape)), about


def _shape_fits(name: str, size: Mapping[str, Any], shape: Any) -> bool:
    if name == "MLP":
        return shape == [2]
    if len(shape) != 3 or not all(type(side) is int and 1 <= side <= LONGEST_SIDE for side in shape):
        return False
    channels, height, width = shape
    widths, patch = size.get("widths", [32, 64]), size.get("patch", 2)
    if channels != size.get("channels", 1) or height % patch or width % patch:
        return False
    places = [-(-height // (patch * 2**level)) * -(-width // (patch * 2**level)) for level in range(len(widths))]
    values = [channels * count for channels, count in zip(widths, places, strict=True)]
    return min(values) > GROUPS and max(values) <= MOST_VALUES  # a norm of one value has no spread


def _read(content: bytes) -> tuple[dict[str, torch.Tensor], Any]:
    """The tensors of a safetensors file, and what this app wrote into its header."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    if len(content) > LARGEST_FILE:
        raise ValueError(f"This file is larger than {LARGEST_FILE // 2**20} MB; weights of this app are smaller.")
    try:
        tensors = load(content)
        length = int.from_bytes(content[:8], "little")
        return tensors, json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["explorer"])
    except (SafetensorError, AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError("This is not a file of weights from this app; choose one that it saved.") from error


def _fill(make: Callable[[], nn.Module], tensors: Mapping[str, torch.Tensor]) -> nn.Module:
    """The network that `make` returns with these weights; it takes no memory before they are known to fit."""
    with torch.device("meta"):
        wanted = {name: tensor.shape for name, tensor in make().state_dict().items()}
    if {name: tensor.shape for name, tensor in tensors.items()} != wanted:
        raise ValueError("The weights in this file do not fit the network that its header describes.")
    if not all(tensor.dtype == torch.float32 and bool(tensor.isfinite().all()) for tensor in tensors.values()):
        raise ValueError("This file holds weights that are not finite 32-bit numbers.")
    network = build(make, seed=0)
    network.load_state_dict(tensors)
    return network


def pretrained_names() -> list[str]:
    """Names that `load_pretrained` takes."""
    return sorted(path.stem for path in FOLDER.glob("*.safetensors") if not path.stem.startswith(CLASSIFIER))


@cache
def load_pretrained(name: str) -> Denoiser:
    """A shipped model, frozen and shared by the whole process: copy it before training it.

    Raises ValueError for an unknown name.
    """
    if name not in pretrained_names():
        raise ValueError(f"no shipped model is called {name!r}; choose one of {', '.join(pretrained_names())}")
    denoiser, _ = from_bytes((FOLDER / f"{name}.safetensors").read_bytes())
    return denoiser.requires_grad_(False)


def save_classifier(name: str, classifier: Classifier) -> None:
    """Write the judge of a data set's samples."""
    from safetensors.torch import save

    content = save(_tensors(classifier), metadata={"explorer": json.dumps({"size": classifier.size})})
    (FOLDER / f"{CLASSIFIER}{name}.safetensors").write_bytes(content)


@cache
def load_classifier(name: str) -> Classifier:
    """The shipped judge of the samples of a data set, frozen and shared. Raises ValueError where there is none."""
    path = FOLDER / f"{CLASSIFIER}{name}.safetensors"
    if path not in FOLDER.glob(f"{CLASSIFIER}*"):
        raise ValueError(f"there is no classifier for {name!r}")
    tensors, about = _read(path.read_bytes())
    classifier = _fill(lambda: Classifier(**about["size"]), tensors)
    assert isinstance(classifier, Classifier)
    return classifier.to(memory_format=torch.channels_last).requires_grad_(False)  # type: ignore[call-overload]


def model_card(name: str) -> dict[str, Any]:
    """The model card of a shipped model: data and its terms, architecture, command, time, metrics."""
    return json.loads((FOLDER / f"{name}.json").read_text())
