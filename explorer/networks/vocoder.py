"""From features of speech to sound: vocal folds and breath, each through a filter that a small network chooses.

    pitch -> pulses, all harmonics alike -> filter of each frame --+
                                                                   +--> sound
             noise                       -> filter of each frame --+

The source and the filter are Fant's picture of speech (1960); a network for the filters alone is that of Wang,
Takaki and Yamagishi (2019) and of the NHV of Liu, Chen and Yu (2020).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.audio.features import LOUDNESS, PITCH
from explorer.audio.spectrogram import BANDS, HOP, RATE, istft, stft
from explorer.networks.blocks import GroupNorm

FFT = WINDOW = 256
HIGHEST = 3_900.0  # Hz, of a harmonic
SOURCE = 0.3  # about how loud both sources are


class ConvNeXt(nn.Module):
    """A look at seven frames, then at all channels of each (Liu et al. 2022); maps (n, width, frames) to the same."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.look = nn.Conv1d(width, width, 7, padding=3, groups=width)
        self.norm = GroupNorm(1, width)
        self.wider, self.narrower = nn.Conv1d(width, hidden, 1), nn.Conv1d(hidden, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.narrower(functional.gelu(self.wider(self.norm(self.look(x)))))


def pulses(hertz: Tensor, voiced: Tensor) -> Tensor:
    """Harmonics of a pitch (n, frames), all as loud, up to `HIGHEST`, (n, (frames - 1) * HOP): sum of cos(k phase) in
    closed form (Dirichlet's kernel)."""
    samples = (hertz.shape[1] - 1) * HOP

    def stretched(values: Tensor) -> Tensor:
        return functional.interpolate(values[:, None], samples + 1, mode="linear", align_corners=True)[:, 0, :samples]

    pitch = stretched(hertz.log()).exp()
    phase = 2 * math.pi * ((pitch.double() / RATE).cumsum(1) % 1).float()
    count = (HIGHEST / pitch).floor()
    half = (phase / 2).sin()
    at_once = half.abs() < 1e-3  # all of them are at their largest
    harmonics = torch.where(at_once, count, ((count + 0.5) * phase).sin() / (2 * half.where(~at_once, 1)) - 0.5)
    return SOURCE * harmonics / (count / 2).sqrt() * stretched(voiced)


class Vocoder(nn.Module):
    """Log-mel spectrograms (n, 64, frames), pitch in Hz and voicing from 0 to 1, both (n, frames), as sound,
    (n, (frames - 1) * HOP), in [-1, 1] at 8 kHz."""

    def __init__(self, width: int = 160, hidden: int = 384, depth: int = 4):
        super().__init__()
        self.size = {"width": width, "hidden": hidden, "depth": depth}
        self.stem = nn.Conv1d(BANDS + 2, width, 5, padding=2)
        self.blocks = nn.ModuleList(ConvNeXt(width, hidden) for _ in range(depth))
        self.norm = GroupNorm(1, width)
        self.head = nn.Conv1d(width, 3 * (FFT // 2 + 1), 1)

    def forward(self, bands: Tensor, hertz: Tensor, voiced: Tensor, seed: int = 0) -> Tensor:
        tone = (hertz.log() - PITCH[0]) / PITCH[1]
        h = self.stem(torch.cat([(bands - LOUDNESS[0]) / LOUDNESS[1], tone[:, None], 2 * voiced[:, None] - 1], 1))
        for block in self.blocks:
            h = block(h)
        loudness, phase, breath = self.head(functional.gelu(self.norm(h))).chunk(3, 1)
        folds = pulses(hertz, voiced)
        generator = torch.Generator().manual_seed(seed)
        noise = SOURCE * torch.randn(folds.shape[1], generator=generator).to(folds).expand_as(folds)  # one for all of n
        spectrum = stft(folds, FFT, HOP, WINDOW) * torch.polar(loudness.clamp(-9, 4).exp(), phase)
        spectrum = spectrum + stft(noise, FFT, HOP, WINDOW) * (breath - 2).clamp(-9, 4).exp()
        return istft(spectrum, FFT, HOP, WINDOW)
