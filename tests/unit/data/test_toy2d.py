"""The 2D distributions: one scale, one seed one sample, and anything may be typed, drawn or uploaded."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from explorer.data.toy2d import (
    MINIMUM_POINTS,
    WORD_LIMIT,
    points_from_drawing,
    points_from_image,
    toy2d,
    toy2d_names,
)
from explorer.metrics import sliced_wasserstein

every_distribution = pytest.mark.parametrize("name", toy2d_names())


def test_all_distributions_of_the_course_are_there() -> None:
    assert toy2d_names() == [
        *("smiley", "three_modes", "circles", "moons", "swiss_roll", "spirals"),
        *("checkerboard", "pinwheel", "eight_gaussians", "grid", "word"),
    ]


@every_distribution
def test_points_have_zero_mean_and_unit_scale(name: str) -> None:
    points = toy2d(name, n=20_000, seed=3)
    assert points.shape == (20_000, 2)
    assert points.dtype == torch.float32
    assert points.isfinite().all()
    assert points.mean(0).abs().max() < 0.03
    assert float(points.std(0).mean()) == pytest.approx(1, abs=0.02)
    assert points.abs().max() < 3.2


@every_distribution
def test_a_seed_is_a_sample_and_two_seeds_are_two_of_one_distribution(name: str) -> None:
    first, again, other = (toy2d(name, n=4000, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len(torch.unique(torch.cat([first, other]), dim=0)) == 8000
    assert sliced_wasserstein(first, other) < 0.12


@every_distribution
@pytest.mark.parametrize("n", [0, 1, 7])
def test_any_number_of_points(name: str, n: int) -> None:
    points = toy2d(name, n=n)
    assert points.shape == (n, 2)
    assert points.isfinite().all()


@every_distribution
def test_the_scale_is_the_distributions_and_not_the_samples(name: str) -> None:
    alone = torch.cat([toy2d(name, n=1, seed=seed) for seed in range(40)])
    assert float(alone.std(0).mean()) == pytest.approx(1, abs=0.3)


def test_distributions_differ() -> None:
    samples = [toy2d(name, n=2000) for name in toy2d_names()]
    distances = [sliced_wasserstein(a, b) for i, a in enumerate(samples) for b in samples[:i]]
    assert min(distances) > 0.07


def test_the_global_generators_are_never_touched() -> None:
    before, numpy_before = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    toy2d("moons", seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpy_before[1])  # noqa: NPY002


def test_shapes_are_what_their_names_say() -> None:
    modes = toy2d("three_modes", n=3000)
    radius = toy2d("circles", n=3000).norm(dim=1)
    eight = toy2d("eight_gaussians", n=3000)
    angle = torch.atan2(eight[:, 1], eight[:, 0])
    assert len(torch.unique((angle / (2 * math.pi / 8)).round() % 8)) == 8
    assert ((radius / radius.max()) > 0.25).all()
    third = torch.atan2(modes[:, 1], modes[:, 0]) - math.pi / 2
    counts = torch.bincount(((third / (2 * math.pi / 3)).round() % 3).long())
    assert (counts > 900).all()


@settings(max_examples=60)
@given(st.text(max_size=2 * WORD_LIMIT) | st.text(st.characters(max_codepoint=0x250), min_size=1, max_size=WORD_LIMIT))
def test_any_text_gives_points_or_a_sentence(text: str) -> None:
    try:
        points = toy2d("word", n=50, text=text)
    except ValueError as error:
        assert str(error)
        return
    assert points.shape == (50, 2)
    assert points.isfinite().all()
    assert points.abs().max() < 10


@pytest.mark.parametrize("text", ["", " ", "\n", "\t\t", "\x00", "a\nb", "x" * (WORD_LIMIT + 1), "\ud800", "\u200b"])
def test_text_without_ink_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="letters"):
        toy2d("word", text=text)


@pytest.mark.parametrize("text", ["a", "i.", "WWWWWWWWWWWW", "Ünïté", " padded ", "123", "x²", "привет", "α→β", "gjpq"])
def test_words_are_drawn(text: str) -> None:
    points = toy2d("word", n=3000, text=text)
    assert float(points.std(0).mean()) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("text", ["日本", "a🙂", "\U000f0000"])
def test_a_sign_that_the_font_lacks_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="letters"):
        toy2d("word", text=text)


def test_a_word_reads_from_left_to_right_and_upright() -> None:
    points = toy2d("word", n=4000, text="L")
    foot = points[points[:, 1] < points[:, 1].min() + 0.4]
    head = points[points[:, 1] > points[:, 1].max() - 0.4]
    assert foot[:, 0].max() - foot[:, 0].min() > 2 * (head[:, 0].max() - head[:, 0].min())
    assert head[:, 0].mean() < points[:, 0].mean()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: toy2d("donut"), "no distribution is called 'donut'; choose one of smiley, three_modes"),
        (lambda: toy2d(""), "no distribution is called ''"),
        (lambda: toy2d("moons", n=-1), "n must be at least 0"),
        (lambda: points_from_drawing(np.zeros((MINIMUM_POINTS - 1, 2))), "49 points are too few"),
        (lambda: points_from_drawing(np.zeros((0, 2))), "0 points are too few"),
    ],
)
def test_bad_input_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_a_drawing_is_followed_where_it_stands() -> None:
    drawing = np.random.default_rng(0).uniform([3, -2], [7, 2], (60, 2))
    points = points_from_drawing(drawing, n=500, seed=1)
    assert points.shape == (500, 2)
    assert points.dtype == torch.float32
    nearest = torch.cdist(points.double(), torch.from_numpy(drawing)).min(1).values
    assert nearest.max() < 0.1
    assert torch.equal(points, points_from_drawing(drawing, n=500, seed=1))
    assert not torch.equal(points, points_from_drawing(drawing, n=500, seed=2))
    assert len(torch.unique(points, dim=0)) == 500


def test_points_lie_on_the_dark_pixels_with_y_up() -> None:
    grey = np.ones((20, 40))
    grey[2:4, 30:38] = 0  # a dark bar at the top right
    grey[16:18, 2:4] = 0.2  # a paler square at the bottom left
    points = points_from_image(grey, n=2000)
    left = points[:, 0] < points[:, 0].mean() - 1
    assert float(points[left, 1].mean()) < float(points[~left, 1].mean())
    assert float(left.float().mean()) == pytest.approx(4 * 0.6 / (16 + 4 * 0.6), abs=0.04)
    assert float(points.std(0).mean()) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [(0, 1, float), (0, 255, np.uint8), (0, 1, np.float16), (0.4, 0.6, np.float32), (0, 1, bool), (-5, 5, int)],
)
def test_darkness_is_relative_whatever_the_type(low: float, high: float, dtype: Any) -> None:
    grey = np.full((300, 300), high).astype(dtype)
    grey[100:200, 100:200] = low
    points = points_from_image(grey, n=4000)
    assert points.isfinite().all()
    assert points.abs().max() < 1.8
    assert float(points.std(0).mean()) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    "grey",
    [
        np.zeros((0, 4)),
        np.zeros((0, 0)),
        np.zeros(5),
        np.zeros((4, 4, 3)),
        np.random.default_rng(0).uniform(size=(4, 4, 3)),
        np.float64(0.5),
        np.array([[0.0, np.nan]]),
        np.array([[0.0, np.inf]]),
    ],
    ids=str,
)
def test_what_is_no_grey_image_is_refused(grey: np.ndarray) -> None:
    with pytest.raises(ValueError, match="table of finite grey values"):
        points_from_image(grey)


@pytest.mark.parametrize("grey", [np.zeros((1, 1)), np.ones((9, 9)), np.full((3, 3), 0.5), np.array([[0.5, 0.54]])])
def test_one_shade_is_refused(grey: np.ndarray) -> None:
    with pytest.raises(ValueError, match="one shade only"):
        points_from_image(grey)


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
@settings(max_examples=60)
@given(arrays(st.sampled_from([np.float64, np.float32, np.uint8]), array_shapes(min_dims=1, max_dims=3, max_side=12)))
def test_any_array_gives_points_or_a_sentence(grey: np.ndarray) -> None:
    try:
        points = points_from_image(grey, n=20)
    except ValueError as error:
        assert str(error)
        return
    assert points.shape == (20, 2)
    assert points.isfinite().all()


@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (1, 5000), (5000, 1), (1200, 900)])
def test_any_size_of_image(shape: tuple[int, int]) -> None:
    grey = np.ones(shape)
    grey[: (shape[0] + 1) // 2, : (shape[1] + 1) // 2] = 0
    points = points_from_image(grey, n=500)
    assert points.isfinite().all()
    assert float(points.std(0).mean()) == pytest.approx(1, abs=0.1)
