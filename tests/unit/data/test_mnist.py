"""The reader of MNIST's files: the real ones where they are, generated ones, and everything that is none."""

import gzip
import math
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from explorer.data.images import is_available, load_dataset
from explorer.data.mnist import MOST_BYTES, data_folder, files_of, folder_of, load_mnist, read_idx

REAL = Path(__file__).parents[4] / "shared" / "data" / "mnist"


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def part_of(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 28, 28)), rng.integers(0, 10, count)


def write(folder: Path, part: str, images: np.ndarray, labels: np.ndarray, packed: bool = True) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(files_of(part), (images, labels), strict=True):
        path = folder / name
        if packed:
            path.write_bytes(gzip.compress(idx(array)))
        else:
            path.with_suffix("").write_bytes(idx(array))


@pytest.mark.skipif(not REAL.is_dir(), reason=f"MNIST's test files are not in {REAL}")
def test_the_real_files_give_the_ten_thousand_digits() -> None:
    dataset = load_mnist(REAL, "mnist-28")
    assert (len(dataset), dataset.shape, dataset.images.dtype) == (10_000, (1, 28, 28), torch.float32)
    assert dataset.labels is not None
    assert dataset.labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert dataset.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert (dataset.images.min(), dataset.images.max()) == (-1, 1)
    assert dataset.images.mean() < -0.6  # little ink on much ground
    assert (dataset.images[:, 0, 0, 0] == -1).all()


@pytest.mark.skipif(not REAL.is_dir(), reason=f"MNIST's test files are not in {REAL}")
def test_torchvision_reads_the_same_from_the_same_file(tmp_path: Path) -> None:
    from torchvision.datasets.mnist import read_image_file

    packed, _ = files_of("t10k")
    (tmp_path / "images").write_bytes(gzip.decompress((REAL / packed).read_bytes()))
    reference = read_image_file(str(tmp_path / "images"))
    np.testing.assert_array_equal(read_idx(REAL / packed), reference.numpy())


@pytest.mark.parametrize("packed", [True, False])
def test_pixels_become_minus_one_to_one_and_labels_stay(packed: bool, tmp_path: Path) -> None:
    images, labels = part_of(7)
    write(tmp_path, "t10k", images, labels, packed)
    dataset = load_mnist(tmp_path, "fashion-28")
    np.testing.assert_allclose(dataset.images[:, 0].numpy(), images / 127.5 - 1, atol=1e-6)
    assert dataset.labels is not None
    assert dataset.labels.tolist() == labels.tolist()
    assert (dataset.name, len(dataset.classes), dataset.classes[9]) == ("fashion-28", 10, "Ankle boot")


def test_the_training_part_comes_first_and_a_part_alone_is_enough(tmp_path: Path) -> None:
    write(tmp_path, "t10k", *part_of(5, seed=1))
    assert len(load_mnist(tmp_path, "mnist-28")) == 5
    write(tmp_path, "train", *part_of(6, seed=2))
    both, test = load_mnist(tmp_path, "mnist-28"), load_mnist(tmp_path, "mnist-28", ["t10k"])
    assert (len(both), len(test)) == (11, 5)
    torch.testing.assert_close(both.images[6:], test.images)


def test_the_course_takes_the_test_part_from_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFUSION_EXPLORER_DATA", str(tmp_path))
    images, labels = part_of(9)
    write(tmp_path / "MNIST" / "raw", "train", *part_of(4, seed=3))
    assert not is_available("mnist-28")
    write(tmp_path / "MNIST" / "raw", "t10k", images, labels)
    assert is_available("mnist-28")
    assert not is_available("fashion-28")
    assert len(load_dataset("mnist-28")) == 9


def test_the_folder_is_the_one_that_was_chosen_else_the_cache_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFUSION_EXPLORER_DATA", "~/somewhere")
    assert data_folder() == Path.home() / "somewhere"
    assert folder_of("fashion-28") == Path.home() / "somewhere" / "FashionMNIST" / "raw"
    monkeypatch.delenv("DIFFUSION_EXPLORER_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert data_folder() == Path("/caches/diffusion-explorer")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert data_folder() == Path.home() / ".cache" / "diffusion-explorer"


def test_a_folder_that_the_system_refuses_to_look_into_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFUSION_EXPLORER_DATA", "/" + 300 * "x")  # too long a name
    assert not is_available("mnist-28")
    with pytest.raises(ValueError, match="not on this machine yet"):
        load_dataset("mnist-28")


IMAGES, LABELS = part_of(6)


@pytest.mark.parametrize(
    ("images", "labels", "sentence"),
    [
        (b"", idx(LABELS), "damaged, cut short"),
        (b"\x1f\x8b", idx(LABELS), "damaged, cut short"),
        (gzip.compress(idx(IMAGES))[:-20], idx(LABELS), "damaged, cut short"),
        (b"<html>Sign in to this network</html>", idx(LABELS), "is not an IDX file"),
        (b"\0\0\x0d" + idx(IMAGES)[3:], idx(LABELS), "is not an IDX file"),
        (struct.pack(">HBB", 0, 8, 0), idx(LABELS), "is not an IDX file"),
        (idx(IMAGES)[:-1], idx(LABELS), "fewer values than the 4,704 that it claims"),
        (idx(IMAGES) + b"\0", idx(LABELS), "more values than the 4,704 that it claims"),
        (gzip.compress(idx(IMAGES) + bytes(10**6)), idx(LABELS), "more values"),
        (struct.pack(">HBB3I", 0, 8, 3, 2**32 - 1, 28, 28), idx(LABELS), "at most 47,040,000 are read"),
        (idx(IMAGES[:, :27]), idx(LABELS), "6 x 27 x 28 values instead of images of 28 x 28"),
        (idx(IMAGES[:0]), idx(LABELS[:0]), "0 x 28 x 28 values"),
        (idx(LABELS), idx(LABELS), "instead of images"),
        (idx(IMAGES), idx(LABELS[:5]), "5 labels for 6 images"),
        (idx(IMAGES), idx(IMAGES), "6 x 28 x 28 labels for 6 images"),
        (idx(IMAGES), idx(LABELS * 0 + 10), "the label 10"),
        (idx(IMAGES), b"", "t10k-labels-idx1-ubyte.gz cannot be read"),
    ],
)
def test_a_file_that_is_none_gets_a_sentence(images: bytes, labels: bytes, sentence: str, tmp_path: Path) -> None:
    for name, content in zip(files_of("t10k"), (images, labels), strict=True):
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=sentence) as refusal:
        load_mnist(tmp_path, "mnist-28")
    assert str(refusal.value).endswith(".")


def test_an_empty_folder_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="There is no train-images-idx3-ubyte.gz and .* or t10k-images"):
        load_mnist(tmp_path, "mnist-28")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    header=st.one_of(
        st.binary(max_size=20),
        st.builds(
            lambda kind, lengths: struct.pack(f">HBB{len(lengths)}I", 0, kind, len(lengths), *lengths),
            st.sampled_from([8, 8, 8, 9, 13]),
            st.lists(st.one_of(st.integers(0, 6), st.integers(0, 2**32 - 1)), max_size=4),
        ),
    ),
    values=st.binary(max_size=64),
    packed=st.booleans(),
    share=st.floats(0.5, 1),
)
def test_any_bytes_are_an_array_of_the_shape_that_they_claim_or_a_sentence(
    header: bytes, values: bytes, packed: bool, share: float, tmp_path: Path
) -> None:
    content = gzip.compress(header + values) if packed else header + values
    content = content[: math.ceil(share * len(content))]
    (tmp_path / "file").write_bytes(content)
    try:
        array = read_idx(tmp_path / "file")
    except ValueError as refusal:
        assert str(refusal).endswith(".")
    else:
        assert array.size <= MOST_BYTES
        assert idx(array) == (gzip.decompress(content) if packed else content)
