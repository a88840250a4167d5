"""Waveforms to log-mel spectrograms, as the ear divides them, and back by Griffin and Lim's method."""

import math

import torch
from torch import Tensor

from explorer.modes import default_modes
from explorer.once import once

RATE = 8_000  # samples a second, as on a telephone
HOP = 100  # samples between two frames
WINDOW = 400  # samples that a frame sees
FFT = 512
BANDS = 64
FLOOR = 1e-3  # of a magnitude: what is quieter is silence
LOWEST, HIGHEST = 50.0, RATE / 2  # Hz


def mel(hertz: float) -> float:
    """O'Shaughnessy's scale (1987), on which steps that sound equal are equal."""
    return 2595 * math.log10(1 + hertz / 700)


def hertz(mel: float) -> float:
    return 700 * (10 ** (mel / 2595) - 1)


def centres() -> list[float]:
    """The middle of each band in Hz."""
    low, high = mel(LOWEST), mel(HIGHEST)
    return [hertz(low + (high - low) * (k + 1) / (BANDS + 1)) for k in range(BANDS)]


@once()
@default_modes()
def mel_filters() -> Tensor:
    """How much each frequency of the transform counts in each band, (BANDS, FFT / 2 + 1): overlapping triangles, each
    of which sums to 1."""
    edges = torch.tensor([LOWEST, *centres(), HIGHEST], dtype=torch.float32)
    frequencies = torch.arange(FFT // 2 + 1, dtype=torch.float32) * RATE / FFT
    rising = (frequencies - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - frequencies) / (edges[2:] - edges[1:-1])[:, None]
    triangles = torch.minimum(rising, falling).clamp(min=0)
    narrow = triangles.sum(1) < 1e-6  # a band between two frequencies takes the nearest one
    nearest = (frequencies - edges[1:-1, None]).abs().argmin(1)
    triangles[narrow, nearest[narrow]] = 1
    return triangles / triangles.sum(1, keepdim=True)


def stft(audio: Tensor, fft: int = FFT, hop: int = HOP, window: int = WINDOW) -> Tensor:
    """The short-time Fourier transform of (n, samples), complex (n, fft / 2 + 1, samples / hop + 1)."""
    hann = torch.hann_window(window, dtype=audio.dtype, device=audio.device)
    return torch.stft(audio, fft, hop, window, hann, center=True, pad_mode="constant", return_complex=True)


def istft(spectrum: Tensor, fft: int = FFT, hop: int = HOP, window: int = WINDOW) -> Tensor:
    """The waveform (n, (frames - 1) * hop) whose transform is nearest to `spectrum` (Griffin and Lim 1984)."""
    hann = torch.hann_window(window, dtype=spectrum.real.dtype, device=spectrum.device)
    return torch.istft(spectrum, fft, hop, window, hann, center=True)


def log_mel(audio: Tensor) -> Tensor:
    """The logarithm of the magnitude in each band, (n, BANDS, samples / HOP + 1), of waveforms (n, samples) in
    [-1, 1] at `RATE`."""
    return (mel_filters() @ stft(audio).abs()).clamp(min=FLOOR).log()


def magnitudes(log_mels: Tensor, iterations: int = 20) -> Tensor:
    """Magnitudes (n, FFT / 2 + 1, frames), none negative, whose bands are nearest to those of (n, BANDS, frames):
    by the multiplicative updates of Lee and Seung (2001)."""
    filters, wanted = mel_filters(), log_mels.exp()
    found = filters.T @ wanted / filters.sum(0)[:, None].clamp(min=1e-3)
    for _ in range(iterations):
        found = found * (filters.T @ wanted) / (filters.T @ (filters @ found) + 1e-6)
    return found


def griffin_lim(log_mels: Tensor, iterations: int = 48, seed: int = 0) -> Tensor:
    """A waveform (n, (frames - 1) * HOP) for log-mel spectrograms (n, BANDS, frames), by guessing phases that agree
    with each other (Griffin and Lim 1984; with momentum, Perraudin, Balazs and Sondergaard 2013)."""
    wanted = magnitudes(log_mels)
    generator = torch.Generator().manual_seed(seed)
    phase = torch.polar(torch.ones_like(wanted), 2 * math.pi * torch.rand(wanted.shape, generator=generator))
    before = torch.zeros_like(phase)
    for _ in range(iterations):
        now = stft(istft(wanted * phase))
        ahead = now + 0.5 * (now - before)
        phase, before = ahead / (ahead.abs() + 1e-9), now
    return istft(wanted * phase)
