"""Sets of images with their classes: one record, whatever they came from, and the registry of those with a name."""

from collections.abc import Callable
from dataclasses import dataclass

from explorer.dataset import ImageDataset


class DatasetMissing(ValueError):
    """A data set that must be downloaded first; the text is a sentence that says so."""


@dataclass(frozen=True)
class DatasetEntry:
    """A data set that `load_dataset` knows: what people read of it, and its reader.

    `about` says in a sentence what it holds, `terms` whose it is and under which licence; `download_bytes` is what
    must be fetched once, 0 where it is always there.
    """

    label: str
    about: str
    terms: str
    load: Callable[[], ImageDataset]
    download_bytes: int = 0


def _digits() -> ImageDataset:
    from explorer.data.digits import digits

    images, labels = digits()
    by_class = labels.argsort(stable=True)  # they come in turns of ten, so every fifth of all would be skewed
    return ImageDataset("digits-8", images[by_class], labels[by_class], tuple("0123456789"))


def _published(name: str) -> ImageDataset:
    from explorer.data.mnist import files_of, find, folder_of, load_mnist

    folder = folder_of(name)
    if find(folder, COURSE_PART) is None:
        files = " and ".join(files_of(COURSE_PART))
        raise DatasetMissing(
            f"{DATASETS[name].label} is not on this machine yet: download it, or put {files} into {folder}."
        )
    return load_mnist(folder, name, [COURSE_PART])


COURSE_PART = "t10k"
DATASETS = {
    "digits-8": DatasetEntry(
        "Digits 8 x 8",
        "1,797 scans of handwritten digits, 8 x 8 pixels, which are always here.",
        "E. Alpaydin and C. Kaynak, UCI, CC BY 4.0",
        _digits,
    ),
    "mnist-28": DatasetEntry(
        "MNIST 28 x 28",
        "10,000 handwritten digits, 28 x 28 pixels: MNIST's test file, of which the shipped model saw four in five.",
        "Y. LeCun, C. Cortes and C. Burges, CC BY-SA 3.0",
        lambda: _published("mnist-28"),
        1_653_419,
    ),
    "fashion-28": DatasetEntry(
        "Fashion-MNIST 28 x 28",
        "10,000 pictures of clothes and shoes, 28 x 28 pixels: Fashion-MNIST's test file.",
        "Zalando SE, MIT licence",
        lambda: _published("fashion-28"),
        4_427_250,
    ),
}


def load_dataset(name: str) -> ImageDataset:
    """A data set of the registry, read anew at each call: its tensors are yours. The digits come class by class.

    The course uses 10,000 images of MNIST and of Fashion-MNIST, their test files: 31 MB in memory each (all 70,000
    would take 220 MB), and for MNIST the very images that the shipped model and its judge were made from, so that
    `split` parts them alike. `explorer.data.mnist.load_mnist` reads the training files too.
    Raises `DatasetMissing` where it must be downloaded first, ValueError for an unknown name or damaged files.
    """
    if name not in DATASETS:
        raise ValueError(f"No data set is called {name!r}; choose one of {', '.join(DATASETS)}.")
    return DATASETS[name].load()


def is_available(name: str) -> bool:
    """Whether `load_dataset` would find the data set on this machine; a look at the disk, nothing is read."""
    if not DATASETS[name].download_bytes:
        return True
    from explorer.data.mnist import find, folder_of

    return find(folder_of(name), COURSE_PART) is not None
