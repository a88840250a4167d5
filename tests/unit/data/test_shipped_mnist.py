"""The images of MNIST that come with the app: which they are, that they are real, and under which licence."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

from explorer.data.mnist import SHIPPED, SHIPPED_HALVES, files_of, load_mnist, read_idx, shipped_mnist
from explorer.dataset import HELD_OUT_EVERY
from explorer.metrics import nearest

ROOT = Path(__file__).parents[3]
REAL = ROOT.parent / "shared" / "data" / "mnist"
INDEX = json.loads((SHIPPED / "index.json").read_text())


@pytest.mark.parametrize("half", SHIPPED_HALVES)
def test_a_half_has_twenty_of_each_digit_and_its_own_part_of_the_file(half: str) -> None:
    dataset = shipped_mnist(half)
    assert (dataset.name, dataset.shape, dataset.classes) == ("mnist-28", (1, 28, 28), tuple("0123456789"))
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [digit for digit in range(10) for _ in range(20)]
    assert (dataset.images.min(), dataset.images.max()) == (-1, 1)
    places = np.array(INDEX[half])
    assert len(set(INDEX[half])) == 200
    assert ((places % HELD_OUT_EVERY == HELD_OUT_EVERY - 1) == (half == "held-out")).all()
    first_writers = (places.reshape(10, 20) < 5000).sum(1)
    assert ((first_writers >= 8) & (first_writers <= 12)).all()  # the two halves of the file have different writers


def test_the_halves_share_no_image() -> None:
    assert not set(INDEX["held-out"]) & set(INDEX["training"])
    _, distance = nearest(shipped_mnist("held-out").images, shipped_mnist("training").images)
    assert distance.min() > 0.1


@pytest.mark.skipif(not REAL.is_dir(), reason=f"MNIST's test files are not in {REAL}")
@pytest.mark.parametrize("half", SHIPPED_HALVES)
def test_they_equal_the_originals(half: str) -> None:
    for shipped, original in zip(files_of(half), files_of("t10k"), strict=True):
        np.testing.assert_array_equal(read_idx(SHIPPED / shipped), read_idx(REAL / original)[INDEX[half]])


@pytest.mark.skipif(not REAL.is_dir(), reason=f"MNIST's test files are not in {REAL}")
def test_the_held_out_half_is_in_the_part_that_no_training_sees() -> None:
    unseen = load_mnist(REAL, "mnist-28", ["t10k"]).held_out
    _, distance = nearest(shipped_mnist("held-out").images, unseen.images)
    assert torch.equal(distance, torch.zeros(200))


def test_another_half_is_refused() -> None:
    with pytest.raises(ValueError, match="choose held-out or training"):
        shipped_mnist("train")


def test_the_licence_of_the_images_is_said_and_is_not_that_of_the_code() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "MIT AND CC-BY-SA-3.0 AND Apache-2.0 AND CC-BY-4.0 AND BSD-2-Clause"
    folders = ("mnist", "pictures", "speech")
    assert project["license-files"] == ["LICENSE", *(f"assets/{folder}/LICENSE" for folder in folders)]
    assert (SHIPPED / "LICENSE").read_text().startswith("Creative Commons Legal Code\n\nAttribution-ShareAlike 3.0")
    for said in (SHIPPED / "README.md", ROOT / "README.md"):
        text = said.read_text()
        assert "CC BY-SA 3.0" in text
        assert all(name in text for name in ("LeCun", "Cortes", "Burges"))
