"""The scans are scikit-learn's, whichever way they are read."""

import importlib.machinery
import subprocess
import sys

import numpy as np
import pytest
import torch

from explorer.data import digits as module
from explorer.data.digits import digits, distances_between_scans, nearest_scans
from explorer.metrics import NotFinite


def test_the_scans_and_labels_are_those_of_scikit_learn() -> None:
    from sklearn.datasets import load_digits

    images, labels = digits()
    reference = load_digits()
    assert images.shape == (1797, 1, 8, 8)
    assert images.dtype == torch.float32
    assert labels.dtype == torch.int64
    np.testing.assert_array_equal(images[:, 0].numpy(), reference.images / 8 - 1)
    np.testing.assert_array_equal(labels.numpy(), reference.target)


def test_reading_them_does_not_import_scikit_learn() -> None:
    script = "import sys; from explorer.data.digits import digits; digits(); assert 'sklearn' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_they_are_found_when_the_file_lies_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = module._table()
    moved = importlib.machinery.ModuleSpec("sklearn", None, origin="/elsewhere/sklearn/__init__.py")
    monkeypatch.setattr(module, "find_spec", lambda name: moved)
    np.testing.assert_array_equal(module._table(), usual)


def test_the_nearest_scan_is_that_of_brute_force() -> None:
    scans, _ = digits()
    images = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    index, distance = nearest_scans(images)
    brute = (images[:, None] - scans[None]).square().mean((2, 3, 4)).sqrt()
    torch.testing.assert_close(distance, brute.min(1).values)
    torch.testing.assert_close(index, brute.min(1).indices)


def test_nothing_is_near_to_what_is_no_image() -> None:
    images = torch.zeros(3, 1, 8, 8)
    for value in (torch.nan, torch.inf, 1e30):
        images[1, 0, 2, 2] = value
        with pytest.raises(NotFinite):
            nearest_scans(images)


def test_a_scan_is_its_own_nearest_at_distance_zero() -> None:
    scans, _ = digits()
    index, distance = nearest_scans(scans[[3, 1700]])
    assert index.tolist() == [3, 1700]
    assert distance.tolist() == [0, 0]


def test_the_distances_between_scans_leave_out_the_scan_itself() -> None:
    scans, _ = digits()
    brute = (scans[:20, None] - scans[None]).square().mean((2, 3, 4)).sqrt()
    brute[range(20), range(20)] = torch.inf
    torch.testing.assert_close(distances_between_scans()[:20], brute.min(1).values)
