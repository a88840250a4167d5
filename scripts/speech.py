"""Batches of speech for training: voices that `speak_kokoro.py` has spoken, their warps, and what rooms do to them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch
from torch import Tensor

from explorer.audio.features import BANDS, LOUDNESS, ROWS, features, levelled
from explorer.audio.spectrogram import RATE
from explorer.data.speech.phones import timed
from explorer.networks.speech import SOUND_ROWS

FRAMES = 128  # of an example, 1.6 s, and of its reference
WARPS = 2  # of each voice, beside itself: spoken faster and higher, with a shorter throat, or slower and lower
WARP = (0.85, 1.18)
NO_SOUNDS, NO_VOICE = 0.1, 0.15  # shares of examples that are not told what to say, or not in whose voice
SPOKEN = 16_000  # samples a second of the files


def utterances(path: Path, warp: float = 1.0) -> list[tuple[Tensor, Tensor, dict[str, Any]]]:
    """What a file of `speak_kokoro.py` holds: features (66, frames), sounds (3, frames), and what was said."""
    with np.load(path) as file:
        audio, about = file["audio"].astype(np.float32) / 32767, json.loads(str(file["utterances"]))
    found, start = [], 0
    for utterance in about:
        piece = audio[start : start + utterance["samples"]]
        start += utterance["samples"]
        wave = levelled(torch.from_numpy(soxr.resample(piece, SPOKEN, RATE * warp)))
        seen = features(wave)
        seconds = [warp * second for second in utterance["seconds"]]
        found.append((seen, timed(utterance["phones"], seconds, seen.shape[1]), {**utterance, "audio": wave}))
    return found


class Speech:
    """All that has been spoken in a folder; what `look` finds is kept in `folder / "features"`."""

    def __init__(self, folder: Path):
        self.folder, self.voices = folder, dict[str, list[tuple[np.ndarray, np.ndarray]]]()
        (folder / "features").mkdir(exist_ok=True)
        self.look()

    def look(self) -> None:
        """Take in the voices that have come since, each with its warps."""
        for path in sorted(self.folder.glob("voice-*.npz")):
            for warp in range(WARPS + 1):
                name = f"{path.stem}-{warp}"
                if name not in self.voices:
                    self.voices[name] = self._read(path, name, warp)

    def _read(self, path: Path, name: str, warp: int) -> list[tuple[np.ndarray, np.ndarray]]:
        kept = self.folder / "features" / f"{name}.npz"
        if not kept.exists():
            by = 1.0
            if warp:
                low, high = np.log(WARP)
                by = float(np.exp(np.random.default_rng([int(path.stem[-5:]), warp]).uniform(low, high)))
            pairs = [(seen.numpy(), sounds.numpy()) for seen, sounds, _ in utterances(path, by)]
            arrays = {f"{kind}{k}": pair[j] for k, pair in enumerate(pairs) for j, kind in enumerate("xs")}
            np.savez(kept, **{key: array.astype(np.float16) for key, array in arrays.items()})
        with np.load(kept) as file:
            return [(file[f"x{k}"], file[f"s{k}"]) for k in range(len(file.files) // 2)]

    def draw(self, n: int, seed: int) -> tuple[Tensor, Tensor]:
        """n examples, (n, 1, 66, FRAMES), and their conditions, (n, 3 + 66, FRAMES)."""
        rng, names = np.random.default_rng(seed), list(self.voices)
        examples = np.zeros((n, 1, ROWS, FRAMES), np.float32)
        conditions = np.zeros((n, SOUND_ROWS + ROWS, FRAMES), np.float32)
        for k in range(n):
            spoken = self.voices[names[rng.integers(len(names))]]
            one, other = rng.choice(len(spoken), 2, replace=False) if len(spoken) > 1 else (0, 0)
            seen, sounds = cut(*spoken[one], rng)
            reference, _ = cut(*spoken[other], rng)
            colour = coloured(rng) if rng.random() < 0.5 else 0
            seen[:BANDS] += colour
            reference[:BANDS] += colour
            if rng.random() < 0.3:
                reference[:BANDS] = noisy(reference[:BANDS], rng)
            examples[k, 0] = seen
            if rng.random() >= NO_SOUNDS:
                conditions[k, :SOUND_ROWS] = sounds
            if rng.random() >= NO_VOICE:
                conditions[k, SOUND_ROWS:] = reference
        return torch.from_numpy(examples), torch.from_numpy(conditions)

    def listen(self, n: int, seed: int) -> tuple[Tensor, Tensor]:
        """n pieces for those who listen, (n, 66, FRAMES), and the number of the phone in each frame, (n, FRAMES); each
        two that follow each other are of one voice, and of different utterances where it has several."""
        rng, names = np.random.default_rng(seed), list(self.voices)
        pieces, phones = np.zeros((n, ROWS, FRAMES), np.float32), np.zeros((n, FRAMES), np.int64)
        for k in range(0, n, 2):
            spoken = self.voices[names[rng.integers(len(names))]]
            pair = rng.choice(len(spoken), 2, replace=len(spoken) < 2)
            for j, which in enumerate(pair, start=k):
                pieces[j], sounds = cut(*spoken[which], rng)
                pieces[j, :BANDS] += coloured(rng) if rng.random() < 0.5 else 0
                if rng.random() < 0.3:
                    pieces[j, :BANDS] = noisy(pieces[j, :BANDS], rng)
                phones[j] = sounds[0]
        return torch.from_numpy(pieces), torch.from_numpy(phones)


def cut(seen: np.ndarray, sounds: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """FRAMES of an utterance from anywhere; a shorter one goes on in silence."""
    missing = FRAMES - seen.shape[1]
    if missing > 0:
        silence = np.repeat(seen[:, -1:], missing, 1)
        rest = timed([], [], missing).numpy()
        return np.concatenate([seen, silence], 1).astype(np.float32), np.concatenate([sounds, rest], 1)
    start = rng.integers(-missing + 1)
    return seen[:, start : start + FRAMES].astype(np.float32), sounds[:, start : start + FRAMES]


def coloured(rng: np.random.Generator) -> np.ndarray:
    """What another throat, room or microphone adds to each band, (BANDS, 1)."""
    place = np.linspace(0, 1, BANDS)[:, None]
    waves = [rng.normal(0, 0.12) * np.cos(np.pi * (k * place + rng.random())) for k in (1, 2, 3, 4)]
    return sum(waves).astype(np.float32)


def noisy(bands: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The bands of speech with noise behind it, a third as loud as the speech or less."""
    mean, spread = LOUDNESS
    noise = rng.uniform(-7, -3.5) + rng.normal(0, 0.3, bands.shape)
    return ((np.logaddexp(2 * (mean + spread * bands), 2 * noise) / 2 - mean) / spread).astype(np.float32)
