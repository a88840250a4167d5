"""Walks of the exact denoiser end on scans, and the film that is shown of them is in view units."""

import numpy as np
import pytest

from explorer.data.digits import digits
from explorer.denoiser import ideal_denoiser
from explorer.digit_walks import digit_walk
from explorer.samplers import sample, sampler_names
from explorer.schedules import make_schedule, schedule_names


@pytest.mark.parametrize("sampler", sampler_names())
def test_the_exact_denoiser_recalls(sampler: str) -> None:
    scans, labels = digits()
    walk = digit_walk(ideal_denoiser(scans, make_schedule("cosine")), 4, sampler, 20, seed=1)
    assert walk.x.shape == (21, 4, 8, 8)
    assert walk.guess.shape == walk.nearest.shape == (20, 4, 8, 8)
    assert walk.distance.shape == (21, 4)
    assert walk.distance[0].min() > 0.2
    assert walk.distance[-1].max() < 0.01
    ends = [np.abs(scans[:, 0].numpy() - image).max((1, 2)).argmin() for image in walk.x[-1]]
    np.testing.assert_array_equal(walk.label, labels[ends])


@pytest.mark.parametrize("schedule", schedule_names())
def test_views_have_the_spread_of_noise_first(schedule: str) -> None:
    scans, _ = digits()
    denoiser = ideal_denoiser(scans, make_schedule(schedule))
    walk = digit_walk(denoiser, 16, "ddim", 5, seed=0)
    assert walk.x[0].std() == pytest.approx(1, abs=0.08)
    np.testing.assert_allclose(walk.x[-1], sample(denoiser, 16, "ddim", 5, seed=0).samples[:, 0], rtol=1e-5)
