"""Measure what the last module tells, and put its figures and weights into `assets`.

python scripts/ship_ethics.py provenance
python scripts/ship_ethics.py memory FOLDER --mnist MNIST      # FOLDER is that of `train_ethics.py`
python scripts/ship_ethics.py bias FOLDER --people people.json # of `judge_people.py`
python scripts/ship_ethics.py letters FOLDER
python scripts/ship_ethics.py video FOLDER --mnist MNIST
"""

import argparse
import json
import math
import statistics
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from train_ethics import REPEATED, TIMES, repeated, run_of, words

import explorer as ex
from explorer.data.emoji import emoji
from explorer.data.mnist import load_mnist
from explorer.data.moving import moving_digits
from explorer.data.speech.pronunciation import look_up
from explorer.dataset import ImageDataset
from explorer.lessons.conclusion_ethics import bias, memory, motion, provenance
from explorer.lessons.conclusion_ethics.figures import FOLDER
from explorer.lessons.guided_generation.models import TELLERS
from explorer.lessons.guided_generation.recall import artists_apart, nearest_drawn
from explorer.lessons.training_lab import Judge
from explorer.masked import unmask
from explorer.networks.letters import HIDDEN, LONGEST, make_letters, read
from explorer.training import load_weights
from explorer.zoo import FOLDER as WEIGHTS
from explorer.zoo import load_classifier, save_looker, to_bytes, write_card

PROMPTS = [*TELLERS["emoji"].chips[:4], "cat", "strawberry", "sad face", "red car", "blue whale", "house"]
TRADES = ("doctor", "police officer", "cook", "astronaut", "firefighter", "farmer", "teacher")


def write(name: str, figures: dict[str, Any]) -> None:
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(figures) + "\n")
    print(json.dumps(figures, indent=1)[:6000])


def percentiles(values: Tensor) -> list[float]:
    return [round(float(value), 4) for value in np.percentile(values.numpy(), np.linspace(0, 100, 101))]


def ship(denoiser: ex.Denoiser, name: str, card: dict[str, Any], **about: Any) -> None:
    """Weights in 16 bits, and their card."""
    (WEIGHTS / f"{name}.safetensors").write_bytes(to_bytes(denoiser, half=True, name=name, **about))
    size = {**denoiser.network.size, "schedule": "cosine", "prediction": denoiser.prediction}  # type: ignore[dict-item]
    architecture = {"network": type(denoiser.network).__name__, **size}
    parameters = sum(parameter.numel() for parameter in denoiser.parameters())
    card = {**card, "architecture": architecture, "parameters": parameters}
    write_card(name, card)


def trained(name: str, folder: Path, mnist: Path | None) -> tuple[ex.Denoiser, dict[int, Tensor], dict[str, Any]]:
    """An untrained model of `train_ethics.py`, its averaged weights by step, and how it was trained."""
    denoiser, _, config = run_of(name, mnist)
    kept = torch.load(folder / f"{name}.pt")
    training = {
        "steps": max(kept["steps"]),
        "batch_size": config.batch_size,
        "learning_rate": config.learning_rate,
        "ema_decay": config.ema_decay,
        "optimizer": config.optimizer,
        "seconds": kept["seconds"],
        "machine": kept["machine"],
    }
    return denoiser, kept["steps"], training


def ship_memory(given: argparse.Namespace) -> None:
    """Copies among samples, by training images, steps, size and duplicates."""
    learned, unseen = load_mnist(given.mnist, "mnist-28", ["t10k"]).split()
    samples_each, fewer = 1_000, 500
    runs: dict[str, Any] = {}

    def few(count: int) -> ImageDataset:
        return memory.training_images(count)

    def copies(denoiser: ex.Denoiser, images: Tensor, n: int) -> memory.Nearest:
        return memory.nearest_two(memory.samples_of(denoiser, n, 0), images)

    labels = {
        "memory-20": ("20 images", 20),
        "memory-200": ("200 images, 0.5 M weights", 200),
        "memory-200-small": ("200 images, a small network", 200),
    }
    for name, (label, count) in labels.items():
        denoiser, kept, training = trained(name, given.folder, given.mnist)
        judge = Judge(denoiser, few(count), unseen, classes=10)
        by_step, losses = {}, {}
        for step, vector in kept.items():
            (held_out, seen), _ = judge.look(vector.float())
            losses[step] = {"held out": round(held_out, 4), "training": round(seen, 4)}
            by_step[step] = round(copies(denoiser, few(count).images, fewer).copies.float().mean().item(), 4)
        parameters = sum(parameter.numel() for parameter in denoiser.parameters())
        runs[name] = {"label": label, "images": count, "parameters": parameters, "copies": by_step, "losses": losses}
        print(name, by_step, flush=True)
        if name in memory.MODELS.values():
            card = {
                "data": f"{count} images of MNIST that come with the app, {count // 10} of each digit, to be "
                "learned by heart",
                "terms": "Y. LeCun, C. Cortes and C. Burges, CC BY-SA 3.0",
                "command": f"python scripts/train_ethics.py {name} FOLDER",
                "training": training,
                "metrics": {"copies among 500 samples": by_step[max(by_step)]},
            }
            ship(denoiser, name, card, dataset="mnist-28", classes=list(learned.classes))
    curves, back = {}, {}
    for count, name in memory.MODELS.items():
        images = learned.images if count > 200 else few(count).images
        draws = memory.samples_of(ex.load_pretrained(name), 2 * samples_each, 1)
        near = memory.nearest_two(draws, images)
        generator = torch.Generator().manual_seed(0)
        as_many = unseen.images[torch.randperm(len(unseen), generator=generator)[: len(images)]]
        curves[str(count)] = {
            "samples": samples_each,
            "copies": round(near.copies[:samples_each].float().mean().item(), 4),
            "trained": percentiles(near.distance[:samples_each]),
            "unseen images": len(as_many),
            "unseen": percentiles(memory.nearest_two(draws[:samples_each], as_many).distance),
            "real": percentiles(memory.nearest_two(unseen.images[:samples_each], images).distance),
        }
        if count <= 200:
            first = [int((near.which[:k][near.copies[:k]]).unique().numel()) for k in COUNTS]
            back[str(count)] = {str(k): round(found / count, 4) for k, found in zip(COUNTS, first, strict=True)}
    duplicates = of_duplicates(given, learned)
    write("memory", {"runs": runs, "curves": curves, "back": back, "duplicates": duplicates, "emoji": of_emoji()})


def of_duplicates(given: argparse.Namespace, learned: ImageDataset) -> dict[str, float]:
    """How often images that stand in the training set many times come back, and others."""
    n = 1_000
    denoiser, kept, _ = trained("memory-repeated", given.folder, given.mnist)
    load_weights(denoiser, kept[max(kept)].float())
    images, _ = repeated(learned)
    favourites = images[-REPEATED:]

    def of_repeated(model: ex.Denoiser) -> tuple[float, float]:
        near = memory.nearest_two(memory.samples_of(model, n, 0), learned.images)
        again = (learned.images[near.which] == favourites[:, None]).flatten(2).all(2).any(0)
        return tuple(round((near.copies & part).float().mean().item(), 4) for part in (again, ~again))  # type: ignore[return-value]

    twice, once = of_repeated(denoiser), of_repeated(ex.load_pretrained("mnist-28"))
    return {
        "repeated": REPEATED,
        "times": TIMES,
        "samples": n,
        "copies of repeated": twice[0],
        "copies of others": twice[1],
        "copies of repeated, once": once[0],
        "copies of others, once": once[1],
    }


COUNTS = (10, 20, 50, 100, 200, 500, 1_000, 2_000)


def of_emoji() -> dict[str, Any]:
    """How near pictures that are asked for by thing and style come to those that the model learned from."""
    sheet, denoiser = emoji(), ex.load_pretrained("emoji")
    pairs = sorted({(c, s) for c, s, held in zip(sheet.concepts, sheet.styles, sheet.held, strict=True) if not held})
    chosen = [pairs[k] for k in np.random.default_rng(0).permutation(len(pairs))[:200]]
    prompts = [f"{concept} in {style} style" for concept, style in chosen]
    pictures = torch.cat(
        [
            ex.sample(denoiser, len(part), "ddim", 20, k, part, guidance_scale=4.0, keep="last").samples.clamp(-1, 1)
            for k, part in enumerate([prompts[at : at + 50] for at in range(0, 200, 50)])
        ]
    )
    _, _, distances = nearest_drawn(pictures)
    learned = sheet.images([place for place, held in enumerate(sheet.held) if not held])
    near = memory.nearest_two(pictures, torch.cat([learned, learned.flip(3)]).unique(dim=0))
    makers = {maker["maker"].partition(",")[0] for maker in sheet.makers.values()}
    return {
        "learned": len(learned),
        "artists": len(makers),
        "samples": len(pictures),
        "copies": round(near.copies.float().mean().item(), 3),
        "distance": round(statistics.median(distances), 3),
        "artists apart": round(artists_apart(), 3),
    }


def ship_bias(given: argparse.Namespace) -> None:
    """The share of usual colours that comes back, by the share in the set and the guidance scale."""
    n, usual, right = 300, {}, {}
    for share, name in bias.MODELS.items():
        denoiser, kept, training = trained(name, given.folder, None)
        load_weights(denoiser, kept[max(kept)].float())
        found = {scale: bias.returned(denoiser.requires_grad_(False), n, scale, 0) for scale in (1, 1.5, 2, 3, 4, 6)}
        usual[str(share)] = {str(scale): round(of.usual, 4) for scale, of in found.items()}
        right[str(share)] = {str(scale): round(of.right, 4) for scale, of in found.items()}
        print(share, usual[str(share)], right[str(share)], flush=True)
        card = {
            "data": f"explorer.data.tinted.tinted(4_000, {share / 100:g}): circles and stars, {share} % of them "
            "in their usual colour",
            "terms": "generated by this project; MIT",
            "command": f"python scripts/train_ethics.py {name} FOLDER",
            "training": training,
            "metrics": {"usual colours of 300, by guidance": usual[str(share)], "shape asked for": right[str(share)]},
        }
        ship(denoiser, name, card, classes=list(bias.SHAPES))
    write("bias", {"samples": n, "usual": usual, "right": right})


def ship_people(given: argparse.Namespace) -> None:
    """Whom the text-to-image model draws when the prompt leaves it open, by a judge whose errors are known."""
    judge, figures = load_classifier("people"), json.loads(given.people.read_text())
    denoiser, n, returned = ex.load_pretrained("emoji").to(given.device), 100, {}
    for scale in (1, 4):
        returned[str(scale)] = {}
        for number, trade in enumerate(TRADES):
            walk = ex.sample(denoiser, n, "ddim", 20, number, [trade] * n, guidance_scale=scale, keep="last")
            women = judge.classify(walk.samples.clamp(-1, 1).cpu()) == 1
            returned[str(scale)][trade] = round(women.float().mean().item(), 3)
        print(scale, returned[str(scale)], flush=True)
    sheet = emoji()
    data, unmarked = {}, {}
    for trade in TRADES:
        places = [k for k, one in enumerate(sheet.concepts) if one == trade and not sheet.held[k]]
        women = judge.classify(sheet.images(places)) == 1
        data[trade] = {"pictures": len(places), "woman": round(women.float().mean().item(), 3)}
    for one in figures["unmarked"]:
        style = unmarked.setdefault(one["style"], {"pictures": 0, "woman": 0})
        style["pictures"] += 1
        style["woman"] += one["woman"] > 0.5
    write(
        "people",
        {
            "judge": {name: value for name, value in figures.items() if name != "unmarked"},
            "all data": figures["all data"],
            "data": data,
            "unmarked": unmarked,
            "samples": n,
            "returned": returned,
        },
    )


def ship_letters(given: argparse.Namespace) -> None:
    """How many invented words the dictionary knows, and how likely a model of three letters in a row finds them."""
    kept = torch.load(given.folder / "letters.pt")
    network = make_letters()
    network.load_state_dict({name: tensor.float() for name, tensor in kept["weights"].items()})
    network.requires_grad_(False)
    save_looker("letters", "words", network, half=True)
    learned = [word for k, word in enumerate(words()) if k % 10]
    threes, twos = Counter[str](), Counter[str]()
    for word in learned:
        spelt = f"__{word}_"
        threes.update(spelt[k : k + 3] for k in range(len(spelt) - 2))
        twos.update(spelt[k : k + 2] for k in range(len(spelt) - 2))

    def nats(several: Sequence[str]) -> float:
        total = count = 0.0
        for word in several:
            spelt = f"__{word}_"
            for k in range(len(spelt) - 2):
                total += math.log((threes[spelt[k : k + 3]] + 0.1) / (twos[spelt[k : k + 2]] + 2.7))
                count += 1
        return round(total / count, 3)

    n = 1_000
    start = torch.full((n, LONGEST), HIDDEN)
    ways = []
    for order in ("random", "left", "confident"):
        for at_once in (1, 3, 12):
            *_, last = unmask(network, start, HIDDEN, 0, order, at_once=at_once)
            found = [word for word in read(last) if word]
            known = sum(look_up(word) is not None for word in found) / n
            ways.append({"order": order, "at once": at_once, "known": round(known, 4), "nats": nats(found)})
            print(ways[-1], found[:12], flush=True)
    frequency = Counter("".join(learned))
    letters, weights = zip(*sorted(frequency.items()), strict=True)
    rng = np.random.default_rng(0)
    shares = np.array(weights) / sum(weights)
    chance = ["".join(rng.choice(letters, len(word), p=shares)) for word in learned[:: len(learned) // n][:n]]
    card = {
        "data": f"{len(learned):,} words of 3 to {LONGEST} letters of the CMU Pronouncing Dictionary; every tenth "
        "of all is held out",
        "terms": "BSD of two clauses, in assets/speech/LICENSE",
        "architecture": {"network": "Letters", **network.size},
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "command": "python scripts/train_ethics.py letters FOLDER",
        "training": kept["training"],
        "metrics": {"bound on the held-out words, nats a place": round(kept["held out"], 4)},
    }
    write_card("letters-words", card)
    write(
        "letters",
        {
            "samples": n,
            "words": len(learned),
            "parameters": card["parameters"],
            "ways": ways,
            "chance": {"known": sum(look_up(one) is not None for one in chance) / n, "nats": nats(chance)},
            "held out": {"nats": nats(words()[::10])},
        },
    )


def ship_video(given: argparse.Namespace) -> None:
    """Consistency between frames, of the model's videos, of their frames one by one, and of real ones."""
    denoiser, kept, training = trained("video", given.folder, given.mnist)
    load_weights(denoiser, kept[max(kept)].float())
    denoiser.requires_grad_(False)
    classifier, n = load_classifier("mnist-28"), 100
    digits = torch.arange(n) % 10
    _, held_out = load_mnist(given.mnist, "mnist-28", ["t10k"]).split()
    real, real_digits = moving_digits(held_out, n, 0)
    made = torch.cat(
        [
            ex.sample(
                denoiser, len(part), "dpmpp_2m", motion.STEPS, k, part, guidance_scale=motion.GUIDANCE, keep="last"
            ).samples.clamp(-1, 1)
            for k, part in enumerate(digits.split(20))
        ]
    )
    mixed = made.clone()  # frame k of the k-th next video of the same digit
    for k in range(made.shape[1]):
        mixed[:, k] = made[(torch.arange(n) + 10 * k) % n, k]

    def of(videos: Tensor, wanted: Tensor) -> dict[str, float]:
        measured = motion.consistency(videos)
        read_as = classifier.classify(motion.digit_in(videos.flatten(0, 1))).view(videos.shape[:2])
        return {
            "path": round(measured.path, 3),
            "shape": round(measured.shape, 3),
            "read": round((read_as == wanted[:, None]).float().mean().item(), 3),
            "one digit": round((read_as == read_as[:, :1]).all(1).float().mean().item(), 3),
        }

    parameters = sum(parameter.numel() for parameter in denoiser.parameters())
    figures = {
        "videos": n,
        "parameters": parameters,
        "model": of(made, digits),
        "one by one": of(mixed, digits),
        "real": of(real, real_digits),
    }
    card = {
        "data": "videos of one moving digit, 16 frames of 32 x 32, drawn from MNIST's test images by "
        "explorer.data.moving; image i is held out when i % 5 == 4",
        "terms": "Y. LeCun, C. Cortes and C. Burges, CC BY-SA 3.0",
        "command": "python scripts/train_ethics.py video FOLDER --mnist MNIST",
        "training": training,
        "metrics": {name: figures[name] for name in ("model", "one by one", "real")},
    }
    ship(denoiser, motion.MODEL, card)
    write("video", figures)


def ship_provenance(given: argparse.Namespace) -> None:
    """How well the rings fit where they are and where they are not, after each harm."""
    each = 20
    with_mark, without = (
        torch.cat([provenance.picture(prompt, k, mark, each) for k, prompt in enumerate(PROMPTS)])
        for mark in (True, False)
    )
    drawn = emoji().images()[::4]
    unmarked = torch.cat([provenance.score(part) for part in torch.cat([without, drawn]).split(100)])
    scores = {
        name: torch.cat([provenance.score(harm.does(part)) for part in with_mark.split(100)])
        for name, harm in provenance.HARMS.items()
    }
    text = provenance.as_file(with_mark[0], "PNG", "made by a model")
    write(
        "provenance",
        {
            "pictures": len(with_mark),
            "unmarked": len(unmarked),
            "drawn": len(drawn),
            "false": int((unmarked >= provenance.FOUND).sum()),
            "highest of unmarked": round(unmarked.max().item(), 3),
            "spread of unmarked": round(unmarked.std().item(), 3),
            "found": {name: round((of >= provenance.FOUND).float().mean().item(), 3) for name, of in scores.items()},
            "score": {name: round(of.mean().item(), 3) for name, of in scores.items()},
            "text": provenance.text_in(text) is not None,
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subject", choices=("provenance", "memory", "bias", "people", "letters", "video"))
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--mnist", type=Path)
    parser.add_argument("--people", type=Path)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    torch.set_num_threads(1)
    globals()[f"ship_{given.subject}"](given)


if __name__ == "__main__":
    main()
