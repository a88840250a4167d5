"""Voices to speak in: those that are built in, what a recording says of its speaker, and what lies between two."""

import json
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from explorer.audio.features import features
from explorer.audio.recordings import read_recording
from explorer.files import ASSETS, read_asset
from explorer.lessons.voice_cloning.speaking import Model
from explorer.modes import default_modes
from explorer.networks.listener import Listener
from explorer.once import once
from explorer.zoo import load_durations, load_listener, load_pretrained, load_vocoder

NAME = "voice"
FOLDER = ASSETS / "speech"
Kind = Literal["known", "blend", "stranger"]


@dataclass(frozen=True)
class BuiltIn:
    """A voice that comes with the app: `kind` says whether training has heard it, whether it is a mix of voices that
    nobody has, which training has heard too, or whether it never has."""

    name: str
    label: str
    kind: Kind
    parts: dict[str, float]

    @property
    def content(self) -> bytes:
        """Its recording, a FLAC file."""
        return read_asset(FOLDER / "voices" / f"{self.name}.flac")


@dataclass(frozen=True)
class Reference:
    """A recording as the model and the judge take it: the sound (samples,), features (66, frames), the model's vector
    (1, width), the judge's (128,) of unit length."""

    audio: Tensor
    features: Tensor
    voice: Tensor
    judged: Tensor


@once()
def about() -> dict[str, Any]:
    """What `scripts/ship_speech.py` wrote beside the voices: who they are, the map, and how alike recordings are."""
    return json.loads(read_asset(FOLDER / "voices.json"))


@once()
def watermark() -> dict[str, Any]:
    """What `scripts/measure_watermark.py` found."""
    return json.loads(read_asset(FOLDER / "watermark.json"))


@once()
def built_in() -> dict[str, BuiltIn]:
    return {one["name"]: BuiltIn(**one) for one in about()["voices"]}


@once()
def model() -> Model:
    """The shipped networks, frozen and shared."""
    return Model(load_pretrained(NAME), load_vocoder(NAME), load_durations(NAME))


def listener() -> Listener:
    return load_listener(NAME)


@torch.no_grad()
def reference(audio: Tensor) -> Reference:
    """What a recording, (samples,) as `read_recording` returns it, says of its speaker."""
    seen = features(audio)
    return Reference(audio, seen, model().network.encode(seen[None]), listener().voices(seen[None])[0])


@once()
@default_modes()
def reference_of(name: str) -> Reference:
    """The recording of a built-in voice."""
    return reference(read_recording(built_in()[name].content).audio)


def between(first: Tensor, second: Tensor, share: float) -> Tensor:
    """The voice that lies `share` of the way from one vector (1, width) to another, on the sphere that both lie on
    (Shoemake 1985)."""
    length = first.shape[1] ** 0.5
    angle = torch.acos((first * second).sum(1, keepdim=True).div(length**2).clamp(-1, 1))
    if float(angle) < 1e-3:
        return first
    mixed = (((1 - share) * angle).sin() * first + (share * angle).sin() * second) / angle.sin()
    return functional.normalize(mixed, dim=1) * length


def place(judged: Tensor) -> tuple[float, float]:
    """Where the judge's vector of a voice lies on the map."""
    chart = about()["map"]
    at = (judged.numpy() - np.array(chart["centre"])) @ np.array(chart["axes"]).T
    return float(at[0]), float(at[1])


def halves_alike(seen: Tensor) -> float:
    """How alike the judge finds the two halves of a recording, features (66, frames): low where two people speak, or
    where it is no speech."""
    middle = seen.shape[1] // 2
    first, second = listener().voices(seen[None, :, :middle])[0], listener().voices(seen[None, :, middle:])[0]
    return float(first @ second)
