"""Every schedule is a falling log-SNR curve; the tables are the papers'."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor

from explorer.samplers import SPACINGS, points_of, sample_times
from explorer.schedules import (
    LOG_SNR_LIMIT,
    Schedule,
    cosine_betas,
    linear_betas,
    make_schedule,
    schedule_from_betas,
    schedule_names,
)
from tests.unit.test_modes import MODES

SCHEDULES: list[Schedule] = [
    *map(make_schedule, schedule_names()),
    schedule_from_betas(torch.linspace(0.05, 0.9, 7)),
    schedule_from_betas(torch.tensor([0.3])),
    schedule_from_betas(torch.tensor([0.99999])),
]
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.name)
shares = st.floats(0, 1)


def inside(schedule: Schedule, count: int = 200) -> Tensor:
    return torch.linspace(schedule.t_min, schedule.t_max, count, dtype=torch.float64)


def time_at(schedule: Schedule, share: float) -> float:
    return schedule.t_min + share * (schedule.t_max - schedule.t_min)


@every_schedule
def test_the_log_snr_falls_and_belongs_to_alpha_and_sigma(schedule: Schedule) -> None:
    t = inside(schedule)
    alpha, sigma, log_snr = schedule.alpha(t), schedule.sigma(t), schedule.log_snr(t)
    assert (log_snr.diff() < 0).all()
    assert (alpha.diff() <= 0).all()
    assert (sigma.diff() >= 0).all()
    assert alpha.min() > 0
    assert sigma.min() > 0
    torch.testing.assert_close(log_snr, 2 * torch.log(alpha / sigma), rtol=1e-10, atol=1e-10)


@every_schedule
def test_time_zero_is_clean_data(schedule: Schedule) -> None:
    for zero in (0.0, torch.tensor(0.0), torch.zeros(3, dtype=torch.float64)):
        assert (schedule.alpha(zero) == 1).all()
        assert (schedule.sigma(zero) == 0).all()
        assert (schedule.log_snr(zero) == math.inf).all()


@every_schedule
def test_results_have_the_shape_and_dtype_of_t(schedule: Schedule) -> None:
    functions = (schedule.alpha, schedule.sigma, schedule.log_snr, lambda t: schedule.derivatives(t)[1])
    middle = time_at(schedule, 0.4)
    for function in functions:
        exact = function(middle)
        assert (exact.shape, exact.dtype) == ((), torch.float64)
        for dtype in (torch.float32, torch.float64):
            result = function(torch.full((2, 3), middle, dtype=dtype))
            assert (result.shape, result.dtype) == ((2, 3), dtype)
            torch.testing.assert_close(result, exact.to(dtype).expand(2, 3), rtol=2e-3, atol=1e-4)


@every_schedule
@given(shares)
def test_derivatives_are_the_limits_of_differences(schedule: Schedule, share: float) -> None:
    step = 1e-6
    t = torch.tensor(time_at(schedule, 0.001 + 0.998 * share), dtype=torch.float64)
    if hasattr(schedule, "betas"):  # a difference across an entry of the table mixes two slopes
        entries = len(schedule.betas)
        distance = (t * entries - (t * entries).round()).abs()
        t = t + 4 * step if distance < 2 * step * entries else t
    d_alpha, d_sigma = schedule.derivatives(t)
    for function, derivative in ((schedule.alpha, d_alpha), (schedule.sigma, d_sigma)):
        difference = (function(t + step) - function(t - step)) / (2 * step)
        torch.testing.assert_close(derivative, difference, rtol=1e-4, atol=1e-6)


@every_schedule
@given(shares)
def test_the_log_snr_can_be_turned_back_into_a_time(schedule: Schedule, share: float) -> None:
    t = time_at(schedule, share)
    log_snr = schedule.log_snr(t)
    torch.testing.assert_close(schedule.log_snr(schedule.time_of_log_snr(log_snr)), log_snr, rtol=1e-9, atol=1e-9)
    assert float(schedule.time_of_log_snr(log_snr)) == pytest.approx(t, rel=1e-6)


@pytest.mark.parametrize("name", ["linear", "cosine", "flow"])
def test_the_ends_lie_at_log_snr_plus_and_minus_nine(name: str) -> None:
    schedule = make_schedule(name)
    assert 0 < schedule.t_min < schedule.t_max < 1
    assert float(schedule.log_snr(schedule.t_min)) == pytest.approx(LOG_SNR_LIMIT, abs=1e-9)
    assert float(schedule.log_snr(schedule.t_max)) == pytest.approx(-LOG_SNR_LIMIT, abs=1e-9)


@every_schedule
def test_times_fall_from_t_max_to_t_min_then_zero(schedule: Schedule) -> None:
    for spacing in ("time", "log_snr"):
        for steps in (1, 2, 50):
            times = sample_times(schedule, steps, spacing)
            assert times.shape == (steps + 1,)
            assert times.dtype == torch.float64
            assert (times.diff() < 0).all()
            assert float(times[0]) == pytest.approx(schedule.t_max)
            assert times[-1] == 0
            if steps > 1:
                assert float(times[-2]) == pytest.approx(schedule.t_min)
            assert times[:-1].min() >= schedule.t_min * (1 - 1e-12)
    with pytest.raises(ValueError, match="steps must be at least 1"):
        schedule.times(0)


@every_schedule
def test_training_times_stay_inside_and_follow_the_generator(schedule: Schedule) -> None:
    draws = [schedule.training_times(1000, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    slack = 1e-6
    assert draws[0].min() >= schedule.t_min - slack
    assert draws[0].max() <= schedule.t_max + slack
    assert draws[0].shape == (1000,)


def test_uniform_training_times_are_stratified() -> None:
    flow = make_schedule("flow")
    share = (flow.training_times(100, torch.Generator().manual_seed(0)) - flow.t_min) / (flow.t_max - flow.t_min)
    assert torch.equal((share * 100).floor().long(), torch.arange(100))


def test_edm_runs_from_sigma_80_to_0_002_on_karras_grid() -> None:
    edm = make_schedule("edm")
    assert float(edm.sigma(edm.t_min)) == pytest.approx(0.002, rel=1e-12)
    assert float(edm.sigma(edm.t_max)) == pytest.approx(80, rel=1e-12)
    n = 18
    ramp = torch.arange(n, dtype=torch.float64) / (n - 1)
    karras = (80 ** (1 / 7) + ramp * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    torch.testing.assert_close(edm.sigma(edm.times(n))[:-1], karras, rtol=1e-10, atol=0)


def test_edm_trains_on_the_papers_log_normal() -> None:
    edm = make_schedule("edm")
    log_sigma = edm.sigma(edm.training_times(40_000, torch.Generator().manual_seed(0))).log()
    assert float(log_sigma.mean()) == pytest.approx(-1.2, abs=0.03)
    assert float(log_sigma.std()) == pytest.approx(1.2, abs=0.03)


@pytest.mark.parametrize("name", schedule_names())
def test_training_times_of_a_wanted_log_snr_are_stratified(name: str) -> None:
    schedule = make_schedule(name)
    times = schedule.training_times(100, torch.Generator().manual_seed(0), (0.5, 2.0))
    share = torch.distributions.Normal(0.5, 2.0).cdf(schedule.log_snr(times))
    assert torch.equal((share * 100).floor().long(), torch.arange(100))


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_betas_and_alpha_bar_are_those_of_diffusers(name: str) -> None:
    from diffusers import DDPMScheduler

    theirs = DDPMScheduler(1000, 1e-4, 0.02, {"linear": "linear", "cosine": "squaredcos_cap_v2"}[name])
    ours = make_schedule(name)
    torch.testing.assert_close(ours.betas.float(), theirs.betas, rtol=2e-5, atol=2e-7)
    torch.testing.assert_close(ours.alpha_bar.float(), theirs.alphas_cumprod, rtol=2e-4, atol=1e-7)
    assert float(ours.betas.max()) == pytest.approx({"linear": 0.02, "cosine": 0.999}[name])


@pytest.mark.parametrize("betas", [linear_betas(), cosine_betas(), linear_betas(10), torch.tensor([0.1, 0.6, 0.2])])
def test_index_k_of_a_table_is_time_k_plus_one_over_n(betas: Tensor) -> None:
    schedule = schedule_from_betas(betas)
    t = torch.arange(1, len(betas) + 1, dtype=torch.float64) / len(betas)
    alpha_bar = torch.cumprod(1 - betas.double(), 0)
    torch.testing.assert_close(schedule.alpha(t) ** 2, alpha_bar, rtol=1e-9, atol=1e-14)
    torch.testing.assert_close(schedule.sigma(t) ** 2, 1 - alpha_bar, rtol=1e-9, atol=1e-14)
    between = schedule.log_snr((t[1:] + t[:-1]) / 2)
    torch.testing.assert_close(between, (schedule.log_snr(t)[1:] + schedule.log_snr(t)[:-1]) / 2)


def kernel_variance(schedule: Schedule, s: Tensor, t: Tensor) -> Tensor:
    """Var[x_t | x_s] for s < t, as the samplers write it."""
    return -(schedule.sigma(t) ** 2) * torch.expm1(schedule.log_snr(t) - schedule.log_snr(s))


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_the_step_kernel_between_two_entries_adds_one_beta(name: str) -> None:
    schedule = make_schedule(name)
    t = torch.arange(1, 1001, dtype=torch.float64) / 1000
    torch.testing.assert_close(kernel_variance(schedule, t[:-1], t[1:]), schedule.betas[1:], rtol=1e-6, atol=1e-12)


@every_schedule
@given(st.lists(shares, min_size=3, max_size=3, unique=True))
def test_two_steps_of_the_kernel_are_one_long_step(schedule: Schedule, picked: list[float]) -> None:
    r, s, t = torch.tensor(sorted(time_at(schedule, share) for share in picked), dtype=torch.float64)
    ratio = schedule.alpha(t) / schedule.alpha(s)
    in_two = ratio**2 * kernel_variance(schedule, r, s) + kernel_variance(schedule, s, t)
    assert kernel_variance(schedule, r, t) >= 0
    torch.testing.assert_close(kernel_variance(schedule, r, t), in_two, rtol=1e-9, atol=1e-9)
    definition = schedule.sigma(t) ** 2 - (schedule.alpha(t) / schedule.alpha(r) * schedule.sigma(r)) ** 2
    torch.testing.assert_close(kernel_variance(schedule, r, t), definition, rtol=1e-9, atol=1e-9)


def test_points_hold_the_schedule_at_the_times_of_a_walk() -> None:
    flow = make_schedule("flow")
    start, end = points_of(flow, torch.tensor([0.25, 0.0]))
    assert (start.t, start.alpha, start.sigma) == (0.25, 0.75, 0.25)
    assert start.log_snr == pytest.approx(2 * math.log(3))
    assert (end.alpha, end.sigma, end.log_snr) == (1, 0, math.inf)


@pytest.mark.parametrize(
    "betas",
    [[], [[0.1]], [0.0], [1.0], [-0.1], [0.1, math.nan], [math.inf], 0.1, [1]],
    ids=str,
)
def test_bad_betas_are_refused(betas: object) -> None:
    with pytest.raises(ValueError, match="betas"):
        schedule_from_betas(torch.as_tensor(betas))


def test_an_unknown_schedule_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no schedule is called 'sine'; choose one of linear, cosine, flow, edm"):
        make_schedule("sine")


@given(st.lists(st.floats(1e-9, 1, exclude_max=True), min_size=1, max_size=30))
def test_any_table_that_adds_noise_is_a_schedule(betas: list[float]) -> None:
    log_alpha_bar = sum(map(math.log1p, (-beta for beta in betas)))
    assume(abs(log_alpha_bar + math.log1p(math.exp(-LOG_SNR_LIMIT))) > 1e-7)
    if log_alpha_bar > -math.log1p(math.exp(-LOG_SNR_LIMIT)):
        with pytest.raises(ValueError, match="next to no noise"):
            schedule_from_betas(torch.tensor(betas, dtype=torch.float64))
        return
    schedule = schedule_from_betas(torch.tensor(betas, dtype=torch.float64))
    assert 0 < schedule.t_min < schedule.t_max <= 1
    t = inside(schedule)
    assert schedule.log_snr(t).isfinite().all()
    assert (schedule.log_snr(t).diff() <= 1e-9).all()
    for values in (schedule.alpha(t), schedule.sigma(t), *schedule.derivatives(t)):
        assert values.isfinite().all()


WHOLE = {
    "int": 1,
    "bool": True,
    "numpy": np.int64(1),
    "array": np.array(1, np.uint8),
    "tensor": torch.tensor(1),
    "byte": torch.tensor(1, dtype=torch.uint8),
    "half": torch.tensor(1, dtype=torch.float16),
    "single": np.float32(1),
}


@every_schedule
@pytest.mark.parametrize("one", WHOLE.values(), ids=WHOLE.keys())
def test_a_whole_number_is_a_time_like_any_other(schedule: Schedule, one: Any) -> None:
    for function in (schedule.alpha, schedule.sigma, schedule.log_snr, *(partial(part, schedule) for part in (d0, d1))):
        found, wanted = function(one), function(1.0)
        assert (found.dtype, found.shape) == (torch.float64, ())
        assert torch.equal(found, wanted)


def d0(schedule: Schedule, t: Any) -> Tensor:
    return schedule.derivatives(t)[0]


def d1(schedule: Schedule, t: Any) -> Tensor:
    return schedule.derivatives(t)[1]


@every_schedule
@pytest.mark.parametrize("dtype", [torch.int64, torch.int8, torch.float16, torch.bfloat16])
def test_tables_do_not_follow_the_dtype_of_what_they_are_asked(schedule: Schedule, dtype: torch.dtype) -> None:
    asked = torch.tensor([-2, 0, 2], dtype=dtype)
    assert torch.equal(schedule.time_of_log_snr(asked), schedule.time_of_log_snr(asked.double()))
    if dtype.is_floating_point:
        t = torch.tensor([0.2, 0.5, 0.8], dtype=dtype)
        for function in (schedule.alpha, schedule.sigma, schedule.log_snr, lambda t: schedule.derivatives(t)[1]):
            assert torch.equal(function(t), function(t.double()))


def test_whole_log_snrs_lie_where_the_table_has_them() -> None:
    times = make_schedule("cosine").time_of_log_snr(torch.tensor([-2, 0, 2]))
    torch.testing.assert_close(times, torch.tensor([0.774, 0.496, 0.218], dtype=torch.float64), rtol=0, atol=5e-4)
    alpha_bar = torch.cumprod(1 - linear_betas(), 0)[-1]
    assert float(make_schedule("linear").alpha(torch.tensor(1))) == pytest.approx(float(alpha_bar.sqrt()), rel=1e-9)


def test_a_schedule_keeps_its_own_table() -> None:
    betas = torch.linspace(0.05, 0.9, 7, dtype=torch.float64)
    schedule = schedule_from_betas(betas)
    expected = schedule.alpha(0.4), schedule.betas.clone()
    betas.mul_(0.1)
    assert torch.equal(schedule.betas, expected[1])
    assert torch.equal(schedule.alpha(0.4), expected[0])
    listed = schedule_from_betas([0.1, 0.6, 0.2])
    assert torch.equal(listed.betas, torch.tensor([0.1, 0.6, 0.2], dtype=torch.float64))


@every_schedule
def test_what_a_schedule_says_is_the_callers_own(schedule: Schedule) -> None:
    t = inside(schedule, 5)
    before = t.clone()
    expected = schedule.alpha(t), schedule.sigma(t), schedule.log_snr(t), *schedule.derivatives(t)
    for said in (schedule.alpha(t), schedule.sigma(t), schedule.log_snr(t), *schedule.derivatives(t)):
        said.fill_(7)
    assert torch.equal(t, before)
    again = schedule.alpha(t), schedule.sigma(t), schedule.log_snr(t), *schedule.derivatives(t)
    assert all(map(torch.equal, expected, again))


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES.keys())
@pytest.mark.parametrize("name", schedule_names())
def test_a_schedule_is_the_same_in_every_mode_of_its_caller(name: str, mode: Callable[[], Any]) -> None:
    def numbers() -> list[Tensor]:
        schedule = make_schedule(name)
        times = [sample_times(schedule, 9, spacing) for spacing in SPACINGS]
        drawn = schedule.training_times(50, torch.Generator().manual_seed(0))
        return [*times, drawn, schedule.alpha(0.4), schedule_from_betas([0.1, 0.5]).sigma(0.9)]

    usual = numbers()
    with mode():
        within = numbers()
        schedule = make_schedule(name)
    assert all(map(torch.equal, usual, within))
    assert [one.dtype for one in within] == [one.dtype for one in usual]
    t = torch.tensor(0.4, requires_grad=True)
    schedule.log_snr(t).backward()
    assert t.grad is not None


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("steps", [0, -1, 2.5, None])
def test_no_steps_have_no_times(spacing: str, steps: Any) -> None:
    with pytest.raises(ValueError, match="steps must be"):
        sample_times(make_schedule("flow"), steps, spacing)
    assert len(sample_times(make_schedule("flow"), np.int64(3), spacing)) == 4
