"""Train what says how long each sound lasts, on speech that `speak_kokoro.py` has spoken: half a minute.

python scripts/train_durations.py FOLDER out.pt
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from explorer.data.speech.phones import NUMBERS, SILENCE
from explorer.networks.blocks import build
from explorer.networks.durations import Durations

STEPS, BATCH, RATE = 800, 32, 2e-3


def spoken(folder: Path) -> list[tuple[Tensor, Tensor]]:
    """Numbers of phones and the logarithms of their seconds, of every utterance, at the pace of an average one."""
    found = []
    for path in sorted(folder.glob("voice-*.npz")):
        with np.load(path) as file:
            about = json.loads(str(file["utterances"]))
        for one in about:
            numbers = torch.tensor([NUMBERS[phone] for phone in one["phones"]])
            found.append((numbers, torch.tensor(one["seconds"]).clamp(min=0.0125).log()))
    sounds = torch.cat([seconds[numbers != NUMBERS[SILENCE]] for numbers, seconds in found])
    pace = float(sounds.mean())
    return [
        (numbers, seconds - float(seconds[numbers != NUMBERS[SILENCE]].mean()) + pace) for numbers, seconds in found
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    pairs, network = spoken(given.folder), build(Durations, 0)
    held, pairs = pairs[::20], [pair for k, pair in enumerate(pairs) if k % 20]
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    generator = torch.Generator().manual_seed(0)

    def error(batch: list[tuple[Tensor, Tensor]]) -> Tensor:
        numbers = pad_sequence([one for one, _ in batch], batch_first=True)
        wanted = pad_sequence([one for _, one in batch], batch_first=True)
        told = numbers > 0
        return (network(numbers) - wanted)[told].square().mean()

    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 + math.cos(math.pi * step / STEPS)) / 2
        chosen = torch.randint(len(pairs), (BATCH,), generator=generator)
        loss = error([pairs[k] for k in chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if (step + 1) % 100 == 0:
            with torch.no_grad():
                print(f"step {step + 1}  {loss.item():.4f}, held out {error(held).item():.4f}", flush=True)
    torch.save(network.state_dict(), given.out)


if __name__ == "__main__":
    main()
