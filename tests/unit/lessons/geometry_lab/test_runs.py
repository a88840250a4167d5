"""Runs on the stage: what is measured on them, what a perfect model gets, and what a file says that it learned."""

import numpy as np
import pytest
import torch

import explorer as ex
from explorer.lessons.geometry_lab.runs import (
    Recipe,
    Settings,
    Source,
    given_source,
    perfect_range,
    points_of,
    run,
    source_in,
)
from explorer.metrics import NotFinite

SETTINGS = Settings(Recipe(Source("moons"), "flow", "velocity"), steps=5, n=300)
DRAWN = given_source("drawing", np.random.default_rng(0).uniform(-1, 1, (400, 2)).astype(np.float32))


def test_a_run_is_measured_against_fresh_points_and_the_examples() -> None:
    found = run(SETTINGS.recipe.exact(SETTINGS.examples), SETTINGS, recalled=True)
    samples, (training, fresh) = torch.from_numpy(found.view.samples), points_of(SETTINGS.recipe.source)
    assert found.distance == ex.sliced_wasserstein(samples, fresh)
    assert found.perfect == perfect_range(SETTINGS.recipe.source, 300)
    gaps = (samples[:, None] - training[None, :500]).norm(dim=2).min(1).values
    assert found.nearest == pytest.approx(float(gaps.median()), abs=1e-3)  # it can only recall
    assert found.problem == ""
    assert run(ex.make_denoiser_2d(0), SETTINGS, recalled=False).nearest is None


@pytest.mark.parametrize("weight", [3e38, 1e12])
def test_a_model_that_blew_up_has_a_sentence_and_no_distance(weight: float) -> None:
    denoiser = ex.make_denoiser_2d(0)
    for parameter in denoiser.parameters():
        parameter.data.fill_(weight)
    for recalled in (False, True):
        found = run(denoiser, SETTINGS, recalled)
        assert (found.distance, found.nearest, found.problem) == (None, None, str(NotFinite()))
        assert found.view.samples.shape == (300, 2)


@pytest.mark.parametrize(
    ("source", "n"),
    [(Source("smiley"), 1500), (Source("moons"), 100), (Source("word", "bat"), 2000), (DRAWN, 700)],
    ids=["smiley", "moons", "word", "drawing"],
)
def test_nine_perfect_sets_in_ten_lie_in_the_range_of_a_perfect_model(source: Source, n: int) -> None:
    low, high = perfect_range(source, n)
    fresh = points_of(source)[1]
    distances = np.array([ex.sliced_wasserstein(source.draw(n, 1000 + seed), fresh) for seed in range(100)])
    assert 0.8 <= ((low <= distances) & (distances <= high)).mean() <= 0.98
    assert 0.005 <= (distances < low).mean() + 0.005 <= 0.14
    assert 0.005 <= (distances > high).mean() + 0.005 <= 0.14


def test_more_samples_of_a_perfect_model_come_closer() -> None:
    ranges = [perfect_range(Source("smiley"), n) for n in (100, 400, 1500)]
    assert ranges == sorted(ranges, reverse=True)


def test_the_shipped_model_of_the_welcome_page_is_nearly_perfect() -> None:
    samples = ex.sample(ex.load_pretrained("toy2d-swiss_roll-flow-velocity"), 1500, "heun", steps=20).samples
    low, high = perfect_range(Source("swiss_roll"), 1500)
    assert low < ex.sliced_wasserstein(samples, points_of(Source("swiss_roll"))[1]) < 1.5 * high


def test_a_file_says_what_it_learned() -> None:
    assert source_in({"distribution": "moons"}, []) == Source("moons")
    assert source_in({"distribution": "word", "text": " bat "}, []) == Source("word", "bat")
    about = {"distribution": "drawing", "digest": DRAWN.digest}
    assert source_in(about, [given_source("image", np.eye(20)), DRAWN]) is DRAWN


@pytest.mark.parametrize(
    "about",
    [
        {},
        {"distribution": None},
        {"distribution": "heart"},
        {"distribution": ["moons"]},
        {"distribution": "word"},
        {"distribution": "word", "text": ""},
        {"distribution": "word", "text": 7},
        {"distribution": "word", "text": "a word that is too long"},
        {"distribution": "drawing"},
        {"distribution": "drawing", "digest": "0" * 16},
        {"distribution": "image", "digest": DRAWN.digest},
    ],
)
def test_a_file_that_learned_what_is_not_here_gives_no_source(about: dict[str, object]) -> None:
    assert source_in(about, [DRAWN]) is None


def test_a_network_learns_ten_examples_by_heart_and_not_twenty_thousand() -> None:
    """What the page says of recall."""
    points, fresh = points_of(Source("smiley"))

    def gap(examples: int) -> tuple[float, float]:
        """Median distance of a sample to its nearest example, and the same of a fresh point."""
        denoiser = ex.make_denoiser_2d(0)
        for _ in ex.train(denoiser, points[:examples], ex.TrainConfig(steps=600, batch_size=512, learning_rate=2e-2)):
            pass
        samples = ex.sample(denoiser, 500, "heun", steps=20).samples
        near, far = (torch.cdist(some, points[:examples]).min(1).values.median() for some in (samples, fresh))
        return float(near), float(far)

    near, far = gap(10)
    assert near < 0.02 < 0.2 < far
    near, far = gap(20_000)
    assert near > 0.7 * far
