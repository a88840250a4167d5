"""What the page of the conclusion claims, computed again."""

import json
import math
import re
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

import explorer as ex
from explorer.data.mnist import shipped_mnist
from explorer.data.tinted import tinted
from explorer.files import ASSETS
from explorer.hardware import systems
from explorer.lessons.conclusion_ethics.figures import figures
from explorer.lessons.conclusion_ethics.provenance import rings
from explorer.lessons.conclusion_ethics.words import MODEL, invent
from explorer.lessons.for_teachers.exercises import EXERCISES
from explorer.zoo import load_letters, model_card
from tests.claims.reading import found, number, replies, says, words

Open = Callable[..., AppTest]
PAGE = "pages/conclusion_ethics.py"


@pytest.fixture(scope="module")
def page(open_page: Open) -> str:
    return words(open_page(PAGE))


@pytest.fixture(scope="module")
def answers(open_page: Open) -> str:
    return replies(open_page(PAGE), "ethics")


@pytest.fixture(scope="module")
def bias(open_page: Open) -> str:
    return words(open_page(PAGE, ethics_look="Bias"))


@pytest.fixture(scope="module")
def marks(open_page: Open) -> str:
    return words(open_page(PAGE, ethics_look="Watermarks"))


@pytest.fixture(scope="module")
def letters(open_page: Open) -> str:
    return words(open_page(PAGE, ethics_look="Text"))


@pytest.fixture(scope="module")
def seen() -> Tensor:
    """The 200 shipped training images, twenty of each digit."""
    return shipped_mnist("training").images


def drawn(name: str, n: int, seed: int = 3) -> Tensor:
    model = ex.load_pretrained(name)
    return ex.sample(model, n, "heun", 20, seed, torch.arange(n) % 10, keep="last").samples


def two_nearest(samples: Tensor, images: Tensor) -> Tensor:
    """Root mean square to the nearest and to the second nearest image, (2, n)."""
    return torch.cdist(samples.flatten(1), images.flatten(1)).sort(1).values[:, :2].T / 28


def test_twenty_images_come_back_and_eight_thousand_do_not(page: str, answers: str, seen: Tensor) -> None:
    says(page, "a model of 20 images returns them; one of 8,000 draws digits that nobody wrote.")
    says(answers, "With 8,000 images no sample here is a copy; with 20 all are.")
    twenty = seen.view(10, 20, 1, 28, 28)[:, :2].flatten(0, 1)
    for name, images, copies in (("memory-20", twenty, 1.0), ("mnist-28", seen, 0.0)):
        first, second = two_nearest(drawn(name, 30), images)
        assert float((first / second < 1 / 3).float().mean()) == copies
    assert number(found(r"Of 1,000 samples \*\*([\d.]+)%\*\* are copies", page)[1]) > 99
    assert figures("memory")["curves"]["8000"]["copies"] == 0


def test_the_distances_of_samples_and_of_real_digits(page: str, seen: Tensor) -> None:
    said = found(r"saw lies ([\d.]+) from the nearest training image \(median\), a sample \*\*([\d.]+)\*\*", page)
    twenty = seen.view(10, 20, 1, 28, 28)[:, :2].flatten(0, 1)
    real, _ = two_nearest(shipped_mnist("held-out").images, twenty)
    assert float(real.median()) == pytest.approx(number(said[1]), abs=0.03)  # 200 of the 2,000
    samples, _ = two_nearest(drawn("memory-20", 30), twenty)
    assert float(samples.median()) == pytest.approx(number(said[2]), abs=0.02)


def test_one_network_saw_few_images_often_and_many_seldom(page: str) -> None:
    said = found(
        r"Both are one network of ([\d,]+) weights; each of the 20 was seen ([\d,]+) times, each of the 8,000 only "
        r"([\d,]+) times\.",
        page,
    )
    few, many = ex.load_pretrained("memory-20"), ex.load_pretrained("mnist-28")
    shapes = [[tuple(parameter.shape) for parameter in model.parameters()] for model in (few, many)]
    assert shapes[0] == shapes[1]
    assert sum(math.prod(shape) for shape in shapes[0]) == number(said[1])
    for name, images, times in (("memory-20", 20, said[2]), ("mnist-28", 8_000, said[3])):
        training = model_card(name)["training"]
        assert training["steps"] * training["batch_size"] / images == pytest.approx(number(times), abs=1)


def test_copies_come_late_and_a_small_network_has_no_room(page: str, open_page: Open) -> None:
    says(page, "At first a model knows only what all images have in common, and its samples are new, if blurred.")
    size = words(open_page(PAGE, ethics_remedy="A smaller model"))
    says(size, "The small one has fewer weights than there are pixels to remember, and hardly any room for copies.")
    runs = figures("memory")["runs"]
    for run in runs.values():
        shares = list(run["copies"].values())
        assert shares == sorted(shares)
    assert max(list(runs["memory-200"]["copies"].values())[:3]) == 0 < runs["memory-200"]["copies"]["6000"]
    small, large = runs["memory-200-small"], runs["memory-200"]
    assert small["parameters"] < 200 * 28 * 28 < large["parameters"]
    assert small["copies"]["6000"] < 0.05 * large["copies"]["6000"]
    says(size, f"| {small['parameters']:,} | {200 * 784:,} |", f"| {large['parameters']:,} | {200 * 784:,} |")


def test_ten_draws_bring_half_of_the_twenty_back(open_page: Open, seen: Tensor) -> None:
    tries = words(open_page(PAGE, ethics_remedy="How many tries?"))
    found(r"Of 20 training images \*\*100%\*\* had come back after 2,000 samples", tries)
    back = figures("memory")["back"]["20"]
    twenty = seen.view(10, 20, 1, 28, 28)[:, :2].flatten(0, 1)
    nearest = torch.cdist(drawn("memory-20", 100, 11).flatten(1), twenty.flatten(1)).argmin(1)
    for samples in (10, 20, 50, 100):
        returned = len(set(nearest[:samples].tolist())) / 20
        assert returned == pytest.approx(back[str(samples)], abs=0.2)


def test_half_are_circles_and_the_share_of_them_is_blue(bias: str) -> None:
    said = found(
        r"Half of the training pictures are circles, half are stars\. \*\*(\d+) %\*\* of the circles are blue and of "
        r"the stars orange; the others have the other's colour\.",
        bias,
    )
    pictures, shapes, _ = tinted(1_000, number(said[1]) / 100)
    assert float((shapes == 0).float().mean()) == 0.5
    blue = pictures[:, 2].sum((1, 2)) > pictures[:, 0].sum((1, 2))
    assert float(blue[shapes == 0].float().mean()) == pytest.approx(number(said[1]) / 100, abs=0.01)
    assert float(blue[shapes == 1].float().mean()) == pytest.approx(1 - number(said[1]) / 100, abs=0.01)


def test_guidance_turns_a_preference_up(page: str, answers: str, bias: str) -> None:
    says(
        page,
        "guidance exaggerates whatever the data have more of. Where they are balanced, it exaggerates the small "
        "imbalance that chance left in the model.",
    )
    said = found(r"0\.9³ / \(0\.9³ \+ 0\.1³\) is ([\d.]+) %", answers)
    assert pytest.approx(number(said[1]), abs=0.05) == 100 * 0.9**3 / (0.9**3 + 0.1**3)
    measured = figures("bias")["usual"]
    for share in ("70", "90"):
        p = int(share) / 100
        assert measured[share]["1"] == pytest.approx(p, abs=0.1)
        assert measured[share]["3"] > measured[share]["1"]
        assert measured[share]["3"] == pytest.approx(p**3 / (p**3 + (1 - p) ** 3), abs=0.1)
    flat = found(r"chance left in the model: (\d+)% at guidance 1, (\d+)% at 6", bias)
    assert [number(share) for share in flat.groups()] == [round(100 * measured["50"][scale]) for scale in ("1", "6")]


def test_what_one_batch_shows_has_its_interval(bias: str) -> None:
    share, half, expected = map(
        number, found(r"Measured ([\d.]+)% ± ([\d.]+)%; what guidance should return: ([\d.]+)%", bias).groups()
    )
    pictures = number(found(r"% of (\d+) pictures have the usual colour", bias)[1])
    assert half == pytest.approx(196 * math.sqrt(share / 100 * (1 - share / 100) / pictures), abs=0.2)
    assert expected == 90.0  # at guidance 1
    (exercise,) = [one for one in EXERCISES if "share of blue circles" in one.task]
    assert "0.7² / (0.7² + 0.3²) = 84 %" in exercise.answer
    assert round(100 * 0.49 / (0.49 + 0.09)) == 84
    assert "With 48 pictures the interval is about ± 10 %" in exercise.answer
    assert 196 * math.sqrt(0.84 * 0.16 / 48) == pytest.approx(10, abs=0.6)


def ring_fit(noise: Tensor, radii: Tensor, key: Tensor) -> Tensor:
    """The formula of the page: the correlation of the transform's real part with the key, on rings 1 to 8."""
    inside = (radii >= 1) & (radii <= 8)
    values, wanted = torch.fft.fft2(noise).real[..., inside].flatten(1), key[..., inside].flatten()
    return values @ wanted / (values.norm(dim=1) * wanted.norm())


def test_the_rings_are_found_again_and_not_in_other_noise(marks: str) -> None:
    shown, needed = map(number, found(r"The mark is found: the rings fit ([\d.]+), ([\d.]+) is needed", marks).groups())
    without = number(found(r"Without it: the rings fit (-?[\d.]+)", marks)[1])
    assert without < needed < shown
    axis = torch.cat([torch.arange(16), torch.arange(-16, 0)]).float()
    radii, key = torch.hypot(axis[:, None], axis[None]).round(), rings()[1]
    noise = torch.randn(400, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    chance = ring_fit(noise, radii, key)
    assert float(chance.max()) < needed  # no false alarm among 400
    assert float(chance.std()) * 4 == pytest.approx(needed, rel=0.25)
    spectrum = torch.fft.fft2(noise[:8])
    spectrum[:, (key != 0)] = key[key != 0].to(spectrum)
    marked = torch.fft.ifft2(spectrum).real
    assert float(ring_fit(marked, radii, key).min()) > 0.99
    model = ex.load_pretrained("emoji")
    prompts = ["purple penguin"] * 4
    pictures = ex.sample(model, 4, "ddim", 20, condition=prompts, guidance_scale=4.0, x_init=marked[:4], keep="last")
    back = ring_fit(ex.samplers.invert(model, pictures.samples.clamp(-1, 1), 20), radii, key)
    assert float(back.min()) > needed
    assert float(back.mean()) == pytest.approx(figures("provenance")["score"]["nothing"], abs=0.12)
    moved = torch.roll(pictures.samples.clamp(-1, 1), (2, 2), (2, 3))
    assert float(ring_fit(ex.samplers.invert(model, moved, 20), radii, key).mean()) < float(back.mean()) - 0.2


def test_what_the_mark_survives(page: str, marks: str) -> None:
    said = found(
        r"the mark survives compression and mirroring, and not a shift of two pixels: it is found in (\d+)%, (\d+)% "
        r"and (\d+)% of pictures",
        page,
    )
    jpeg, mirrored, moved = map(number, said.groups())
    assert min(jpeg, mirrored) > 90 > 20 > moved
    for row, share in (
        ("JPEG, quality 30, enlarged 8 times", jpeg),
        ("mirrored", mirrored),
        ("moved by 2 pixels", moved),
    ):
        assert number(found(rf"\| {row} \| \*\*(\d+)%\*\*", marks)[1]) == share
    false, of = map(number, found(r"False alarms: \*\*(\d+) of (\d+)\*\* pictures without the mark", marks).groups())
    assert (false, of) == (figures("provenance")["false"], figures("provenance")["unmarked"])


def test_letters_shown_together_do_not_know_of_each_other(letters: str) -> None:
    says(letters, "Letters shown in one step do not know of each other: more a step are faster and worse.")
    ways = {(way["order"], way["at once"]): way for way in figures("letters")["ways"]}
    for order in ("random", "left", "confident"):
        for before, after in pairwise([1, 3, 12]):
            assert ways[order, after]["nats"] < ways[order, before]["nats"]
            assert ways[order, after]["known"] < ways[order, before]["known"]
    known = {}
    for at_once in (1, 12):
        invented = invent("", 250, "random", at_once, 1.0, 17)
        assert all(len(one.states) == (13 if at_once == 1 else 2) for one in invented)
        known[at_once] = sum(one.known for one in invented) / 250
    assert known[12] < 0.6 * known[1]
    assert known[1] == pytest.approx(ways["random", 1]["known"], abs=3 * math.sqrt(0.095 * 0.905 / 250))
    weights = sum(parameter.numel() for parameter in load_letters(MODEL).parameters())
    assert number(found(r"The model has ([\d,]+) weights", letters)[1]) == weights


def test_energy_is_time_by_power(open_page: Open) -> None:
    text = words(open_page(PAGE, ethics_look="Energy"))
    seconds, told = found(r"\*\*together\*\* \| \*\*([\d.,]+)\*\* \| \*\*([\d.]+ .?Wh)\*\*", text).groups()
    unit = {"mWh": 1e-3, "µWh": 1e-6, "Wh": 1.0}
    value, name = told.split()
    energy = number(value) * unit[name]
    assert energy == pytest.approx(number(seconds) * 10 / 3600, abs=0.006 * 10 / 3600)  # of 10 W, to a hundredth
    says(text, "150,000 hours of an A100, whose full power is 250 W", "| 37.5 MWh |", "2.9 kWh for a thousand")
    assert 150_000 * 250 == 37.5e6
    for watt_hours in (2.91, 37.5e6):
        times = [number(times) for times in re.findall(r"([\d,]+) x \|", text)]
        assert any(many == pytest.approx(watt_hours / energy, rel=0.02) for many in times)


def test_the_share_of_a_repeated_image_and_nobody_elses(open_page: Open) -> None:
    text = words(open_page(PAGE, ethics_remedy="Removing duplicates"))
    repeated, times = map(number, found(r"8,000 images, and (\d+) of them stand in it (\d+) times each", text).groups())
    duplicates = figures("memory")["duplicates"]
    assert (repeated, times) == (duplicates["repeated"], duplicates["times"] + 1)
    with_them, others = map(number, found(r"with the duplicates \| \*\*([\d.]+)%\*\* \| ([\d.]+)%", text).groups())
    assert with_them > 10 > 1 > others
    assert np.isclose(with_them / 100, duplicates["copies of repeated"], atol=1e-3)
    once = found(r"each image once \| ([\d.]+)% \| ([\d.]+)%", text)
    assert number(once[1]) == number(once[2]) == 0


def test_large_video_models_cost_far_more(open_page: Open) -> None:
    text = words(open_page(PAGE, ethics_look="Video"))
    said = found(
        r"a step of them takes, as \*Build your rig\* counts, ([\d,]+) to ([\d,]+) times as many operations", text
    )
    model = ex.load_pretrained("moving-digits")
    assert number(found(r"([\d,]+) weights, 16 frames of 32 x 32", text)[1]) == sum(
        parameter.numel() for parameter in model.parameters()
    )
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        ex.sample(model, 1, "ddim", 1, condition=torch.tensor([3]), guidance_scale=3.0)
    traces = json.loads((ASSETS / "hardware" / "traces.json").read_text())["components"]
    published = {name: systems.systems()[name].denoiser for name in ("ltx", "hunyuanvideo")}
    step = {name: traces[f"denoiser.{denoiser}"]["running"] for name, denoiser in published.items()}
    assert min(row[6] for row in step["ltx"]) / counter.get_total_flops() < number(said[1])
    assert max(row[6] for row in step["hunyuanvideo"]) * 2 / counter.get_total_flops() > number(said[2])
    assert number(said[1]) > 10_000
