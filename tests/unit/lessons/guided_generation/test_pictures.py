import numpy as np
import pytest
import torch

from explorer.lessons.guided_generation.pictures import (
    Asked,
    anatomy,
    between,
    draw,
    looks,
)
from explorer.metrics import NotFinite
from explorer.networks.unet import make_image_denoiser
from explorer.samplers import sample

TEXT = {"words": ["a", "cat", "dog", "red"], "width": 16, "length": 6}
MODEL = make_image_denoiser((3, 16, 16), widths=(8, 16), attention=True, text=TEXT, looks=(1, 2))
ASKED = Asked("a red cat", "dog", n=3, steps=5, guidance_scale=3.0)


def test_a_drawing_is_what_the_sampler_makes_and_shows_its_way() -> None:
    drawing = draw(MODEL, ASKED)
    expected = sample(
        MODEL, 3, "ddim", 5, 0, condition="a red cat", negative_condition="dog", guidance_scale=3.0
    ).samples.clamp(-1, 1)
    np.testing.assert_allclose(drawing.pictures, expected.numpy(), atol=2e-3)
    assert drawing.x.shape == drawing.guess.shape == (6, 3, 3, 16, 16)
    assert drawing.evaluations == 10
    assert drawing.t[0] == pytest.approx(MODEL.schedule.t_max)
    assert drawing.t[-1] == 0
    assert drawing.x[0].std() == pytest.approx(1, abs=0.1)
    np.testing.assert_array_equal(drawing.x[-1], drawing.guess[-1])


def test_the_parts_of_guidance_add_up_to_the_next_step() -> None:
    drawing = draw(MODEL, ASKED)
    parts = anatomy(MODEL, ASKED, drawing, 2)
    mixed = parts.unconditional + 3 * (parts.conditional - parts.unconditional)
    np.testing.assert_allclose(parts.guided, mixed, atol=1e-5)
    np.testing.assert_allclose(parts.guided, drawing.guess[2], atol=0.02, rtol=2e-3)
    np.testing.assert_allclose(parts.x, drawing.x[2], atol=4e-3)
    assert parts.t == drawing.t[2]
    with pytest.raises(ValueError, match="the steps 0 to 4, not 5"):
        anatomy(MODEL, ASKED, drawing, 5)


def test_every_place_shares_its_look_among_the_words() -> None:
    seen = looks(MODEL, ASKED, draw(MODEL, ASKED))
    assert seen.words == ("start", "a", "red", "cat")
    sides = {"encoder 1": 8, "encoder 2": 4, "middle": 4, "decoder 2": 4, "decoder 1": 8}
    assert {name: maps.shape for name, maps in seen.maps.items()} == {
        name: (5, 3, 4, side, side) for name, side in sides.items()
    }
    for maps in seen.maps.values():
        np.testing.assert_allclose(maps.sum(2), 1, rtol=1e-5)


def test_a_model_of_classes_has_no_words() -> None:
    with pytest.raises(ValueError, match="not told in words"):
        looks(make_image_denoiser((1, 8, 8), classes=3, widths=(8,)), ASKED, draw(MODEL, ASKED))


def test_what_lies_between_two_prompts_begins_and_ends_with_them() -> None:
    pictures = between(MODEL, "a cat", "red", 3, ASKED)
    start = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    start = start * float(MODEL.schedule.sigma(MODEL.schedule.t_max))
    for index, prompt in ((0, "a cat"), (2, "red")):
        alone = sample(MODEL, 1, "ddim", 5, 0, prompt, "dog", 3.0, x_init=start).samples.clamp(-1, 1)
        np.testing.assert_allclose(pictures[index], alone[0].numpy(), atol=1e-3)
    assert not np.allclose(pictures[1], pictures[0])


def test_a_model_that_blew_up_says_so() -> None:
    broken = make_image_denoiser((3, 16, 16), widths=(8, 16), text=TEXT)
    with torch.no_grad():
        next(iter(broken.network.head.parameters())).fill_(torch.nan)
    with pytest.raises(NotFinite):
        draw(broken, ASKED)
