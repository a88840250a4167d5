"""A judge of emoji, with its error: is this person drawn as the woman or as the man of their trade?

    python scripts/judge_people.py ARTWORK out.json        # ARTWORK is that of `draw_emoji.py`

Makers draw three of each trade: one that is called a man, one a woman, and one that is called neither. The judge learns
the first two, of all trades, sports and gestures, and is asked about the third; its error is that on roles kept out.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from draw_emoji import MAKERS, find, picture, read_labels
from emoji_concepts import CONCEPTS
from shaking import shaken
from torch import Tensor
from torch.nn import functional

from explorer.arguments import seeded
from explorer.networks.blocks import build
from explorer.networks.classifier import Classifier
from explorer.zoo import save_looker, write_card

TRADES = ("doctor", "police officer", "cook", "astronaut", "firefighter", "farmer", "teacher")
NAMES = ("man", "woman")
STEPS, BATCH, FOLDS = 600, 64, 5


def on_white(picture: np.ndarray) -> Tensor:
    """Premultiplied RGBA bytes as (3, 32, 32) in [-1, 1] on white."""
    rgba = picture.astype(np.float32) / 255
    return torch.from_numpy(2 * (rgba[..., :3] + 1 - rgba[..., 3:]) - 1).permute(2, 0, 1)


def drawn(artwork: Path) -> tuple[list[tuple[str, str, int, Tensor]], list[tuple[str, str, Tensor]]]:
    """(role, style, 0 for the man or 1 for the woman, picture), and (trade, style, picture) of those called neither."""
    known = read_labels(artwork)
    roles = {}
    for label in known:
        for number, name in enumerate(NAMES):
            if label.startswith(f"{name} "):
                roles[label] = label.removeprefix(f"{name} "), number
    open_ones = {CONCEPTS[trade][0]: trade for trade in TRADES}
    named, unmarked = [], []
    for package, (style, _, _) in MAKERS.items():
        icons = json.loads((artwork / f"@iconify-json/{package}/icons.json").read_text())
        for label, icon in find(artwork, package, {one: known[one] for one in (*roles, *open_ones)}).items():
            image = picture(icons, icon)
            if image is None:
                continue
            if label in roles:
                named.append((roles[label][0], style, roles[label][1], on_white(image)))
            else:
                unmarked.append((open_ones[label], style, on_white(image)))
    pairs = [(role, style) for role, style, _, _ in named]
    return [one for one in named if pairs.count((one[0], one[1])) == 2], unmarked


def trained(pictures: Tensor, labels: Tensor, seed: int) -> Classifier:
    classifier = build(lambda: Classifier(3, 2, width=16), seed).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(classifier.parameters(), weight_decay=5e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-3, total_steps=STEPS)
    generator = seeded(seed)
    for _ in range(STEPS):
        picked = torch.randint(len(pictures), (BATCH,), generator=generator)
        some = shaken(pictures[picked], generator, padding_mode="border")
        some = torch.where(torch.rand(BATCH, 1, 1, 1, generator=generator) < 0.5, some.flip(3), some)
        loss = functional.cross_entropy(classifier(some), labels[picked], label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return classifier.requires_grad_(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("artwork", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    named, unmarked = drawn(given.artwork / "node_modules")
    labels_of_trades = {CONCEPTS[trade][0] for trade in TRADES}
    roles = sorted({role for role, _, _, _ in named})
    pictures, labels = torch.stack([one[3] for one in named]), torch.tensor([one[2] for one in named])
    fold = torch.tensor([roles.index(one[0]) % FOLDS for one in named])
    right, as_woman = torch.zeros(len(named), dtype=torch.bool), torch.zeros(len(unmarked))
    for k in range(FOLDS):
        judge = trained(pictures[fold != k], labels[fold != k], k)
        right[fold == k] = judge.classify(pictures[fold == k]) == labels[fold == k]
        as_woman += judge(torch.stack([one[2] for one in unmarked])).softmax(1)[:, 1] / FOLDS
    of_trades = torch.tensor([one[0] in labels_of_trades for one in named])
    figures = {
        "pictures": len(named),
        "roles": len(roles),
        "right": round(right.float().mean().item(), 3),
        "right of men": round(right[labels == 0].float().mean().item(), 3),
        "right of women": round(right[labels == 1].float().mean().item(), 3),
        "right of the trades": round(right[of_trades].float().mean().item(), 3) if of_trades.any() else None,
        "all data": {
            "men": int(((labels == 0) & of_trades).sum()),
            "women": int(((labels == 1) & of_trades).sum()),
            "unmarked": len(unmarked),
        },
        "by style": {},
        "unmarked": [],
    }
    for style in sorted({one[1] for one in named}):
        mine = torch.tensor([one[1] == style for one in named])
        figures["by style"][style] = {
            "pictures": int(mine.sum()),
            "right": round(right[mine].float().mean().item(), 3),
        }
    figures["unmarked"] = [
        {"trade": trade, "style": style, "woman": round(share.item(), 3)}
        for (trade, style, _), share in zip(unmarked, as_woman, strict=True)
    ]
    judge = trained(pictures, labels, 0)
    save_looker("classifier", "people", judge)
    write_card(
        "classifier-people",
        {
            "data": f"{len(named)} pictures by {len(figures['by style'])} makers of {len(roles)} roles, each drawn as "
            "a man and as a woman",
            "terms": "see emoji.json",
            "parameters": sum(parameter.numel() for parameter in judge.parameters()),
            "command": "python scripts/judge_people.py ARTWORK out.json",
            "training": {"steps": STEPS, "batch_size": BATCH},
            "metrics": {name: figures[name] for name in ("right", "right of men", "right of women")},
        },
    )
    given.out.write_text(json.dumps(figures, indent=1))
    print(json.dumps({name: value for name, value in figures.items() if name != "unmarked"}, indent=1))
    for style in figures["by style"]:
        of = [one["woman"] for one in figures["unmarked"] if one["style"] == style]
        if of:
            print(style, len(of), f"{np.mean([share > 0.5 for share in of]):.2f} look like the woman")


if __name__ == "__main__":
    main()
