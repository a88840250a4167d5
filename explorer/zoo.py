"""Weights on disk: safetensors with what is needed to rebuild the model, never pickle.

Shipped models lie in `assets/weights`, each a NAME.safetensors beside its model card NAME.json, which has its checksum;
`scripts/train_zoo.py`, `scripts/ship_pictures.py` and `scripts/ship_speech.py` make them again. Those named
classifier-..., judge-..., clip-... and listener-... look at samples; vocoder-... and durations-... help to speak;
letters-... makes words.
"""

import json
import os
import secrets
from collections.abc import Callable, Mapping
from hashlib import sha256
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import nn

from explorer.audio.features import ROWS
from explorer.denoiser import PREDICTIONS, Denoiser
from explorer.files import ASSETS, checksums, read_asset
from explorer.modes import default_modes
from explorer.networks.blocks import build
from explorer.networks.classifier import Classifier
from explorer.networks.clip import Clip
from explorer.networks.durations import Durations
from explorer.networks.judge import Judge
from explorer.networks.letters import Letters
from explorer.networks.listener import Listener
from explorer.networks.mlp import MLP
from explorer.networks.speech import SpeechUNet
from explorer.networks.unet import GROUPS, UNet
from explorer.networks.video import VideoUNet
from explorer.networks.vocoder import Vocoder
from explorer.once import once
from explorer.schedules import SCHEDULES, Schedule, make_schedule

FOLDER = ASSETS / "weights"
SUFFIX = ".safetensors"
LARGEST_FILE = 20 * 2**20
MOST_WORDS = 10_000
MOST_FRAMES = 4_096  # of speech
MOST_VIDEO_FRAMES = 64
HALF = "fp16"


class Limit(NamedTuple):
    """What a value in a file may be, and the same in words."""

    fits: Callable[[Any], bool]
    words: str


def _one_of(*values: Any) -> Limit:
    return Limit(
        lambda value: any(type(value) is type(good) and value == good for good in values),
        " or ".join(map(repr, values)),
    )


def _within(first: int, last: int) -> Limit:
    return Limit(lambda value: type(value) is int and first <= value <= last, f"a whole number from {first} to {last}")


def _or_none(limit: Limit) -> Limit:
    return Limit(lambda value: value is None or limit.fits(value), f"None or {limit.words}")


def _several(most: int, limit: Limit) -> Limit:
    return Limit(
        lambda value: type(value) is list and 1 <= len(value) <= most and all(map(limit.fits, value)),
        f"1 to {most} numbers, each {limit.words}",
    )


def _multiple(of: int, last: int) -> Limit:
    return Limit(
        lambda value: type(value) is int and value in range(of, last + 1, of), f"a multiple of {of} up to {last}"
    )


def _text() -> Limit:
    """The arguments of a `TextEncoder`; each is optional but the words."""
    sizes = {"width": _multiple(4, 512), "layers": _within(1, 8), "length": _within(2, 64), "heads": _one_of(1, 2, 4)}

    def fits(value: Any) -> bool:
        if type(value) is not dict or "words" not in value or not {*value} <= {*sizes, "words"}:
            return False
        words = value["words"]
        known = type(words) is list and 1 <= len(words) <= MOST_WORDS and len({*map(str, words)}) == len(words)
        short = known and all(type(word) is str and 1 <= len(word) <= 32 for word in words)
        return short and all(limit.fits(value[name]) for name, limit in sizes.items() if name in value)

    return Limit(fits, f"the size of a text encoder, of 1 to {MOST_WORDS:,} different words")


NETWORKS: dict[str, type[MLP] | type[UNet] | type[SpeechUNet] | type[VideoUNet]] = {
    "MLP": MLP,
    "UNet": UNet,
    "SpeechUNet": SpeechUNet,
    "VideoUNet": VideoUNet,
}
MADE = {
    "MLP": "points, for the Geometry lab",
    "UNet": "images, for the Training lab",
    "SpeechUNet": "speech, for Voice cloning",
    "VideoUNet": "videos, for the last page",
}
Looker = Classifier | Judge | Clip | Listener | Vocoder | Durations | Letters
LOOKERS: dict[str, type[Looker]] = {
    "classifier": Classifier,
    "judge": Judge,
    "clip": Clip,
    "listener": Listener,
    "vocoder": Vocoder,
    "durations": Durations,
    "letters": Letters,
}
SIZES: dict[str, Mapping[str, Limit]] = {
    "MLP": {
        "width": _within(1, 512),
        "depth": _within(1, 12),
        "features": _within(1, 256),
        "dimensions": _one_of(2),
    },
    "UNet": {
        "channels": _within(1, 4),
        "widths": _several(4, _multiple(GROUPS, 512)),
        "depth": _within(1, 4),
        "patch": _one_of(1, 2, 4, 7, 8),
        "classes": _or_none(_within(1, 100)),
        "attention": _one_of(False, True),
        "context": _or_none(_within(1, 512)),
        "text": _text(),
        "looks": _several(4, _within(1, 4)),
    },
    "SpeechUNet": {
        "widths": _several(4, _multiple(GROUPS, 512)),
        "voice": _within(1, 512),
        "encoder": _multiple(GROUPS, 512),
        "sounds": _within(1, 512),
        "embedding": _within(1, 512),
    },
    "VideoUNet": {
        "frames": _within(1, MOST_VIDEO_FRAMES),
        "widths": _several(4, _multiple(GROUPS, 512)),
        "classes": _within(1, 100),
    },
}
SIDE = _within(1, 64)
MOST_VALUES = 2**16  # of the maps of one part: pages keep those of many noise levels


class Refused(ValueError):
    """A model that no file may hold; the text says why, of "its" parts."""


def save(denoiser: Denoiser, path: str | PathLike[str], **about: Any) -> None:
    """Write a denoiser of a network of ours to a file, which `load` and the app's pages read.

    Safetensors, with what is needed to rebuild the model: its size, schedule, prediction and shape. `about`, JSON
    values, is kept beside: pages show the `name`, and the names of the `classes`. Raises ValueError, with a sentence,
    for a model that could not be read back: of another network or schedule, larger than a file of this app may be, or
    with weights that are not finite 32-bit numbers. Nothing is written then. Raises OSError where the file cannot be
    written whole, as on a full disk; what was there before is there still.
    """
    content, whole = to_bytes(denoiser, **about), Path(path).resolve()
    part = whole.with_name(f"{whole.name}.{secrets.token_hex(4)}.part")
    try:
        part.write_bytes(content)
        part.replace(whole)
    finally:
        part.unlink(missing_ok=True)


def load(path: str | PathLike[str]) -> Denoiser:
    """The denoiser in a file that `save`, or a page, has written. Nothing in the file is run.

    Raises ValueError, with a sentence, for any other file, OSError where there is none.
    """
    with Path(path).open("rb") as file:
        return from_bytes(file.read(LARGEST_FILE + 1))[0]


@default_modes()
def to_bytes(denoiser: Denoiser, half: bool = False, **about: Any) -> bytes:
    """What `save` writes; with `half` the weights are rounded to 16 bits, and the header says so, for a shipped model
    whose samples do not change by it. Raises ValueError as `save` does."""
    from safetensors.torch import save as serialise

    try:
        described = _described(denoiser)
        planned = _planned(lambda: NETWORKS[described["network"]](**described["size"]))
        tensors = _tensors(denoiser.network)
        _check_weights(planned, tensors)
        if half:
            described["precision"] = HALF
            tensors = {name: tensor.half() for name, tensor in tensors.items()}
            if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
                raise Refused("its weights are too large for 16 bits")
        if str(denoiser.network) != str(planned):
            raise Refused("its layers are not those of a network of its size")
    except Refused as error:
        raise ValueError(f"This model cannot be saved: {error}.") from None
    if taken := described.keys() & about:
        raise ValueError(f"A file says by itself what the {min(taken)} of its model is; choose another word for yours.")
    try:
        header = json.dumps({**described, **about})
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError("What a file says about its model must be JSON: text, numbers, lists of them.") from error
    content = serialise(tensors, metadata={"explorer": header})
    if len(content) > LARGEST_FILE:
        raise ValueError(f"This model cannot be saved: its file would be larger than {LARGEST_FILE // 2**20} MB.")
    return content


def _tensors(network: nn.Module) -> dict[str, torch.Tensor]:
    """Copies, for safetensors takes no two that share memory."""
    return {
        name: tensor.detach().clone(memory_format=torch.contiguous_format)
        for name, tensor in network.state_dict().items()
    }


def _described(denoiser: Denoiser) -> dict[str, Any]:
    """What rebuilds a denoiser, but for its weights, as JSON gives it back. Raises `Refused` where nothing does."""
    network, schedule = denoiser.network, denoiser.schedule
    if type(network) not in NETWORKS.values():
        raise Refused(f"its network must be {' or '.join(NETWORKS)}, of this library, not a {type(network).__name__}")
    described = {
        "network": type(network).__name__,
        "size": network.size,
        "shape": denoiser.shape,
        "schedule": str(getattr(schedule, "name", "")),
        "prediction": denoiser.prediction,
    }
    described = json.loads(json.dumps(described, default=int))
    _check_description(described)
    if not _same(schedule, make_schedule(described["schedule"])):
        raise Refused(f"its schedule is not the {described['schedule']} one of this library")
    return described


def _same(schedule: Schedule, known: Schedule) -> bool:
    """Whether two schedules are the same at all times."""
    t = torch.linspace(known.t_min, known.t_max, 1_000, dtype=torch.float64)
    ends = (schedule.t_min, schedule.t_max) == (known.t_min, known.t_max)
    return ends and torch.equal(schedule.alpha(t), known.alpha(t)) and torch.equal(schedule.sigma(t), known.sigma(t))


@default_modes()
def from_bytes(content: bytes, kind: str | None = None) -> tuple[Denoiser, dict[str, Any]]:
    """The denoiser in a file that `to_bytes` made, and what its header says.

    Nothing in the file is run. `kind` is the only network that is welcome, "MLP" or "UNet". Raises ValueError,
    with a sentence, for a file that is too large, is no safetensors file, is not of this app, holds another kind
    of network, or weights that do not fit what its header describes.
    """
    tensors, about = _read(content)
    tensors = _widened(tensors, about)
    try:
        described = {"network": "MLP", "shape": [2], **about}
        name, size, shape = (described[part] for part in ("network", "size", "shape"))
        _check_description(described)
    except Refused as error:
        raise ValueError(f"This file describes a model that this app does not know: {error}.") from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError("This is not a file of weights from this app; choose one that it saved.") from error
    if kind not in (None, name):
        raise ValueError(f"This file holds a model of {MADE[name]}: it does not fit here.")
    network = _fill(lambda: NETWORKS[name](**size), tensors)
    if not isinstance(network, MLP):
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Denoiser(network, make_schedule(described["schedule"]), described["prediction"], tuple(shape)), about


def _check_description(described: Mapping[str, Any]) -> None:
    """Raises `Refused`, with a reason, for what no file may describe; or KeyError or TypeError."""
    name, size, shape = (described[part] for part in ("network", "size", "shape"))
    for part, known in (("network", NETWORKS), ("schedule", SCHEDULES), ("prediction", PREDICTIONS)):
        if described[part] not in known:
            raise Refused(f"its {part} must be {' or '.join(known)}")
    for part, value in size.items():
        limit = SIZES[name][part]
        if not limit.fits(value):
            raise Refused(f"its {part} must be {limit.words}")
    if name == "MLP":
        if shape != [2] or type(shape[0]) is not int:
            raise Refused("its samples must be points of 2 numbers")
        return
    if name == "SpeechUNet":
        whole = type(shape) is list and len(shape) == 3 and all(type(side) is int for side in shape)
        if not whole or shape[:2] != [1, ROWS] or not 0 < shape[2] <= MOST_FRAMES or shape[2] % 16:
            raise Refused(f"its samples must be of 1 x {ROWS} x frames, a multiple of 16 up to {MOST_FRAMES}")
        return
    if name == "VideoUNet":
        whole = type(shape) is list and len(shape) == 3 and all(type(side) is int for side in shape)
        sides, tile = shape[1:], 2 ** len(size.get("widths", [0, 0, 0]))
        if not whole or shape[0] != size.get("frames", 16) or any(side not in range(tile, 65, tile) for side in sides):
            raise Refused(
                f"its samples must be of its network's frames, with sides that are multiples of {tile} up to 64"
            )
        return
    if sum(bool(size.get(kind)) for kind in ("classes", "context", "text")) > 1:
        raise Refused("it must be conditioned on classes, on a context or on texts, not on several of them")
    if len(shape) != 3 or not all(map(SIDE.fits, shape)):
        raise Refused(f"its images must be of channels, a height and a width, each {SIDE.words}")
    channels, height, width = shape
    widths, patch = size.get("widths", [32, 64]), size.get("patch", 2)
    if channels != size.get("channels", 1) or height % patch or width % patch:
        raise Refused("its images must have the channels of its network, and sides that its patches tile")
    places = [-(-height // (patch * 2**level)) * -(-width // (patch * 2**level)) for level in range(len(widths))]
    values = [channels * count for channels, count in zip(widths, places, strict=True)]
    if not GROUPS < min(values) <= max(values) <= MOST_VALUES:  # a norm of one value has no spread
        raise Refused(f"its maps must have more than {GROUPS} and at most {MOST_VALUES:,} values for an image")


def _read(content: bytes) -> tuple[dict[str, torch.Tensor], Any]:
    """The tensors of a safetensors file, and what this app wrote into its header."""
    from safetensors import SafetensorError
    from safetensors.torch import load as deserialise

    if len(content) > LARGEST_FILE:
        raise ValueError(f"This file is larger than {LARGEST_FILE // 2**20} MB; weights of this app are smaller.")
    try:
        tensors = deserialise(content)
        length = int.from_bytes(content[:8], "little")
        return tensors, json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["explorer"])
    except (SafetensorError, AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError("This is not a file of weights from this app; choose one that it saved.") from error


def _widened(tensors: dict[str, torch.Tensor], about: Any) -> dict[str, torch.Tensor]:
    """The tensors in 32 bits, where the file says that it keeps them in 16."""
    if not isinstance(about, dict) or about.get("precision") != HALF:
        return tensors
    return {name: tensor.float() if tensor.dtype == torch.half else tensor for name, tensor in tensors.items()}


def _planned(make: Callable[[], nn.Module]) -> nn.Module:
    """The network that `make` returns, without memory."""
    with torch.device("meta"):
        return make()


def _check_weights(network: nn.Module, tensors: Mapping[str, torch.Tensor]) -> None:
    """Raises `Refused` where these are no weights of such a network."""
    if {name: tensor.shape for name, tensor in tensors.items()} != {
        name: tensor.shape for name, tensor in network.state_dict().items()
    }:
        raise Refused("its weights do not fit a network of its size")
    if not all(
        tensor.dtype == torch.float32 and not tensor.is_meta and bool(tensor.isfinite().all())
        for tensor in tensors.values()
    ):
        raise Refused("its weights are not finite 32-bit numbers")


def _fill(make: Callable[[], nn.Module], tensors: Mapping[str, torch.Tensor]) -> nn.Module:
    """The network that `make` returns with these weights; it takes no memory before they are known to fit."""
    try:
        _check_weights(_planned(make), tensors)
    except Refused as error:
        raise ValueError(f"This file holds no model that can be read: {error}.") from None
    network = build(make, seed=0)
    network.load_state_dict(tensors)
    return network


def pretrained_names() -> list[str]:
    """Names that `load_pretrained` takes."""
    there = {name.removesuffix(SUFFIX) for name in os.listdir(FOLDER) if name.endswith(SUFFIX)}  # pathlib is slow
    names = there | _shipped_names()
    return sorted(name for name in names if name.partition("-")[0] not in LOOKERS)


@once()
def _shipped_names() -> set[str]:
    """Names of all weights that came with the app, those that are missing now included."""
    cards = (path.removeprefix("weights/") for path in checksums() if path.startswith("weights/"))
    return {name.removesuffix(".json") for name in cards}


def read_weights(name: str) -> bytes:
    """The file of shipped weights, which is the one that its model card tells of. Raises `AssetError` otherwise."""
    return read_asset(FOLDER / f"{name}{SUFFIX}", model_card(name).get("sha256", ""))


@once()
@default_modes()
def load_pretrained(name: str) -> Denoiser:
    """A shipped model, frozen and shared by the whole process: copy it before training it.

    Raises ValueError for an unknown name, `AssetError` where its file is missing or damaged.
    """
    if name not in pretrained_names():
        raise ValueError(f"no shipped model is called {name!r}; choose one of {', '.join(pretrained_names())}")
    denoiser, _ = from_bytes(read_weights(name))
    return denoiser.requires_grad_(False)


def save_looker(kind: str, name: str, network: Looker, half: bool = False) -> None:
    """Write what looks at the pictures of a data set: its "classifier", "judge" or "clip"."""
    from safetensors.torch import save as serialise

    tensors = _tensors(network)
    about = {"size": network.size, **({"precision": HALF} if half else {})}
    content = serialise(
        {name: tensor.half() for name, tensor in tensors.items()} if half else tensors,
        metadata={"explorer": json.dumps(about)},
    )
    (FOLDER / f"{kind}-{name}{SUFFIX}").write_bytes(content)


@once()
@default_modes()
def _looker(kind: str, name: str) -> Looker:
    if f"{kind}-{name}" not in _shipped_names() and f"{kind}-{name}{SUFFIX}" not in os.listdir(FOLDER):
        raise ValueError(f"there is no {kind} for {name!r}")
    tensors, about = _read(read_weights(f"{kind}-{name}"))
    network = _fill(lambda: LOOKERS[kind](**about["size"]), _widened(tensors, about))
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return cast("Looker", network.requires_grad_(False))


def load_classifier(name: str) -> Classifier:
    """The shipped judge of the samples of a data set, frozen and shared. Raises ValueError where there is none."""
    return cast("Classifier", _looker("classifier", name))


def load_judge(name: str) -> Judge:
    """The shipped judge of what captioned pictures show, likewise."""
    return cast("Judge", _looker("judge", name))


def load_clip(name: str) -> Clip:
    """The shipped towers for captioned pictures and their captions, likewise."""
    return cast("Clip", _looker("clip", name))


def load_listener(name: str) -> Listener:
    """The shipped judge of speech, likewise."""
    return cast("Listener", _looker("listener", name))


def load_vocoder(name: str) -> Vocoder:
    """What makes sound of the features of a shipped model of speech, likewise."""
    return cast("Vocoder", _looker("vocoder", name))


def load_durations(name: str) -> Durations:
    """What says how long sounds last, likewise."""
    return cast("Durations", _looker("durations", name))


def load_letters(name: str) -> Letters:
    """What guesses the hidden letters of words, likewise."""
    return cast("Letters", _looker("letters", name))


def model_card(name: str) -> dict[str, Any]:
    """The model card of a shipped model: data and its terms, architecture, command, time, metrics."""
    return json.loads(read_asset(FOLDER / f"{name}.json"))


def write_card(name: str, card: Mapping[str, Any]) -> None:
    """Write the model card of the weights that lie in the folder, and their checksum into it."""
    checksum = sha256((FOLDER / f"{name}{SUFFIX}").read_bytes()).hexdigest()
    (FOLDER / f"{name}.json").write_text(json.dumps({**card, "sha256": checksum}, indent=2) + "\n")
