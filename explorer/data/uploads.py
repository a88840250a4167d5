"""Images that people upload: parsed defensively, refused in a sentence."""

import io

import numpy as np
from PIL import Image, ImageOps

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP")
ENDINGS = ["png", "jpg", "jpeg", "gif", "webp", "bmp"]
MOST_BYTES = 10_000_000
LONGEST_SIDE = 8_000
MOST_PIXELS = 25_000_000
SHORTEST_SIDE = 8
KEPT_SIDE = 1_024


def read_image(content: bytes) -> np.ndarray:
    """The grey values of an image file, (height, width) float32 in [0, 1]: black is 0, white is 1.

    Turned as its EXIF orientation says, transparency laid over white, the first frame of an
    animation, scaled down to at most 1,024 pixels a side. The size is read from the file's header
    before any pixel is decoded. Raises ValueError, with a sentence for the person who chose the file,
    for one that is no image, broken, too large or too small.
    """
    if not content:
        raise ValueError("This file is empty. Choose a PNG, JPEG, GIF, WebP or BMP image.")
    if len(content) > MOST_BYTES:
        raise ValueError(f"This file has {len(content) / 1e6:.1f} MB. Choose one of at most {MOST_BYTES / 1e6:.0f} MB.")
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
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
            return _grey(image)
        except Exception as error:  # decoders raise many kinds for broken data
            raise ValueError("This image is damaged or cut short. Save it again and choose the new file.") from error


def _check_size(width: int, height: int) -> None:
    if max(width, height) > LONGEST_SIDE or width * height > MOST_PIXELS:
        raise ValueError(
            f"This image is {width:,} x {height:,} pixels. Scale it down to at most {LONGEST_SIDE:,} pixels "
            f"a side and {MOST_PIXELS / 1e6:.0f} million in all."
        )
    if min(width, height) < SHORTEST_SIDE:
        raise ValueError(
            f"This image is {width:,} x {height:,} pixels, too small to show anything. "
            f"Choose one of at least {SHORTEST_SIDE} x {SHORTEST_SIDE}."
        )


def _grey(image: Image.Image) -> np.ndarray:
    """Decoded, reduced (a JPEG while decoding), turned, over white: (height, width) float32 in [0, 1]."""
    if image.mode.startswith("I"):  # 16 bits, which Pillow would clip
        image = Image.fromarray((np.asarray(image) / 257).astype(np.uint8))
    elif image.mode in ("1", "P", "PA"):  # Pillow scales palettes and single bits without smoothing
        image = image.convert("LA" if image.mode == "PA" or "transparency" in image.info else "L")
    image.thumbnail((KEPT_SIDE, KEPT_SIDE))
    upright = ImageOps.exif_transpose(image).convert("RGBA")
    paper = Image.new("RGBA", upright.size, "white")
    paper.alpha_composite(upright)
    return np.asarray(paper.convert("L"), np.float32) / 255


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
