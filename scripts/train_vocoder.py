"""Train the vocoder on speech that `speak_kokoro.py` has spoken: a quarter of an hour on one core.

python scripts/train_vocoder.py FOLDER out.pt --minutes 15
"""

import argparse
import math
import random
import time
from pathlib import Path

import torch
from speech import utterances
from torch import Tensor

from explorer.audio.features import parts
from explorer.audio.spectrogram import HOP, stft
from explorer.networks.blocks import build
from explorer.networks.vocoder import Vocoder

FRAMES, BATCH, RATE = 65, 12, 2e-3
SIZES = ((512, 128), (256, 64), (128, 32), (800, 200))  # windows and hops that the loss looks through


def distance(made: Tensor, real: Tensor) -> Tensor:
    """Between the spectra of sounds (n, samples), through several windows (Yamamoto, Song and Kim 2020)."""
    total = made.new_zeros(())
    for window, hop in SIZES:
        a, b = (stft(sound, window, hop, window).abs() for sound in (made, real))
        far = ((a - b).norm(dim=(1, 2)) / (b.norm(dim=(1, 2)) + 1e-3)).mean()
        total = total + far + ((a + 3e-3).log() - (b + 3e-3).log()).abs().mean()
    return total / len(SIZES)


def batch(spoken: list[tuple[Tensor, Tensor]], rng: random.Random) -> tuple[Tensor, Tensor]:
    """Features (n, 66, FRAMES) and the sound that they are of."""
    seen, heard = [], []
    while len(seen) < BATCH:
        features, audio = spoken[rng.randrange(len(spoken))]
        start = rng.randrange(features.shape[1] - FRAMES)
        seen.append(features[:, start : start + FRAMES])
        heard.append(audio[start * HOP : (start + FRAMES - 1) * HOP])
    return torch.stack(seen), torch.stack(heard)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--voices", type=int, default=400)
    given = parser.parse_args()
    torch.set_num_threads(1)
    spoken = [
        (seen, about["audio"])
        for path in sorted(given.folder.glob("voice-*.npz"))[: given.voices]
        for seen, _, about in utterances(path)
        if seen.shape[1] > FRAMES and len(about["audio"]) >= (seen.shape[1] - 1) * HOP
    ]
    vocoder, rng = build(Vocoder, 0), random.Random(0)
    with torch.no_grad():
        vocoder.head.weight.mul_(0.3)
    optimizer = torch.optim.AdamW(vocoder.parameters(), lr=RATE, betas=(0.8, 0.99))
    started, step, losses = time.monotonic(), 0, []
    while (progress := (time.monotonic() - started) / (60 * given.minutes)) < 1:
        features, real = batch(spoken, rng)
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / 50) * (0.02 + 0.98 * (1 + math.cos(math.pi * progress)) / 2)
        loss = distance(vocoder(*parts(features), seed=step), real)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vocoder.parameters(), 5.0)
        optimizer.step()
        step += 1
        losses.append(loss.item())
        if step % 200 == 0:
            print(
                f"step {step}  {(time.monotonic() - started) / 60:.1f} min  {sum(losses) / len(losses):.4f}", flush=True
            )
            losses.clear()
    torch.save(vocoder.state_dict(), given.out)


if __name__ == "__main__":
    main()
