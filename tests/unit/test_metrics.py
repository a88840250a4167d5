"""Distances where they can be computed by hand."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from explorer.metrics import (
    LARGEST,
    NotFinite,
    finite,
    frechet_distance,
    frechet_to,
    is_finite,
    mean_pairwise_distance,
    moments,
    nearest,
    sliced_wasserstein,
)

MANY = 20_000


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("d", [1, 2, 5, 64])
def test_a_shift_is_its_length_over_root_d(d: int) -> None:
    points, shift = normal(500, d), normal(d, seed=1)
    expected = float(shift.norm()) / math.sqrt(d)
    assert sliced_wasserstein(points, points + shift, MANY) == pytest.approx(expected, rel=0.02)
    assert sliced_wasserstein(points, points + shift) == pytest.approx(expected, rel=0.12)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_two_gaussians_of_different_size_differ_by_their_deviations(d: int) -> None:
    assert sliced_wasserstein(normal(20_000, d), 3 * normal(20_000, d, seed=1)) == pytest.approx(2, rel=0.03)


def test_gaussians_shifted_and_sampled_afresh() -> None:
    a, b = normal(20_000, 2), normal(20_000, 2, seed=1) + torch.tensor([3.0, -4.0])
    assert sliced_wasserstein(a, b, MANY // 10) == pytest.approx(5 / math.sqrt(2), rel=0.04)


def test_in_one_dimension_it_is_the_gap_between_sorted_values() -> None:
    a, b = torch.tensor([[3.0], [0.0], [1.0]]), torch.tensor([[1.0], [1.0], [5.0]])
    assert sliced_wasserstein(a, b) == pytest.approx(math.sqrt((1 + 0 + 4) / 3))


def test_a_smaller_set_is_read_at_the_middle_quantiles_of_the_larger() -> None:
    a, b = torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([[0.0], [0.0], [1.0], [2.0], [2.0]])
    assert sliced_wasserstein(a, b) == 0


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 3))
def test_repeating_a_set_changes_nothing(m: int, times: int, d: int) -> None:
    a, b = normal(m, d), normal(m * times, d, seed=1)
    assert sliced_wasserstein(a, b) == pytest.approx(sliced_wasserstein(a.repeat(times, 1), b), abs=1e-6)
    assert sliced_wasserstein(a, a.repeat(times, 1)) == pytest.approx(0, abs=1e-6)


@given(st.integers(1, 40), st.integers(1, 40))
def test_it_is_symmetric_for_any_two_sizes(m: int, n: int) -> None:
    a, b = normal(m, 2), normal(n, 2, seed=1) + 1
    assert sliced_wasserstein(a, b) == pytest.approx(sliced_wasserstein(b, a), rel=1e-5)


@pytest.mark.parametrize(("m", "n"), [(3000, 4000), (1999, 4001), (500, 20_000)])
def test_sets_of_different_sizes_from_one_distribution_are_near(m: int, n: int) -> None:
    near = sliced_wasserstein(normal(m, 2), normal(n, 2, seed=1))
    assert near < 4 / math.sqrt(min(m, n))
    assert sliced_wasserstein(normal(m, 2) + 1, normal(n, 2, seed=1)) == pytest.approx(1, rel=0.12)


def test_more_samples_come_nearer() -> None:
    floors = [sliced_wasserstein(normal(n, 2), normal(n, 2, seed=1)) for n in (100, 1000, 10_000)]
    assert floors == sorted(floors, reverse=True)


def test_it_follows_its_seed_and_not_the_global_generator() -> None:
    a, b, before = normal(50, 2), normal(50, 2, seed=1) + 1, torch.get_rng_state()
    assert sliced_wasserstein(a, b) == sliced_wasserstein(a, b)
    assert sliced_wasserstein(a, b, 10, seed=1) != sliced_wasserstein(a, b, 10, seed=2)
    assert torch.equal(torch.get_rng_state(), before)


def test_it_leaves_its_arguments_alone() -> None:
    a, b = normal(9, 2), normal(7, 2, seed=1)
    kept = a.clone(), b.clone()
    sliced_wasserstein(a, b)
    assert torch.equal(a, kept[0])
    assert torch.equal(b, kept[1])


def test_float64_is_welcome() -> None:
    a = normal(9, 2).double()
    assert sliced_wasserstein(a, a) == 0
    assert sliced_wasserstein(a, 2 * a) > 0


@pytest.mark.parametrize("shape", [(4,), (4, 3, 3), (4, 1, 8, 8)])
def test_what_is_no_set_of_vectors_has_no_distance(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"vectors have shape \(n, d\)"):
        sliced_wasserstein(torch.zeros(shape), torch.zeros(shape))


@pytest.mark.parametrize("projections", [0, -1, 2.5, None])
def test_a_distance_needs_directions(projections: Any) -> None:
    with pytest.raises(ValueError, match="projections must be"):
        sliced_wasserstein(normal(9, 2), normal(9, 2), projections)


def test_a_distance_that_overflows_is_none() -> None:
    with pytest.raises(NotFinite):
        frechet_to(normal(9, 3), torch.zeros(3), 1e308 * torch.eye(3).double())


@pytest.mark.parametrize(("m", "n"), [(0, 3), (3, 0), (0, 0)])
def test_an_empty_set_has_no_distance(m: int, n: int) -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        sliced_wasserstein(torch.zeros(m, 2), torch.zeros(n, 2))


def test_the_frechet_distance_of_gaussians_that_commute_has_a_closed_form() -> None:
    """Diagonal covariances: the squared gaps of the means and of the standard deviations."""
    features = normal(500, 6).double()
    features = torch.linalg.qr(features - features.mean(0))[0] * math.sqrt(499)  # covariance exactly I
    scale, shift = torch.linspace(0.5, 3, 6).double(), torch.arange(6.0).double()
    expected = float(shift.square().sum() + (scale - 1).square().sum())
    assert frechet_distance(features * scale + shift, features) == pytest.approx(expected, rel=1e-9)
    assert frechet_to(features, shift, (scale**2).diag()) == pytest.approx(expected, rel=1e-9)


def test_the_frechet_distance_of_any_two_gaussians() -> None:
    """Against the square root of the matrix that is not symmetric, tr (AB)^1/2."""
    a, b = (normal(300, 5, seed=seed) @ normal(5, 5, seed=10 + seed) + seed for seed in (0, 1))
    (mean_a, cov_a), (mean_b, cov_b) = moments(a), moments(b)
    overlap = torch.linalg.eigvals(cov_a @ cov_b).real.sqrt().sum()
    expected = (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * overlap
    assert frechet_distance(a, b) == pytest.approx(float(expected), rel=1e-6)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-6)


def test_the_frechet_distance_to_oneself_is_zero_even_on_a_line() -> None:
    line = normal(50, 1) @ normal(1, 8, seed=1)
    assert frechet_distance(line, line) == pytest.approx(0, abs=1e-4)


def test_the_frechet_distance_needs_two_samples() -> None:
    with pytest.raises(ValueError, match="at least two"):
        frechet_distance(normal(1, 4), normal(10, 4))


def test_diversity_is_the_mean_distance_of_pairs() -> None:
    assert mean_pairwise_distance(torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]])) == pytest.approx(10 / 3)
    assert mean_pairwise_distance(torch.ones(4, 3)) == 0
    with pytest.raises(ValueError, match="at least two"):
        mean_pairwise_distance(torch.ones(1, 3))


def test_the_nearest_image_is_found_with_its_distance_a_pixel() -> None:
    data = normal(20, 1, 4, 4)
    index, distance = nearest(data[[7, 3]] + 0.01, data)
    assert index.tolist() == [7, 3]
    torch.testing.assert_close(distance, torch.tensor([0.01, 0.01]))


Measure = Callable[[Tensor, Tensor], float]
MEASURES: dict[str, Measure] = {
    "sliced": sliced_wasserstein,
    "frechet": frechet_distance,
    "frechet to": lambda a, b: frechet_to(a, *moments(b)),
    "diversity": lambda a, b: mean_pairwise_distance(a),
    "nearest": lambda a, b: float(nearest(a, b)[1].max()),
}
COMPARISONS = {name: measure for name, measure in MEASURES.items() if name != "diversity"}
each_measure = pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES.keys())
each_comparison = pytest.mark.parametrize("measure", COMPARISONS.values(), ids=COMPARISONS.keys())


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 3e38, -2 * LARGEST])
@pytest.mark.parametrize("d", [1, 2, 3, 64])
@each_measure
def test_a_model_that_blew_up_is_said_and_gets_no_number(measure: Measure, d: int, value: float) -> None:
    samples, data = normal(40, d), normal(50, d, seed=1)
    samples[7, -1] = value
    for blown_up in (samples, torch.full_like(samples, value)):
        with pytest.raises(NotFinite, match=r"not finite, or too large to measure: the model blew up\. .*\.$"):
            measure(blown_up, data)
    if measure is not MEASURES["diversity"]:
        with pytest.raises(NotFinite):
            measure(data, samples)


def test_so_it_is_for_the_gaussian_that_features_are_compared_with() -> None:
    features, (mean, covariance) = normal(20, 3), moments(normal(20, 3, seed=1))
    with pytest.raises(NotFinite):
        frechet_to(features, mean * math.nan, covariance)
    with pytest.raises(NotFinite):
        frechet_to(features, mean, covariance * math.inf)


@each_measure
def test_what_is_large_and_finite_has_its_number(measure: Measure) -> None:
    samples, data, scale = normal(40, 5), normal(50, 5, seed=1), 1e13
    squared = measure in (MEASURES["frechet"], MEASURES["frechet to"])
    per_scale = measure(scale * samples, scale * data) / scale ** (2 if squared else 1)
    assert per_scale == pytest.approx(measure(samples, data), rel=1e-4)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.uint8])
@each_measure
def test_every_kind_of_number_is_measured_on_either_side(measure: Measure, kind: torch.dtype) -> None:
    whole = (2 * normal(40, 6)).round() + 9, (2 * normal(50, 6, seed=1)).round() + 9  # exact in each of them
    expected = measure(*whole)
    for a, b in ((kind, kind), (kind, torch.float32), (torch.float32, kind)):
        assert measure(whole[0].to(a), whole[1].to(b)) == pytest.approx(expected, rel=1e-5)


@each_comparison
def test_samples_of_two_widths_are_no_samples_of_one_thing(measure: Measure) -> None:
    for widths in ((3, 5), (5, 3), (1, 5), (5, 1)):
        with pytest.raises(ValueError, match="on one side and|cannot be compared with"):
            measure(normal(20, widths[0]), normal(30, widths[1]))


@each_measure
def test_measuring_is_the_same_in_every_mode_of_its_caller(measure: Measure) -> None:
    a, b = normal(40, 6), normal(50, 6, seed=1)
    expected = measure(a, b)
    modes = (
        partial(torch.autocast, "cpu", torch.bfloat16),
        torch.inference_mode,
        torch.no_grad,
        partial(torch.device, "meta"),
    )
    for mode in modes:
        with mode():
            assert measure(a, b) == pytest.approx(expected, rel=1e-6)
    assert measure(a.requires_grad_(), b) == expected


def test_frechet_distances_where_a_covariance_is_singular_or_a_number() -> None:
    constant, others = torch.full((20, 4), 3.0), normal(60, 4)
    mean, covariance = moments(others)
    expected = float((mean - 3).square().sum() + covariance.trace())
    assert frechet_distance(constant, others) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(others, constant) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(constant, constant + 2) == pytest.approx(16, rel=1e-6)
    few = normal(3, 64)  # of rank 2
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-4)
    assert frechet_distance(few, few + 1) == pytest.approx(64, rel=1e-4)
    one, other = normal(500, 1), 3 * normal(500, 1, seed=1) + 2
    gap = (other.double().mean() - one.double().mean()) ** 2 + (other.double().std() - one.double().std()) ** 2
    assert frechet_distance(one, other) == pytest.approx(float(gap), rel=1e-6)


def test_quantiles_of_many_samples_are_whole_numbers() -> None:
    """In 32-bit fractions a place may be rounded up to the next one."""
    n, m = 3 * 65_537, 65_537
    few = torch.arange(m, dtype=torch.float64)[:, None]
    assert sliced_wasserstein(few, few.repeat_interleave(3, 0)[:n], projections=2) == 0


def test_nothing_is_nearest_to_nothing() -> None:
    with pytest.raises(ValueError, match="nothing to look for"):
        nearest(normal(3, 4), normal(0, 4))
    assert nearest(normal(0, 4), normal(3, 4))[0].tolist() == []


def test_finite_samples_pass_unchanged() -> None:
    for samples in (normal(3, 4), torch.zeros(0, 4), torch.tensor([LARGEST / 2])):
        assert finite(samples) is samples
        assert is_finite(samples)
    assert not is_finite(torch.tensor([0.0, math.nan]))
