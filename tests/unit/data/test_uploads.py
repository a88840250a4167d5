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

from explorer.data import uploads
from explorer.data.uploads import KEPT_SIDE, MOST_BYTES, PNG, centred_square, read_image, white_on_black


def encoded(image: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def chunk(kind: bytes, content: bytes, checksum: int | None = None) -> bytes:
    """A part of a PNG."""
    right = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", right if checksum is None else checksum)


def png(width: int, height: int, depth: int, colours: int, rows: bytes, *chunks: bytes) -> bytes:
    """A PNG of packed rows, each after its filter's byte, with other parts before its pixels."""
    start = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0))
    return PNG + start + b"".join(chunks) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""
    return png(width, height, 8, 0, b"\0")


def with_chunks(content: bytes, *chunks: bytes, at_the_end: bool = False) -> bytes:
    """A PNG with more parts, before its pixels or after them."""
    place = content.index(b"IEND" if at_the_end else b"IDAT") - 4
    return content[:place] + b"".join(chunks) + content[place:]


def with_segments(content: bytes, *segments: tuple[int, bytes]) -> bytes:
    """A JPEG with more segments at its start: a marker and what follows."""
    more = (struct.pack(">BBH", 0xFF, marker, 2 + len(data)) + data for marker, data in segments)
    return content[:2] + b"".join(more) + content[2:]


def exif(orientation: int, order: str = "<", kind: int = 3, rational: tuple[int, int] | None = None) -> bytes:
    """An EXIF block that says an orientation, and a resolution."""
    fields = [(0x0112, kind, 1, struct.pack(order + {1: "B3x", 3: "H2x", 4: "L"}[kind], orientation))]
    if rational:
        fields.append((0x011A, 10, 1, struct.pack(f"{order}L", 8 + 2 + 2 * 12 + 4)))
    block = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}LH", 8, len(fields))
    block += b"".join(struct.pack(f"{order}HHL", *field[:3]) + field[3] for field in fields)
    return b"Exif\0\0" + block + bytes(4) + (struct.pack(f"{order}ll", *rational) if rational else b"")


def xmp(orientation: int, element: bool) -> bytes:
    said = (
        f"<tiff:Orientation>{orientation}</tiff:Orientation>" if element else f'<x tiff:Orientation="{orientation}"/>'
    )
    return f"<x:xmpmeta>{said}</x:xmpmeta>".encode()


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


def turned(upright: np.ndarray, orientation: int) -> np.ndarray:
    """What is stored, to be seen as `upright` under an orientation of EXIF (CIPA DC-008, section 4.6.4)."""
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }
    return np.ascontiguousarray(stored[orientation])


ORIENTED = {
    "PNG": lambda image, block: with_chunks(encoded(image), chunk(b"eXIf", block[6:])),
    "PNG, at the end": lambda image, block: with_chunks(encoded(image), chunk(b"eXIf", block[6:]), at_the_end=True),
    "PNG, raw profile": lambda image, block: with_chunks(
        encoded(image),
        chunk(
            b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(f"\nexif\n{len(block):8}\n{block.hex()}\n".encode())
        ),
    ),
    "JPEG": lambda image, block: with_segments(encoded(image, "JPEG", quality=95), (0xE1, block)),
    "WebP": lambda image, block: encoded(image, "WEBP", lossless=True, exif=block),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ORIENTED)
def test_every_orientation_is_followed_in_every_file_that_says_one(name: str, orientation: int) -> None:
    image = Image.fromarray(turned(RAMP, orientation))
    for order, kind in (("<", 3), (">", 3), (">", 4), ("<", 1)):
        grey = read_image(ORIENTED[name](image, exif(orientation, order, kind)))
        np.testing.assert_allclose(grey, RAMP / 255, atol=4 / 255 if name == "JPEG" else 1.1 / 255)


@pytest.mark.parametrize("element", [False, True])
def test_the_orientation_of_an_xmp_packet_is_followed_where_exif_says_none(element: bool) -> None:
    image, packet = Image.fromarray(turned(RAMP, 6)), xmp(6, element)
    word = b"XML:com.adobe.xmp\0"
    for content in (
        with_chunks(encoded(image), chunk(b"iTXt", word + b"\0\0\0\0" + packet)),
        with_chunks(encoded(image), chunk(b"iTXt", word + b"\1\0\0\0" + zlib.compress(packet))),
        with_segments(encoded(image, "JPEG", quality=95), (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)),
        encoded(image, "WEBP", lossless=True, xmp=packet),
    ):
        np.testing.assert_allclose(read_image(content), RAMP / 255, atol=4 / 255)
    upright = with_segments(
        encoded(Image.fromarray(RAMP), "JPEG"), (0xE1, exif(1)), (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)
    )
    assert read_image(upright).shape == RAMP.shape


def test_16_bits_are_turned_too() -> None:
    deep = Image.fromarray(turned(RAMP, 6).astype(np.uint16) * 257)
    grey = read_image(with_chunks(encoded(deep), chunk(b"eXIf", exif(6)[6:])))
    np.testing.assert_allclose(grey, RAMP / 255, atol=1e-6)


BOMB = zlib.compress(bytes(50_000_000), 9)
LONG = zlib.compress(b"a comment " * 300_000, 9)
METADATA = {
    "EXIF of nothing": chunk(b"eXIf", b""),
    "EXIF of junk": chunk(b"eXIf", b"II*\0junk"),
    "EXIF that ends": chunk(b"eXIf", exif(3)[6:20]),
    "EXIF with a directory far away": chunk(b"eXIf", b"II*\0\xff\xff\xff\xff"),
    "EXIF with a wrong checksum": chunk(b"eXIf", b"II*\0junk", checksum=7),
    "a comment of 3 MB": chunk(b"zTXt", b"Comment\0\0" + LONG),
    "a comment of 3 MB in Unicode": chunk(b"iTXt", b"Comment\0\1\0\0\0" + LONG),
    "a comment that is a bomb": chunk(b"zTXt", b"Comment\0\0" + BOMB),
    "XMP that is a bomb": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + BOMB),
    "a raw profile that is a bomb": chunk(b"zTXt", b"Raw profile type exif\0\0" + BOMB),
    "a raw profile of junk": chunk(b"tEXt", b"Raw profile type exif\0\nexif\n 8\nno hexadecimal"),
    "a packing that is none": chunk(b"zTXt", b"Comment\0\7junk"),
    "comments of 70 MB": b"".join(chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(10**6))) for _ in range(70)),
    "a profile that is a bomb": chunk(b"iCCP", b"name\0\0" + BOMB),
    "a profile that is none": chunk(b"iCCP", b"name\0\7junk"),
    "a profile that ends": chunk(b"iCCP", b"name"),
    "a gamma that ends": chunk(b"gAMA", b"\0"),
    "colours that end": chunk(b"cHRM", b"\0"),
    "a resolution that ends": chunk(b"pHYs", b"\0"),
    "an animation that ends": chunk(b"acTL", b"\0"),
    "a frame that ends": chunk(b"fcTL", b"\0"),
    "a wrong checksum": chunk(b"tIME", bytes(7), checksum=7),
    "a transparent colour that ends": chunk(b"tRNS", b"\0"),
    "a transparent colour with a wrong checksum": chunk(b"tRNS", b"\0\0", checksum=7),
}


@pytest.mark.parametrize("name", METADATA)
def test_what_is_said_beside_the_pixels_cannot_harm_them(name: str) -> None:
    plain = encoded(Image.fromarray(RAMP))
    for at_the_end in (False, True):
        grey = read_image(with_chunks(plain, METADATA[name], at_the_end=at_the_end))
        np.testing.assert_array_equal(grey, RAMP / np.float32(255))


def test_one_profile_is_unpacked_and_no_more_than_a_little_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked: list[int] = []
    unpack = uploads._unpacked

    def counted(text: bytes) -> bytes:
        found = unpack(text)
        unpacked.append(len(found))
        return found

    monkeypatch.setattr(uploads, "_unpacked", counted)
    bomb = chunk(b"zTXt", b"Raw profile type exif\0\0" + BOMB)
    read_image(with_chunks(encoded(Image.fromarray(RAMP)), *[bomb] * 50))
    assert unpacked == [uploads.MOST_METADATA]


SAID = {
    "a resolution of 0/0": (0xE1, exif(6, ">", rational=(0, 0))),
    "a resolution of 1/0": (0xE1, exif(6, rational=(1, 0))),
    "a resolution of -1/0": (0xE1, exif(6, rational=(-1, 0))),
    "EXIF that ends after its orientation": (0xE1, exif(6, rational=(1, 1))[:26]),
    "EXIF of nothing": (0xE1, b"Exif\0\0"),
    "EXIF of junk": (0xE1, b"Exif\0\0junk"),
    "an index of more pictures, broken": (0xE2, b"MPF\0II*\0junk"),
    "a profile, broken": (0xE2, b"ICC_PROFILE\0\0"),
    "Photoshop's, broken": (0xED, b"Photoshop 3.0\x008BIM"),
    "JFIF, cut short": (0xE0, b"JFIF\0"),
    "Adobe's, cut short": (0xEE, b"Adobe"),
    "a comment": (0xFE, b"\xff\xd9" * 9),
}


@pytest.mark.parametrize("name", SAID)
def test_what_is_said_beside_the_pixels_of_a_jpeg_cannot_harm_them(name: str) -> None:
    stored = turned(RAMP, 6) if "a resolution" in name or "after" in name else RAMP
    plain = encoded(Image.fromarray(stored), "JPEG", quality=95)
    for content in (with_segments(plain, SAID[name]), b"\xff\xd8\xff" + with_segments(plain, SAID[name])[2:]):
        np.testing.assert_allclose(read_image(content), RAMP / 255, atol=4 / 255)


def test_a_jpeg_of_several_pictures_shows_its_first() -> None:
    image = Image.fromarray(RAMP)
    content = encoded(image, "MPO", save_all=True, append_images=[Image.new("L", image.size)], quality=95)
    np.testing.assert_allclose(read_image(content), RAMP / 255, atol=4 / 255)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_every_mode_of_jpeg_keeps_its_greys(mode: str) -> None:
    content = encoded(Image.fromarray(RAMP).convert("RGB").convert(mode), "JPEG", quality=95)
    np.testing.assert_allclose(read_image(content), RAMP / 255, atol=6 / 255)


@given(
    st.sampled_from(
        [b"eXIf", b"iCCP", b"zTXt", b"iTXt", b"tEXt", b"gAMA", b"pHYs", b"acTL", b"fcTL", b"fdAT", b"sPLT"]
    ),
    st.one_of(st.binary(max_size=80), st.binary(max_size=80).map(lambda junk: exif(1)[6:] + junk)),
    st.one_of(st.none(), st.integers(0, 2**32 - 1)),
    st.booleans(),
)
def test_any_metadata_leaves_the_pixels_of_a_png(
    kind: bytes, data: bytes, checksum: int | None, at_the_end: bool
) -> None:
    content = with_chunks(encoded(Image.fromarray(RAMP)), chunk(kind, data, checksum), at_the_end=at_the_end)
    np.testing.assert_array_equal(np.sort(read_image(content), axis=None), np.sort(RAMP / np.float32(255), axis=None))


@given(
    st.integers(0xE0, 0xEF), st.binary(max_size=80), st.sampled_from([b"", b"Exif\0\0", b"JFIF\0", b"MPF\0", b"Adobe"])
)
def test_any_metadata_leaves_the_pixels_of_a_jpeg(marker: int, data: bytes, start: bytes) -> None:
    plain = encoded(Image.fromarray(RAMP), "JPEG", quality=95)
    grey = read_image(with_segments(plain, (marker, start + data)))
    np.testing.assert_array_equal(np.sort(grey, axis=None), np.sort(read_image(plain), axis=None))


def keyed(mode: str, clear: np.ndarray) -> tuple[bytes, bytes]:
    """A PNG of stripes, those of `clear` in its transparent colour; and the same with these white."""
    height, width = clear.shape
    bits, colours, key, white, black = {
        "1": (1, 0, 0, 1, 1),
        "2": (2, 0, 1, 3, 0),
        "4": (4, 0, 6, 15, 0),
        "8": (8, 0, 100, 255, 0),
        "16": (16, 0, 1000, 65535, 0),
        "RGB": (8, 2, 100, 255, 0),
        "RGB 16": (16, 2, 1000, 65535, 0),
    }[mode]
    channels = 3 if colours == 2 else 1

    def file(of_clear: int, *chunks: bytes) -> bytes:
        values = np.where(clear, of_clear, black)[..., None].repeat(channels, 2).reshape(height, -1)
        places = (values[..., None] >> np.arange(bits - 1, -1, -1)) & 1
        rows = np.packbits(places.reshape(height, -1).astype(np.uint8), axis=1)
        return png(width, height, bits, colours, np.pad(rows, ((0, 0), (1, 0))).tobytes(), *chunks)

    return file(key, chunk(b"tRNS", struct.pack(">H", key) * channels)), file(white)


@pytest.mark.parametrize("mode", ["1", "2", "4", "8", "16", "RGB", "RGB 16"])
@pytest.mark.parametrize("width", [16, 3 * KEPT_SIDE])
def test_a_transparent_colour_is_clear_before_it_is_mixed_with_its_neighbours(mode: str, width: int) -> None:
    stripes = np.arange(width) % 3 == 0
    marked, white = keyed(mode, np.tile(stripes, (48, 1)))
    grey = read_image(marked)
    np.testing.assert_allclose(grey, read_image(white), atol=2 / 255)
    share = 1 if mode == "1" else 1 / 3  # what is not clear is white too where there are two colours
    assert grey.mean() == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize("alphas", [bytes([0]), bytes([255, 0]), bytes([255, 128, 0])])
def test_a_palette_may_be_clear_in_parts(alphas: bytes) -> None:
    palette = bytes([0, 0, 0, 90, 90, 90, 200, 200, 200])
    rows = np.tile(np.array([0, *[0, 1, 2] * 4], np.uint8), (9, 1)).tobytes()
    grey = read_image(png(12, 9, 8, 3, rows, chunk(b"PLTE", palette), chunk(b"tRNS", alphas)))
    opaque = np.array([*alphas, 255, 255][:3]) / 255
    expected = np.tile(opaque * np.array([0, 90, 200]) + (1 - opaque) * 255, 4) / 255
    np.testing.assert_allclose(grey, np.tile(expected, (9, 1)), atol=1.1 / 255)


def test_a_gif_with_a_clear_colour_lies_over_white() -> None:
    image = Image.fromarray(np.tile(np.array([0, 1, 2] * 4, np.uint8), (9, 1)))
    image.putpalette([0, 0, 0, 90, 90, 90, 200, 200, 200])
    grey = read_image(encoded(image, "GIF", transparency=1))
    np.testing.assert_allclose(grey, np.tile(np.array([0, 255, 200] * 4) / 255, (9, 1)), atol=1e-6)


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
        (with_chunks(png_header(60_000, 60_000), chunk(b"eXIf", b"junk"), chunk(b"tEXt", b"")), "far too many pixels"),
        (with_chunks(png_header(8_000, 8_000), chunk(b"eXIf", b"junk")), "8,000 x 8,000 pixels"),
        (encoded(Image.new("L", (9_000, 9)), "JPEG"), "9,000 x 9 pixels"),
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
