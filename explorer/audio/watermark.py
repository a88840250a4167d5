"""A mark that says "made by a model": a secret pattern of slightly louder and softer patches, over time and frequency.

Each of 50 bands between 100 and 3,400 Hz is made louder or softer by about a decibel every 64 ms, as a key says that
repeats every three seconds. It is found by laying the key over the sound at every place and at many speeds: spread
spectrum (Cox et al. 1997; for sound, Kirovski and Malvar 2003).
"""

from dataclasses import dataclass

import numpy as np
import soxr
import torch
from torch import Tensor
from torch.nn import functional

from explorer.audio.spectrogram import RATE, istft, stft
from explorer.modes import default_modes
from explorer.once import once

FFT, HOP = 512, 128
LOOK = 64  # hop of the search, samples
BANDS = 50
LOWEST, HIGHEST = 100.0, 3_400.0  # Hz
CHIP = 512  # samples for which a patch lasts
CHIPS = 48  # until the key repeats
STRENGTH = 0.2  # of the logarithm of a magnitude: 1.7 dB
SPEEDS = tuple(1 + 0.005 * k for k in range(-12, 13))
FOUND = 4.0  # the least score that counts as found
KEY = 20261126
MOST_SECONDS = 30


@once()
@default_modes()
def _bands() -> Tensor:
    """The band of each frequency, (FFT / 2 + 1,), -1 for none."""
    frequencies = torch.arange(FFT // 2 + 1, dtype=torch.float32) * RATE / FFT
    band = ((frequencies - LOWEST) / (HIGHEST - LOWEST) * BANDS).floor().long()
    return torch.where((frequencies < LOWEST) | (frequencies >= HIGHEST), -1, band)


@once()
@default_modes()
def _key() -> Tensor:
    """(BANDS, CHIPS) of +1 and -1."""
    generator = torch.Generator().manual_seed(KEY)
    return 2 * torch.randint(2, (BANDS, CHIPS), generator=generator).to(torch.float32) - 1


def marked(audio: Tensor, strength: float = STRENGTH) -> Tensor:
    """Sounds (n, samples) at 8 kHz with the mark in them, of the same length."""
    length = -(-audio.shape[1] // HOP) * HOP
    spectrum = stft(functional.pad(audio, (0, length - audio.shape[1])), FFT, HOP, FFT)
    chip = torch.arange(spectrum.shape[2]) * HOP // CHIP % CHIPS
    bands = _bands()
    gain = torch.where(bands[:, None] < 0, 0.0, _key()[bands.clamp(min=0)][:, chip])
    return istft(spectrum * (strength * gain).exp(), FFT, HOP, FFT)[:, : audio.shape[1]]


@dataclass(frozen=True)
class Found:
    """How well the key fits where it fits best, in standard deviations of what chance gives at one place, and how much
    faster the sound is than when it was marked."""

    score: float
    speed: float

    @property
    def marked(self) -> bool:
        return self.score >= FOUND


def _fit(audio: Tensor) -> float:
    """The best score of all places of the key, for a sound (samples,) at the speed at which it was marked."""
    power = stft(audio[None], FFT, LOOK, FFT)[0].abs().square()
    bands = _bands()
    inside = bands >= 0
    each = torch.zeros(BANDS, power.shape[1]).index_add(0, bands[inside], power[inside])
    loud = (each + 1e-7).log() / 2
    chip = CHIP // LOOK
    around = functional.avg_pool1d(loud[None], 20 * chip + 1, 1, 10 * chip, count_include_pad=False)[0]
    rest = loud - around
    rest = rest - functional.avg_pool1d(rest.T[None], 5, 1, 2, count_include_pad=False)[0].T
    floor = torch.quantile(each, 0.1, dim=1, keepdim=True) + 1e-6
    clear = each / (each + 30 * floor)  # a patch that noise fills says nothing
    rest = rest.clamp(-1.2, 1.2)
    rest = clear * rest / ((clear * rest.square()).sum(1, keepdim=True) / clear.sum(1, keepdim=True) + 0.02)
    period = CHIPS * chip
    folded = torch.zeros(BANDS, period).index_add(1, torch.arange(rest.shape[1]) % period, rest)
    key = _key().repeat_interleave(chip, 1)
    fits = torch.fft.irfft(torch.fft.rfft(folded).conj() * torch.fft.rfft(key), period).sum(0)
    smooth = chip  # neighbouring frames of a chip say the same
    return float(fits.max() / (rest.square().sum() * smooth).sqrt().clamp(min=1e-9))


def detect(audio: Tensor) -> Found:
    """Look for the mark in a sound (samples,) at 8 kHz, as it is, or played up to 6 % faster or slower."""
    wave = audio[: MOST_SECONDS * RATE].numpy()
    wave = wave / (np.sqrt(np.square(wave).mean()) + 1e-9) * 0.08
    best = Found(0.0, 1.0)
    for speed in SPEEDS:
        again = wave if speed == 1 else soxr.resample(wave, RATE, RATE * speed)
        if len(again) > 2 * FFT:
            score = _fit(torch.from_numpy(np.ascontiguousarray(again, np.float32)))
            best = max(best, Found(score, speed), key=lambda found: found.score)
    return best
