"""1,797 real 8x8 scans of handwritten digits, the test set of the UCI collection that scikit-learn carries.

(Alpaydin and Kaynak, Optical recognition of handwritten digits, 1998.)
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from explorer.metrics import finite
from explorer.modes import default_modes
from explorer.once import once

INK_LEVELS = 16


@once()
@default_modes()
def digits() -> tuple[Tensor, Tensor]:
    """The scans, (1797, 1, 8, 8) float32 in [-1, 1] with the ink at 1, and their labels, (1797,) int64.

    Read once and shared: do not write to them.
    """
    rows = torch.from_numpy(_table())
    images, labels = rows[:, :-1], rows[:, -1]
    return (images.reshape(-1, 1, 8, 8) * (2 / INK_LEVELS) - 1).float(), labels.long()


def _table() -> np.ndarray:
    """(1797, 65): 64 levels of ink from 0 to 16, and the label.

    Straight from the packaged file where it stands where it usually does: importing scikit-learn for it
    would cost 70 MB.
    """
    package = find_spec("sklearn")
    if package is not None and package.origin is not None:
        file = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
        if file.exists():
            return np.loadtxt(file, delimiter=",")
    from sklearn.datasets import load_digits

    scans = load_digits()
    return np.column_stack([scans.data, scans.target])


def nearest_scans(images: Tensor) -> tuple[Tensor, Tensor]:
    """The scan closest to each of `images`, (n, 1, 8, 8): its index, (n,), and the distance, (n,).

    The distance is the root of the mean squared difference of the pixels. It is measured to the scan that is found;
    one matrix product finds it, some times faster than measuring all. Raises `NotFinite` for images of a model that
    blew up.
    """
    scans, rows = digits()[0].flatten(1), finite(images).flatten(1)
    index = (scans.square().sum(1) / 2 - rows @ scans.T).argmin(1)  # half the squared distance, less what is common
    return index, (rows - scans[index]).square().mean(1).sqrt()


@once()
@default_modes()
def distances_between_scans() -> Tensor:
    """How far each scan is from the nearest other one, (1797,), measured as in `nearest_scans`."""
    scans = digits()[0].flatten(1)
    return torch.cdist(scans, scans).fill_diagonal_(torch.inf).min(1).values / scans.shape[1] ** 0.5
