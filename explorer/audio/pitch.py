"""The pitch of a voice: how often a second its folds open, found where a wave is like itself a moment ago."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from explorer.audio.spectrogram import HOP, RATE

LOWEST, HIGHEST = 60.0, 420.0  # Hz
SPAN = 512  # samples that a frame is compared over
VOICED = 0.5  # how alike two periods must be
JUMP = 3.0  # what an octave between two frames costs
CHANGE = 0.15  # what it costs to start or to stop
LONGER = 0.02  # what a period of twice the length costs, since it fits as well


def _alike(audio: Tensor, lags: Tensor) -> Tensor:
    """How alike a wave is to itself `lags` samples later, in [-1, 1], (frames, lags)."""
    longest = int(lags[-1])
    padded = functional.pad(audio, (SPAN // 2, SPAN // 2 + longest + 1))
    frames = padded.unfold(0, SPAN + longest, HOP)[: len(audio) // HOP + 1]
    frames = frames - frames[:, :SPAN].mean(1, keepdim=True)
    size = 2 ** math.ceil(math.log2(2 * SPAN + longest))
    spectrum = torch.fft.rfft(frames, size)
    products = torch.fft.irfft(torch.fft.rfft(frames[:, :SPAN], size).conj() * spectrum, size)[:, lags]
    energy = functional.pad(frames.square().cumsum(1), (1, 0))
    ahead = energy[:, lags + SPAN] - energy[:, lags]
    return products / (energy[:, SPAN, None] * ahead + 1e-5).sqrt()


def pitch(audio: Tensor) -> tuple[Tensor, Tensor]:
    """Of a waveform (samples,) at `RATE`: the pitch of each frame in Hz, (samples / HOP + 1,), and whether it is
    voiced, (frames,) bool. Where it is not, the pitch goes straight from one voiced frame to the next.

    Each frame's normalised correlation with itself (Talkin's RAPT, 1995) says how well each period fits; the path of
    the least cost through all frames (Viterbi 1967) decides between a period and twice it.
    """
    lags = torch.arange(int(RATE / HIGHEST), int(RATE / LOWEST) + 2)
    alike = _alike(audio, lags)
    octaves = torch.log2(lags.float())
    fits = 1 - _peaks(alike) + LONGER * (octaves - octaves[0])
    states = torch.cat([fits, torch.full((len(fits), 1), 1 - VOICED)], 1)  # the last state is "not voiced"
    moves = functional.pad(JUMP * (octaves[:, None] - octaves).abs(), (0, 1, 0, 1), value=CHANGE)
    moves[-1, -1] = 0
    cost, came_from = states[0], []
    for state in states[1:]:
        best, origin = (cost[:, None] + moves).min(0)
        cost = best + state
        came_from.append(origin)
    path = [int(cost.argmin())]
    for origin in reversed(came_from):
        path.append(int(origin[path[-1]]))
    chosen = torch.tensor(path[::-1])
    voiced = chosen < len(lags)
    rows = torch.arange(len(alike))
    near = (chosen[:, None] + torch.arange(-3, 4)).clamp(1, len(lags) - 2)  # the path is stiff: its peak is beside it
    inner = near[rows, alike[rows[:, None], near].argmax(1)]
    left, middle, right = (alike[rows, inner + k] for k in (-1, 0, 1))
    bend = (left - 2 * middle + right).clamp(max=-1e-6)
    period = lags[inner] + (0.5 * (left - right) / bend).clamp(-0.5, 0.5)
    return _bridged(RATE / period, voiced), voiced


def _peaks(alike: Tensor) -> Tensor:
    """How alike a wave is at the best period near each whole one: the top of the parabola through a peak, which lies
    between two samples; else a short period seems to fit less well than twice it."""
    left, middle, right = alike[:, :-2], alike[:, 1:-1], alike[:, 2:]
    bend = (left - 2 * middle + right).clamp(max=-1e-6)
    top = middle - (left - right).square() / (8 * bend)
    peak = (middle >= left) & (middle >= right)
    return torch.cat([alike[:, :1], torch.where(peak, top.clamp(max=1.0), middle), alike[:, -1:]], 1)


def _bridged(pitch: Tensor, voiced: Tensor) -> Tensor:
    """The pitch, and straight lines on a logarithmic scale where there is no voice; 150 Hz where there is none at
    all."""
    places = voiced.nonzero().flatten()
    if len(places) == 0:
        return torch.full_like(pitch, 150.0)
    rows = torch.arange(len(pitch))
    after = torch.searchsorted(places, rows).clamp(max=len(places) - 1)
    before = torch.where(places[after] > rows, (after - 1).clamp(min=0), after)
    first, last = places[before], places[after]
    share = ((rows - first).to(pitch) / (last - first).clamp(min=1)).clamp(0, 1)
    return torch.lerp(pitch[first].log(), pitch[last].log(), share).exp()
