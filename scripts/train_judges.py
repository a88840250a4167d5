"""Train what looks at emoji pictures: the judge, on real renderings, and CLIP; resumable, for hours beside other work.

    python scripts/train_judges.py judge FOLDER    # goes on where FOLDER/judge.pt stands
    python scripts/train_judges.py clip FOLDER

FOLDER is that of `draw_emoji.py`. The pairs of concept and style that are held out are never shown.
"""

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pictures import Emoji
from shaking import shaken
from torch import Tensor, nn
from torch.nn import functional

from explorer.networks.blocks import build
from explorer.networks.clip import Clip
from explorer.networks.judge import Judge

POOL, ROUNDS = 8_192, 4  # pictures drawn at once, and how often each is shown
BATCH, RATE, WARMUP = 96, 2e-3, 300
SAVE_SECONDS = 240
Truth = dict[str, Tensor]


@dataclass(frozen=True)
class Task:
    """A network, what it learns from (pictures and what is true of them, from a seed), its loss, and what to print."""

    network: nn.Module
    draw: Callable[[int], tuple[Tensor, Truth]]
    loss: Callable[[Tensor, Truth], Tensor]
    measure: Callable[[], dict[str, float]]


def roughened(images: Tensor, generator: torch.Generator) -> Tensor:
    """Turned, scaled, moved, some blurred and all with a little noise, so that samples are not strange to the judge."""
    n = len(images)
    images = shaken(images, generator, padding_mode="border")
    blurred = torch.rand(n, generator=generator) < 0.25
    images[blurred] = functional.avg_pool2d(functional.pad(images[blurred], (1, 1, 1, 1), mode="replicate"), 3, 1)
    contrast = 1 + 0.12 * torch.randn(n, 1, 1, 1, generator=generator)
    noise = 0.12 * torch.rand(n, 1, 1, 1, generator=generator) * torch.randn(images.shape, generator=generator)
    return (images * contrast + noise).contiguous(memory_format=torch.channels_last)


def new_judge(emoji: Emoji) -> Judge:
    answers = {"concept": list(emoji.about["concepts"]), "style": emoji.styles}
    return build(lambda: Judge(answers), seed=0).to(memory_format=torch.channels_last)


def judging(emoji: Emoji) -> Task:
    judge = new_judge(emoji)

    def truth(rows: list[dict[str, Any]]) -> Truth:
        return {q: torch.tensor([names.index(row[q]) for row in rows]) for q, names in judge.answers.items()}

    def draw(seed: int) -> tuple[Tensor, Truth]:
        images, shown, _ = emoji.examples(POOL, seed, recolour=0.35)
        return images, truth([row for row, _, _ in shown])

    def loss(images: Tensor, right: Truth) -> Tensor:
        logits = judge(images)
        wrong = {q: functional.cross_entropy(logits[q], right[q], label_smoothing=0.05) for q in logits}
        return wrong["concept"] + 0.5 * wrong["style"]

    @torch.no_grad()
    def measure() -> dict[str, float]:
        right = truth([emoji.rows[index] for index in emoji.held])
        logits = [judge(part) for part in emoji.real(emoji.held).split(256)]
        best = torch.cat([part["concept"] for part in logits]).topk(5).indices
        hit = best == right["concept"][:, None]
        style = torch.cat([part["style"] for part in logits]).argmax(1) == right["style"]
        shares = {"top 1": hit[:, 0], "top 5": hit.any(1), "style": style}
        return {name: round(share.float().mean().item(), 4) for name, share in shares.items()}

    return Task(judge, draw, loss, measure)


def relating(emoji: Emoji) -> Task:
    clip = build(lambda: Clip({"words": emoji.words()}), seed=0).to(memory_format=torch.channels_last)

    def draw(seed: int) -> tuple[Tensor, Truth]:
        images, shown, rng = emoji.examples(POOL, seed)
        captions = [emoji.caption(*one, rng) for one in shown]
        return images, {"text": clip.text.read(captions, len(captions))}

    @torch.no_grad()
    def measure() -> dict[str, float]:
        """How often the caption of a held-out picture is that of its own concept, among those of all concepts."""
        concepts = list(emoji.about["concepts"])
        fit = clip.pictures(emoji.real(emoji.held)) @ clip.texts(concepts).T
        right = torch.tensor([concepts.index(emoji.rows[index]["concept"]) for index in emoji.held])
        return {"top 1": round((fit.argmax(1) == right).float().mean().item(), 4)}

    return Task(clip, draw, lambda images, right: clip.loss(images, right["text"]), measure)


TASKS = {"judge": judging, "clip": relating}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=TASKS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=6_000)
    given = parser.parse_args()
    steps = given.steps
    torch.set_num_threads(1)
    task = TASKS[given.name](Emoji(given.folder))
    optimizer = torch.optim.AdamW(task.network.parameters(), lr=RATE, weight_decay=0.05)
    path, step = given.folder / f"{given.name}.pt", 0
    parts: dict[str, Any] = {"network": task.network, "optimizer": optimizer}
    if path.exists():
        kept = torch.load(path)
        step = kept["step"]
        for name, part in parts.items():
            part.load_state_dict(kept[name])
    generator, saved, losses = torch.Generator().manual_seed(step), time.monotonic(), []
    while step < steps:
        images, truth = task.draw(step + 1)
        for _ in range(min(ROUNDS * POOL // BATCH, steps - step)):
            picked = torch.randint(POOL, (BATCH,), generator=generator)
            right = {name: values[picked] for name, values in truth.items()}
            loss = task.loss(roughened(images[picked], generator), right)
            for group in optimizer.param_groups:
                group["lr"] = RATE * min(1, step / WARMUP) * (1 + math.cos(math.pi * step / steps)) / 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            losses.append(loss.item())
        if time.monotonic() - saved > SAVE_SECONDS or step == steps:
            state = {name: part.state_dict() for name, part in parts.items()}
            torch.save({**state, "step": step}, path.with_suffix(".part"))
            path.with_suffix(".part").replace(path)
            saved = time.monotonic()
            print(f"step {step}  loss {np.mean(losses):.3f}  held out {task.measure()}", flush=True)
            losses.clear()


if __name__ == "__main__":
    main()
