"""A network that speaks: a small U-Net along time, told in each frame which sound is due, and in whose voice.

    features -> stem -> encoder 1 -> down 1 -> encoder 2 ... middle ... decoder 2 -> up 1 -> decoder 1 -> head
                          |                       +------------------------+                     |
                          +----------------------------------------------------------------------+
    sounds of each frame -> their vectors, looking a little around -> beside the features, into the stem
    reference -> voice encoder -> one vector, with the time -> scales and shifts in every block

The features of speech, 64 bands with pitch and voicing, are channels; two frames are folded into one.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.arguments import tensor_of
from explorer.audio.features import ROWS
from explorer.audio.spectrogram import BANDS
from explorer.data.speech.phones import PHONES
from explorer.denoiser import Denoiser
from explorer.modes import default_modes
from explorer.networks.blocks import Drawn, FourierFeatures, GroupNorm, build
from explorer.networks.text import Table
from explorer.networks.unet import GROUPS, ResidualBlock
from explorer.schedules import make_schedule

KERNEL = (1, 3)
SOUND_ROWS = 3  # of `timed`: which phone, how far, how long


class Spoken(NamedTuple):
    """What to say and in whose voice: `sounds` (n, 3, frames), as `timed` returns them, zeros where nothing is said,
    and `voice` (n, width), as `SpeechUNet.encode` returns them, zeros for any."""

    sounds: Tensor
    voice: Tensor


def fold(x: Tensor) -> Tensor:
    """Two frames into one of twice the channels: (n, c, 1, t) to (n, 2 c, 1, t / 2)."""
    n, channels, _, frames = x.shape
    return x.reshape(n, channels, frames // 2, 2).permute(0, 3, 1, 2).reshape(n, 2 * channels, 1, frames // 2)


def unfold(x: Tensor) -> Tensor:
    """The inverse of `fold`."""
    n, channels, _, frames = x.shape
    return x.reshape(n, 2, channels // 2, frames).permute(0, 2, 3, 1).reshape(n, channels // 2, 1, 2 * frames)


class VoiceEncoder(nn.Module):
    """Features of speech, (n, 66, frames) of at least 8, as one vector of its voice, (n, outputs), of length
    sqrt(outputs).

    Means and spreads over time, of maps and of the features themselves, forget what was said.
    """

    def __init__(self, width: int, outputs: int):
        super().__init__()
        self.stem = nn.Conv2d(ROWS, width, (1, 5), stride=(1, 2), padding=(0, 2))
        self.norms = nn.ModuleList(GroupNorm(GROUPS, width) for _ in range(4))
        self.convolutions = nn.ModuleList(
            nn.Conv2d(width, width, KERNEL, padding=(0, far), dilation=(1, far)) for far in (1, 2, 3)
        )
        self.out = nn.Linear(2 * width + 2 * ROWS, outputs)

    def forward(self, features: Tensor) -> Tensor:
        hidden = self.stem(features[:, :, None])
        for norm, convolution in zip(self.norms, self.convolutions, strict=False):
            hidden = hidden + convolution(functional.silu(norm(hidden)))
        hidden = functional.silu(self.norms[-1](hidden))[:, :, 0]
        loud = (2 * features[:, :BANDS].mean(1, keepdim=True)).softmax(2)  # silence says nothing of a voice
        mean = (loud * features).sum(2)
        spread = (loud * (features - mean[:, :, None]).square()).sum(2).clamp(min=1e-4).sqrt()
        moments = torch.cat([hidden.mean(2), hidden.std(2), mean, spread], 1)
        vector = self.out(moments)
        return functional.normalize(vector, dim=1) * vector.shape[1] ** 0.5


class NoVoice(Drawn):
    """What stands where no voice is asked for: one learned vector, (1, width)."""

    def __init__(self, width: int):
        super().__init__()
        self.vector = nn.Parameter(torch.empty(1, width))

    def draw(self, generator: torch.Generator) -> None:
        nn.init.normal_(self.vector, generator=generator)


class SpeechUNet(nn.Module):
    """Maps features of speech, (n, 1, 66, frames), and their log-SNR, (1,) or (n,), to features of the same shape.

    Frames come in multiples of 2 ** len(widths). `widths` are the channels of each level, multiples of 8; `voice` is
    the width of a voice's vector, `encoder` that of the encoder's maps, `sounds` that of a sound's vector.
    The condition is `Spoken`, or, to train, a tensor (n, 3 + 66, frames): the sounds, and features of a reference in
    the same voice, zeros for none.
    """

    takes_condition = True

    def __init__(
        self,
        widths: Sequence[int] = (192, 256, 256),
        voice: int = 128,
        encoder: int = 160,
        sounds: int = 96,
        embedding: int = 256,
    ):
        super().__init__()
        self.size = {
            "widths": list(widths),
            "voice": voice,
            "encoder": encoder,
            "sounds": sounds,
            "embedding": embedding,
        }
        self.sounds = Table(len(PHONES) + 1, sounds, 0.5)
        self.around = nn.ModuleList(
            [
                nn.Conv2d(sounds + SOUND_ROWS - 1, sounds, (1, 5), padding=(0, 2)),
                nn.Conv2d(sounds, sounds, (1, 5), padding=(0, 2)),
            ]
        )
        self.encoder, self.no_voice = VoiceEncoder(encoder, voice), NoVoice(voice)
        self.features = FourierFeatures(1, 16, scale=0.3)
        self.time = nn.Sequential(nn.Linear(33, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.speaker = nn.Sequential(nn.Linear(voice, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.stem = nn.Conv2d(2 * (ROWS + sounds), widths[0], KERNEL, padding=(0, 1))
        steps = list(pairwise(widths))

        def block(inputs: int, outputs: int) -> ResidualBlock:
            return ResidualBlock(inputs, outputs, embedding, KERNEL)

        self.encoders = nn.ModuleList(block(width, width) for width in widths)
        self.downs = nn.ModuleList(nn.Conv2d(a, b, KERNEL, stride=(1, 2), padding=(0, 1)) for a, b in steps)
        self.middle = nn.ModuleList(block(widths[-1], widths[-1]) for _ in range(2))
        self.decoders = nn.ModuleList(block(2 * width, width) for width in widths)
        self.ups = nn.ModuleList(nn.Conv2d(b, a, KERNEL, padding=(0, 1)) for a, b in steps)
        self.head_norm = GroupNorm(GROUPS, widths[0])
        self.head = nn.Conv2d(widths[0], 2 * ROWS, KERNEL, padding=(0, 1))

    @property
    def voice_width(self) -> int:
        return self.no_voice.vector.shape[1]

    def encode(self, features: Tensor) -> Tensor:
        """The voices of references, (n, 66, frames), as vectors (n, voice)."""
        return self.encoder(features)

    def read_condition(self, condition: Any, n: int) -> Tensor | Spoken:
        """`Spoken` of n, or n rows to train on. Raises ValueError for anything else."""
        wanted = f"the condition must be Spoken of {n}, or a tensor of shape ({n}, {SOUND_ROWS + ROWS}, frames)"
        if isinstance(condition, Spoken):
            sounds, voice = condition
            if sounds.shape[:2] != (n, SOUND_ROWS) or voice.shape != (n, self.voice_width):
                raise ValueError(f"{wanted}, not of {tuple(sounds.shape)} and {tuple(voice.shape)}")
            read: Tensor | Spoken = Spoken(sounds.clone(), voice.clone())
            numbers = sounds[:, 0]
        else:
            try:
                read = tensor_of(condition, device=self.no_voice.vector.device)
            except (OverflowError, RuntimeError, TypeError, ValueError):
                raise ValueError(f"{wanted}, not {condition!r:.40}") from None
            if read.ndim != 3 or read.shape[:2] != (n, SOUND_ROWS + ROWS) or not read.is_floating_point():
                raise ValueError(f"{wanted}, not {read.dtype} of {tuple(read.shape)}")
            numbers = read[:, 0]
        if bool(((numbers < 0) | (numbers > len(PHONES)) | (numbers != numbers.round())).any()):
            raise ValueError(f"sounds are numbers of phones, from 0 to {len(PHONES)}")
        return read

    def side_by_side(self, conditions: Sequence[Tensor | Spoken | None], n: int) -> Spoken | None:
        """All conditions of n as one, of as many times n; None where none of them says how long it is."""
        told = [one for one in conditions if isinstance(one, Spoken)]
        if not told or any(isinstance(one, Tensor) for one in conditions):
            return None
        nothing = Spoken(torch.zeros_like(told[0].sounds), torch.zeros_like(told[0].voice))
        each = [nothing if one is None else one for one in conditions]
        return Spoken(torch.cat([one.sounds for one in each]), torch.cat([one.voice for one in each]))  # type: ignore[union-attr]

    def _told(self, condition: Tensor | Spoken | None, x: Tensor) -> Spoken:
        if isinstance(condition, Spoken):
            return condition
        if condition is None:
            return Spoken(x.new_zeros(len(x), SOUND_ROWS, x.shape[-1]), x.new_zeros(len(x), self.voice_width))
        reference = condition[:, SOUND_ROWS:]
        given = (reference != 0).any(2).any(1)[:, None]
        return Spoken(condition[:, :SOUND_ROWS], self.encode(reference) * given)

    def forward(self, x: Tensor, log_snr: Tensor, condition: Tensor | Spoken | None = None) -> Tensor:
        sounds, voice = self._told(condition, x)
        voice = torch.where((voice != 0).any(1, keepdim=True), voice, self.no_voice.vector)
        log_snr = log_snr[:, None]
        time = torch.cat([self.features(log_snr), log_snr / 4], 1)
        e = functional.silu(self.time(time) + self.speaker(voice))

        vectors = self.sounds.vectors[sounds[:, 0].long()].transpose(1, 2)
        told = torch.cat([vectors, sounds[:, 1:]], 1)[:, :, None]
        told = self.around[1](functional.silu(self.around[0](told)))
        h = self.stem(fold(torch.cat([x.transpose(1, 2), told], 1)))

        skips = []
        for level, encoder in enumerate(self.encoders):
            h = encoder(self.downs[level - 1](h) if level else h, e)
            skips.append(h)
        for block in self.middle:
            h = block(h, e)
        for level in range(len(skips) - 1, -1, -1):
            if level < len(skips) - 1:
                h = functional.interpolate(self.ups[level](h), size=skips[level].shape[-2:], mode="nearest")
            h = self.decoders[level](torch.cat([h, skips[level]], 1), e)
        return unfold(self.head(functional.silu(self.head_norm(h)))).transpose(1, 2)


@default_modes()
def make_speech_denoiser(frames: int, seed: int = 0, **size: Any) -> Denoiser:
    """An untrained model of speech of so many frames; `size` is what `SpeechUNet` takes.

    It predicts x_0: the network is narrower than two frames of noise, which every other prediction must carry.
    """
    network = build(lambda: SpeechUNet(**size), seed).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Denoiser(network, make_schedule("cosine"), "x0", (1, ROWS, frames))
