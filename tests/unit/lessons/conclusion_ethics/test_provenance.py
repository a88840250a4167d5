"""A mark in the noise, and what is found of it."""

import contextlib
import io
import math

import numpy as np
import pytest
import torch
from PIL import EpsImagePlugin, Image

import explorer as ex
from explorer.lessons.conclusion_ethics import provenance
from explorer.lessons.conclusion_ethics.provenance import FOUND, HARMS, as_file, as_picture, fit, marked, rings, text_in
from explorer.samplers import first_noise


@pytest.fixture(scope="module")
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    """A marked picture and one without the mark, from one seed."""
    with_mark, without = (provenance.picture("purple penguin", 3, mark) for mark in (True, False))
    return with_mark, without


def test_the_rings_are_circles_and_make_real_noise_as_loud_as_any() -> None:
    where, key = rings()
    flipped = key.flip(1, 2).roll((1, 1), (1, 2))
    assert torch.equal(key, flipped)  # the same at k and -k: the noise stays real
    noise = first_noise(ex.load_pretrained("emoji"), 200, 0)
    assert marked(noise).std().item() == pytest.approx(1.0, abs=0.05)
    assert bool((fit(marked(noise)) > 0.999).all())
    untouched = torch.fft.fft2(marked(noise)) - torch.fft.fft2(noise)
    assert untouched[:, ~where].abs().max() < 1e-2


def test_noise_without_the_mark_fits_by_chance_alone() -> None:
    fits = fit(torch.randn(2_000, 3, 32, 32, generator=torch.Generator().manual_seed(5)))
    places = int(rings()[0].sum())
    assert fits.mean().abs() < 0.01 and fits.std().item() == pytest.approx(math.sqrt(2 / places), rel=0.1)
    assert fits.max() < FOUND and 4 * math.sqrt(2 / places) < FOUND


def test_the_mark_is_found_in_its_picture_and_not_in_the_other(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    with_mark, without = pair
    assert provenance.score(with_mark).item() > 2 * FOUND and provenance.score(without).item() < FOUND


def test_a_picture_goes_through_a_file_unchanged(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    again = as_picture(as_file(pair[0][0], "PNG", "made by a model"))
    assert torch.allclose(again, pair[0], atol=1 / 127)
    assert provenance.score(again).item() > 2 * FOUND


def test_metadata_are_read_from_the_file_and_gone_in_another(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    content = as_file(pair[0][0], "PNG", "made by a model")
    assert text_in(content) == "made by a model"
    assert text_in(as_file(pair[0][0], "JPEG")) is None
    assert text_in(provenance.rewritten(content)) is None
    assert text_in(b"no picture") is None


@pytest.mark.parametrize("name", HARMS)
def test_a_harm_leaves_a_picture(name: str, pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    after = HARMS[name].does(pair[0])
    assert after.shape == pair[0].shape and bool(after.isfinite().all())
    assert name == "nothing" or not torch.equal(after, pair[0])


@pytest.mark.parametrize("content", [b"", b"words, and no picture", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_what_is_no_picture_gets_a_sentence(content: bytes) -> None:
    with pytest.raises(ValueError, match="Choose a PNG"):
        as_picture(content)


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n%%Pages: 1\n%%EndComments\nshowpage\n%%EOF\n"


def test_no_program_is_run_for_what_is_named_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow hands PostScript to Ghostscript, a program in which strangers' files have run commands."""
    run: list[object] = []
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", "gs")
    monkeypatch.setattr("subprocess.check_call", lambda *given, **more: run.append(given))
    with contextlib.suppress(OSError), Image.open(io.BytesIO(POSTSCRIPT)) as image:
        image.load()
    assert run
    run.clear()
    with pytest.raises(ValueError, match="Choose a PNG"):
        as_picture(POSTSCRIPT)
    assert text_in(POSTSCRIPT) is None
    assert not run


def encoded(size: tuple[int, int], mode: str = "RGB", kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, None if mode in ("P", "1") else 0).save(file, kind)
    return file.getvalue()


def test_one_pixel_and_twenty_million_get_what_they_deserve() -> None:
    with pytest.raises(ValueError, match="1 x 1 pixels, too small"):
        as_picture(encoded((1, 1)))
    assert as_picture(encoded((5_000, 4_000), "1")).shape == (1, 3, 32, 32)
    with pytest.raises(ValueError, match="25 million in all"):
        as_picture(encoded((7_000, 6_000), "1"))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1", "I;16", "CMYK"])
def test_every_kind_of_colour_is_read(mode: str) -> None:
    content = encoded((40, 60), mode, "JPEG" if mode == "CMYK" else "PNG")
    picture = as_picture(content)
    assert picture.shape == (1, 3, 32, 32) and picture.abs().max() <= 1


def test_what_is_clear_is_white() -> None:
    file = io.BytesIO()
    Image.fromarray(np.zeros((16, 16, 4), np.uint8)).save(file, "PNG")
    assert bool((as_picture(file.getvalue()) == 1).all())
