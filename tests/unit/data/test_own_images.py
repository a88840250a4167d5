"""A person's own images: what they become, every limit, and a sentence for what is no zip of images."""

import io
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from explorer.data import own_images
from explorer.data.own_images import MOST_IMAGES, OwnImages, from_files, from_zip, read_files, read_zip


def encoded(image: Image.Image, file_format: str = "PNG") -> bytes:
    file = io.BytesIO()
    image.save(file, file_format)
    return file.getvalue()


def grey_image(level: int, size: tuple[int, int] = (28, 28), file_format: str = "PNG") -> bytes:
    return encoded(Image.new("L", size, level), file_format)


def zipped(files: Sequence[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return file.getvalue()


def some(count: int, folder: str = "") -> list[tuple[str, bytes]]:
    return [(f"{folder}{level:02d}.png", grey_image(10 * level)) for level in range(count)]


def refused(content: bytes) -> str:
    """The sentence that a zip is refused with."""
    with pytest.raises(ValueError) as refusal:
        read_zip(content)
    said = str(refusal.value)
    assert said.endswith(".")
    return said


def test_images_are_grey_squares_in_the_order_of_their_names_and_nothing_is_inverted() -> None:
    files = some(12)
    dataset = from_zip(zipped(files[::-1]))
    assert (dataset.name, len(dataset), dataset.shape, dataset.classes) == ("own", 12, (1, 28, 28), ())
    assert dataset.labels is None
    levels = np.arange(12) * 10 / 127.5 - 1
    np.testing.assert_allclose(dataset.images.flatten(1).numpy(), levels[:, None].repeat(784, 1), atol=1e-5)
    np.testing.assert_array_equal(from_files(files).images, dataset.images)
    assert from_zip(zipped(files), size=16).shape == (1, 16, 16)


def test_sizes_and_formats_may_be_mixed_and_the_middle_of_each_is_taken() -> None:
    picture = np.zeros((40, 120), np.uint8)
    picture[:, 40:80] = 255
    wide = encoded(Image.fromarray(picture))
    tall = encoded(Image.fromarray(picture.T))
    formats = [(f"{kind}.{kind.lower()}", grey_image(200, (50, 50), kind)) for kind in ("JPEG", "GIF", "WEBP", "BMP")]
    files = [("A.PNG", wide), ("B.png", tall), *formats, *some(6, "z")]
    read = read_zip(zipped(files))
    np.testing.assert_array_equal(read.grey[:2], 255)
    np.testing.assert_allclose(read.grey[2:6], 200, atol=2)
    assert (read.cropped, read.skipped, len(read.grey)) == (2, 0, 12)
    assert read.summary() == (
        "12 images, made grey and scaled to 28 x 28 pixels. Not square, so cropped to their middle: 2."
    )


@pytest.mark.parametrize("root", ["", "photos/", "/absolute/../"])
def test_folders_become_classes(root: str) -> None:
    read = read_zip(zipped([*some(5, f"{root}dogs/"), *some(7, f"{root}cats/")]))
    dataset = read.dataset()
    assert dataset.classes == ("cats", "dogs")
    assert dataset.labels is not None
    assert dataset.labels.bincount().tolist() == [7, 5]
    dark = dataset.images[:, 0, 0, 0].numpy()
    np.testing.assert_allclose(dark[dataset.labels == 0], np.arange(7) * 10 / 127.5 - 1, atol=1e-5)
    assert "Their folders are their classes: cats, dogs." in read.summary()


def test_folders_within_a_class_belong_to_it() -> None:
    files = [file for pet in ("cats", "dogs") for part in ("full", "crop") for file in some(3, f"pets/{pet}/{part}/")]
    read = read_zip(zipped(files))
    assert read.classes == ("cats", "dogs")
    assert read.labels is not None
    assert np.bincount(read.labels).tolist() == [6, 6]


@pytest.mark.parametrize("parts", [("train", "test"), ("train", "valid", "test")])
def test_parts_of_a_split_are_no_classes(parts: tuple[str, ...]) -> None:
    files = [file for part in parts for pet in ("cats", "dogs") for file in some(4, f"pets/{part}/{pet}/")]
    read = read_zip(zipped(files))
    assert read.classes == ("cats", "dogs")
    assert read.labels is not None
    assert np.bincount(read.labels).tolist() == [4 * len(parts)] * 2


def test_folders_may_be_parted_as_on_windows() -> None:
    files = [*some(5, "pets\\dogs\\"), *some(7, "pets\\cats\\"), ("__MACOSX\\cats\\._00.png", b"junk")]
    read = read_zip(zipped(files))
    assert (read.classes, read.skipped, len(read.grey)) == (("cats", "dogs"), 0, 12)


def raw_zip(files: Sequence[tuple[bytes, bytes]], extra: Callable[[bytes], bytes] = lambda name: b"") -> bytes:
    """A zip whose names are these bytes, with no word on how to read them."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number, (name, content) in enumerate(files):
            entry = zipfile.ZipInfo(f"{number:x}".rjust(len(name), "~"))
            entry.extra = extra(name)
            archive.writestr(entry, content)
    made = file.getvalue()
    for number, (name, _) in enumerate(files):
        made = made.replace(f"{number:x}".rjust(len(name), "~").encode(), name)
    return made


def pets(*folders: bytes) -> list[tuple[bytes, bytes]]:
    return [(folder + name.encode(), content) for folder in folders for name, content in some(6, "/")]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_in_utf_8_are_read_without_their_flag(form: Literal["NFC", "NFD"]) -> None:
    """As macOS writes them, accents taken apart."""
    names = ["café", "naïve", "犬"]
    read = read_zip(raw_zip(pets(*(unicodedata.normalize(form, name).encode() for name in names))))
    assert read.classes == tuple(sorted(names))
    assert (read.skipped, len(read.grey)) == (0, 18)


def test_a_name_whole_and_the_same_taken_apart_are_one_class() -> None:
    apart = unicodedata.normalize("NFD", "café")
    raw = raw_zip([*pets(b"train/caf\xc3\xa9", b"train/tea"), *pets(b"test/" + apart.encode(), b"test/tea")])
    flagged = zipped([file for folder in ("a/café/", f"b/{apart}/") for file in some(6, folder)])
    read = read_zip(raw)
    assert read.classes == ("café", "tea")
    assert np.bincount(read.labels).tolist() == [12, 12]  # type: ignore[arg-type]
    assert from_zip(flagged).classes == ("a", "b")
    files = [file for folder in ("café/", f"{apart}/", "tea/") for file in some(6, folder)]
    assert from_files(files).classes == from_zip(zipped(files)).classes == ("café", "tea")


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp437", ("Hündchen", "Kätzchen", "Mäuse")),
        ("cp1252", ("Hündchen", "Kätzchen", "Mäuse")),
        ("cp1252", ("café", "forêt", "été")),
        ("ascii", ("cats", "dogs")),
    ],
)
def test_names_of_older_systems_stay_readable(encoding: str, names: tuple[str, ...]) -> None:
    assert read_zip(raw_zip(pets(*(name.encode(encoding) for name in names)))).classes == names


def test_bytes_that_are_no_text_are_names_all_the_same() -> None:
    read = read_zip(raw_zip(pets(b"\xff\xfe", b"\x81\x8d\x90")))
    assert (len(read.classes), read.skipped, len(read.grey)) == (2, 0, 12)
    assert all(name.isprintable() for name in read.classes)


@pytest.mark.parametrize("fits", [True, False])
def test_a_unicode_path_beside_an_older_name_is_believed_where_it_is_of_that_name(fits: bool) -> None:
    names = {"犬".encode("cp932"): "犬", "猫".encode("cp932"): "猫"}

    def extra(name: bytes) -> bytes:
        folder, _, rest = name.partition(b"/")
        path = names[folder].encode() + b"/" + rest
        path = struct.pack("<BL", 1, zlib.crc32(name) if fits else 7) + path
        return struct.pack("<HHHH", 0x5455, 4, 0, 0) + struct.pack("<HH", 0x7075, len(path)) + path

    read = read_zip(raw_zip(pets(*names), extra))
    assert (set(read.classes) == {"犬", "猫"}) == fits
    assert len(read.classes) == 2


def test_names_that_differ_in_case_are_one_class_unless_they_stand_side_by_side() -> None:
    parts = [("train/Cats/", 6), ("train/dogs/", 6), ("test/cats/", 5), ("test/Dogs/", 5)]
    read = read_zip(zipped([file for folder, count in parts for file in some(count, folder)]))
    assert read.classes == ("Dogs", "cats")  # as the first of them in the order of their paths
    assert np.bincount(read.labels).tolist() == [11, 11]  # type: ignore[arg-type]
    letters = read_zip(zipped([file for folder in ("A/", "a/", "B/") for file in some(5, folder)]))
    assert letters.classes == ("A", "B", "a")


def test_parts_of_a_split_may_be_written_large() -> None:
    files = [file for part in ("Train", "TEST") for pet in ("cats", "dogs") for file in some(4, f"{part}/{pet}/")]
    assert read_zip(zipped(files)).classes == ("cats", "dogs")


def test_what_systems_add_is_left_out() -> None:
    added = ["a/Thumbs.db", "b/desktop.ini", "a/Icon\r", "b/.DS_Store", "__MACOSX/a/._00.png", "a/._00.png", "a\\"]
    files = [*some(6, "a/"), *some(6, "b/"), *((name, b"") for name in added)]
    for read in (read_zip(zipped(files)), read_files(files[:-1])):
        assert (read.classes, read.skipped, len(read.grey)) == (("a", "b"), 0, 12)


def test_jpegs_may_be_named_as_windows_names_them() -> None:
    files = [
        (f"{level}.{ending}", grey_image(level, file_format="JPEG")) for level in range(9) for ending in ("jfif", "JPE")
    ]
    assert (len(read_zip(zipped(files)).grey), read_files(files).skipped) == (18, 0)


@pytest.mark.parametrize(
    "files",
    [
        some(20, "one/"),
        [*some(10, "a/"), *some(10, "b/"), ("loose.png", grey_image(3))],
        [*some(10, "a/"), *some(4, "b/")],
        [file for folder in "abcdefghijk" for file in some(5, f"{folder}/")],
    ],
    ids=["one folder", "an image outside", "a folder of four", "eleven folders"],
)
def test_other_folders_are_no_classes(files: list[tuple[str, bytes]]) -> None:
    dataset = from_zip(zipped(files))
    assert len(dataset) == len(files)
    assert (dataset.labels, dataset.classes) == (None, ())


def test_what_is_hidden_is_left_out_and_what_is_no_image_is_counted() -> None:
    hidden = ["__MACOSX/._00.png", ".hidden.png", "a/.cache/b.png", ".DS_Store"]
    files = [*some(11), *((name, b"junk") for name in hidden), ("folder/", b"")]
    assert read_zip(zipped(files)).skipped == 0
    junk = [("broken.png", grey_image(9)[:40]), ("notes.txt", b"hello"), ("text.jpg", b"hello"), ("empty.gif", b"")]
    read = read_zip(zipped([*files, *junk]))
    assert (len(read.grey), read.skipped) == (11, 4)
    assert read.problem == "notes.txt, which is not named as an image."
    assert read.summary().endswith(f" 4 files were skipped, the first of them {read.problem}")
    one = read_zip(zipped([*files, ("text.jpg", b"hello")]))
    assert "One file was skipped: text.jpg: This file is not an image" in one.summary()


def test_names_that_climb_out_of_their_folder_write_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert len(read_zip(zipped(some(10, "../climbed-"))).grey) == 10
    assert list(tmp_path.rglob("*")) == [tmp_path / "here"]


def test_progress_is_told_on_the_way() -> None:
    shares: list[float] = []
    read_files([(f"{n:03d}.png", grey_image(n)) for n in range(100)], progress=shares.append)
    assert shares == [0, 0.2, 0.4, 0.6, 0.8]


def test_few_images_and_none_get_a_sentence() -> None:
    assert refused(zipped(some(3))).startswith("These are 3 images; choose at least 10")
    assert refused(zipped(some(1))).startswith("This is one image; choose at least 10")
    assert refused(zipped([])).startswith("There is no image here; choose at least 10")
    assert len(from_zip(zipped(some(10)))) == 10
    texts = refused(zipped([(f"{n}.txt", b"words") for n in range(40)]))
    assert texts.startswith("There is no image here")
    assert "40 files were skipped, the first of them 0.txt" in texts
    renamed = refused(zipped([(f"{n}.png", b"words") for n in range(40)]))
    assert "40 files were skipped, the first of them 0.png: This file is not an image" in renamed


def test_a_hundred_thousand_images_are_refused_without_opening_the_zip(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0) + b"a.png"
    directory = entry * 100_000
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, len(directory), 0, 0)
    monkeypatch.setattr(zipfile, "ZipFile", None)
    assert refused(directory + end).startswith("This zip holds 100,000 files. At most 5,000 are read")


def test_more_than_five_thousand_images_are_refused_before_one_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_images, "read_image", None)
    files = [(f"{n}.png", b"") for n in range(MOST_IMAGES + 1)]
    assert refused(zipped(files)).startswith("These are 5,001 images. At most 5,000 are read")
    with pytest.raises(ValueError, match="These are 5,001 images"):
        read_files(files)


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked = 0
    read = zipfile.ZipExtFile.read

    def counted(self: zipfile.ZipExtFile, n: int = -1) -> bytes:
        nonlocal unpacked
        chunk = read(self, n)
        unpacked += len(chunk)
        return chunk

    monkeypatch.setattr(zipfile.ZipExtFile, "read", counted)
    monkeypatch.setattr(own_images, "MOST_BYTES", 10**6)
    monkeypatch.setattr(own_images, "MOST_UNPACKED_BYTES", 5 * 10**6)
    zeros = bytes(3 * 10**6)
    one = read_zip(zipped([*some(12), ("zz.png", zeros)]))
    assert one.problem == "zz.png: It unpacks to more than 1 MB."
    assert unpacked < 1.2 * 10**6
    unpacked = 0
    assert refused(zipped([(f"{n}.png", zeros) for n in range(20)])).startswith("These images have more than 5 MB")
    assert unpacked < 6.2 * 10**6


def test_an_entry_that_claims_less_than_it_holds_is_damaged_and_no_more_is_unpacked() -> None:
    content = bytearray(zipped([*some(12), ("zz.png", bytes(10**6))]))
    for signature, place in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        start = content.rindex(signature) + place
        assert content[start : start + 4] == struct.pack("<L", 10**6)
        content[start : start + 4] = struct.pack("<L", 100)
    read = read_zip(bytes(content))
    assert (len(read.grey), read.problem) == (12, "zz.png: It is damaged inside the zip.")


def test_pixels_are_counted_over_all_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_images, "MOST_PIXELS", 12 * 28 * 28)
    assert len(read_files(some(12)).grey) == 12
    with pytest.raises(ValueError, match=r"pixels in all. Choose fewer, or scale them down\.$"):
        read_files(some(13))
    broken = [(name, content[:33] + b"\0\0\0\0eXIf\0\0\0\0" + content[33:]) for name, content in some(13)]
    assert len(read_files(broken[:12]).grey) == 12
    with pytest.raises(ValueError, match="pixels in all"):
        read_files(broken)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_unpack_without_a_limit_are_refused(method: int) -> None:
    assert refused(zipped(some(12), method)).startswith("This zip is packed in an unusual way")
    assert len(from_zip(zipped(some(12), zipfile.ZIP_STORED))) == 12


def test_a_locked_zip_is_refused() -> None:
    content = bytearray(zipped(some(12)))
    for signature, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(signature) + place] |= 1
    assert refused(bytes(content)).startswith("This zip is locked with a password")


def test_broken_zips_and_large_ones_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    good = zipped(some(12))
    for content in (b"", b"no zip", b"PK\3\4", good[:-30], good[len(good) // 2 :], grey_image(3)):
        assert refused(content)
    assert refused(b"no zip").startswith("This file is not a zip, or it is damaged")
    monkeypatch.setattr(own_images, "MOST_ZIP_BYTES", len(good) - 1)
    assert refused(good).startswith("This zip has 0.0 MB. Choose one of at most")


def test_a_damaged_entry_is_skipped() -> None:
    good = zipped(some(12), zipfile.ZIP_STORED)
    hurt = bytearray(good)
    hurt[good.index(b"PNG") + 30] ^= 0xFF
    read = read_zip(bytes(hurt))
    assert (len(read.grey), read.problem) == (11, "00.png: It is damaged inside the zip.")


def test_a_zip_among_files_is_read_alone() -> None:
    content = zipped(some(12))
    assert len(read_files([("my.ZIP", content)]).grey) == 12
    with pytest.raises(ValueError, match="Keep one zip, or only images"):
        read_files([("my.zip", content), *some(3)])
    with pytest.raises(ValueError, match="Keep one zip, or only images"):
        read_files([("my.zip", content), ("other.zip", content)])


def test_a_zip_in_a_zip_is_not_opened() -> None:
    read = read_zip(zipped([*some(12), ("more.zip", zipped(some(12)))]))
    assert (len(read.grey), read.skipped) == (12, 1)


@given(
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=6)), max_size=8),
    share=st.one_of(st.just(1.0), st.floats(0, 1)),
    method=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
)
def test_a_zip_with_flipped_bytes_is_a_dataset_or_a_sentence(
    flips: list[tuple[float, bytes]], share: float, method: int
) -> None:
    content = bytearray(zipped([*some(7, "a/"), *some(7, "b/")], method))
    for place, junk in flips:
        start = int(place * len(content))
        content[start : start + len(junk)] = junk
    check(bytes(content[: int(share * len(content))]))


@given(st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(lambda junk: b"PK\3\4" + junk)))
def test_any_bytes_are_refused_in_a_sentence(content: bytes) -> None:
    assert refused(content)


ENTRIES = st.tuples(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12).map(
        lambda name: f"{name}.png"
    ),
    st.one_of(st.binary(max_size=60), st.integers(0, 255).map(grey_image)),
)


@given(st.lists(ENTRIES, max_size=16, unique_by=lambda entry: entry[0]))
def test_any_names_and_contents_are_a_dataset_or_a_sentence(files: list[tuple[str, bytes]]) -> None:
    check(zipped(files))


def check(content: bytes) -> None:
    try:
        read = read_zip(content)
    except ValueError as refusal:
        assert str(refusal).endswith(".")
    else:
        assert isinstance(read, OwnImages)
        dataset = read.dataset()
        assert dataset.shape == (1, 28, 28)
        assert -1 <= dataset.images.min() <= dataset.images.max() <= 1
        assert read.summary().startswith(f"{len(dataset)} images")
        assert dataset.labels is None or dataset.labels.max() < len(dataset.classes)
