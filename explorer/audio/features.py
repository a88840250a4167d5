"""What the model sees of speech: 64 bands, the pitch, and whether there is a voice, as 66 rows of about unit size."""

import math

import torch
from torch import Tensor

from explorer.audio.pitch import pitch
from explorer.audio.spectrogram import BANDS, log_mel

ROWS = BANDS + 2
LEVEL = 0.08  # the root mean square that speech is brought to
LOUDNESS = (-3.2, 2.3)  # mean and spread of log magnitudes
PITCH = (math.log(160.0), 0.35)  # of the logarithm of Hz


def levelled(audio: Tensor) -> Tensor:
    """Speech (samples,) at the level that all of it has here, as loud where it is loudest as it may be."""
    return audio * min(LEVEL / float(audio.square().mean().sqrt() + 1e-9), 0.99 / float(audio.abs().max() + 1e-9))


def features(audio: Tensor) -> Tensor:
    """Speech (samples,) at 8 kHz as (66, samples / 100 + 1)."""
    hertz, voiced = pitch(audio)
    bands = (log_mel(audio[None])[0] - LOUDNESS[0]) / LOUDNESS[1]
    tone = (hertz.log() - PITCH[0]) / PITCH[1]
    return torch.cat([bands, tone[None], 2 * voiced[None].to(bands) - 1])


def parts(features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Features (n, 66, frames) as log-mel spectrograms (n, 64, frames), pitch in Hz and how voiced, from 0 to 1, both
    (n, frames)."""
    bands, tone, voiced = features[:, :BANDS], features[:, BANDS], features[:, BANDS + 1]
    return LOUDNESS[0] + LOUDNESS[1] * bands, (PITCH[0] + PITCH[1] * tone).exp(), ((voiced + 1) / 2).clamp(0, 1)
