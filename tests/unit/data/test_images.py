"""The record of a set of images, and the registry of those with a name."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from explorer.data.digits import digits
from explorer.data.images import DATASETS, DatasetMissing, is_available, load_dataset
from explorer.dataset import ImageDataset

HELD_OUT = [4, 9, 14]


def made(count: int = 17, labelled: bool = True) -> ImageDataset:
    images = torch.arange(count, dtype=torch.float32).reshape(-1, 1, 1, 1).expand(-1, 2, 3, 4)
    return ImageDataset("own", images, torch.arange(count) % 3 if labelled else None, ("a", "b", "c"))


def test_a_dataset_knows_its_length_and_the_shape_of_an_image() -> None:
    assert len(made()) == 17
    assert made().shape == (2, 3, 4)


@pytest.mark.parametrize("labelled", [True, False])
def test_every_fifth_image_is_held_out_and_no_image_is_lost(labelled: bool) -> None:
    train, held_out = made(labelled=labelled).split()
    assert held_out.images[:, 0, 0, 0].tolist() == HELD_OUT
    assert train.images[:, 0, 0, 0].tolist() == [i for i in range(17) if i not in HELD_OUT]
    assert (train.name, train.classes, train.shape) == ("own", ("a", "b", "c"), (2, 3, 4))
    if labelled:
        assert train.labels is not None
        assert held_out.labels is not None
        assert held_out.labels.tolist() == [i % 3 for i in HELD_OUT]
        assert len(train.labels) == len(train)
    else:
        assert train.labels is held_out.labels is None


@pytest.mark.parametrize("index", [slice(2, 5), [2, 3, 4], torch.tensor([2, 3, 4])])
def test_a_part_keeps_images_and_labels_together(index: slice | list[int] | torch.Tensor) -> None:
    part = made().part(index)
    assert part.images[:, 0, 0, 0].tolist() == [2, 3, 4]
    assert part.labels is not None
    assert part.labels.tolist() == [2, 0, 1]


def test_the_digits_are_always_there() -> None:
    assert is_available("digits-8")
    dataset = load_dataset("digits-8")
    images, labels = digits()
    assert (dataset.name, dataset.shape, len(dataset)) == ("digits-8", (1, 8, 8), 1797)
    assert dataset.classes == tuple("0123456789")
    assert dataset.labels is not None
    for digit in range(10):
        torch.testing.assert_close(dataset.images[dataset.labels == digit], images[labels == digit])


def test_the_held_out_digits_are_as_many_of_each_as_a_fifth() -> None:
    dataset = load_dataset("digits-8")
    assert dataset.labels is not None
    assert dataset.held_out.labels is not None
    shares = dataset.held_out.labels.bincount() / dataset.labels.bincount()
    torch.testing.assert_close(shares, torch.full((10,), 0.2), rtol=0, atol=0.01)


@pytest.mark.parametrize("name", ["mnist-28", "fashion-28"])
def test_what_was_not_downloaded_is_missing_with_a_sentence_that_says_where_it_goes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFUSION_EXPLORER_DATA", str(tmp_path))
    assert not is_available(name)
    with pytest.raises(DatasetMissing, match="is not on this machine yet") as missing:
        load_dataset(name)
    said = str(missing.value)
    assert said.startswith(DATASETS[name].label)
    assert str(tmp_path) in said
    assert "t10k-images-idx3-ubyte.gz" in said
    assert said.endswith(".")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_name_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(ValueError, match="'imagenet'; choose one of digits-8, mnist-28, fashion-28") as refusal:
        load_dataset("imagenet")
    assert not isinstance(refusal.value, DatasetMissing)


def test_every_entry_says_what_it_is_and_whose() -> None:
    for entry in DATASETS.values():
        assert entry.label
        assert entry.about.endswith(".")
        assert any(licence in entry.terms for licence in ("CC BY", "MIT"))


def test_the_registry_and_the_readers_import_neither_torchvision_nor_scikit_learn() -> None:
    script = (
        "import sys; from explorer.data import images, mnist, own_images; images.load_dataset('digits-8');"
        "assert not {'torchvision', 'sklearn', 'streamlit'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
