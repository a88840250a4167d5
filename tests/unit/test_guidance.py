import pytest
import torch
from torch import Tensor, nn

from explorer.denoiser import Denoiser, ideal_denoiser
from explorer.guidance import Climbing
from explorer.samplers import sample
from explorer.schedules import make_schedule


class Silent(nn.Module):
    """Believes that there is no noise: x_0 is x_t / alpha."""

    takes_condition = False

    def forward(self, x: Tensor, log_snr: Tensor, condition: None = None) -> Tensor:
        return torch.zeros_like(x)


SILENT = Denoiser(Silent(), make_schedule("cosine"), "epsilon", (2,))
UPHILL = torch.tensor([0.6, -0.8])


@pytest.mark.parametrize("t", [0.2, 0.7])
def test_climbing_adds_the_slope_of_the_score_to_the_noise(t: float) -> None:
    x = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = Climbing(SILENT, lambda x0: x0 @ UPHILL, 3.0).predict(x, t)
    alpha, sigma = (float(part(t)) for part in (SILENT.schedule.alpha, SILENT.schedule.sigma))
    torch.testing.assert_close(found.epsilon, (-3.0 * sigma * UPHILL / alpha).expand(5, 2))
    torch.testing.assert_close(alpha * found.x0 + sigma * found.epsilon, x)
    assert not found.x0.requires_grad


def test_no_strength_changes_nothing_and_a_strength_must_be_a_number() -> None:
    x = torch.ones(3, 2)
    torch.testing.assert_close(
        Climbing(SILENT, lambda x0: x0 @ UPHILL, 0.0).predict(x, 0.5).x0, SILENT.predict(x, 0.5).x0
    )
    with pytest.raises(ValueError, match="strength"):
        Climbing(SILENT, lambda x0: x0 @ UPHILL, "much")  # type: ignore[arg-type]


def test_samples_that_climb_end_higher() -> None:
    exact = ideal_denoiser(torch.randn(200, 2, generator=torch.Generator().manual_seed(1)), make_schedule("flow"))
    ends = [
        sample(Climbing(exact, lambda x0: -(x0 - UPHILL).square().sum(1), strength), 50, "ddim", 20).samples
        for strength in (0.0, 0.5)
    ]
    away = [(end - UPHILL).norm(dim=1).mean() for end in ends]
    assert away[1] < away[0]
