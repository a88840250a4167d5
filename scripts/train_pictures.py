"""Train the text-to-image models; resumable, for hours beside other work.

    python scripts/train_pictures.py emoji FOLDER --hours 2        # goes on where FOLDER/emoji.pt stands
    python scripts/train_pictures.py emoji FOLDER --cool 15000     # the last steps, at a rate that falls to 0
    python scripts/train_pictures.py emoji FOLDER --sheet out.png  # what it draws now

The same for "scenes". FOLDER is that of `draw_emoji.py`. The rate is constant until a run is cooled, so that it may
end at any time. On a GPU: `--device cuda --batch 256`.
"""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pictures import Emoji, with_gaps
from PIL import Image
from resumable import Draw, load_averaged, train
from torch import Tensor

import explorer as ex
from explorer.data import scenes
from explorer.networks.unet import make_image_denoiser

POOL = 16_384  # pictures drawn at once
SIZES: dict[str, dict[str, Any]] = {
    "emoji": {"widths": (40, 80, 160), "attention": True, "looks": (2, 3)},
    "scenes": {"widths": (32, 64, 96), "attention": True, "looks": (2, 3)},
}
TEXT: dict[str, dict[str, Any]] = {"emoji": {}, "scenes": {"layers": 3, "length": 20}}
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
PROMPTS = {
    "emoji": """cat in noto style|red car|a happy face|birthday cake in fluent style|green owl|rocket|purple robot|pizza
a blue house|penguin in twemoji style|rainbow|tree in flat style|dog in blob style|strawberry|guitar|pink elephant
sun|police officer|a fish on a blue background|crown in emojione style|bicycle|apple in firefox style|orange cat|heart
""",
    "scenes": """a red circle|a big blue star on a yellow background|three green hearts|a pink diamond at the top left
a red circle above a blue square|a blue square above a red circle|a green star to the left of a purple heart|two circles
a big red circle above two small blue squares|an orange triangle under a black star|a white heart on red|a gray square
a small yellow star to the right of a big brown diamond|three red squares on top of a blue heart|a purple circle|a heart
""",
}


def made(name: str, folder: Path) -> tuple[ex.Denoiser, Draw]:
    """An untrained model, and what draws n pictures and their captions for it from a seed."""
    emoji = Emoji(folder) if name == "emoji" else None
    words = emoji.words() if emoji else scenes.words()
    denoiser = make_image_denoiser((3, 32, 32), text={"words": words, **TEXT[name]}, **SIZES[name])

    def draw(n: int, seed: int) -> tuple[Tensor, list[str]]:
        if emoji:
            return emoji.draw(n, seed)
        images, captions, _ = scenes.scenes(n, seed)
        return images, with_gaps(captions, np.random.default_rng([seed, 1]))

    return denoiser, draw


def loaded(name: str, folder: Path) -> ex.Denoiser:
    """The averaged weights as they stand, cooled if they are."""
    denoiser, _ = made(name, folder)
    load_averaged(denoiser, folder / f"{name}.pt")
    return denoiser


def sheet(name: str, folder: Path, target: Path, guidance_scale: float = 4.0) -> None:
    """Pictures of the `PROMPTS`, eight in a row."""
    denoiser = loaded(name, folder)
    prompts = [prompt for line in PROMPTS[name].strip().splitlines() for prompt in line.split("|")]
    run = ex.sample(denoiser, len(prompts), "ddim", 20, 0, prompts, guidance_scale=guidance_scale, keep="last")
    images = ((run.samples.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    rows = [np.concatenate(list(images[k : k + 8]), 1) for k in range(0, len(images), 8)]
    whole = Image.fromarray(np.concatenate(rows))
    whole.resize((4 * whole.width, 4 * whole.height), Image.Resampling.BICUBIC).save(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=SIZES)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--cool", type=int)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=CONFIG.batch_size)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.sheet:
        sheet(given.name, given.folder, given.sheet)
    else:
        denoiser, draw = made(given.name, given.folder)
        config = dataclasses.replace(CONFIG, batch_size=given.batch)
        path = given.folder / f"{given.name}.pt"
        train(denoiser.to(given.device), draw, POOL, path, config, given.hours, given.cool)


if __name__ == "__main__":
    main()
