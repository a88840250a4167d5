"""Train the text-to-image models and what judges them; resumable, for hours beside other work.

    python scripts/train_pictures.py emoji FOLDER --hours 2        # goes on where FOLDER/emoji.pt stands
    python scripts/train_pictures.py emoji FOLDER --cool 15000     # the last steps, at a rate that falls to 0
    python scripts/train_pictures.py emoji FOLDER --sheet out.png  # what it draws now

FOLDER is that of `draw_emoji.py`. The rate is constant until the run is cooled, so that it may end at any time.
"""

import argparse
import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pictures import Emoji
from PIL import Image

import explorer as ex
from explorer.networks.unet import make_image_denoiser
from explorer.training import TrainState, load_weights

POOL = 16_384  # pictures drawn at once
SAVE_SECONDS = 300
SIZES: dict[str, dict[str, Any]] = {"emoji": {"widths": (40, 80, 160), "attention": True, "looks": (2, 3)}}
CONFIG = ex.TrainConfig(
    steps=10**9,
    batch_size=64,
    learning_rate=2e-3,
    warmup=300,
    ema_decay=0.9995,
    condition_dropout=0.0,
    optimizer="muon",
    log_snr=(-0.5, 2.0),
)
PROMPTS = """cat in noto style|red car|a happy face|birthday cake in fluent style|green owl|rocket|purple robot|pizza
a blue house|penguin in twemoji style|rainbow|tree in flat style|dog in blob style|strawberry|guitar|pink elephant
sun|police officer|a fish on a blue background|crown in emojione style|bicycle|apple in firefox style|orange cat|heart
"""


def made(name: str, folder: Path) -> tuple[ex.Denoiser, Emoji]:
    data = Emoji(folder)
    return make_image_denoiser((3, 32, 32), text={"words": data.words()}, **SIZES[name]), data


def train(name: str, folder: Path, hours: float, cool: int | None) -> None:
    denoiser, data = made(name, folder)
    path, state, config = folder / f"{name}.pt", None, CONFIG
    if path.exists():
        state = TrainState(**torch.load(path))
    if cool is not None and state is not None:
        path = folder / f"{name}-cooled.pt"
        state = TrainState(**torch.load(path)) if path.exists() else dataclasses.replace(state, step=0)
        config = dataclasses.replace(CONFIG, steps=cool, warmup=0, ema_decay=0.998)
    ends, saved, losses = time.monotonic() + 3600 * hours, time.monotonic(), []
    event = None
    while time.monotonic() < ends and (state is None or state.step < config.steps):
        step = 0 if state is None else state.step
        images, captions = data.draw(POOL, seed=step + 7 * (cool is not None))
        for event in ex.train(denoiser, (torch.from_numpy(images), captions), config, state):
            losses.append(event.loss)
            if event.step % (POOL // CONFIG.batch_size) == 0 or time.monotonic() > ends:
                break
        state = event.state()
        if time.monotonic() - saved > SAVE_SECONDS or time.monotonic() > ends or state.step >= config.steps:
            partial = path.with_suffix(".part")
            torch.save(dataclasses.asdict(state), partial)
            partial.replace(path)
            saved = time.monotonic()
            rate = CONFIG.batch_size * len(losses)
            print(
                f"step {state.step}  {state.seconds / 3600:.2f} h  loss {np.mean(losses):.4f} over {rate} pictures",
                flush=True,
            )
            losses.clear()


def loaded(name: str, folder: Path) -> tuple[ex.Denoiser, Emoji]:
    """The averaged weights as they stand, cooled if they are."""
    denoiser, data = made(name, folder)
    path = next(path for path in (folder / f"{name}-cooled.pt", folder / f"{name}.pt") if path.exists())
    load_weights(denoiser, torch.load(path)["averaged"])
    return denoiser, data


def sheet(name: str, folder: Path, target: Path, guidance_scale: float = 4.0) -> None:
    denoiser, _ = loaded(name, folder)
    prompts = [prompt for line in PROMPTS.strip().splitlines() for prompt in line.split("|")]
    images = ex.sample(
        denoiser, len(prompts), "ddim", 20, 0, prompts, guidance_scale=guidance_scale, keep="last"
    ).samples
    grey = ((images.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    rows = [np.concatenate(list(grey[k : k + 8]), 1) for k in range(0, len(grey), 8)]
    whole = Image.fromarray(np.concatenate(rows))
    whole.resize((4 * whole.width, 4 * whole.height), Image.Resampling.BICUBIC).save(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=SIZES)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--cool", type=int)
    parser.add_argument("--sheet", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.sheet:
        sheet(given.name, given.folder, given.sheet)
    else:
        train(given.name, given.folder, given.hours, given.cool)


if __name__ == "__main__":
    main()
