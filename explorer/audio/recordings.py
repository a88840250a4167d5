"""Recordings that people make or upload: parsed defensively, refused in a sentence, brought to what the model hears."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr
import torch
from torch import Tensor
from torch.nn import functional

from explorer.audio.features import levelled
from explorer.audio.pitch import pitch
from explorer.audio.spectrogram import HOP, RATE

ENDINGS = ["wav", "flac", "ogg", "oga", "opus", "mp3"]
WANTED = "Choose a WAV, FLAC, OGG or MP3 file"
MOST_BYTES = 20_000_000
MOST_CHANNELS = 16
RATES = (4_000, 400_000)  # samples a second
READ = 60.0  # seconds of a file that are looked at
MOST_VALUES = 12_000_000  # of all channels together: a minute of two at 96 kHz; silence packs to next to nothing
KEPT = 15.0  # seconds of speech that are kept
LEAST = 1.0
QUIET = -40.0  # dB below the loudest frames: a pause
SILENT = 1e-4  # root mean square of what is no sound at all
LONGEST_PAUSE = 0.2  # seconds
CLIPPED = 0.999  # of full scale
TOLD = {  # how files begin that are something else
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a ZIP archive or a document",
    b"\x1aE\xdf\xa3": "a WebM or Matroska file",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"\x30\x26\xb2\x75": "a Windows Media file",
}


@dataclass(frozen=True)
class Recording:
    """`audio` (samples,) at 8 kHz: the speech of a recording, pauses shortened, at the level of all speech here; what
    it was: samples a second, channels, seconds; and `warnings`, sentences about what makes the voice less like."""

    audio: Tensor
    rate: int
    channels: int
    seconds: float
    warnings: Sequence[str] = ()


def read_recording(content: bytes) -> Recording:
    """The speech in a file. Nothing in it is run. Raises ValueError, with a sentence for the person who chose the file,
    for one that is no sound, damaged, too large, silent or too short."""
    return _heard(*_decoded(content))


def whole(content: bytes) -> Tensor:
    """All that is heard in a file's first minute, (samples,) at 8 kHz, as it is. Raises ValueError as
    `read_recording` does, for a file that is no sound."""
    wave, rate, _ = _decoded(content)
    audio = _mono(wave, rate)
    if len(audio) < RATE:
        raise ValueError("This file is shorter than a second: too short to look for a mark in it.")
    return audio


def _decoded(content: bytes) -> tuple[np.ndarray, int, float]:
    """The first minute of a file or less, (samples, channels), its rate, and the seconds that it has in all."""
    if not content:
        raise ValueError(f"This file is empty. {WANTED}.")
    if len(content) > MOST_BYTES:
        raise ValueError(f"This file has {len(content) / 1e6:.1f} MB. Choose one of at most {MOST_BYTES / 1e6:.0f} MB.")
    for start, what in TOLD.items():
        if content.startswith(start):
            raise ValueError(f"This is {what}, whatever its name says, and can't be read as sound. {WANTED}.")
    if content[4:8] == b"ftyp":
        raise ValueError(f"This is an M4A or MP4 file, which is not read here. {WANTED}.")
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            rate, channels, told = file.samplerate, file.channels, file.frames
            if not RATES[0] <= rate <= RATES[1] or not 1 <= channels <= MOST_CHANNELS:
                raise ValueError(
                    f"This file says that it has {channels} channels of {rate:,} samples a second. Choose one of at "
                    f"most {MOST_CHANNELS} channels, and of {RATES[0]:,} to {RATES[1]:,} samples a second."
                )
            most = min(int(READ * rate), MOST_VALUES // channels)
            wave = file.read(most, dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise ValueError(f"This file is no sound that can be read here, or it is damaged. {WANTED}.") from error
    if len(wave) == 0:
        raise ValueError(f"There is no sound in this file, whatever its header says. {WANTED}.")
    if not np.isfinite(wave).all():
        raise ValueError("This file holds values that are no numbers. Save it again as a WAV file of 16 bits.")
    return wave, rate, told / rate if len(wave) == most else len(wave) / rate


def _mono(wave: np.ndarray, rate: int) -> Tensor:
    """A wave (samples, channels) as one channel at 8 kHz, (samples,)."""
    mixed = wave.mean(1)
    if np.square(mixed).mean() < 0.01 * np.square(wave).mean():  # channels that cancel each other
        mixed = wave[:, 0]
    return torch.from_numpy(np.ascontiguousarray(soxr.resample(mixed.clip(-8, 8), rate, RATE), np.float32))


def _heard(wave: np.ndarray, rate: int, seconds: float) -> Recording:
    """The speech in a wave (samples, channels) at a rate. Raises ValueError as `read_recording` does."""
    warnings = []
    largest = float(np.abs(wave).max())
    clipped = float((np.abs(wave) >= CLIPPED * max(largest, 1)).mean())
    audio = _mono(wave, rate)
    if len(audio) < 2 * HOP or float(audio.square().mean().sqrt()) < SILENT:
        raise ValueError(
            "Nothing is heard in this recording. Check that the microphone is on, and speak for some seconds."
        )
    speech = without_pauses(audio - audio.mean())
    if len(speech) < LEAST * RATE:
        raise ValueError(
            f"Only {len(speech) / RATE:.1f} seconds of sound are in this recording, and {LEAST:.0f} is the least. "
            "Speak for some seconds: five are good."
        )
    if clipped > 1e-3:
        warnings.append(f"{100 * clipped:.1f} % of the samples are as loud as can be: the recording is clipped.")
    if len(speech) > KEPT * RATE:
        warnings.append(f"Only the first {KEPT:.0f} seconds of speech are used.")
        speech = speech[: int(KEPT * RATE)]
    speech = levelled(speech)
    _, voiced = pitch(speech)
    share = float(voiced.float().mean())
    if share < 0.15:
        warnings.append(f"Only {100 * share:.0f} % of it has a pitch: is it a voice?")
    return Recording(speech, rate, wave.shape[1], seconds, tuple(warnings))


def without_pauses(audio: Tensor) -> Tensor:
    """A recording (samples,) with pauses of at most `LONGEST_PAUSE` seconds, none at the ends."""
    frames = audio[: len(audio) // HOP * HOP].reshape(-1, HOP)
    loudness = 10 * (frames.square().mean(1) + 1e-12).log10()
    loud = loudness > torch.quantile(loudness, 0.95) + QUIET
    loud = functional.max_pool1d(loud[None].float(), 5, 1, 2)[0] > 0  # the ends of words are soft
    kept, pause, most = torch.zeros_like(loud), 0, int(LONGEST_PAUSE * RATE / HOP)
    started = False
    for k, one in enumerate(loud.tolist()):
        pause = 0 if one else pause + 1
        started = started or one
        kept[k] = started and pause <= most
    last = int(loud.nonzero()[-1]) + 1
    return frames[:last][kept[:last]].flatten()


def written(audio: Tensor, comment: str = "") -> bytes:
    """A WAV file of 16 bits with a sound (samples,) at 8 kHz, and a comment in it."""
    target = io.BytesIO()
    with soundfile.SoundFile(target, "w", RATE, 1, "PCM_16", format="WAV") as file:
        if comment:
            file.comment = comment
        file.write(audio.numpy())
    return target.getvalue()
