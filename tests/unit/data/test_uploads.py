"""Uploads: what an image becomes, and a sentence for everything that is none."""

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from explorer.data.uploads import KEPT_SIDE, MOST_BYTES, centred_square, read_image, white_on_black


def encoded(image: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    start = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + start + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


RAMP = np.tile(np.arange(0, 240, 16, dtype=np.uint8), (9, 1))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "I;16"])
def test_every_mode_of_png_keeps_its_greys(mode: str) -> None:
    deep = Image.fromarray(RAMP.astype(np.uint16) * 257)
    image = deep if mode == "I;16" else Image.fromarray(RAMP).convert(mode)
    grey = read_image(encoded(image))
    assert grey.dtype == np.float32
    np.testing.assert_allclose(grey, RAMP / 255, atol=1.1 / 255)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "GIF", "WEBP", "BMP"])
def test_every_format_is_read(file_format: str) -> None:
    grey = read_image(encoded(Image.fromarray(RAMP).resize((150, 90)), file_format))
    assert grey.shape == (90, 150)
    assert grey[:, :10].mean() < 0.1
    assert grey[:, -10:].mean() > 0.8


def test_one_bit_images_are_read() -> None:
    grey = read_image(encoded(Image.fromarray(RAMP > 100)))
    np.testing.assert_array_equal(grey, RAMP > 100)


def test_transparency_lies_over_white() -> None:
    clear = np.zeros((8, 12, 4), np.uint8)
    clear[:, :6, 3] = 255
    np.testing.assert_array_equal(read_image(encoded(Image.fromarray(clear))), [[0] * 6 + [1] * 6] * 8)


def test_the_exif_orientation_is_followed() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to see it upright
    grey = read_image(encoded(Image.fromarray(RAMP), exif=exif))
    np.testing.assert_allclose(grey, np.rot90(RAMP, -1) / 255, atol=1e-6)


def test_a_large_photograph_is_reduced() -> None:
    grey = read_image(encoded(Image.new("RGB", (4000, 3000), "white"), "JPEG"))
    assert grey.shape == (KEPT_SIDE * 3 // 4, KEPT_SIDE)
    assert grey.min() == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "empty"),
        (b"no image", "not an image"),
        (b"%PDF-1.7", "not an image"),
        (encoded(Image.fromarray(RAMP), "TIFF"), "not an image"),
        (b"\x89PNG\r\n\x1a\n", "not an image"),
        (encoded(Image.new("L", (1, 1))), "1 x 1 pixels, too small"),
        (encoded(Image.new("L", (500, 7))), "500 x 7 pixels, too small"),
        (encoded(Image.new("1", (20_000, 10))), "20,000 x 10 pixels"),
        (png_header(20_000, 8), "20,000 x 8 pixels"),
        (png_header(8_000, 8_000), "8,000 x 8,000 pixels"),
        (png_header(60_000, 60_000), "far too many pixels"),
        (png_header(100, 100), "damaged"),
        (encoded(Image.effect_noise((300, 300), 50))[:2000], "damaged"),
        (encoded(Image.effect_noise((300, 300), 50), "JPEG")[:2000], "damaged"),
        (b"\0" * (MOST_BYTES + 1), "at most 10 MB"),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_what_is_no_image_gets_a_sentence(content: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as refusal:
        read_image(content)
    assert str(refusal.value).endswith(".")


@given(
    st.sampled_from(["PNG", "JPEG", "GIF", "WEBP", "BMP"]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=4)), max_size=6),
    st.floats(0.1, 1),
)
def test_a_file_with_flipped_bytes_is_an_image_or_a_sentence(
    file_format: str, flips: list[tuple[float, bytes]], share: float
) -> None:
    content = bytearray(encoded(Image.fromarray(RAMP), file_format))
    for place, junk in flips:
        start = int(place * len(content))
        content[start : start + len(junk)] = junk
    with contextlib.suppress(ValueError):
        grey = read_image(bytes(content[: int(share * len(content))]))
        assert grey.ndim == 2
        assert 0 <= grey.min() <= grey.max() <= 1


@given(st.binary(max_size=200))
def test_any_bytes_get_a_sentence(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        read_image(content)


@pytest.mark.parametrize("shape", [(28, 28), (300, 300), (300, 400), (402, 300), (10, 60), (8, 8)])
def test_the_centred_square_cuts_the_longer_side_and_keeps_the_middle(shape: tuple[int, int]) -> None:
    height, width = shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    y, x = y - (height - 1) / 2, x - (width - 1) / 2
    side = min(shape)
    outside = (abs(x) > side / 2) | (abs(y) > side / 2)
    disc = (np.hypot(x, y) < 0.3 * side) | outside
    square = centred_square(disc.astype(np.float32), 28)
    assert square.shape == (28, 28)
    assert square[13:15, 13:15].min() == 1
    border = np.concatenate([square[0], square[-1], square[:, 0], square[:, -1]])
    assert border.max() == 0
    np.testing.assert_allclose(square, square[::-1, ::-1], atol=1e-5)


def test_dark_ink_on_paper_turns_over_and_light_ink_stays() -> None:
    ink = np.zeros((10, 10), np.float32)
    ink[3:7, 4:6] = 1
    for grey, turned in ((ink, False), (1 - ink, True)):
        image, inverted = white_on_black(grey)
        assert inverted is turned
        np.testing.assert_allclose(image, 2 * ink - 1, atol=1e-6)
