"""Colours by their names, in a space where equal distances look alike."""

import numpy as np

from explorer.data.scenes import COLOURS

TO_LMS = np.array([[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566]])
TO_LMS = np.vstack([TO_LMS, [0.0883024619, 0.2817188376, 0.6299787005]])
TO_LAB = np.array([[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099]])
TO_LAB = np.vstack([TO_LAB, [0.0259040371, 0.7827717662, -0.8086757660]])


def to_oklab(rgb: np.ndarray) -> np.ndarray:
    """sRGB (..., 3) in [0, 1] as OKLab (Ottosson 2020)."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return np.cbrt(linear @ TO_LMS.T) @ TO_LAB.T


def to_rgb(lab: np.ndarray) -> np.ndarray:
    """OKLab as sRGB, clipped to [0, 1]."""
    linear = ((lab @ np.linalg.inv(TO_LAB).T) ** 3 @ np.linalg.inv(TO_LMS).T).clip(0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


PALETTE = {  # what a picture may be tinted: black and white are none
    name: to_oklab(np.array(rgb) / 255) for name, rgb in COLOURS.items() if name not in ("black", "white")
}
