"""One small pass tells what the estimates on shapes tell, at every batch size."""

import pytest

from explorer.hardware.memory import estimate_memory
from explorer.hardware.timing import seconds_per_step
from explorer.hardware.training_cost import training_cost
from explorer.networks.unet import make_image_denoiser


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 28, 28), (1, 7, 9)])
@pytest.mark.parametrize("size", [{"widths": (8, 16)}, {"widths": (16, 32, 64), "depth": 2, "attention": True}])
@pytest.mark.parametrize("classes", [None, 10])
def test_it_agrees_with_the_estimates_on_shapes(
    shape: tuple[int, int, int], size: dict[str, object], classes: int | None
) -> None:
    patch = 1 if shape[1] % 2 or shape[2] % 2 else 2
    denoiser = make_image_denoiser(shape, classes, patch=patch, **size)  # type: ignore[arg-type]
    cost = training_cost(denoiser, classes or 0)
    for batch in (32, 1024):
        memory = estimate_memory(denoiser, batch_size=batch, mode="train", optimizer="adam-ema")
        assert cost.bytes(batch) == pytest.approx(memory.total, rel=1e-4)
        assert cost.seconds_per_step(batch) == pytest.approx(seconds_per_step(denoiser, batch), rel=2e-2)
    assert not any(parameter.grad is not None for parameter in denoiser.parameters())
