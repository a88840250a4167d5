"""What the welcome page claims, computed again."""

import json
import os
import platform
import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from streamlit.testing.v1 import AppTest

import explorer as ex
from explorer.lessons.path import MODULES, WAYS, Progress, as_file, progress_in
from explorer.lessons.scenes import scenes
from explorer.zoo import model_card
from tests.claims.distances import distance
from tests.claims.reading import found, number, says, words

Open = Callable[..., AppTest]
ROOT = Path(__file__).parents[2]
MODEL = "toy2d-swiss_roll-flow-velocity"


@pytest.fixture(scope="module")
def app(open_page: Open) -> AppTest:
    return open_page("Home.py")


@pytest.fixture(scope="module")
def page(app: AppTest) -> str:
    return words(app)


def test_the_animation_is_of_the_shipped_model(page: str) -> None:
    weights, points = map(
        number, found(r"A network of ([\d,]+) weights moved ([\d,]+) points, and a mesh, in", page).groups()
    )
    says(page, "it came trained")
    model = ex.load_pretrained(MODEL)
    assert sum(parameter.numel() for parameter in model.parameters()) == weights
    assert model_card(MODEL)["parameters"] == weights
    shown = number(found(r"Distance to fresh data ([\d.]+)", page)[1])
    samples = ex.sample(model, int(points), "heun", 12, 0, keep="last").samples.numpy()
    fresh = ex.toy2d("swiss_roll", n=2000, seed=1).numpy()
    assert distance(samples, fresh) == pytest.approx(shown, rel=0.1)


def test_what_a_perfect_model_gets(page: str) -> None:
    low, high = map(number, found(r"a perfect model gets ([\d.]+) to ([\d.]+)\.", page).groups())
    fresh = ex.toy2d("swiss_roll", n=2000, seed=1).numpy()
    perfect = [distance(ex.toy2d("swiss_roll", n=1000, seed=300 + k).numpy(), fresh) for k in range(80)]
    assert np.percentile(perfect, 5) == pytest.approx(low, rel=0.2)
    assert np.percentile(perfect, 95) == pytest.approx(high, rel=0.2)


def test_the_machine_is_this_one(app: AppTest, page: str) -> None:
    shown = {metric.label: metric.value for metric in app.metric}
    assert 1 <= int(shown["Cores"]) <= (os.cpu_count() or 1)
    assert 0 < number(shown["Memory"].removesuffix(" GiB")) <= psutil.virtual_memory().total / 2**30 + 1
    says(page, "The models of these modules run on the CPU; they need no more than this.")
    assert ex.load_pretrained(MODEL).network.state_dict()
    assert all(parameter.device.type == "cpu" for parameter in ex.load_pretrained("emoji").parameters())
    largest = max(path.stat().st_size for path in (ROOT / "assets" / "weights").iterdir())
    assert largest < number(shown["Memory"].removesuffix(" GiB")) * 2**30 / 100


def test_the_versions_are_those_that_run(page: str) -> None:
    said = found(r"Python ([\d.]+) · PyTorch ([\d.]+) · Streamlit ([\d.]+)", page)
    assert said.groups() == (platform.python_version(), torch.__version__.split("+")[0], version("streamlit"))


def test_each_way_has_its_steps(page: str) -> None:
    told = [tuple(map(int, way)) for way in re.findall(r"About (\d+) minutes, (\d+) steps\.", page)]
    assert told == [(way.minutes, len(way.stops)) for way in WAYS.values()]
    assert told[-1][1] == len(MODULES) == len(re.findall(r"\d\. All of ", page))
    assert told[0][0] == 5
    assert told[1][0] == 45


def test_the_lecture_takes_the_minutes_that_are_promised() -> None:
    assert sum(scene.minutes for scene in scenes("45")) == 45
    assert sum(scene.minutes for scene in scenes("15")) == 15


def test_three_seconds_are_enough_for_a_model_in_the_plane(page: str, open_page: Open) -> None:
    says(page, "The same in the plane: train a model in three seconds.")
    assert open_page("pages/geometry_lab.py").slider(key="geo_seconds").value == 3
    denoiser = ex.make_denoiser_2d(seed=0)
    fresh = ex.toy2d("moons", n=2000, seed=1).numpy()

    def far() -> float:
        return distance(ex.sample(denoiser, 1000, "heun", 12, 0, keep="last").samples.numpy(), fresh)

    before = far()
    config = ex.TrainConfig(steps=300, batch_size=512, learning_rate=0.02)  # of which a slow machine makes 100 a second
    for _ in ex.train(denoiser, ex.toy2d("moons", n=20_000, seed=0), config):
        pass
    assert far() < 0.2 * before


def test_every_module_of_the_map_is_there(page: str) -> None:
    for name, (title, questions) in MODULES.items():
        source = (ROOT / "pages" / f"{name}.py").read_text()
        assert title in page
        assert source.count("    Question(") == questions
    says(
        page,
        "Train your own on digits, MNIST or your images",
        "DDPM against DDIM and the modern solvers: steps, seconds, quality, diversity.",
    )


def test_what_the_modules_promise_is_on_their_pages(open_page: Open) -> None:
    lab = words(open_page("pages/training_lab.py"))
    for choice in ("Digits 8 x 8", "MNIST 28 x 28", "Your own images"):
        assert choice in lab
    showdown = words(open_page("pages/sampling_showdown.py"))
    for measure in ("Steps", "Seconds", "Fréchet distance", "diversity"):
        assert measure in showdown


def test_the_file_of_progress_says_what_was_opened_and_nothing_else(page: str) -> None:
    says(
        page,
        "The file and the link say which pages you opened and which questions you answered right, and nothing else.",
    )
    done = Progress({"core_concepts": frozenset({0, 2}), "unet": frozenset()})
    assert progress_in(done.text()) == done
    assert done.text() == "core_concepts.0.2,unet"
    saved = json.loads(as_file(done))
    assert saved == {"diffusion-explorer": "progress", "version": saved["version"], "done": done.text()}


def test_every_picture_is_data_or_of_a_model(page: str) -> None:
    says(
        page,
        "A course in which every picture is real data or comes from a real model.",
        "what was trained or recorded before it got here says so.",
    )
    cards = [json.loads(path.read_text()) for path in (ROOT / "assets" / "weights").glob("*.json")]
    assert all("command" in card for card in cards)  # how each shipped model was made
