"""How loud a sound is in each critical band of the ear: what lies far below it in its own band is masked."""

from itertools import pairwise

import torch
from torch import Tensor

from explorer.audio.spectrogram import FFT, HOP, RATE, stft

BARK = (100, 200, 300, 400, 510, 630, 770, 920, 1080, 1270, 1480, 1720, 2000, 2320, 2700, 3150, 3700)  # Hz


def levels(audio: Tensor) -> list[float]:
    """The level of a sound (samples,) in each critical band (Zwicker 1961) up to 3,700 Hz, in dB of full scale."""
    power = stft(audio[None], FFT, HOP, FFT)[0].abs().square().mean(1)
    frequencies = torch.arange(FFT // 2 + 1) * RATE / FFT
    found = []
    for low, high in pairwise(BARK):
        inside = (frequencies >= low) & (frequencies < high)
        found.append(float(10 * (power[inside].sum() / FFT**2 + 1e-12).log10()))
    return found


def critical_bands() -> list[float]:
    """The middle of each of them, in Hz."""
    return [(low + high) / 2 for low, high in pairwise(BARK)]
