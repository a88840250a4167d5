"""Train the judge of emoji pictures on real renderings; resumable, for hours beside other work.

    python scripts/train_judge.py FOLDER --steps 12000     # goes on where FOLDER/judge.pt stands

FOLDER is that of `draw_emoji.py`. The pairs of concept and style that are held out are never shown.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pictures import Emoji
from torch import Tensor
from torch.nn import functional

from explorer.networks.blocks import build
from explorer.networks.judge import Judge

POOL, BATCH = 8_192, 96
SAVE_SECONDS = 240


def shaken(images: Tensor, generator: torch.Generator) -> Tensor:
    """Turned, scaled, moved, some blurred and all with a little noise, so that samples are not strange to the judge."""
    n = len(images)
    turn, grow, right, down = (scale * torch.randn(n, generator=generator) for scale in (0.12, 0.1, 0.06, 0.06))
    cos, sin = (1 + grow) * turn.cos(), (1 + grow) * turn.sin()
    maps = torch.stack([torch.stack([cos, -sin, right], 1), torch.stack([sin, cos, down], 1)], 1)
    grid = functional.affine_grid(maps, list(images.shape), align_corners=False)
    images = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    blurred = torch.rand(n, generator=generator) < 0.25
    images[blurred] = functional.avg_pool2d(functional.pad(images[blurred], (1, 1, 1, 1), mode="replicate"), 3, 1)
    contrast = 1 + 0.12 * torch.randn(n, 1, 1, 1, generator=generator)
    noise = 0.12 * torch.rand(n, 1, 1, 1, generator=generator) * torch.randn(images.shape, generator=generator)
    return images * contrast + noise


def made(emoji: Emoji) -> Judge:
    answers = {"concept": list(emoji.about["concepts"]), "style": emoji.styles}
    return build(lambda: Judge(answers), seed=0).to(memory_format=torch.channels_last)


def labels(emoji: Emoji, rows: list[dict[str, Any]], judge: Judge) -> dict[str, Tensor]:
    return {q: torch.tensor([names.index(row[q]) for row in rows]) for q, names in judge.answers.items()}


@torch.no_grad()
def measured(judge: Judge, emoji: Emoji, indices: np.ndarray) -> dict[str, float]:
    """Shares of real renderings that are named right: the concept first or among five, and the style."""
    truth = labels(emoji, [emoji.rows[index] for index in indices], judge)
    logits = [judge(part) for part in emoji.real(indices).split(256)]
    order = torch.cat([part["concept"] for part in logits]).topk(5).indices
    hit = order == truth["concept"][:, None]
    style = torch.cat([part["style"] for part in logits]).argmax(1) == truth["style"]
    shares = {"top 1": hit[:, 0], "top 5": hit.any(1), "style": style}
    return {name: round(share.float().mean().item(), 4) for name, share in shares.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=12_000)
    given = parser.parse_args()
    torch.set_num_threads(1)
    emoji = Emoji(given.folder)
    judge = made(emoji)
    optimizer = torch.optim.AdamW(judge.parameters(), lr=2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-3, total_steps=given.steps, pct_start=0.05)
    path, step = given.folder / "judge.pt", 0
    if path.exists():
        kept = torch.load(path)
        judge.load_state_dict(kept["judge"])
        optimizer.load_state_dict(kept["optimizer"])
        schedule.load_state_dict(kept["schedule"])
        step = kept["step"]
    generator, saved = torch.Generator().manual_seed(step), time.monotonic()
    while step < given.steps:
        images, shown, _ = emoji.examples(POOL, seed=step + 1, recolour=0.35)
        truth = labels(emoji, [row for row, _, _ in shown], judge)
        for _ in range(4 * POOL // BATCH):
            picked = torch.randint(POOL, (BATCH,), generator=generator)
            logits = judge(shaken(images[picked], generator).contiguous(memory_format=torch.channels_last))
            losses = {q: functional.cross_entropy(logits[q], truth[q][picked], label_smoothing=0.05) for q in logits}
            optimizer.zero_grad()
            (losses["concept"] + 0.5 * losses["style"]).backward()
            optimizer.step()
            step += 1
            if step == given.steps:
                break
            schedule.step()
        if time.monotonic() - saved > SAVE_SECONDS or step == given.steps:
            state = {
                "judge": judge.state_dict(),
                "optimizer": optimizer.state_dict(),
                "schedule": schedule.state_dict(),
            }
            torch.save({**state, "step": step}, path.with_suffix(".part"))
            path.with_suffix(".part").replace(path)
            saved = time.monotonic()
            print(f"step {step}  held out {measured(judge, emoji, emoji.held)}", flush=True)


if __name__ == "__main__":
    main()
