import numpy as np
import pytest
import torch

from explorer.denoiser import Denoiser
from explorer.lessons.guided_generation.edits import Kept, from_picture, last_times, repaint
from explorer.lessons.guided_generation.pictures import Asked, draw
from explorer.networks.unet import make_image_denoiser

TEXT = {"words": ["a", "cat", "dog", "red"], "width": 16, "length": 6}
MODEL = make_image_denoiser((3, 16, 16), widths=(8, 16), attention=True, text=TEXT, looks=(1, 2))
ASKED = Asked("a red cat", "dog", n=3, steps=5, guidance_scale=3.0)
PICTURE = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(5)) * 2 - 1


def test_what_is_not_painted_over_stays() -> None:
    mask = torch.zeros(16, 16)
    mask[4:10, 4:10] = 1
    painted = repaint(MODEL, ASKED, PICTURE, mask)
    outside = (mask == 0).numpy()
    np.testing.assert_allclose(painted[:, :, outside], PICTURE.numpy()[None][:, :, outside].repeat(3, 0), atol=1e-6)
    assert not np.allclose(painted[0][:, ~outside], PICTURE.numpy()[:, ~outside], atol=0.1)
    np.testing.assert_allclose(repaint(MODEL, ASKED, PICTURE, torch.zeros(16, 16))[0], PICTURE.numpy(), atol=1e-6)
    everything = repaint(MODEL, ASKED, PICTURE, torch.ones(16, 16))
    np.testing.assert_allclose(everything, draw(MODEL, ASKED).pictures, atol=2e-3)


def test_the_kept_part_s_noise_leads_back_to_x_t() -> None:
    kept: Denoiser = Kept(MODEL, PICTURE, torch.zeros(16, 16))
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    found = kept.predict(x, 0.4, "cat")
    alpha, sigma = (float(part(torch.tensor(0.4))) for part in (MODEL.schedule.alpha, MODEL.schedule.sigma))
    torch.testing.assert_close(alpha * found.x0 + sigma * found.epsilon, x)
    torch.testing.assert_close(found.x0[0], PICTURE)
    with pytest.raises(ValueError, match="a picture of shape"):
        Kept(MODEL, PICTURE[:, :8], torch.zeros(16, 16))


def test_the_more_noise_the_less_stays_of_a_picture() -> None:
    perfect = Kept(MODEL, PICTURE, torch.zeros(16, 16))
    np.testing.assert_allclose(from_picture(perfect, ASKED, PICTURE, 0.4)[0], PICTURE.numpy(), atol=1e-5)
    apart = [
        float(np.abs(from_picture(MODEL, ASKED, PICTURE, share) - PICTURE.numpy()).mean()) for share in (0.2, 0.6, 1.0)
    ]
    assert apart == sorted(apart)
    for share in (0, 1.5):
        with pytest.raises(ValueError, match="share must lie"):
            from_picture(MODEL, ASKED, PICTURE, share)


def test_a_share_of_a_walk_is_its_end() -> None:
    whole = MODEL.schedule.times(5)
    torch.testing.assert_close(last_times(MODEL, 5, 1.0), whole)
    torch.testing.assert_close(last_times(MODEL, 5, 0.4), whole[3:])
    torch.testing.assert_close(last_times(MODEL, 5, 0.01), whole[4:])
