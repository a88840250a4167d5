"""Runs on the stage: what is measured on them, and what is said where nothing can be."""

import pytest
import torch

import explorer as ex
from explorer.lessons.geometry_lab.runs import Recipe, Settings, Source, floor_of, points_of, run
from explorer.metrics import NotFinite

SETTINGS = Settings(Recipe(Source("moons"), "flow", "velocity"), steps=5, n=300)


def test_a_run_is_measured_against_fresh_points_and_the_examples() -> None:
    found = run(SETTINGS.recipe.exact(SETTINGS.examples), SETTINGS, recalled=True)
    samples, (training, fresh) = torch.from_numpy(found.view.samples), points_of(SETTINGS.recipe.source)
    assert found.distance == ex.sliced_wasserstein(samples, fresh)
    assert found.floor == floor_of(SETTINGS.recipe.source, 300)
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
