"""Train the models of the last module: digits learned by heart, a biased set, moving digits, letters.

    python scripts/train_ethics.py memory-20 FOLDER --mnist MNIST     # MNIST holds the two test files
    python scripts/train_ethics.py letters FOLDER --device cuda

FOLDER/NAME.pt then holds the averaged weights at some of the steps, in 16 bits; `ship_ethics.py` measures them.
"""

import argparse
import dataclasses
import gzip
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import explorer as ex
from explorer.arguments import seeded
from explorer.data.mnist import load_mnist, shipped_mnist
from explorer.data.moving import FRAMES, SIDE, moving_digits
from explorer.data.tinted import tinted
from explorer.dataset import ImageDataset
from explorer.files import ASSETS
from explorer.masked import masked_loss
from explorer.networks.letters import HIDDEN, LONGEST, make_letters, spelt
from explorer.training import TrainState

SNAPSHOTS = (250, 500, 1_000, 2_000, 4_000)
REPEATED, TIMES = 10, 200  # images of the whole training part that stand in it so many times more
TINTED = 4_000
VIDEOS, VIDEO_STEPS = 4_096, 512  # drawn at once, and the steps that learn from them
WIDTHS = {"small": (8, 16, 32), "": (16, 32, 64)}
CONFIG = ex.TrainConfig(steps=6_000, batch_size=64, learning_rate=4e-3, ema_decay=0.999, optimizer="muon")
Draw = Callable[[int], Any]  # data for the steps from this one on


def repeated(learned: ImageDataset) -> tuple[Tensor, Tensor]:
    """All, and one image of each class (the first) many times more."""
    assert learned.labels is not None
    first = torch.stack([(learned.labels == k).nonzero()[0, 0] for k in range(REPEATED)])
    index = torch.cat([torch.arange(len(learned)), first.repeat(TIMES)])
    return learned.images[index], learned.labels[index]


def run_of(name: str, mnist: Path | None) -> tuple[ex.Denoiser, Draw, ex.TrainConfig]:
    """What `name` trains, on what, and how."""
    kind, *rest = name.split("-")
    if kind == "tinted":
        pictures, shapes, _ = tinted(TINTED, int(rest[0]) / 100)
        denoiser = ex.make_image_denoiser((3, 32, 32), classes=2, seed=0, widths=WIDTHS[""])
        return denoiser, lambda step: (pictures, shapes), dataclasses.replace(CONFIG, steps=12_000)
    if kind == "video":
        assert mnist is not None
        from explorer.networks.video import make_video_denoiser

        learned, _ = load_mnist(mnist, "mnist-28", ["t10k"]).split()
        config = ex.TrainConfig(
            steps=24_000, batch_size=32, learning_rate=3e-3, warmup=200, ema_decay=0.9995, optimizer="muon"
        )
        denoiser = make_video_denoiser((FRAMES, SIDE, SIDE), classes=10)
        return denoiser, lambda step: moving_digits(learned, VIDEOS, step), config
    assert kind == "memory"
    size = rest[1] if len(rest) > 1 else ""
    if rest[0] == "repeated":
        assert mnist is not None
        data = repeated(load_mnist(mnist, "mnist-28", ["t10k"]).split()[0])
    else:
        shipped = shipped_mnist("training")
        few = shipped.part(torch.arange(len(shipped)).view(10, -1)[:, : int(rest[0]) // 10].flatten())
        assert few.labels is not None
        data = few.images, few.labels
    return ex.make_image_denoiser((1, 28, 28), classes=10, seed=0, widths=WIDTHS[size]), lambda step: data, CONFIG


def train(name: str, given: argparse.Namespace) -> dict[str, Any]:
    """The averaged weights at the steps of `SNAPSHOTS` and at the end, and what it took."""
    denoiser, draw, config = run_of(name, given.mnist)
    denoiser = denoiser.to(given.device)
    if given.seconds:
        config = dataclasses.replace(config, max_seconds=given.seconds)
    state: TrainState | None = None
    kept = {}
    wanted = SNAPSHOTS if name.startswith("memory-20") else ()
    turn = VIDEO_STEPS if name == "video" else config.steps
    while state is None or config.progress(state.step, state.seconds) < 1:
        for event in ex.train(denoiser, draw(0 if state is None else state.step), config, state):
            done = config.progress(event.step, event.seconds) >= 1
            if event.step in wanted or done or event.step % turn == 0:
                state = event.state()
                if event.step in wanted or done:
                    kept[event.step] = state.averaged.cpu().half()
                    print(f"{name}: step {event.step}, loss {event.loss:.4f}, {event.seconds:.0f} s", flush=True)
                if event.step % turn == 0:
                    break
    assert state is not None
    return {"steps": kept, "seconds": round(state.seconds), "machine": machine(given.device)}


def machine(device: str) -> str:
    """What it was trained on, for the card."""
    return torch.cuda.get_device_name() if device == "cuda" else "one thread of a processor"


def words() -> list[str]:
    """Words of the dictionary of 3 to 12 letters; every tenth is held out."""
    lines = gzip.decompress((ASSETS / "speech" / "cmudict.gz").read_bytes()).decode().splitlines()
    found = (line.split()[0] for line in lines)
    return [word for word in found if word.isascii() and word.isalpha() and 3 <= len(word) <= LONGEST]


def train_letters(given: argparse.Namespace) -> dict[str, Any]:
    learned = spelt([word for k, word in enumerate(words()) if k % 10]).to(given.device)
    held_out = spelt(words()[::10])[:4_096].to(given.device)
    steps, batch, rate = 8_000, 512, 2e-3
    network, generator = make_letters().to(given.device), seeded(0)
    optimizer = torch.optim.AdamW(network.parameters(), rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.05)
    started = time.monotonic()
    for step in range(1, steps + 1):
        picked = torch.randint(len(learned), (batch,), generator=generator).to(given.device)
        loss = masked_loss(network, learned[picked], HIDDEN, generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 1_000 == 0:
            with torch.no_grad():
                unseen = masked_loss(network, held_out, HIDDEN, seeded(0)).item()
            seconds = time.monotonic() - started
            print(f"letters: step {step}, {loss.item():.4f}, held out {unseen:.4f}, {seconds:.0f} s", flush=True)
    return {
        "weights": {name: tensor.cpu().half() for name, tensor in network.state_dict().items()},
        "held out": unseen,
        "training": {
            "steps": steps,
            "batch_size": batch,
            "learning_rate": rate,
            "seconds": round(time.monotonic() - started),
            "machine": machine(given.device),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="memory-20, memory-200, memory-200-small, memory-repeated, "
        "tinted-50 to tinted-100, video, letters")  # fmt: skip
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mnist", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seconds", type=float, help="at most; the rate falls to 0 by then")
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.folder.mkdir(parents=True, exist_ok=True)
    kept = train_letters(given) if given.name == "letters" else train(given.name, given)
    torch.save(kept, given.folder / f"{given.name}.pt")


if __name__ == "__main__":
    main()
