"""From a text and a voice to speech, and what there was at every step on the way.

Features of speech are (n, 66, frames). Nothing here is cached: that is for the caller to do.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from explorer.audio.features import ROWS, levelled, parts
from explorer.audio.watermark import marked
from explorer.data.speech.phones import SILENCE, timed
from explorer.data.speech.pronunciation import Word, pronounced
from explorer.denoiser import Denoiser, expand
from explorer.guidance import Nested
from explorer.lessons.views import view_scale
from explorer.networks.durations import Durations
from explorer.networks.speech import SpeechUNet
from explorer.networks.speech import Spoken as Told
from explorer.networks.vocoder import Vocoder
from explorer.samplers import first_noise, sample_steps

EDGE = 0.15  # seconds of silence before and after
MULTIPLE = 16  # of frames


@dataclass(frozen=True)
class Model:
    """The networks that speak together."""

    denoiser: Denoiser
    vocoder: Vocoder
    durations: Durations

    @property
    def network(self) -> SpeechUNet:
        network = self.denoiser.network
        assert isinstance(network, SpeechUNet)
        return network


@dataclass(frozen=True)
class Script:
    """A text as it will be spoken: its words, all its phones from silence to silence, and the seconds of each."""

    words: list[Word]
    phones: list[str]
    seconds: list[float]

    def sounds(self) -> Tensor:
        """What is said in each frame, (3, frames), in whole numbers of the network's coarsest frames."""
        exact = timed(self.phones, self.seconds).shape[1]
        return timed(self.phones, self.seconds, -(-exact // MULTIPLE) * MULTIPLE)


def script(model: Model, text: str, speed: float = 1.0) -> Script:
    """How a text will be spoken. Raises ValueError, with a sentence, for one that cannot be."""
    words = pronounced(text)
    phones = [SILENCE, *(phone for word in words for phone in word.phones), SILENCE]
    seconds = model.durations.seconds(phones, speed)
    return Script(words, phones, [EDGE, *seconds[1:-1], EDGE])


@dataclass(frozen=True)
class Asked:
    """How to speak: guidance for the words and for the voice apart, steps, sampler, seed."""

    words_scale: float = 2.0
    voice_scale: float = 2.0
    steps: int = 12
    sampler: str = "dpmpp_2m"
    seed: int = 0


@dataclass(frozen=True)
class Speech:
    """Speech in n voices or of n texts, and how it came: `t` (frames of film,) from noise to 0; `x`, scaled to unit
    variance, and `guess`, (frames of film, n, 66, frames); the last holds the result twice. `conditions` is how many
    the network was asked under at each call."""

    t: Tensor
    x: Tensor
    guess: Tensor
    seconds: float
    conditions: int

    @property
    def features(self) -> Tensor:
        return self.guess[-1]


@torch.no_grad()
def speak(model: Model, sounds: Sequence[Tensor], voices: Tensor, asked: Asked) -> Speech:
    """Speak texts, n tensors of `Script.sounds()` or one for all, in voices, (n, width) or (1, width), all of them from
    the same noise."""
    n = max(len(sounds), len(voices))
    frames = max(one.shape[1] for one in sounds)
    silence = timed([], [], frames)
    filled = torch.stack([torch.cat([one, silence[:, one.shape[1] :]], 1) for one in sounds])
    told = Told(filled.expand(n, -1, -1), voices.expand(n, -1))
    words_only = Told(told.sounds, torch.zeros_like(told.voice))
    of_length = Denoiser(model.network, model.denoiser.schedule, model.denoiser.prediction, (1, ROWS, frames))
    steered = Nested(of_length, [words_only, told], [asked.words_scale, asked.voice_scale])
    began = time.perf_counter()
    noise = first_noise(of_length, 1, asked.seed).expand(n, -1, -1, -1)
    walk = list(sample_steps(steered, n=n, sampler=asked.sampler, steps=asked.steps, seed=asked.seed, x_init=noise))
    seconds = time.perf_counter() - began
    schedule = of_length.schedule
    t = torch.tensor([step.t for step in walk], dtype=torch.float64)
    x = torch.stack([step.x for step in walk])[:, :, 0]
    x = x / expand(view_scale(schedule, t).float(), x)
    guess = torch.stack([*(step.x0 for step in walk if step.x0 is not None), walk[-1].x])[:, :, 0]
    return Speech(t, x, guess, seconds, len(steered.told))


@dataclass(frozen=True)
class Spoken:
    """A text in one voice: the script, how it came, and the sound of every frame of the film, (frames of film,
    samples), of what was there and of what the model guessed, each with the mark."""

    script: Script
    speech: Speech
    noisy: Tensor
    guessed: Tensor

    @property
    def audio(self) -> Tensor:
        """The result, (samples,)."""
        return self.guessed[-1]


def spoken(model: Model, text: str, speed: float, voice: Tensor, asked: Asked) -> Spoken:
    """Speak a text in a voice (1, width), and listen to every step. Raises ValueError, with a sentence, for a text that
    cannot be spoken."""
    told = script(model, text, speed)
    speech = speak(model, [told.sounds()], voice, asked)
    sound = marked(heard(model, torch.cat([speech.x[:, 0], speech.guess[:, 0]])))
    noisy, guessed = sound.clamp(-1, 1).chunk(2)
    return Spoken(told, speech, noisy, guessed)


@torch.no_grad()
def heard(model: Model, features: Tensor) -> Tensor:
    """The sound of features (n, 66, frames), (n, samples) at one level."""
    return torch.stack([levelled(audio) for audio in model.vocoder(*parts(features))])
