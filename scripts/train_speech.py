"""Train the model that speaks; resumable, for hours beside other work.

    python scripts/train_speech.py FOLDER --hours 2        # FOLDER is that of `speak_kokoro.py`
    python scripts/train_speech.py FOLDER --cool 15000     # the last steps, at a rate that falls to 0
    python scripts/train_speech.py FOLDER --falls-in 600 --device cuda --batch 128 --ahead 4    # all in ten minutes

The state stands in FOLDER/../voice.pt. The rate is constant until a run is cooled, so that it may end at any time; or
it falls to 0 in so many seconds from the first step, and a shipped model may be where that starts.
"""

import argparse
import dataclasses
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import torch
from resumable import load_averaged, train
from speech import FRAMES, Speech
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

import explorer as ex
from explorer.networks.speech import make_speech_denoiser

POOL = 2_048  # examples drawn at once
SIZE = {"widths": (160, 224, 224)}
CONFIG = ex.TrainConfig(
    steps=10**9,
    batch_size=32,
    learning_rate=2e-3,
    warmup=300,
    ema_decay=0.9995,
    condition_dropout=0.0,
    optimizer="muon",
    log_snr=(-1.0, 2.0),
)


def loaded(folder: Path) -> ex.Denoiser:
    """The averaged weights as they stand, cooled if they are."""
    denoiser = make_speech_denoiser(FRAMES, **SIZE)
    load_averaged(denoiser, folder.parent / "voice.pt")
    return denoiser


class Pools(IterableDataset):
    """Pools of examples of all that has been spoken by then, never the same ones again."""

    def __init__(self, speech: Speech):
        self.speech, self.seed = speech, time.time_ns()

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        worker = get_worker_info()
        for turn in count() if worker is None else count(worker.id, worker.num_workers):
            self.speech.look()
            yield self.speech.draw(POOL, self.seed + turn)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--cool", type=int)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=CONFIG.batch_size)
    parser.add_argument("--falls-in", type=float, help="seconds")
    parser.add_argument("--rate", type=float, default=CONFIG.learning_rate)
    parser.add_argument("--start", help="a shipped model to go on from, where there is no state yet")
    parser.add_argument("--ahead", type=int, default=0, help="processes that draw while this one learns")
    given = parser.parse_args()
    torch.set_num_threads(1)
    pools = iter(DataLoader(Pools(Speech(given.folder)), batch_size=None, num_workers=given.ahead))
    denoiser = make_speech_denoiser(FRAMES, **SIZE).to(given.device)
    if given.start:
        denoiser.load_state_dict(ex.load_pretrained(given.start).state_dict())
    config = dataclasses.replace(CONFIG, batch_size=given.batch, learning_rate=given.rate)
    if given.falls_in:
        config = dataclasses.replace(config, steps=None, max_seconds=given.falls_in, ema_decay=0.998)
    path = given.folder.parent / "voice.pt"
    train(denoiser, lambda n, seed: tuple(next(pools)), POOL, path, config, given.hours, given.cool)


if __name__ == "__main__":
    main()
