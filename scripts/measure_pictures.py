"""Judge what the text-to-image models draw: figures for their cards.

    python scripts/measure_pictures.py emoji FOLDER --prompts 500    # of trained pairs, and as many of held-out ones
    python scripts/measure_pictures.py scenes FOLDER

FOLDER is that of `train_pictures.py` and `train_judges.py`. Every rate of the emoji stands beside the judge's own on
real renderings of the same pairs; scenes are measured, not judged (`explorer.data.scenes.right`).
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from emoji_colours import PALETTE, to_oklab
from pictures import PEOPLE, Emoji
from torch import Tensor
from train_judges import new_judge
from train_pictures import loaded

import explorer as ex
from explorer.data import scenes
from explorer.lessons.guided_generation.arithmetic import plus_minus
from explorer.lessons.guided_generation.checks import request, shows
from explorer.lessons.guided_generation.models import TELLERS
from explorer.lessons.guided_generation.pictures import Asked, draw, looks, text_encoder
from explorer.metrics import nearest
from explorer.networks.judge import Judge

BATCH = 64


def drawn(denoiser: ex.Denoiser, prompts: list[str], guidance_scale: float) -> Tensor:
    """A picture of each prompt in 20 steps of DDIM."""
    parts = []
    for first in range(0, len(prompts), BATCH):
        told = prompts[first : first + BATCH]
        options = {"sampler": "ddim", "steps": 20, "seed": first, "guidance_scale": guidance_scale, "keep": "last"}
        parts.append(ex.sample(denoiser, len(told), condition=told, **options).samples)
    return torch.cat(parts).clamp(-1, 1)


def share(hits: list[bool]) -> float:
    return round(sum(hits) / len(hits), 4)


def rates(judge: Judge, images: Tensor, rows: list[dict[str, Any]]) -> dict[str, float]:
    """How often the concept is named first, or among five, and the style."""
    named = [names for part in images.split(BATCH) for names in judge.name(part, "concept", best=5)]
    styles = [names for part in images.split(BATCH) for (names,) in judge.name(part, "style")]
    return {
        "top 1": share([names[0] == row["concept"] for names, row in zip(named, rows, strict=True)]),
        "top 5": share([row["concept"] in names for names, row in zip(named, rows, strict=True)]),
        "style": share([style == row["style"] for style, row in zip(styles, rows, strict=True)]),
    }


def colour_of(image: Tensor) -> str | None:
    """The name of the colour that most pixels with a colour are nearest to; None where there are none."""
    lab = to_oklab(((image.permute(1, 2, 0).numpy() + 1) / 2).clip(0, 1)).reshape(-1, 3)
    away = (np.abs(lab - to_oklab(np.ones(3))) > 0.04).any(1) & (lab[:, 0] > 0.3)
    coloured = lab[away & (np.hypot(lab[:, 1], lab[:, 2]) > 0.04)]
    if len(coloured) < 0.2 * max(1, away.sum()):
        return "gray" if away.any() else None
    names = list(PALETTE)
    distance = [np.sum((coloured - PALETTE[name]) ** 2 * [0.5, 1, 1], axis=1) for name in names]
    return names[int(np.bincount(np.argmin(distance, 0)).argmax())]


def measure_emoji(folder: Path, prompts: int, guidance_scale: float) -> dict[str, Any]:
    emoji, denoiser = Emoji(folder), loaded("emoji", folder)
    judge = new_judge(emoji)
    judge.load_state_dict(torch.load(folder / "judge.pt")["network"])
    rng = np.random.default_rng(0)
    trained = emoji.real(emoji.trained)
    found: dict[str, Any] = {"guidance_scale": guidance_scale}
    for name, pool in (("trained", emoji.trained), ("held out", emoji.held)):
        first = {}
        for index in rng.permutation(pool):
            first.setdefault((emoji.rows[index]["concept"], emoji.rows[index]["style"]), index)
        chosen = rng.permutation(list(first.values()))[:prompts]
        rows = [emoji.rows[index] for index in chosen]
        images = drawn(denoiser, [emoji.plain(row) for row in rows], guidance_scale)
        _, distance = nearest(images, trained)
        found[name] = {
            "prompts": len(rows),
            "concepts": len({row["concept"] for row in rows}),
            "drawn": rates(judge, images, rows),
            "real": rates(judge, emoji.real(chosen), rows),
            "nearest training image": round(distance.median().item(), 4),
        }
    pairs = [(concept, colour) for concept in emoji.about["concepts"] for colour in emoji.colours]
    pairs = [pair for pair in pairs if pair[0] not in PEOPLE]
    for name, held in (("colours", False), ("colours held out", True)):
        fitting = [pair for pair in pairs if (pair in emoji.held_colours) == held]
        told = [fitting[index] for index in rng.permutation(len(fitting))[: prompts // 2]]
        images = drawn(denoiser, [f"a {colour} {concept}" for concept, colour in told], guidance_scale)
        right = [colour_of(image) == colour for image, (_, colour) in zip(images, told, strict=True)]
        named = [best for part in images.split(BATCH) for (best,) in judge.name(part, "concept")]
        concept = [best == wanted for best, (wanted, _) in zip(named, told, strict=True)]
        found[name] = {"prompts": len(told), "colour": share(right), "concept": share(concept)}
    return found | {"sums": measure_emoji_sums(denoiser, judge, emoji, min(prompts // 5, 100), guidance_scale)}


def measure_emoji_sums(
    denoiser: ex.Denoiser, judge: Judge, emoji: Emoji, count: int, guidance_scale: float
) -> dict[str, Any]:
    """How often a sum of prompts shows what it should, beside the same told in words: a colour and a style taken from
    one thing to another ("red cat" - "cat" + "dog"), and things without a word in common ("cat" - "dog" + "car")."""
    rng, found = np.random.default_rng(2), {}
    things = [name for name in emoji.about["concepts"] if name not in PEOPLE]
    for kind in ("colour", "style", "things"):
        verdicts: dict[str, list[list[bool]]] = {"sum": [], "told": []}
        for seed in range(count):
            one, other, third = (str(name) for name in rng.choice(things, 3, replace=False))
            mark = str(rng.choice(emoji.colours if kind == "colour" else emoji.styles))
            marked = {"colour": "{1} {0}", "style": "{0} in {1} style", "things": "{0}"}[kind]
            minus, told = (other, third) if kind == "things" else (one, marked.format(other, mark))
            asked = Asked(told, n=1, seed=seed, guidance_scale=guidance_scale)
            plus, and_plus = marked.format(one, mark), third if kind == "things" else other
            for way, image in (
                ("sum", torch.from_numpy(plus_minus(denoiser, plus, minus, and_plus, asked))[0]),
                ("told", torch.from_numpy(draw(denoiser, asked).pictures)[0]),
            ):
                ((named,),) = judge.name(image[None], "concept")
                right = {"colour": colour_of(image) == mark, "things": named == one}
                if kind == "style":
                    right[kind] = judge.name(image[None], "style") == [[mark]]
                verdicts[way].append([named == and_plus, right[kind]])
        shares = {way: [share(list(one)) for one in zip(*hits, strict=True)] for way, hits in verdicts.items()}
        found[kind] = {"prompts": count, **shares}
    return found


def measure_scenes(folder: Path, prompts: int, guidance_scale: float) -> dict[str, Any]:
    denoiser = loaded("scenes", folder)
    found: dict[str, Any] = {"guidance_scale": guidance_scale}
    for name, held in (("trained", False), ("held out", True)):
        real, _, told = scenes.scenes(prompts, seed=10**6, held_out=held)
        rng = np.random.default_rng(0)
        captions = [scenes.describe(scene, rng, exact=True) for scene in told]
        images = drawn(denoiser, captions, guidance_scale)
        for kind, shown in (("drawn", images), ("real", real)):
            verdicts = [scenes.right(image, scene) for image, scene in zip(shown, told, strict=True)]
            parts = {part: share([verdict[part] for verdict in verdicts]) for part in verdicts[0]}
            whole = share([all(verdict.values()) for verdict in verdicts])
            found.setdefault(name, {"prompts": prompts})[kind] = {**parts, "all": whole}
    found["sums"] = measure_scene_sums(denoiser, min(prompts // 5, 100), guidance_scale)
    return found | {"looks": measure_looks(denoiser, min(prompts, 60), guidance_scale)}


def measure_scene_sums(denoiser: ex.Denoiser, count: int, guidance_scale: float) -> dict[str, Any]:
    """How often one of two things is another after a sum ("a red circle above a blue square" - "a red circle" + "a
    green heart"), all of it right, beside the same told in words."""
    rng = np.random.default_rng(2)
    verdicts: dict[str, list[bool]] = {"sum": [], "told": []}
    while len(verdicts["sum"]) < count:
        one, other, third = (scenes.compose(rng).things[0] for _ in range(3))
        if len({thing.colour for thing in (one, other, third)} | {"white"}) < 4:
            continue
        first, second, instead = (f"a {thing.colour} {thing.shape}" for thing in (one, other, third))
        told = f"{instead} above {second}"
        wanted = request(tuple(text_encoder(denoiser).vocabulary.pieces(told)))
        assert wanted is not None
        asked = Asked(told, n=1, seed=len(verdicts["sum"]), guidance_scale=guidance_scale)
        summed = plus_minus(denoiser, f"{first} above {second}", first, instead, asked)
        for way, pictures in (("sum", summed), ("told", draw(denoiser, asked).pictures)):
            verdicts[way].append(shows(torch.from_numpy(pictures)[0], wanted))
    return {"scene": {"prompts": count, **{way: [share(hits)] for way, hits in verdicts.items()}}}


def measure_looks(denoiser: ex.Denoiser, count: int, guidance_scale: float) -> dict[str, Any]:
    """Whether a word's map lies on the thing that it names, for each part of the network: in scenes of two single
    things of two colours, on the pictures that the model drew, where each colour stands once. "colour" and "shape" are
    the shares of words that are looked at more there than on the other thing, "... times" the median of how much
    more; "... here" compares with all other places."""
    rng = np.random.default_rng(1)
    ratios: dict[str, dict[str, list[float]]] = {}
    drawn, measured = 0, 0
    while drawn < count:
        scene = scenes.compose(rng)
        things = scene.things
        if len(scene.groups) != 2 or len(things) != 2 or len({thing.colour for thing in things}) < 2:
            continue
        caption, drawn = scenes.describe(scene, rng, exact=True), drawn + 1
        asked = Asked(caption, n=1, guidance_scale=guidance_scale)
        made = draw(denoiser, asked)
        _, shown = scenes.read(torch.from_numpy(made.pictures[0]))
        there = [[one for one in shown if one.colour == thing.colour] for thing in things]
        if any(len(ones) != 1 for ones in there):
            continue
        measured += 1
        y, x = np.mgrid[: scenes.SIDE, : scenes.SIDE] + 0.5
        discs = [np.hypot(x - one.x, y - one.y) < scenes.RADII[one.size] + 1 for (one,) in there]
        seen = looks(denoiser, asked, made)
        for part, of_part in seen.maps.items():
            maps = of_part[: 2 * asked.steps // 3, 0].mean(0)
            pixels = scenes.SIDE // maps.shape[-1]
            maps = maps.repeat(pixels, 1).repeat(pixels, 2)
            found = ratios.setdefault(part, {"colour": [], "shape": [], "colour here": [], "shape here": []})
            for thing, own, other in zip(things, discs, discs[::-1], strict=True):
                for kind, word in (("colour", thing.colour), ("shape", thing.shape)):
                    if seen.words.count(word) == 1:
                        of_word = maps[seen.words.index(word)]
                        found[kind].append(of_word[own].mean() / of_word[other].mean())
                        found[f"{kind} here"].append(of_word[own].mean() / of_word[~own].mean())
    parts = {}
    for part, found in ratios.items():
        parts[part] = {kind: share([bool(ratio > 1) for ratio in one]) for kind, one in found.items()}
        parts[part] |= {f"{kind} times": round(float(np.median(one)), 2) for kind, one in found.items()}
    return {"prompts": measured, "parts": parts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=["emoji", "scenes"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--prompts", type=int, default=500)
    parser.add_argument("--guidance", type=float, help="the scale, by default the one that the page has")
    given = parser.parse_args()
    torch.set_num_threads(1)
    measure = {"emoji": measure_emoji, "scenes": measure_scenes}[given.name]
    scale = TELLERS[given.name].guidance_scale if given.guidance is None else given.guidance
    print(json.dumps(measure(given.folder, given.prompts, scale), indent=1))


if __name__ == "__main__":
    main()
