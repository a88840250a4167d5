import math

import numpy as np
import pytest
import torch

from explorer.denoiser import ideal_denoiser
from explorer.lessons.guided_generation.mixture import (
    LABELS,
    RADIUS,
    WIDTH,
    arrows,
    bent,
    flow,
    labelled_mixture,
    middles,
)
from explorer.samplers import sample


def drawn(n: int, label: int | None = None) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    labels = torch.full((n,), label) if label is not None else torch.arange(n) % len(LABELS)
    return middles()[labels] + WIDTH * torch.randn(n, 2, generator=generator)


@pytest.mark.parametrize("label", [None, 0, 2])
@pytest.mark.parametrize("t", [0.3, 0.6, 0.9])
def test_the_closed_form_is_the_mean_of_many_examples(label: int | None, t: float) -> None:
    exact = labelled_mixture()
    recalled = ideal_denoiser(drawn(60_000, label), exact.schedule)
    x = torch.tensor([[0.0, 0.2], [0.5, -0.4], [-0.7, 0.1]])
    torch.testing.assert_close(exact.predict(x, t, label).x0, recalled.predict(x, t).x0, atol=0.04, rtol=0.03)


def test_samples_of_a_label_are_its_gaussian() -> None:
    walk = sample(labelled_mixture(), 4000, "heun", 30, condition=1)
    torch.testing.assert_close(walk.samples.mean(0), middles()[1], atol=0.03, rtol=0)
    assert walk.samples.std(0).tolist() == pytest.approx([WIDTH, WIDTH], rel=0.05)


def test_guidance_trades_spread_for_certainty() -> None:
    plain, *stronger = (bent(scale) for scale in (1.0, 2.0, 4.0))
    assert plain.spread == pytest.approx(1, rel=0.08)
    for weaker, stronger_one in zip([plain, *stronger], stronger, strict=False):
        assert stronger_one.right >= weaker.right
        assert stronger_one.spread < weaker.spread
    assert stronger[-1].right > 0.99 > plain.right
    np.testing.assert_array_equal(plain.x[0], stronger[0].x[0])


def test_the_ends_are_pushed_away_from_the_other_labels() -> None:
    middle = [np.linalg.norm(bent(scale).x[-1].mean(0)) for scale in (1.0, 3.0)]
    assert middle[0] == pytest.approx(RADIUS, abs=0.06)
    assert middle[1] > RADIUS + 0.1


def test_arrows_add_up_and_point_to_the_data() -> None:
    found = arrows(0.7, 3.0)
    np.testing.assert_allclose(
        found["guided"], found["unconditional"] + 3 * (found["conditional"] - found["unconditional"]), atol=1e-5
    )
    np.testing.assert_allclose(found["difference"], found["conditional"] - found["unconditional"], atol=1e-5)
    far = found["places"][:, 1] < -2
    assert (found["conditional"][far][:, 1] > 0).all()  # the first label lies above
    assert found["places"].shape == (121, 2)


def test_a_label_that_is_none_is_refused() -> None:
    model = labelled_mixture()
    for wrong in (3, -1, 0.5, torch.tensor([0, 1, 2]), True):
        with pytest.raises(ValueError, match="label numbers from 0 to 2"):
            model.predict(torch.zeros(2, 2), 0.5, wrong)
    assert math.isfinite(model.predict(torch.zeros(2, 2), 0.5, torch.tensor([0, 2])).x0.sum().item())


def test_the_flow_is_the_guided_arrows_with_rows_from_the_lowest_up() -> None:
    field = flow(np.array([1.0, 0.4, 0.0]), 3.0, extent=2.0, lines=5)
    assert field.shape == (3, 5, 5, 2)
    assert np.isfinite(field).all()
    each = arrows(0.4, 3.0, extent=2.0, lines=5)
    row, column = 4, 1
    place = np.flatnonzero((each["places"] == [-1.0, 2.0]).all(1))
    np.testing.assert_allclose(field[1, row, column], each["guided"][place[0]])
