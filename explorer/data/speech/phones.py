"""The sounds of English, as the CMU Pronouncing Dictionary writes them, and when each is heard."""

from collections.abc import Sequence

import torch
from torch import Tensor

from explorer.audio.spectrogram import HOP, RATE

SILENCE = "_"
VOWELS = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
CONSONANTS = (
    *("B", "CH", "D", "DH", "F", "G", "HH", "JH", "K", "L", "M", "N"),
    *("NG", "P", "R", "S", "SH", "T", "TH", "V", "W", "Y", "Z", "ZH"),
)
PHONES = (SILENCE, *(vowel + stress for vowel in VOWELS for stress in "012"), *CONSONANTS)
NUMBERS = {phone: number for number, phone in enumerate(PHONES, start=1)}  # 0 is no phone at all
FRAMES = RATE / HOP  # a second


def timed(phones: Sequence[str], seconds: Sequence[float], frames: int | None = None) -> Tensor:
    """What is said in each frame, (3, frames): the number of the phone, how far it has gone, from -1 to 1, and the
    logarithm of its length. `frames` fills up with silence, or cuts off."""
    ends = (torch.tensor([0.0, *seconds], dtype=torch.float64).cumsum(0) * FRAMES).round().long()[1:]
    frames = frames or max(1, int(ends[-1]))
    place = torch.arange(frames)
    which = torch.searchsorted(ends, place, right=True)
    numbers = torch.tensor([*(NUMBERS[phone] for phone in phones), NUMBERS[SILENCE]])[which.clamp(max=len(phones))]
    starts = torch.cat([torch.zeros(1, dtype=torch.long), ends])
    last = torch.cat([ends, torch.tensor([max(frames, int(starts[-1]) + 1)])])
    length = (last - starts)[which].clamp(min=1)
    gone = (place - starts[which] + 0.5) / length
    return torch.stack([numbers.float(), 2 * gone.float() - 1, length.float().log() / 2 - 1])
