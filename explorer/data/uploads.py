"""Images that people upload: parsed defensively, refused in a sentence."""

import io
import re
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP")
ENDINGS = ["png", "apng", "jpg", "jpeg", "jpe", "jfif", "gif", "webp", "bmp"]
MOST_BYTES = 10_000_000
LONGEST_SIDE = 8_000
MOST_PIXELS = 25_000_000
SHORTEST_SIDE = 8
KEPT_SIDE = 1_024

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
SAID = {  # where a PNG says an orientation, and how that begins
    b"eXIf": b"",
    b"tEXt": b"Raw profile type exif\0",
    b"zTXt": b"Raw profile type exif\0",
    b"iTXt": b"XML:com.adobe.xmp\0",
}
KEY_BYTES = {0: 2, 2: 6}  # of a transparent colour, by the colour type: grey, RGB
JFIF, ADOBE = 0xE0, 0xEE  # markers of JPEG
ASIDE = {*range(0xE0, 0xF0), 0xFE}  # those of applications and of comments
SEGMENTS = ASIDE | {*range(0xC0, 0xD0), *range(0xDB, 0xFF)}  # those that a length follows, up to the first scan
MARKER = re.compile(rb"\xff+[^\xff]", re.DOTALL)  # bytes to fill may come before it
EXIF, XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
ORIENTATION = 0x0112
MOST_METADATA = 2**20  # bytes, unpacked
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_image(content: bytes, colours: bool = False) -> np.ndarray:
    """The grey values of an image file, (height, width) float32 in [0, 1], black is 0, white is 1; or its `colours`,
    (height, width, 3).

    Turned as its EXIF or XMP orientation says, transparency laid over white, the first frame of an
    animation, scaled down to at most 1,024 pixels a side. The size is read from the file's header
    before any pixel is decoded, and nothing else that is said beside the pixels can harm them. Raises
    ValueError, with a sentence for the person who chose the file, for one that is no image, broken, too
    large or too small.
    """
    if not content:
        raise ValueError("This file is empty. Choose a PNG, JPEG, GIF, WebP or BMP image.")
    if len(content) > MOST_BYTES:
        raise ValueError(f"This file has {len(content) / 1e6:.1f} MB. Choose one of at most {MOST_BYTES / 1e6:.0f} MB.")
    try:
        image, orientation = open_image(content)
    except Image.DecompressionBombError:
        raise ValueError(
            f"This image has far too many pixels. Scale it down to at most {LONGEST_SIDE:,} pixels a side."
        ) from None
    except Exception as error:  # decoders raise many kinds for a broken header
        raise ValueError(
            "This file is not an image that can be read here. Choose a PNG, JPEG, GIF, WebP or BMP image."
        ) from error
    with image:
        _check_size(*image.size)
        try:
            return _pixels(image, orientation, colours)
        except Exception as error:  # decoders raise many kinds for broken data
            raise ValueError("This image is damaged or cut short. Save it again and choose the new file.") from error


def open_image(content: bytes) -> tuple[Image.Image, int]:
    """An image that is not decoded yet, and its orientation, 1 to 8. Raises whatever a decoder raises.

    PNGs and JPEGs are opened without their metadata, for decoders refuse files for broken ones.
    """
    exif = xmp = b""
    if content.startswith(PNG):
        content, exif, xmp = _bare_png(content)
    elif content.startswith(JPEG):
        content, exif, xmp = _bare_jpeg(content)
    image = Image.open(io.BytesIO(content), formats=FORMATS)
    if content.startswith(PNG):
        _scale_key(image, depth=content[24])
    said = _in_exif(exif or image.info.get("exif", b"")) or _in_xmp(xmp or image.info.get("xmp", b""))
    return image, said if said in TURNS else 1


def _bare_png(content: bytes) -> tuple[bytes, bytes, bytes]:
    """The chunks of a PNG that make its first image, its EXIF block and its XMP packet."""
    kept, said = [PNG], dict.fromkeys(SAID, b"")
    for kind, chunk in _chunks(content):
        data = chunk[8:-4]
        if kind in PIXEL_CHUNKS or (kind == b"tRNS" and _is_whole(chunk, KEY_BYTES.get(content[25], 0))):
            kept.append(chunk)
        elif kind in SAID and data.startswith(SAID[kind]):
            said[kind] = said[kind] or data.removeprefix(SAID[kind])
    exif = said[b"eXIf"] or _from_hex(said[b"tEXt"]) or _from_hex(_unpacked(said[b"zTXt"][1:]))
    xmp = said[b"iTXt"][2:].split(b"\0", 2)[-1]  # after its languages
    return b"".join(kept), exif, _unpacked(xmp) if said[b"iTXt"].startswith(b"\1") else xmp


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The kind of each chunk of a PNG, and the chunk with its length and checksum."""
    start = len(PNG)
    while start < len(content):
        end = start + 12 + int.from_bytes(content[start : start + 4])
        yield content[start + 4 : start + 8], content[start:end]
        start = end


def _is_whole(chunk: bytes, least: int) -> bool:
    """Whether a chunk has `least` bytes of data, and its checksum is right."""
    return len(chunk) >= 12 + least and zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:])


def _unpacked(text: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(text, MOST_METADATA)
    except zlib.error:
        return b""


def _from_hex(profile: bytes) -> bytes:
    """What ImageMagick writes: a line of nothing, a name, a length, and lines in hexadecimal."""
    try:
        return bytes.fromhex(b"".join(profile.split(b"\n")[3:]).decode("ascii"))
    except ValueError:
        return b""


def _bare_jpeg(content: bytes) -> tuple[bytes, bytes, bytes]:
    """A JPEG without comments and what applications add, its EXIF block and its XMP packet.

    The marks of JFIF and of Adobe stay: they say how colours are stored.
    """
    kept, exif, xmp, start = [content[:2]], b"", b"", 2
    while (found := MARKER.match(content, start)) and (marker := content[found.end() - 1]) in SEGMENTS:
        start = found.end() - 2
        end = start + 2 + int.from_bytes(content[start + 2 : start + 4])
        if marker not in ASIDE or (marker in (JFIF, ADOBE) and end - start >= 16):
            kept.append(content[start:end])
        elif content.startswith(EXIF, start + 4):
            exif = exif or content[start + 4 : end]
        elif content.startswith(XMP, start + 4):
            xmp = xmp or content[start + 4 : end]
        start = end
    return b"".join([*kept, content[start:]]), exif, xmp


def _in_exif(block: bytes) -> int | None:
    """The orientation in an EXIF block: a field of the first directory of a TIFF file."""
    block = block.removeprefix(EXIF)
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return None
    try:
        (directory,) = struct.unpack_from(f"{order}L", block, 4)
        (fields,) = struct.unpack_from(f"{order}H", block, directory)
        for place in range(directory + 2, directory + 2 + 12 * fields, 12):
            tag, kind = struct.unpack_from(f"{order}HH", block, place)
            if tag == ORIENTATION:
                return struct.unpack_from(order + {1: "B", 4: "L"}.get(kind, "H"), block, place + 8)[0]
    except struct.error:  # it ends before
        pass
    return None


def _in_xmp(packet: bytes) -> int | None:
    """The orientation in an XMP packet, as an attribute or an element."""
    found = re.search(rb'tiff:Orientation(?:="|>)([1-8])', packet)
    return int(found[1]) if found else None


def _scale_key(image: Image.Image, depth: int) -> None:
    """A PNG's transparent colour on the scale of the pixels: 8 bits, except for grey of 16."""
    key = image.info.get("transparency")
    if image.mode == "RGB" and key is not None and depth == 16:
        image.info["transparency"] = tuple(value >> 8 for value in key)
    elif image.mode == "L" and key is not None:
        image.info["transparency"] = key * 255 // (2**depth - 1)


def _check_size(width: int, height: int) -> None:
    if max(width, height) > LONGEST_SIDE or width * height > MOST_PIXELS:
        raise ValueError(
            f"This image is {width:,} x {height:,} pixels. Scale it down to at most {LONGEST_SIDE:,} pixels "
            f"a side and {MOST_PIXELS / 1e6:.0f} million in all."
        )
    if min(width, height) < SHORTEST_SIDE:
        raise ValueError(
            f"This image is {width:,} x {height:,} pixels, too small to show anything. Choose one of at least "
            f"{SHORTEST_SIDE} x {SHORTEST_SIDE}."
        )


def _pixels(image: Image.Image, orientation: int, colours: bool) -> np.ndarray:
    """Decoded, reduced (a JPEG while decoding), turned, over white: (height, width) or (height, width, 3) float32 in
    [0, 1].

    A transparent colour becomes transparency before anything is mixed with its neighbours.
    """
    if image.mode.startswith("I"):  # 16 bits, which Pillow would clip
        deep = np.asarray(image)
        clear = deep == image.info.get("transparency", -1)
        image = Image.fromarray(np.where(clear, 255, deep // 257).astype(np.uint8))
    elif "transparency" in image.info:
        image = image.convert("RGBA" if colours or image.mode == "RGB" else "LA")
    elif image.mode in ("1", "P", "PA"):  # Pillow scales palettes and single bits without smoothing
        image = image.convert("RGBA" if colours else "LA" if image.mode == "PA" else "L")
    image.thumbnail((KEPT_SIDE, KEPT_SIDE))
    if orientation in TURNS:
        image = image.transpose(TURNS[orientation])
    upright = image.convert("RGBA")
    paper = Image.new("RGBA", upright.size, "white")
    paper.alpha_composite(upright)
    return np.asarray(paper.convert("RGB" if colours else "L"), np.float32) / 255


def centred_square(grey: np.ndarray, size: int) -> np.ndarray:
    """The centred square of a grey image, (height, width) in [0, 1], scaled to (size, size) float32."""
    side = min(grey.shape)
    top, left = ((length - side) // 2 for length in grey.shape)
    square = Image.fromarray(grey[top : top + side, left : left + side].astype(np.float32))
    return np.asarray(square.resize((size, size), Image.Resampling.BILINEAR))


def white_on_black(grey: np.ndarray) -> tuple[np.ndarray, bool]:
    """A grey image in [0, 1] as float32 in [-1, 1] with its ink light, and whether that inverted it.

    The ground is what the border shows, so that dark ink on light paper turns over.
    """
    border = np.concatenate([grey[0], grey[-1], grey[1:-1, 0], grey[1:-1, -1]])
    inverted = bool(border.mean() > 0.5)
    return np.float32(2) * (1 - grey if inverted else grey) - 1, inverted
