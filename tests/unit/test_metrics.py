"""Distances where they can be computed by hand."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from explorer.metrics import (
    frechet_distance,
    frechet_to,
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
