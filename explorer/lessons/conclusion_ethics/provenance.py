"""A mark in the noise that a picture starts from, found again by walking the picture back to its noise.

Rings around the middle of the noise's Fourier transform are replaced by secret numbers. The picture that noise becomes
looks like any other; DDIM, walked backwards, finds noise near to the one it came from, and the rings in it (Wen et al.,
Tree-ring watermarks, 2023). Here the score is how well the rings fit, as a correlation.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

import explorer as ex
from explorer.data.uploads import read_image
from explorer.modes import default_modes
from explorer.once import once
from explorer.samplers import first_noise, invert

MODEL = "emoji"
CHANNELS, SIDE = 3, 32
RINGS = 8  # radii 1 to 8, of each channel
KEY = 20261127
STEPS = 20
GUIDANCE = 4.0
FOUND = 0.22  # the least fit that counts as found: four standard deviations of what chance gives


@once()
@default_modes()
def rings() -> tuple[Tensor, Tensor]:
    """Where the rings lie, (3, 32, 32) bool, and the secret numbers that stand there, (3, 32, 32)."""
    axis = torch.fft.fftfreq(SIDE, dtype=torch.float32) * SIDE
    radius = torch.hypot(axis[:, None], axis[None]).round().long()
    generator = torch.Generator().manual_seed(KEY)
    numbers = SIDE * torch.randn(
        CHANNELS, RINGS + 1, generator=generator, dtype=torch.float32
    )  # as large as those of unit noise
    inside = (radius >= 1) & (radius <= RINGS)
    return inside.expand(CHANNELS, -1, -1), torch.where(
        inside, numbers[:, radius.clamp(max=RINGS)], torch.zeros((), dtype=torch.float32)
    )


def marked(noise: Tensor) -> Tensor:
    """Noise (n, 3, 32, 32) with the rings in it."""
    where, key = rings()
    spectrum = torch.fft.fft2(noise)
    return torch.fft.ifft2(torch.where(where, key.to(spectrum), spectrum)).real


def fit(noise: Tensor) -> Tensor:
    """The correlation of noise with the rings, (n,), in [-1, 1]."""
    where, key = rings()
    found = torch.fft.fft2(noise).real[:, where]
    return found @ key[where] / (found.norm(dim=1) * key[where].norm())


def drawn(prompt: str, noise: Tensor) -> Tensor:
    """The pictures of a prompt that noise (n, 3, 32, 32) becomes."""
    n = len(noise)
    walk = ex.sample(
        ex.load_pretrained(MODEL),
        n,
        "ddim",
        STEPS,
        condition=[prompt] * n,
        guidance_scale=GUIDANCE,
        x_init=noise,
        keep="last",
    )
    return walk.samples.clamp(-1, 1)


def picture(prompt: str, seed: int, mark: bool, n: int = 1) -> Tensor:
    """Pictures (n, 3, 32, 32) of a prompt from one seed, with the mark or without."""
    noise = first_noise(ex.load_pretrained(MODEL), n, seed)
    return drawn(prompt, marked(noise) if mark else noise)


def pair(prompt: str, seed: int) -> Tensor:
    """One picture with the mark and one without, from the same noise, (2, 3, 32, 32)."""
    noise = first_noise(ex.load_pretrained(MODEL), 1, seed)
    return drawn(prompt, torch.cat([marked(noise), noise]))


def noise_of(pictures: Tensor) -> Tensor:
    """The noise that pictures (n, 3, 32, 32) came from, as nearly as it is found without knowing the prompt."""
    return invert(ex.load_pretrained(MODEL), pictures, STEPS)


def score(pictures: Tensor) -> Tensor:
    """How well the rings fit the noise of pictures, (n,)."""
    return fit(noise_of(pictures))


def as_picture(content: bytes) -> Tensor:
    """A picture file as the model sees it, (1, 3, 32, 32): its middle square, on white. Raises ValueError, with a
    sentence, as `read_image` does."""
    pixels = np.rint(255 * read_image(content, colours=True)).astype(np.uint8)
    side = min(pixels.shape[:2])
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    square = Image.fromarray(pixels[top : top + side, left : left + side])
    small = square.resize((SIDE, SIDE), Image.Resampling.BOX if side % SIDE == 0 else Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(small)).permute(2, 0, 1)[None].float() / 127.5 - 1


def as_file(image: Tensor, kind: str, text: str | None = None, scale: int = 8, **options: int) -> bytes:
    """A picture (3, h, w) as a file of so many pixels for each of its own; a PNG can hold a `text` that says where it
    comes from."""
    from PIL.PngImagePlugin import PngInfo

    file, information = io.BytesIO(), PngInfo()
    if text is not None:
        information.add_text("Source", text)
    drawn = Image.fromarray(((image.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy())
    drawn = drawn.resize((scale * drawn.width, scale * drawn.height), Image.Resampling.NEAREST)
    extra = {"pnginfo": information} if kind == "PNG" else {}
    drawn.save(file, kind, **extra, **options)
    return file.getvalue()


def text_in(content: bytes) -> str | None:
    """What a PNG says, before its pixels, of where it comes from."""
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            text = image.info.get("Source")
    except Exception:  # Pillow raises many kinds for a broken header
        return None
    return str(text) if text else None


def rewritten(content: bytes) -> bytes:
    """A PNG as a program writes it anew that looks at its pixels alone, as Pillow does unless it is told otherwise."""
    file = io.BytesIO()
    with Image.open(io.BytesIO(content)) as image:
        image.save(file, "PNG")
    return file.getvalue()


def _resized(pictures: Tensor, side: int) -> Tensor:
    return functional.interpolate(pictures, size=(side, side), mode="bilinear", antialias=True)


def _through_jpeg(pictures: Tensor, quality: int) -> Tensor:
    return torch.cat([as_picture(as_file(one, "JPEG", quality=quality)) for one in pictures])


def _noisy(pictures: Tensor, sigma: float) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return pictures + sigma * torch.randn(pictures.shape, generator=generator)


@dataclass(frozen=True)
class Harm:
    """Something that happens to pictures on their way, or that somebody does to them."""

    label: str
    does: Callable[[Tensor], Tensor]


HARMS = {
    "nothing": Harm("nothing", lambda x: x),
    "jpeg90": Harm("JPEG, quality 90, enlarged 8 times", lambda x: _through_jpeg(x, 90)),
    "jpeg30": Harm("JPEG, quality 30, enlarged 8 times", lambda x: _through_jpeg(x, 30)),
    "noise10": Harm("noise, σ 0.1", lambda x: _noisy(x, 0.1)),
    "noise30": Harm("noise, σ 0.3", lambda x: _noisy(x, 0.3)),
    "half": Harm("half the pixels and back", lambda x: _resized(_resized(x, SIDE // 2), SIDE)),
    "dark": Harm("darker, less contrast", lambda x: 0.7 * x - 0.1),
    "mirror": Harm("mirrored", lambda x: x.flip(3)),
    "turn": Harm("turned by 90°", lambda x: x.rot90(1, (2, 3))),
    "shift": Harm("moved by 2 pixels", lambda x: x.roll(2, 3)),
    "crop": Harm("cropped by 2 pixels at each side, enlarged", lambda x: _resized(x[:, :, 2:-2, 2:-2], SIDE)),
    "again": Harm("noised to log-SNR −1 and drawn again by the model", lambda x: drawn_again(x, -1.0)),
}


def drawn_again(pictures: Tensor, log_snr: float) -> Tensor:
    """What somebody does who wants the mark gone: some noise, which covers it, and the model takes the noise off."""
    denoiser = ex.load_pretrained(MODEL)
    schedule = denoiser.schedule
    t = schedule.time_of_log_snr(log_snr)
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(pictures.shape, generator=generator)
    times = torch.linspace(float(t), schedule.t_min, STEPS // 2 + 1, dtype=torch.float64)
    start = (schedule.alpha(times[0]) * pictures + schedule.sigma(times[0]) * noise).float()
    return ex.sample(denoiser, len(pictures), "ddim", STEPS // 2, x_init=start, times=times, keep="last").samples.clamp(
        -1, 1
    )
