"""Train the model that speaks; resumable, for hours beside other work.

    python scripts/train_speech.py FOLDER --hours 2        # FOLDER is that of `speak_kokoro.py`
    python scripts/train_speech.py FOLDER --cool 15000     # the last steps, at a rate that falls to 0

The state stands in FOLDER/../voice.pt. The rate is constant until a run is cooled, so that it may end at any time.
"""

import argparse
import dataclasses
import time
from pathlib import Path

import numpy as np
import torch
from speech import FRAMES, Speech
from torch import Tensor

import explorer as ex
from explorer.networks.speech import make_speech_denoiser
from explorer.training import TrainState, load_weights

POOL = 2_048  # examples drawn at once
SAVE_SECONDS = 300
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


def train(folder: Path, hours: float, cool: int | None, device: str, batch_size: int) -> None:
    """Go on for so many hours, or to the end of the cooling."""
    denoiser = make_speech_denoiser(FRAMES, **SIZE).to(device)
    path, state, speech = folder.parent / "voice.pt", None, Speech(folder)
    config = dataclasses.replace(CONFIG, batch_size=batch_size)
    if path.exists():
        state = TrainState(**torch.load(path))
    if cool is not None and state is not None:
        path = folder.parent / "voice-cooled.pt"
        state = TrainState(**torch.load(path)) if path.exists() else dataclasses.replace(state, step=0)
        config = dataclasses.replace(config, steps=cool, warmup=0, ema_decay=0.998)
    ends, saved, losses = time.monotonic() + 3600 * hours, time.monotonic(), []
    while time.monotonic() < ends and (state is None or state.step < config.steps):
        pool = speech.draw(POOL, (0 if state is None else state.step) + 7 * (cool is not None))
        for event in ex.train(denoiser, pool, config, state):
            losses.append(event.loss)
            if event.step % (POOL // batch_size) == 0 or time.monotonic() > ends:
                break
        state = event.state()
        if time.monotonic() - saved > SAVE_SECONDS or time.monotonic() > ends or state.step >= config.steps:
            partial = path.with_suffix(".part")
            parts = dataclasses.asdict(state).items()
            torch.save({name: part.cpu() if isinstance(part, Tensor) else part for name, part in parts}, partial)
            partial.replace(path)
            saved = time.monotonic()
            voices, seen = len(speech.voices), batch_size * len(losses)
            hours_done = state.seconds / 3600
            print(f"step {state.step}  {hours_done:.2f} h  loss {np.mean(losses):.4f}, {seen} of {voices}", flush=True)
            losses.clear()
            speech.look()


def loaded(folder: Path) -> ex.Denoiser:
    """The averaged weights as they stand, cooled if they are."""
    denoiser = make_speech_denoiser(FRAMES, **SIZE)
    path = next(path for path in (folder.parent / "voice-cooled.pt", folder.parent / "voice.pt") if path.exists())
    load_weights(denoiser, torch.load(path)["averaged"])
    return denoiser


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--cool", type=int)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=CONFIG.batch_size)
    given = parser.parse_args()
    torch.set_num_threads(1)
    train(given.folder, given.hours, given.cool, given.device, given.batch)


if __name__ == "__main__":
    main()
