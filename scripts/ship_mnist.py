"""Choose the images of MNIST that ship with the app, and write them to assets/mnist.

python scripts/ship_mnist.py FOLDER    # FOLDER holds the two test files of MNIST
"""

import argparse
import gzip
import json
import struct
from pathlib import Path

import numpy as np

from explorer.data.images import COURSE_PART
from explorer.data.mnist import SHIPPED, files_of, find, read_idx
from explorer.dataset import HELD_OUT_EVERY

OF_EACH = 20  # digits, in each half


def choose(labels: np.ndarray) -> dict[str, list[int]]:
    """Numbers of the images of each half, digit by digit, spread evenly over the file; `labels` (m,) are all of it."""
    unseen = np.arange(len(labels)) % HELD_OUT_EVERY == HELD_OUT_EVERY - 1
    halves = {"held-out": unseen, "training": ~unseen}

    def spread(places: np.ndarray) -> list[int]:
        return places[((np.arange(OF_EACH) + 0.5) * len(places) / OF_EACH).astype(int)].tolist()

    return {
        half: [place for digit in range(10) for place in spread(np.flatnonzero(those & (labels == digit)))]
        for half, those in halves.items()
    }


def packed(values: np.ndarray) -> bytes:
    """An IDX file of unsigned bytes, packed so that the same values give the same file."""
    header = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    return gzip.compress(header + values.tobytes(), mtime=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    pair = find(parser.parse_args().folder, COURSE_PART)
    if pair is None:
        parser.error(f"there is no {' and '.join(files_of(COURSE_PART))} in that folder")
    images, labels = map(read_idx, pair)
    index = choose(labels)
    SHIPPED.mkdir(exist_ok=True)
    for half, places in index.items():
        for name, values in zip(files_of(half), (images, labels), strict=True):
            (SHIPPED / name).write_bytes(packed(values[places]))
    (SHIPPED / "index.json").write_text(json.dumps(index) + "\n")


if __name__ == "__main__":
    main()
