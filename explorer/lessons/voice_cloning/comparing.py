"""The same words in many voices, at many scales, and on the way from one voice to another, each measured."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from explorer.audio.features import features
from explorer.audio.watermark import marked
from explorer.lessons.voice_cloning.near import pitch_and_brightness, understood
from explorer.lessons.voice_cloning.speaking import Asked, Model, Script, heard, script, speak
from explorer.lessons.voice_cloning.voices import between, built_in, listener, reference_of


@dataclass(frozen=True)
class Heard:
    """A sound (samples,) and what is measured on it: the judge's vector, the share of its words that are understood,
    the median of its pitch in Hz, and the centre of gravity of its bands, from 0 to 63."""

    audio: Tensor
    judged: Tensor
    understood: float
    pitch: float
    brightness: float


def say(model: Model, text: str, speed: float, voices: Tensor, asked: Asked) -> list[Heard]:
    """A text in voices (n, width)."""
    told = script(model, text, speed)
    made = speak(model, [told.sounds()], voices, asked).features
    return [measured(audio, told) for audio in marked(heard(model, made)).clamp(-1, 1)]


def measured(audio: Tensor, told: Script) -> Heard:
    seen = features(audio)
    right = understood(audio, told).words
    return Heard(
        audio,
        listener().voices(seen[None])[0],
        sum(one for _, one in right) / max(1, len(right)),
        *pitch_and_brightness(seen),
    )


def in_all_voices(model: Model, text: str, speed: float, asked: Asked) -> dict[str, Heard]:
    """A text in every built-in voice."""
    names = list(built_in())
    voices = torch.cat([reference_of(name).voice for name in names])
    return dict(zip(names, say(model, text, speed, voices, asked), strict=True))


def at_scales(
    model: Model, text: str, speed: float, voice: Tensor, asked: Asked, scales: Sequence[float]
) -> list[Heard]:
    """A text in one voice (1, width), at several scales of its guidance."""
    return [say(model, text, speed, voice, replace(asked, voice_scale=scale))[0] for scale in scales]


def on_the_way(
    model: Model, text: str, speed: float, first: Tensor, second: Tensor, asked: Asked, shares: Sequence[float]
) -> list[Heard]:
    """A text in the voices between two, (1, width) each."""
    voices = torch.cat([between(first, second, share) for share in shares])
    return say(model, text, speed, voices, asked)
