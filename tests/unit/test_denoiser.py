"""A prediction is a change of variables; the exact denoiser is the mean of a posterior."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from explorer.denoiser import PREDICTIONS, Denoiser, Estimate, PosteriorMean, expand, ideal_denoiser
from explorer.networks.mlp import make_denoiser_2d
from explorer.schedules import make_schedule, schedule_from_betas, schedule_names

SCHEDULES = [*map(make_schedule, schedule_names()), schedule_from_betas(torch.linspace(0.05, 0.9, 7))]
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.name)
every_prediction = pytest.mark.parametrize("prediction", PREDICTIONS)
shares = st.floats(0, 1)


class Answer(nn.Module):
    """A network that returns what it was told, and remembers what it was asked."""

    def __init__(self, output: Tensor):
        super().__init__()
        self.output = output
        self.asked: tuple[Any, ...] = ()

    def forward(self, x: Tensor, log_snr: Tensor, condition: Any = None) -> Tensor:
        self.asked = (x, log_snr, condition)
        return self.output


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def times_inside(schedule: Any, picked: list[float]) -> Tensor:
    share = torch.tensor(picked, dtype=torch.float64)
    return schedule.t_min + share * (schedule.t_max - schedule.t_min)


def network_scale(prediction: str, schedule: Any, t: Tensor) -> Tensor:
    """What one unit of the network's output stands for."""
    if prediction == "velocity":
        return torch.hypot(*schedule.derivatives(t))
    if prediction == "v":
        return torch.hypot(schedule.alpha(t), schedule.sigma(t))
    return 1 / schedule.sigma(t) if prediction == "score" else torch.ones_like(t)


@every_schedule
@every_prediction
@settings(max_examples=40)
@given(st.lists(shares, min_size=4, max_size=4), st.integers(0, 9))
def test_every_pair_of_predictions_round_trips(schedule: Any, prediction: str, picked: list[float], seed: int) -> None:
    x0, epsilon = normal(4, 3, seed=seed), normal(4, 3, seed=seed + 100)
    t = times_inside(schedule, picked)
    alpha, sigma = schedule.alpha(t), schedule.sigma(t)
    truth = Estimate(schedule, t, x0, epsilon)
    said = getattr(truth, prediction) / expand(network_scale(prediction, schedule, t), x0)
    denoiser = Denoiser(Answer(said), schedule, prediction, shape=(3,))
    estimate = denoiser.predict(expand(alpha, x0) * x0 + expand(sigma, x0) * epsilon, t)
    for other in PREDICTIONS:
        wanted = getattr(truth, other)
        torch.testing.assert_close(getattr(estimate, other), wanted, rtol=1e-8, atol=1e-8 * float(wanted.abs().max()))


@every_schedule
@every_prediction
def test_the_network_sees_and_returns_unit_variance(schedule: Any, prediction: str) -> None:
    for share in (0.0, 0.3, 0.7, 1.0):
        t = times_inside(schedule, [share])
        x0, epsilon = normal(20_000, 1), normal(20_000, 1, seed=1)
        alpha, sigma = schedule.alpha(t), schedule.sigma(t)
        network = Answer(torch.zeros_like(x0))
        denoiser = Denoiser(network, schedule, prediction, shape=(1,))
        denoiser.predict(alpha * x0 + sigma * epsilon, t, condition="a prompt")
        x, log_snr, condition = network.asked
        assert float(x.std()) == pytest.approx(1, abs=0.02)
        torch.testing.assert_close(log_snr, schedule.log_snr(t), rtol=1e-9, atol=1e-9)
        assert condition == "a prompt"
        p, q = denoiser.target_mix(t, alpha, sigma)
        assert float((p * x0 + q * epsilon).std()) == pytest.approx(1, abs=0.02)


def test_the_estimate_keeps_the_definitions_of_the_literature() -> None:
    flow = make_schedule("flow")
    estimate = Estimate(flow, torch.tensor(0.25, dtype=torch.float64), torch.tensor([[2.0]]), torch.tensor([[-1.0]]))
    assert estimate.velocity.item() == pytest.approx(-3)  # eps - x_0
    assert estimate.v.item() == pytest.approx(0.75 * -1 - 0.25 * 2)  # alpha eps - sigma x_0
    assert estimate.score.item() == pytest.approx(1 / 0.25)  # -eps / sigma


@every_schedule
def test_the_velocity_is_the_derivative_of_x_t(schedule: Any) -> None:
    x0, epsilon, step = normal(5, 2), normal(5, 2, seed=1), 1e-6
    t = times_inside(schedule, [0.37])[0]

    def x_at(time: Tensor) -> Tensor:
        return schedule.alpha(time) * x0 + schedule.sigma(time) * epsilon

    difference = (x_at(t + step) - x_at(t - step)) / (2 * step)
    torch.testing.assert_close(Estimate(schedule, t, x0, epsilon).velocity, difference, rtol=1e-5, atol=1e-6)


@every_prediction
def test_one_time_for_all_or_one_each(prediction: str) -> None:
    x = normal(3, 1, 4, 4).float()
    denoiser = Denoiser(
        Answer(normal(3, 1, 4, 4, seed=1).float()), make_schedule("cosine"), prediction, shape=(1, 4, 4)
    )
    alone = denoiser.predict(x, 0.4)
    for times in (torch.tensor(0.4), torch.full((3,), 0.4), torch.full((3,), 0.4, dtype=torch.float64)):
        estimate = denoiser.predict(x, times)
        for name in PREDICTIONS:
            values = getattr(estimate, name)
            assert (values.shape, values.dtype) == (x.shape, torch.float32)
            torch.testing.assert_close(values, getattr(alone, name), rtol=1e-4, atol=1e-4)


@every_prediction
@every_schedule
def test_the_loss_weight_makes_every_loss_that_of_v(schedule: Any, prediction: str) -> None:
    t = times_inside(schedule, [0.2, 0.5, 0.8])
    alpha, sigma = schedule.alpha(t), schedule.sigma(t)

    def v_error(name: str) -> Tensor:
        """The squared error of v that an error of 1 in the network's output stands for, at unit variance."""
        x = torch.zeros(3, 1, dtype=torch.float64)
        estimate = Denoiser(Answer(x + 1), schedule, name, shape=(1,)).predict(x, t)
        return (estimate.v[:, 0] / torch.hypot(alpha, sigma)).square()

    denoiser = Denoiser(nn.Identity(), schedule, prediction, shape=(1,))
    weight = denoiser.loss_weight(alpha, sigma, *denoiser.target_mix(t, alpha, sigma))
    torch.testing.assert_close(weight, v_error(prediction).clamp(max=50), rtol=1e-9, atol=1e-9)


def test_an_unknown_prediction_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no prediction is called 'noise'; choose one of epsilon, x0, v"):
        Denoiser(nn.Identity(), make_schedule("flow"), "noise")


def brute_force(data: Tensor, x: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """E[x_0 | x_t], one query at a time, as the formula is written."""
    means = []
    for one in x.flatten(1):
        exponent = -((one - alpha * data.flatten(1)) ** 2).sum(1) / (2 * sigma**2)
        weight = (exponent - exponent.max()).exp()
        means.append((weight / weight.sum()) @ data.flatten(1))
    return torch.stack(means).reshape(x.shape)


@every_schedule
@pytest.mark.parametrize("shape", [(2,), (1, 4, 4)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 2e-3)])
def test_the_exact_denoiser_is_brute_force(
    schedule: Any, shape: tuple[int, ...], dtype: torch.dtype, tolerance: float
) -> None:
    data = normal(60, *shape)
    exact = ideal_denoiser(data.to(dtype), schedule)
    for share in (0.0, 0.1, 0.5, 0.9, 1.0):
        t = times_inside(schedule, [share])[0]
        alpha, sigma = schedule.alpha(t), schedule.sigma(t)
        x = (alpha * data[:20] + sigma * normal(20, *shape, seed=1)).to(dtype)
        estimate = exact.predict(x, t)
        assert estimate.x0.dtype == dtype
        wanted = brute_force(data, x.double(), alpha, sigma)
        torch.testing.assert_close(estimate.x0.double(), wanted, rtol=0, atol=tolerance)
        score = (alpha * wanted - x.double()) / sigma**2
        size = float(score.abs().max())
        torch.testing.assert_close(estimate.score.double(), score, rtol=0, atol=tolerance * max(size, 1) * 5)


def test_the_exact_denoiser_takes_a_time_each_and_works_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    schedule, data = make_schedule("cosine"), normal(50, 2)
    t = times_inside(schedule, torch.linspace(0, 1, 37).tolist())
    x = normal(37, 2, seed=1)
    exact = ideal_denoiser(data, schedule)
    whole = exact.predict(x, t).x0
    one_by_one = torch.cat([exact.predict(x[i : i + 1], t[i]).x0 for i in range(37)])
    torch.testing.assert_close(whole, one_by_one, rtol=1e-10, atol=1e-10)
    monkeypatch.setattr("explorer.denoiser.LOGITS_AT_ONCE", 5 * 50)
    torch.testing.assert_close(exact.predict(x, t).x0, whole, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(exact.predict(x, 0.3).x0[30:], exact.predict(x[30:], 0.3).x0, rtol=1e-12, atol=1e-12)


def test_the_exact_denoiser_is_stable_far_from_the_data() -> None:
    for schedule in SCHEDULES:
        exact = ideal_denoiser(normal(30, 2).float(), schedule)
        far = torch.tensor([[1e4, -1e4], [0.0, 1e6]])
        for share in (0.0, 0.5, 1.0):
            x0 = exact.predict(far, times_inside(schedule, [share])[0]).x0
            assert x0.isfinite().all()
            assert x0.abs().max() <= 4


def test_one_sample_is_always_recalled() -> None:
    for schedule in SCHEDULES:
        exact = ideal_denoiser(torch.tensor([[0.5, -2.0]]), schedule)
        x0 = exact.predict(torch.randn(7, 2, generator=torch.Generator().manual_seed(0)), schedule.t_max).x0
        torch.testing.assert_close(x0, torch.tensor([[0.5, -2.0]]).expand(7, 2))


def test_no_data_has_no_exact_denoiser() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        ideal_denoiser(torch.empty(0, 2), make_schedule("flow"))


def test_the_exact_denoiser_follows_its_data_to_another_dtype() -> None:
    exact = ideal_denoiser(normal(10, 2), make_schedule("flow")).float()
    assert isinstance(exact.network, PosteriorMean)
    assert exact.predict(torch.zeros(1, 2), 0.5).x0.dtype == torch.float32


MEMORY = """
import re
import torch
from pathlib import Path
from explorer.denoiser import ideal_denoiser
from explorer.networks.mlp import make_denoiser_2d
from explorer.schedules import make_schedule

def kilobytes(field):
    return int(re.search(field + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

torch.set_num_threads(1)
generator = torch.Generator().manual_seed(0)
data = torch.randn(1797, 64, generator=generator)
queries = torch.randn(4000, 64, generator=generator)
exact = ideal_denoiser(data, make_schedule("cosine"))
exact.predict(queries[:1], 0.5)
before = kilobytes("VmRSS")
x0 = exact.predict(queries, torch.linspace(0.1, 0.9, 4000)).x0
assert x0.shape == (4000, 64)
print(kilobytes("VmHWM") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak memory is read from Linux's /proc")
def test_a_digit_set_and_4000_queries_stay_under_500_megabytes() -> None:
    run = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert 1000 < int(run.stdout) < 500_000


def test_the_exact_denoiser_keeps_a_copy_of_its_data() -> None:
    for data in (normal(40, 2), normal(40, 1, 3, 3).float(), normal(80, 2)[::2]):
        x = normal(9, *data.shape[1:], seed=1).to(data)
        exact = ideal_denoiser(data, make_schedule("cosine"))
        expected = exact.predict(x, 0.3).x0
        data.mul_(3)
        assert torch.equal(exact.predict(x, 0.3).x0, expected)
        exact.network.data.zero_()
        assert data.abs().max() > 1


def test_the_exact_denoiser_recalls_whole_numbers() -> None:
    pixels = torch.randint(0, 256, (20, 1, 3, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    x = 255 * normal(5, 1, 3, 3).float()
    exact, wanted = (ideal_denoiser(data, make_schedule("flow")) for data in (pixels, pixels.float()))
    assert torch.equal(exact.predict(x, 0.5).x0, wanted.predict(x, 0.5).x0)


@every_schedule
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 4e-3), (torch.bfloat16, 3e-2)])
def test_the_exact_denoiser_is_right_in_half_precision(schedule: Any, dtype: torch.dtype, tolerance: float) -> None:
    data = normal(60, 16).to(dtype)
    there_and_back = ideal_denoiser(data.float(), schedule).to(dtype).float()
    for exact in (
        ideal_denoiser(data, schedule),
        ideal_denoiser(data.float(), schedule).to(dtype),
        ideal_denoiser(data, schedule).float().to(dtype),
    ):
        for log_snr in (8.5, 7.0, 5.6, 5.0, 2.0, 0.0, -4.0):
            t = schedule.time_of_log_snr(log_snr)
            x = (schedule.alpha(t) * data.double() + schedule.sigma(t) * normal(60, 16, seed=1)).to(dtype)
            x0 = exact.predict(x, t).x0
            assert x0.dtype == dtype
            wanted = brute_force(data.double(), x.double(), schedule.alpha(t), schedule.sigma(t))
            torch.testing.assert_close(x0.double(), wanted, rtol=0, atol=tolerance * float(data.abs().max()))
            found = there_and_back.predict(x.float(), t).x0
            torch.testing.assert_close(found.double(), wanted, rtol=0, atol=2e-3)


def test_the_exact_denoiser_is_exact_in_autocast() -> None:
    exact = ideal_denoiser(normal(60, 8).float(), make_schedule("flow"))
    x = normal(9, 8, seed=1).float()
    expected = exact.predict(x, 0.2).x0
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(exact.predict(x, 0.2).x0, expected)
        assert torch.is_autocast_enabled("cpu")


def test_an_estimate_is_of_the_time_that_was_asked() -> None:
    denoiser = ideal_denoiser(normal(30, 2), make_schedule("cosine"))
    x, t = normal(4, 2, seed=1), torch.full((4,), 0.5, dtype=torch.float64)
    estimate, wanted = denoiser.predict(x, t), denoiser.predict(x, 0.5)
    t.mul_(0.1)
    x.zero_()
    for name in PREDICTIONS:
        torch.testing.assert_close(getattr(estimate, name), getattr(wanted, name))


@every_prediction
def test_a_whole_number_is_a_time_too(prediction: str) -> None:
    schedule = make_schedule("linear")
    denoiser = Denoiser(Answer(normal(3, 2)), schedule, prediction)
    x = normal(3, 2, seed=1)
    expected = denoiser.predict(x, 1.0)
    ones = np.ones((3, 2), ">i4")[::-1, 0]
    for one in (1, np.int64(1), torch.tensor(1), torch.tensor([1, 1, 1]), ones, [1, 1, 1], torch.ones(3).half()):
        estimate = denoiser.predict(x, one)
        for name in PREDICTIONS:
            torch.testing.assert_close(getattr(estimate, name), getattr(expected, name), rtol=1e-12, atol=1e-12)


def test_a_network_that_does_not_say_what_it_takes_gets_what_is_given() -> None:
    network = Answer(normal(3, 2))
    denoiser = Denoiser(network, make_schedule("flow"))
    given = {"any": "thing"}
    denoiser.predict(normal(3, 2), 0.5, given)
    assert network.asked[2] is given


def test_whole_numbers_are_places_too() -> None:
    places = torch.tensor([[1, -1], [2, 0]])
    for denoiser in (ideal_denoiser(normal(9, 2).float(), make_schedule("flow")), make_denoiser_2d()):
        for t in (0.7, torch.tensor([0.7, 0.2])):
            assert torch.equal(denoiser.predict(places, t).x0, denoiser.predict(places.float(), t).x0)
    with pytest.raises(ValueError, match="real numbers"):
        denoiser.predict(places + 1j, 0.5)


def test_a_schedule_may_change_and_need_not_be_hashable() -> None:
    class Mine(type(make_schedule("edm"))):  # type: ignore[misc]
        __hash__ = None  # type: ignore[assignment]

    denoiser = Denoiser(Answer(normal(3, 2)), Mine())
    x = normal(3, 2, seed=1)
    before = denoiser.predict(x, 0.5)
    denoiser.schedule.sigma_max = 10.0  # type: ignore[attr-defined]
    now = denoiser.predict(x, 0.5)
    assert not torch.allclose(now.x0, before.x0)
    torch.testing.assert_close(now.x0, denoiser.predict(x, torch.tensor(0.5, dtype=torch.float64)).x0)


@pytest.mark.parametrize("t", [[0.3], np.array([0.3]), np.float32(0.3), torch.tensor(0.3, device="cpu"), 0.3], ids=type)
def test_times_of_any_kind_are_as_exact_in_every_mode(t: Any) -> None:
    denoiser, x = make_denoiser_2d(), torch.zeros(1, 2)
    wanted = denoiser.predict(x, t).t
    assert float(wanted) == pytest.approx(0.3, abs=1e-7)
    with torch.device("meta"):
        assert torch.equal(denoiser.predict(x, t).t, wanted)
    torch.set_default_dtype(torch.bfloat16)
    try:
        assert torch.equal(denoiser.predict(x, t).t, wanted)
    finally:
        torch.set_default_dtype(torch.float32)


def test_what_a_condition_was_made_of_may_change() -> None:
    given = np.array([1.0, 2.0])
    read = Denoiser(Answer(normal(2, 2)), make_schedule("flow")).read_condition(given, 2)
    given += 1
    assert read is not None
    np.testing.assert_array_equal(read.value, [1, 2])


def test_a_prediction_of_ones_own_is_asked_at_a_number_and_at_a_tensor() -> None:
    class Mine(Denoiser):
        def target_mix(self, t: Tensor, alpha: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
            return torch.ones_like(t) / 2**0.5, torch.ones_like(t) / 2**0.5

    said, x, schedule = normal(3, 2), normal(3, 2, seed=1), make_schedule("cosine")
    denoiser = Mine(Answer(said), schedule)
    for t in (0.4, torch.tensor(0.4, dtype=torch.float64), torch.full((3,), 0.4, dtype=torch.float64)):
        estimate = denoiser.predict(x, t)
        torch.testing.assert_close(estimate.x0 + estimate.epsilon, 2**0.5 * said)
        torch.testing.assert_close(schedule.alpha(0.4) * estimate.x0 + schedule.sigma(0.4) * estimate.epsilon, x)
