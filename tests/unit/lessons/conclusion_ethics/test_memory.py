"""Copies, and how they are told from samples that are new."""

import pytest
import torch

from explorer.data.mnist import shipped_mnist
from explorer.lessons.conclusion_ethics.memory import COPY, MODELS, extract, nearest_two, training_images


def test_an_image_of_the_set_is_its_own_copy_and_a_mean_of_two_is_none() -> None:
    images = shipped_mnist("training").images
    found = nearest_two(images[:5], images)
    assert found.which.tolist() == [0, 1, 2, 3, 4] and bool(found.copies.all()) and found.distance.abs().max() < 1e-3
    far = (images[0] - images[30]).square().mean().sqrt()
    middle = nearest_two(((images[0] + images[30]) / 2)[None], images[[0, 30]])
    assert not bool(middle.copies.any()) and middle.distance.item() == pytest.approx(far.item() / 2, rel=1e-3)


def test_the_threshold_is_a_third() -> None:
    images = torch.zeros(2, 1, 2, 2)
    images[1] = 1.0
    quarter = torch.full((1, 1, 2, 2), 0.24)
    assert bool(nearest_two(quarter, images).copies) and nearest_two(quarter, images).ratio < COPY
    assert not bool(nearest_two(quarter + 0.02, images).copies)


def test_one_image_has_no_second() -> None:
    with pytest.raises(ValueError, match="second nearest"):
        nearest_two(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2))


def test_training_images_are_as_many_of_each_digit() -> None:
    for count in MODELS:
        labels = training_images(count).labels
        assert labels is not None and torch.bincount(labels).tolist() == [min(count, 200) // 10] * 10


def test_few_images_come_back_and_many_do_not() -> None:
    few, many = (extract(count, 20, seed=5) for count in (20, 8_000))
    assert int(few.near.copies.sum()) >= 15
    assert int(many.near.copies.sum()) == 0
    assert few.samples.shape == few.trained.shape == few.unseen.shape == (20, 28, 28)
