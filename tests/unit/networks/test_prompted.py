import pytest
import torch

import explorer as ex
from explorer.networks.prompted import prompted
from explorer.networks.unet import make_image_denoiser

TEXT = {"words": ["a", "cat", "dog", "red"], "width": 16, "length": 6}
MODEL = make_image_denoiser((3, 16, 16), widths=(8, 16), attention=True, text=TEXT, looks=(1, 2))
PROMPTS = ("a red cat", "dog", "a dog")


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_a_number_is_its_prompt(scale: float) -> None:
    told = ex.sample(MODEL, 3, "ddim", 3, condition=["dog", "a red cat", "dog"], guidance_scale=scale).samples
    numbers = torch.tensor([1, 0, 1])
    found = ex.sample(prompted(MODEL, PROMPTS), 3, "ddim", 3, condition=numbers, guidance_scale=scale).samples
    torch.testing.assert_close(found, told)


def test_no_number_is_no_prompt() -> None:
    free = ex.sample(MODEL, 2, "ddim", 3).samples
    torch.testing.assert_close(ex.sample(prompted(MODEL, PROMPTS), 2, "ddim", 3).samples, free)


def test_other_numbers_and_other_networks_are_refused() -> None:
    with pytest.raises(ValueError, match="class numbers from 0 to 2"):
        ex.sample(prompted(MODEL, PROMPTS), 1, condition=torch.tensor([3]))
    with pytest.raises(ValueError, match="not told in words"):
        prompted(make_image_denoiser((1, 8, 8)), PROMPTS)
