"""One jump and many small steps reach one distribution, that of theory; walks of the exact denoiser end on scans."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from explorer.charts.core_concepts import roads_chart
from explorer.data.digits import digits
from explorer.denoiser import ideal_denoiser
from explorer.lessons.core_concepts import (
    cumulative_gap,
    diffuse,
    diffuse_in_steps,
    digit_walk,
    step_kernel,
    two_roads,
)
from explorer.samplers import sample, sampler_names
from explorer.schedules import make_schedule, schedule_names


@pytest.mark.parametrize("name", schedule_names())
def test_step_kernels_compose_to_the_jump(name: str) -> None:
    schedule = make_schedule(name)
    times = torch.linspace(0, 0.9, 51, dtype=torch.float64)
    scale, variance = 1.0, 0.0
    for s, t in pairwise(times):
        step_scale, step_std = step_kernel(schedule, s, t)
        scale, variance = scale * step_scale, variance * step_scale**2 + step_std**2
    torch.testing.assert_close(scale, schedule.alpha(times[-1]))
    torch.testing.assert_close(variance.sqrt(), schedule.sigma(times[-1]))


@pytest.mark.parametrize("name", schedule_names())
def test_both_roads_have_the_moments_of_theory(name: str) -> None:
    roads = two_roads([-1.0, 0.5], make_schedule(name), t=0.4, steps=20, draws=20_000)
    for values in (roads.jump, roads.steps):
        error = roads.std / math.sqrt(len(values))
        np.testing.assert_array_less(abs(values.mean(0) - roads.mean), 5 * error)
        np.testing.assert_allclose(values.std(0), roads.std, rtol=0.03)
    assert roads.bound == pytest.approx(math.sqrt(math.log(2 * 2 / 0.05) / 2) / 100)  # two pixels are compared


def test_the_gap_stays_below_its_bound_as_often_as_it_says() -> None:
    schedule = make_schedule("cosine")
    below = [
        roads.gap < roads.bound
        for seed in range(200)
        for roads in [two_roads([0.0], schedule, t=0.5, steps=5, draws=1000, seed=seed)]
    ]
    assert 0.9 < np.mean(below) < 0.99


def test_the_gap_sees_a_wrong_kernel() -> None:
    schedule = make_schedule("cosine")
    generator = torch.Generator().manual_seed(0)
    x0 = torch.zeros(4000)
    right = diffuse(x0, schedule, 0.5, generator)
    wrong = 1.1 * diffuse_in_steps(x0, schedule, torch.linspace(0, 0.5, 11), generator)
    gap, bound = cumulative_gap(right, wrong)
    assert gap > bound
    assert cumulative_gap(right, right)[0] == 0
    assert cumulative_gap(torch.zeros(5), torch.ones(7))[0] == 1


def test_many_times_at_once() -> None:
    schedule = make_schedule("flow")
    x0 = torch.ones(3, 1, 8, 8)
    x = diffuse(x0, schedule, torch.tensor([0.0, 0.5, 1.0]), torch.Generator().manual_seed(0))
    torch.testing.assert_close(x[0], x0[0])
    assert float(x[1].mean()) == pytest.approx(0.5, abs=0.2)
    assert float(x[2].mean()) == pytest.approx(0, abs=0.4)


def test_the_chart_holds_three_densities() -> None:
    chart = roads_chart(two_roads([-1.0, 1.0], make_schedule("cosine"), t=0.3, steps=10))
    assert "data" not in chart
    jump, steps, theory = (layer["data"]["values"] for layer in chart["layer"])
    assert sum(row["jump"] for row in jump) * 0.1 == pytest.approx(1, abs=0.01)
    assert sum(row["steps"] for row in steps) * 0.1 == pytest.approx(1, abs=0.01)
    area = np.trapezoid([row["theory"] for row in theory], [row["x"] for row in theory])
    assert area == pytest.approx(1, abs=0.01)


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
