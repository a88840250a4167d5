"""What Guided generation claims, computed again."""

import json
import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch import Tensor
from torch.nn import functional

import explorer as ex
from explorer.data.scenes import read
from explorer.files import ASSETS
from explorer.lessons.for_teachers.exercises import EXERCISES
from explorer.zoo import load_judge
from tests.claims.reading import found, number, replies, says, words

Open = Callable[..., AppTest]
PAGE = "pages/guided_generation.py"
PROMPT = "purple penguin"


@pytest.fixture(scope="module")
def page(open_page: Open) -> str:
    return words(open_page(PAGE))


@pytest.fixture(scope="module")
def answers(open_page: Open) -> str:
    return replies(open_page(PAGE), "guide")


@pytest.fixture(scope="module")
def emoji() -> ex.Denoiser:
    return ex.load_pretrained("emoji")


def drawn(model: ex.Denoiser, prompt: str, scale: float, n: int = 4, steps: int = 20, seed: int = 0, **how: object):
    return ex.sample(model, n, "ddim", steps, seed, [prompt] * n, guidance_scale=scale, **how)


@pytest.fixture(scope="module")
def by_scale(emoji: ex.Denoiser) -> dict[float, ex.Trajectory]:
    return {scale: drawn(emoji, PROMPT, scale) for scale in (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)}


def named(images: Tensor) -> list[str]:
    return [best for (best,) in load_judge("emoji").name(images.clamp(-1, 1), "concept")]


def clipped(images: Tensor) -> float:
    return float((images.abs() > 1).float().mean())


def variety(images: Tensor) -> float:
    return float(torch.pdist(images.clamp(-1, 1).flatten(1)).mean()) / images[0].numel() ** 0.5


def test_the_calls_of_a_drawing_and_what_the_judge_sees(page: str, answers: str, emoji: ex.Denoiser) -> None:
    n, steps, calls = map(number, found(r"(\d) pictures, (\d+) steps, (\d+) network calls", page).groups())
    hits, of, name = found(r"\*\*(\d) of (\d)\*\* are named “(\w+)” by a judge", page).groups()
    run = drawn(emoji, PROMPT, 4.0, int(n), int(steps))
    assert run.evaluations == calls == 2 * steps
    assert named(run.samples).count(name) == int(hits)
    assert int(of) == n
    says(answers, "It is, at every other scale; at 1 the unconditional part cancels.")
    asked = {scale: drawn(emoji, PROMPT, scale, 1, 3).evaluations for scale in (0.0, 1.0, 2.0)}
    assert asked == {0.0: 6, 1.0: 3, 2.0: 6}


def test_at_scale_0_the_prompt_is_not_heard(
    page: str, by_scale: dict[float, ex.Trajectory], emoji: ex.Denoiser
) -> None:
    says(page, "At scale 0 the prompt has no effect; at 1 the network is taken at its word.")
    other = drawn(emoji, "red car", 0.0).samples
    torch.testing.assert_close(by_scale[0.0].samples, other)
    plain = ex.sample(emoji, 4, "ddim", 20, 0, None).samples
    torch.testing.assert_close(by_scale[0.0].samples, plain, rtol=1e-3, atol=1e-3)


def test_far_above_4_little_is_won_and_colours_clip(page: str, by_scale: dict[float, ex.Trajectory]) -> None:
    says(
        page,
        "As the scale grows the pictures come to show the prompt",
        "far above 4 little is won, and colours clip",
    )
    right = {scale: named(run.samples).count("penguin") for scale, run in by_scale.items()}
    assert right[0.0] <= 1
    assert right[4.0] >= 3
    assert right[16.0] <= right[4.0] + 1
    shares = [clipped(run.samples) for run in by_scale.values()]
    assert shares == sorted(shares)
    assert clipped(by_scale[16.0].samples) > 1.6 * clipped(by_scale[4.0].samples)
    (exercise,) = [one for one in EXERCISES if "guidance 1, 2, 4 and 8" in one.task]
    assert "pictures of different seeds become more alike; at the high end colours saturate" in exercise.answer
    alike = [variety(by_scale[scale].samples) for scale in (1.0, 2.0, 4.0)]
    assert alike == sorted(alike, reverse=True)
    assert variety(by_scale[8.0].samples) < 0.8 * alike[0]


def test_the_guess_is_that_without_the_prompt_and_the_difference_as_often_as_the_scale(
    page: str, emoji: ex.Denoiser
) -> None:
    scale = number(found(r"The last column is the second plus (\d+) times the difference", page)[1])
    says(
        page,
        r"\hat\varepsilon = \hat\varepsilon(x_t, c_-) + w\,\bigl(\hat\varepsilon(x_t, c) - \hat\varepsilon(x_t, c_-)",
    )
    run = drawn(emoji, PROMPT, scale, n=2)
    told, negative = [PROMPT] * 2, None
    t = float(run.t[1])
    with torch.no_grad():
        with_it, without = (emoji.predict(run.x[1], t, condition) for condition in (told, negative))
    torch.testing.assert_close(run.x0[1], without.x0 + scale * (with_it.x0 - without.x0), rtol=1e-3, atol=2e-3)
    s = torch.tensor(float(run.t[2]), dtype=torch.float64)
    epsilon = without.epsilon + scale * (with_it.epsilon - without.epsilon)
    stepped = float(emoji.schedule.alpha(s)) * run.x0[1] + float(emoji.schedule.sigma(s)) * epsilon
    torch.testing.assert_close(run.x[2], stepped, rtol=1e-3, atol=2e-3)


def test_a_negative_prompt_that_is_the_prompt_cancels_guidance(answers: str, emoji: ex.Denoiser) -> None:
    says(
        answers,
        "Their difference is nothing, and any number times nothing is nothing.",
        "The prompt is still heard: what is left is the prediction with it.",
    )
    same = [drawn(emoji, PROMPT, scale, 2, 8, negative_condition=[PROMPT] * 2).samples for scale in (2.0, 8.0)]
    torch.testing.assert_close(same[0], same[1], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(same[0], drawn(emoji, PROMPT, 1.0, 2, 8).samples, rtol=1e-3, atol=1e-3)
    assert float((same[0] - drawn(emoji, "red car", 1.0, 2, 8).samples).square().mean().sqrt()) > 0.1


def test_colour_comes_first_then_layout_then_the_thing(page: str, emoji: ex.Denoiser) -> None:
    says(page, "the picture's mean colour comes first, then its layout, then its details")
    when = {"colour": [], "layout": [], "thing": []}
    for prompt in (PROMPT, "red car", "green frog"):
        guesses = drawn(emoji, prompt, 4.0, 2, 20, seed=2).x0.clamp(-1, 1)
        colour = guesses.mean((3, 4))
        coarse = functional.adaptive_avg_pool2d(guesses.flatten(0, 1), 4).unflatten(0, guesses.shape[:2])
        layout = coarse - colour[..., None, None]
        thing = guesses - functional.interpolate(coarse.flatten(0, 1), size=32).unflatten(0, guesses.shape[:2])
        for name, part in (("colour", colour), ("layout", layout), ("thing", thing)):
            missing = (part - part[-1]).square().flatten(1).sum(1) / part[-1].square().sum()
            when[name].append(int((missing < 0.25).float().argmax()))  # first step with three quarters of it
    mean = {name: sum(steps) / len(steps) for name, steps in when.items()}
    assert mean["colour"] < mean["layout"] < mean["thing"]


def test_the_points_of_the_plane_crowd_together(page: str, answers: str) -> None:
    says(
        page,
        "Three equal Gaussians at the corners of a triangle, each with a label; all points ask for the upper one, "
        "“first”.",
    )
    says(
        answers,
        "They start from 400 different places, the same at both scales.",
        "those that lie nearest to them are pushed most: they crowd together, beyond where they belong.",
    )
    from explorer.lessons.guided_generation.mixture import RADIUS, WIDTH, bent

    angles = math.pi / 2 + 2 * math.pi * torch.arange(3) / 3
    corners = RADIUS * torch.stack([angles.cos(), angles.sin()], 1)
    ends = {}
    for scale in (1.0, 4.0):  # the flow by Euler's method, with the posterior means of Gaussians written out
        x = torch.from_numpy(bent(scale).x[0]).double()
        assert len(x) == 400
        times = torch.linspace(0.999, 0.002, 400, dtype=torch.float64)
        for t, s in pairwise(times):
            alpha, sigma = 1 - t, t
            variance = alpha**2 * WIDTH**2 + sigma**2
            away = x[:, None] - alpha * corners.double()
            guesses = corners.double() + alpha * WIDTH**2 / variance * away
            share = (-away.square().sum(2) / (2 * variance)).softmax(1)
            nothing, upper = (share[..., None] * guesses).sum(1), guesses[:, 0]
            x0 = nothing + scale * (upper - nothing)
            x = (1 - s) * x0 + s * (x - alpha * x0) / sigma
        ends[scale] = x
    spread = {scale: float((x - x.mean(0)).square().mean().sqrt()) / WIDTH for scale, x in ends.items()}
    assert spread[1.0] == pytest.approx(1, abs=0.1)
    assert spread[4.0] < 0.8
    assert spread[4.0] == pytest.approx(bent(4.0).spread, abs=0.1)
    beyond = float((ends[4.0].mean(0) @ corners[0].double()) / RADIUS**2)
    assert beyond > 1.05  # farther from the other labels than their own middle is


def test_a_softmax_shares_each_places_attention_among_the_words(page: str, emoji: ex.Denoiser) -> None:
    says(page, r"h \leftarrow h + W\,\mathrm{softmax}\Big(\tfrac{Q(h)\,K(c)^\top}{\sqrt{d}}\Big)\,V(c)")
    seen: dict[str, Tensor] = {}

    def look(name: str, weights: Tensor) -> Tensor:
        seen[name] = weights
        return weights

    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        looked = emoji.predict(x, 0.6, emoji.read_condition([PROMPT] * 2, 2), look=look).x0
        unlooked = emoji.predict(x, 0.6, [PROMPT] * 2).x0
    torch.testing.assert_close(looked, unlooked, rtol=1e-3, atol=1e-3)
    assert len(seen) >= 3
    for weights in seen.values():
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]), rtol=1e-4, atol=1e-4)


def test_what_the_model_learned_is_what_its_data_hold(page: str, emoji: ex.Denoiser) -> None:
    things, styles = map(
        number, found(r"(\d+) things, (\d) styles, and in colours that nobody drew them in", page).groups()
    )
    renderings = number(found(r"([\d,]+) renderings of 189 concepts in 8 styles", page)[1])
    table = json.loads((ASSETS / "pictures" / "emoji.json").read_text())
    weights = sum(parameter.numel() for parameter in emoji.parameters())
    assert number(found(r"([\d,]+) weights, 10,296 steps of 64 pictures", page)[1]) == weights
    learned = [k for k, held in enumerate(table["held"]) if not held]
    assert len(learned) == renderings
    assert len({table["concepts"][k] for k in learned}) == things
    assert len(set(table["styles"])) == styles


def test_the_rates_of_the_card_are_found_again_on_fewer_prompts(page: str, emoji: ex.Denoiser) -> None:
    top, style = map(number, found(r"\| trained \| 500 \| top 1 (\d+)%, top 5 \d+%, style (\d+)%", page).groups())
    prompts = [
        "cat",
        "rocket",
        "pizza",
        "guitar",
        "sailboat",
        "rose",
        "owl",
        "key",
        "crown",
        "bicycle",
        "snail",
        "taco",
    ]
    run = ex.sample(emoji, len(prompts), "ddim", 20, 5, prompts, guidance_scale=4.0, keep="last").samples
    hits = sum(name == prompt for name, prompt in zip(named(run), prompts, strict=True)) / len(prompts)
    assert hits == pytest.approx(top / 100, abs=3 * math.sqrt(0.92 * 0.08 / len(prompts)))
    weakest = number(found(r"Weakest: style \(held out\), (\d+)%", page)[1])
    assert weakest < style < top


def test_every_word_of_a_scene_can_be_checked(page: str) -> None:
    says(page, "swap the two things of the prompt, and see whether the model binds each colour to its own shape.")
    scenes = ex.load_pretrained("scenes")
    right = []
    for circle, square in (("red", "blue"), ("blue", "red")):
        prompt = f"a {circle} circle above a {square} square"
        images = drawn(scenes, prompt, 2.5, 4, 20, seed=1).samples
        for image in images:
            _, shapes = read(image)
            right.append({(one.shape, one.colour) for one in shapes} == {("circle", circle), ("square", square)})
    assert sum(right) / len(right) > 0.7
