import pytest
import torch
from torch import Tensor, nn

from explorer.denoiser import Denoiser, ideal_denoiser
from explorer.guidance import Climbing, Nested
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


class Told(nn.Module):
    """Says what it is told: the sum of its condition's numbers."""

    def forward(self, x: torch.Tensor, log_snr: torch.Tensor, condition: torch.Tensor | None = None) -> torch.Tensor:
        calls.append(condition)
        return torch.zeros_like(x) if condition is None else condition.expand_as(x)


calls: list[torch.Tensor | None] = []


@pytest.mark.parametrize(("words", "voice"), [(1, 1), (2, 2), (0, 0), (3, 0.5), (1, 4), (0, 2)])
def test_nested_conditions_each_have_a_scale_of_their_own(words: float, voice: float) -> None:
    plain = Denoiser(Told(), make_schedule("cosine"), "x0", (1,))
    some, all_of_it = torch.full((2, 1), 1.0), torch.full((2, 1), 5.0)
    nested = Nested(plain, [some, all_of_it], [words, voice])
    calls.clear()
    estimate = nested.predict(torch.zeros(2, 1), 0.5)
    assert torch.allclose(estimate.x0, torch.full((2, 1), words * 1.0 + voice * 4.0), atol=1e-5)
    assert len(calls) == (words != 1) + (words != voice) + (voice != 0)


def test_a_nested_denoiser_samples_as_any_other_does() -> None:
    plain = Denoiser(Told(), make_schedule("cosine"), "x0", (1,))
    nested = Nested(plain, [torch.full((2, 1), 3.0)], [2.0])
    assert torch.allclose(sample(nested, 2, "ddim", 5, keep="last").samples, torch.full((2, 1), 6.0), atol=1e-4)
