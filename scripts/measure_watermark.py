"""How often the mark in speech is found, after what happens to sounds, and how often where it is not.

python scripts/measure_watermark.py FOLDER     # that of `speak_kokoro.py`; writes assets/speech/watermark.json
"""

import argparse
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from speech import utterances
from torch import Tensor

from explorer.audio.features import levelled
from explorer.audio.spectrogram import RATE
from explorer.audio.watermark import FOUND, detect, marked
from explorer.lessons.voice_cloning.voices import FOLDER

SECONDS, CLIPS, UNMARKED = 3.0, 60, 1_000


def resampled(audio: Tensor, first: float, second: float) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(soxr.resample(audio.numpy(), first, second), np.float32))


def noisy(audio: Tensor, decibels: float) -> Tensor:
    noise = torch.randn(len(audio), generator=torch.Generator().manual_seed(len(audio)))
    return audio + noise * audio.square().mean().sqrt() * 10 ** (-decibels / 20)


def through(audio: Tensor, **options: object) -> Tensor:
    """Written by a codec at 44.1 kHz, and read again."""
    file = io.BytesIO()
    wave = resampled(audio, RATE, 44_100).numpy()
    soundfile.write(file, wave, 44_100, **options)
    file.seek(0)
    again, rate = soundfile.read(file, dtype="float32")
    return resampled(torch.from_numpy(again), rate, RATE)


ATTACKS: dict[str, Callable[[Tensor], Tensor]] = {
    "nothing": lambda audio: audio,
    "44.1 kHz and back": lambda audio: resampled(resampled(audio, RATE, 44_100), 44_100, RATE),
    "6 kHz and back": lambda audio: resampled(resampled(audio, RATE, 6_000), 6_000, RATE),
    "MP3, 64 kbit/s": lambda audio: through(audio, format="MP3", bitrate_mode="CONSTANT", compression_level=0.82),
    "Ogg Vorbis, least quality": lambda audio: through(audio, format="OGG", subtype="VORBIS", compression_level=0.99),
    "12 dB softer, 16 bits": lambda audio: (audio * 0.25 * 32767).round() / 32767,
    "the first 0.37 s cut off": lambda audio: audio[int(0.37 * RATE) :],
    "half of it": lambda audio: audio[: len(audio) // 2],
    "2 % faster": lambda audio: resampled(audio, RATE, RATE / 1.02),
    "4.3 % slower": lambda audio: resampled(audio, RATE, RATE / 0.957),
    "10 % faster": lambda audio: resampled(audio, RATE, RATE / 1.1),
    "noise at -30 dB": lambda audio: noisy(audio, 30),
    "noise at -20 dB": lambda audio: noisy(audio, 20),
    "noise at -10 dB": lambda audio: noisy(audio, 10),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    length, clips = int(SECONDS * RATE), []
    for path in sorted(given.folder.glob("voice-*.npz")):
        audio = torch.cat([about["audio"] for _, _, about in utterances(path)])
        clips += [levelled(piece) for piece in audio.split(length) if len(piece) == length]
        if len(clips) >= UNMARKED:
            break
    clips = clips[:UNMARKED]
    bare = np.array([detect(clip).score for clip in clips])
    print("without a mark:", np.quantile(bare, [0.5, 0.99, 0.999, 1]).round(2), flush=True)
    every = clips[:: len(clips) // CLIPS][:CLIPS]
    kept = marked(torch.stack(every))
    mark = 10 * (torch.stack(every).square().sum(1) / (torch.stack(every) - kept).square().sum(1)).log10()
    found = {}
    for name, attack in ATTACKS.items():
        scores = np.array([detect(attack(clip)).score for clip in kept])
        found[name] = round(float((scores >= FOUND).mean()), 3)
        print(f"{name}: {found[name]:.0%}, median score {np.median(scores):.2f}", flush=True)
    content = {
        "seconds": SECONDS,
        "clips": len(every),
        "found": found,
        "unmarked": len(bare),
        "false": int((bare >= FOUND).sum()),
        "highest": round(float(bare.max()), 2),
        "below": round(float(mark.median()), 1),
    }
    (FOLDER / "watermark.json").write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
