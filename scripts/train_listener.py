"""Train the judge of speech, which the model that speaks never meets: half an hour on one core.

python scripts/train_listener.py FOLDER out.pt --minutes 30
"""

import argparse
import math
import time
from pathlib import Path

import torch
from speech import Speech
from torch.nn import functional

from explorer.networks.blocks import build
from explorer.networks.listener import Listener

POOL, BATCH, RATE = 1_920, 48, 2e-3
SCALE = 15.0  # of the cosines between voices, of which those of a pair must be the largest (van den Oord et al. 2018)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=30.0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    speech, listener = Speech(given.folder), build(Listener, 1)
    optimizer = torch.optim.AdamW(listener.parameters(), RATE, weight_decay=0.01)
    started, step, told = time.monotonic(), 0, []
    pairs = torch.arange(BATCH // 2)
    while (progress := (time.monotonic() - started) / (60 * given.minutes)) < 1:
        if step % (POOL // BATCH) == 0:
            pool = speech.listen(POOL, step)
        rows = slice(step * BATCH % POOL, step * BATCH % POOL + BATCH)
        features, phones = (part[rows] for part in pool)
        heard, voices = listener(features)
        alike = SCALE * voices[::2] @ voices[1::2].T
        of_phones = functional.nll_loss(heard, phones)
        of_voices = (functional.cross_entropy(alike, pairs) + functional.cross_entropy(alike.T, pairs)) / 2
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / 100) * (1 + math.cos(math.pi * progress)) / 2
        optimizer.zero_grad()
        (of_phones + 0.5 * of_voices).backward()
        optimizer.step()
        step += 1
        right = (heard.argmax(1) == phones).float().mean().item()
        told.append((of_phones.item(), right, of_voices.item(), (alike.argmax(1) == pairs).float().mean().item()))
        if step % 200 == 0:
            means = [sum(column) / len(told) for column in zip(*told, strict=True)]
            print(
                f"step {step}  phones {means[0]:.3f}, {means[1]:.3f} right; voices {means[2]:.3f}, {means[3]:.3f}",
                flush=True,
            )
            told.clear()
    torch.save(listener.state_dict(), given.out)


if __name__ == "__main__":
    main()
