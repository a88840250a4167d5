"""Training for hours beside other work: it goes on where it was stopped, and ends with a rate that falls to 0."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import explorer as ex
from explorer.training import TrainState, load_weights

SAVE_SECONDS = 300
Draw = Callable[[int, int], tuple[Tensor, Any]]  # so many examples from a seed, and their conditions


def train(
    denoiser: ex.Denoiser, draw: Draw, pool: int, path: Path, config: ex.TrainConfig, hours: float, cool: int | None
) -> None:
    """Go on for so many hours where `path` stands, at a constant rate, or as `config` says that it falls; or to the end
    of `cool` steps whose rate falls, which stand beside it. So many examples of a pool are drawn at once."""
    state = TrainState(**torch.load(path)) if path.exists() else None
    if cool is not None and state is not None:
        path = cooled(path)
        state = TrainState(**torch.load(path)) if path.exists() else dataclasses.replace(state, step=0)
        config = dataclasses.replace(config, steps=cool, warmup=0, ema_decay=0.998)
    ends, saved, losses = time.monotonic() + 3600 * hours, time.monotonic(), []

    def goes_on() -> bool:
        return time.monotonic() < ends and (state is None or config.progress(state.step, state.seconds) < 1)

    while goes_on():
        examples = draw(pool, (0 if state is None else state.step) + 7 * (cool is not None))
        for event in ex.train(denoiser, examples, config, state):
            losses.append(event.loss)
            if event.step % (pool // config.batch_size) == 0 or time.monotonic() > ends:
                break
        state = event.state()
        if time.monotonic() - saved > SAVE_SECONDS or not goes_on():
            partial = path.with_suffix(".part")
            parts = dataclasses.asdict(state).items()
            torch.save({name: part.cpu() if isinstance(part, Tensor) else part for name, part in parts}, partial)
            partial.replace(path)
            saved = time.monotonic()
            hours_done, seen = state.seconds / 3600, config.batch_size * len(losses)
            print(f"step {state.step}  {hours_done:.2f} h  loss {np.mean(losses):.4f} over {seen} examples", flush=True)
            losses.clear()


def cooled(path: Path) -> Path:
    """Where the steps at a falling rate stand."""
    return path.with_name(f"{path.stem}-cooled.pt")


def load_averaged(denoiser: ex.Denoiser, path: Path) -> None:
    """The averaged weights as they stand, cooled if they are."""
    load_weights(denoiser, torch.load(next(one for one in (cooled(path), path) if one.exists()))["averaged"])
