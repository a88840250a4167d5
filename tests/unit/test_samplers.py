"""The samplers are the papers': the same numbers as diffusers, the right distribution, on every schedule."""

import inspect
import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from explorer.denoiser import MOST_SIDE_BY_SIDE, PREDICTIONS, Denoiser, Estimate, ideal_denoiser
from explorer.guidance import guided
from explorer.networks.mlp import make_denoiser_2d
from explorer.networks.unet import make_image_denoiser
from explorer.samplers import (
    LANGEVIN_CALLS,
    SAMPLERS,
    Point,
    Trajectory,
    ddim,
    ddpm,
    euler,
    points_of,
    sample,
    sample_steps,
    sample_times,
    sampler_names,
)
from explorer.schedules import Schedule, make_schedule, schedule_from_betas, schedule_names
from tests.unit.noisy_threads import others_drawing_random_numbers
from tests.unit.test_modes import MODES

BETAS = {"linear": "linear", "cosine": "squaredcos_cap_v2"}
every_sampler = pytest.mark.parametrize("sampler", sampler_names())
every_schedule = pytest.mark.parametrize("schedule", [*map(make_schedule, schedule_names())], ids=lambda s: s.name)
both_tables = pytest.mark.parametrize("table", BETAS)


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def some_epsilon(x: Tensor, t: float) -> Tensor:
    """A smooth stand-in for a network that predicts the noise."""
    return 0.9 * x + 0.2 * torch.sin(2 * x + 5 * t)


def reading_epsilon(schedule: Schedule, points: Sequence[Point]) -> Callable[[Tensor, float], Estimate]:
    at = {point.t: point for point in points}

    def predict(x: Tensor, t: float) -> Estimate:
        epsilon = some_epsilon(x, t)
        return Estimate(schedule, torch.tensor(t), (x - at[t].sigma * epsilon) / at[t].alpha, epsilon)

    return predict


def from_list(noises: list[Tensor]) -> Callable[[Tensor], Tensor]:
    queue = list(noises)
    return lambda like: queue.pop(0).to(like)


def walk_beside_diffusers(
    scheduler: Any,
    walk: Callable[..., Any],
    noises: list[Tensor],
    step_options: Callable[[int], dict],
    **options: float,
) -> tuple[list[Tensor], list[Tensor]]:
    """x after each step, ours and theirs, both asking the same network at their own x."""
    count = scheduler.config.num_train_timesteps
    schedule = schedule_from_betas(scheduler.betas)
    ks = scheduler.timesteps.tolist()
    points = points_of(schedule, torch.tensor([*((k + 1) / count for k in ks), 0.0], dtype=torch.float64))
    start = normal(32, 2, seed=1)
    ours = [x for x, _ in walk(reading_epsilon(schedule, points), start, points, from_list(noises), **options)]
    theirs, x = [], start
    for i, k in enumerate(ks):
        x = scheduler.step(some_epsilon(x, (k + 1) / count), k, x, **step_options(i)).prev_sample
        theirs.append(x)
    return ours, theirs


@both_tables
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("steps", [10, 50])
def test_ddim_is_that_of_diffusers(table: str, eta: float, steps: int) -> None:
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler(1000, 1e-4, 0.02, BETAS[table], clip_sample=False, set_alpha_to_one=True)
    scheduler.set_timesteps(steps)
    noises = [normal(32, 2, seed=100 + i) for i in range(steps)]
    ours, theirs = walk_beside_diffusers(
        scheduler, ddim, noises, lambda i: {"eta": eta, "variance_noise": noises[i]}, eta=eta
    )
    for x, wanted in zip(ours, theirs, strict=True):
        torch.testing.assert_close(x, wanted, rtol=0, atol=1e-5)


@both_tables
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("steps", [10, 50])
def test_dpmpp_2m_is_that_of_diffusers(table: str, steps: int) -> None:
    from diffusers import DPMSolverMultistepScheduler

    scheduler = DPMSolverMultistepScheduler(
        1000, 1e-4, 0.02, BETAS[table], solver_order=2, final_sigmas_type="zero", timestep_spacing="leading"
    )
    scheduler.set_timesteps(steps)
    ours, theirs = walk_beside_diffusers(scheduler, SAMPLERS["dpmpp_2m"].walk, [], lambda i: {})
    for x, wanted in zip(ours, theirs, strict=True):
        torch.testing.assert_close(x, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("steps", [4, 50])
def test_euler_under_flow_is_that_of_diffusers(steps: int) -> None:
    from diffusers import FlowMatchEulerDiscreteScheduler

    scheduler = FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(steps)
    flow = make_schedule("flow")
    points = points_of(flow, scheduler.sigmas)
    start = normal(32, 2, seed=1)

    def predict(x: Tensor, t: float) -> Estimate:
        velocity = some_epsilon(x, t)
        return Estimate(flow, torch.tensor(t), x - t * velocity, x + (1 - t) * velocity)

    theirs = start
    walk = euler(predict, start, points, from_list([]))
    for point, timestep, (x, _) in zip(points, scheduler.timesteps, walk, strict=False):
        theirs = scheduler.step(some_epsilon(theirs, point.t), timestep, theirs).prev_sample
        torch.testing.assert_close(x, theirs, rtol=0, atol=1e-5)
    assert scheduler.step_index == steps


@both_tables
@pytest.mark.parametrize("steps", [10, 50])
def test_ddpm_is_that_of_diffusers(table: str, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusers import DDPMScheduler

    noises = [normal(32, 2, seed=100 + i) for i in range(steps)]
    theirs_drawn = iter(noises)
    monkeypatch.setattr(
        "diffusers.schedulers.scheduling_ddpm.randn_tensor", lambda shape, **ignored: next(theirs_drawn)
    )
    scheduler = DDPMScheduler(1000, 1e-4, 0.02, BETAS[table], clip_sample=False, variance_type="fixed_small")
    scheduler.set_timesteps(steps)
    ours, theirs = walk_beside_diffusers(scheduler, ddpm, noises, lambda i: {})
    for x, wanted in zip(ours, theirs, strict=True):
        torch.testing.assert_close(x, wanted, rtol=0, atol=1e-4)


@every_schedule
@pytest.mark.parametrize("spacing", ["time", "log_snr"])
def test_ddpm_draws_from_the_closed_form_posterior(schedule: Schedule, spacing: str) -> None:
    points = points_of(schedule, sample_times(schedule, 20, spacing))
    noises = [normal(8, 2, seed=100 + i, dtype=torch.float64) for i in range(20)]
    start = points[0].sigma * normal(8, 2, seed=1, dtype=torch.float64)
    before = start
    walk = ddpm(reading_epsilon(schedule, points), start, points, from_list(noises))
    for now, after, noise, (x, x0) in zip(points, points[1:], [*noises[:-1], torch.zeros(8, 2)], walk, strict=False):
        ratio = now.alpha / after.alpha
        variance = now.sigma**2 - ratio**2 * after.sigma**2
        mean = (ratio * after.sigma**2 * before + after.alpha * variance * x0) / now.sigma**2
        deviation = after.sigma / now.sigma * math.sqrt(variance)
        torch.testing.assert_close(x, mean + deviation * noise, rtol=1e-10, atol=1e-10)
        before = x
    assert after.t == 0


@every_schedule
def test_euler_is_ddim_with_eta_zero_on_every_schedule(schedule: Schedule) -> None:
    points = points_of(schedule, sample_times(schedule, 30))
    predict, start = reading_epsilon(schedule, points), points[0].sigma * normal(8, 2, dtype=torch.float64)
    walks = [walk(predict, start, points, from_list([])) for walk in (euler, ddim)]
    for (x, x0), (wanted, wanted_x0) in zip(*walks, strict=True):
        torch.testing.assert_close(x, wanted, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(x0, wanted_x0, rtol=1e-9, atol=1e-9)


@every_schedule
def test_euler_maruyama_puts_back_the_noise_of_the_forward_step(schedule: Schedule) -> None:
    points = points_of(schedule, sample_times(schedule, 30))
    start, noise = normal(8, 2, dtype=torch.float64), normal(8, 2, seed=1, dtype=torch.float64)
    predict = reading_epsilon(schedule, points)
    for now, after in pairwise(points[:-1]):
        x, quiet = (
            next(SAMPLERS["euler_maruyama"].walk(predict, start, [now, after], from_list([drawn])))[0]
            for drawn in (noise, torch.zeros_like(noise))
        )
        variance = now.sigma**2 - (now.alpha / after.alpha * after.sigma) ** 2
        torch.testing.assert_close(x - quiet, math.sqrt(variance) * noise, rtol=1e-9, atol=1e-9)
        ode = next(euler(predict, start, [now, after], from_list([])))[0]
        removed = variance / (2 * now.sigma) * predict(start, now.t).epsilon
        torch.testing.assert_close(quiet, ode - removed, rtol=1e-9, atol=1e-9)


class OneGaussian(nn.Module):
    """E[x_0 | x_t] for x_0 ~ N(mean, deviation^2) in each coordinate, exactly."""

    mean, deviation = 0.7, 0.5

    def forward(self, x: Tensor, log_snr: Tensor, condition: Any = None) -> Tensor:
        alpha_square = torch.sigmoid(log_snr)[:, None]
        alpha, variance = alpha_square.sqrt(), self.deviation**2
        gain = alpha * variance / (alpha_square * variance + 1 - alpha_square)
        return self.mean + gain * (x - alpha * self.mean)


@every_schedule
@every_sampler
def test_every_sampler_reaches_a_gaussian(sampler: str, schedule: Schedule) -> None:
    denoiser = Denoiser(OneGaussian(), schedule, "x0", shape=(2,))
    samples = sample(denoiser, 4000, sampler, steps=200, keep="last").samples
    slack = 0.06 if sampler == "langevin" else 0.03
    assert float(samples.mean()) == pytest.approx(0.7, abs=slack)
    assert float(samples.std()) == pytest.approx(0.5, abs=slack)


@every_schedule
@every_sampler
def test_every_sampler_reaches_the_data_of_the_exact_denoiser(sampler: str, schedule: Schedule) -> None:
    data = torch.tensor([[1.0, 1.0], [-1.0, 0.5], [0.0, -1.2]])
    samples = sample(ideal_denoiser(data, schedule), 60, sampler, steps=40, keep="last").samples
    nearest = torch.cdist(samples, data).min(1)
    assert nearest.values.max() < 0.05
    assert nearest.indices.unique().tolist() == [0, 1, 2]


@every_schedule
@every_sampler
@pytest.mark.parametrize("steps", [1, 2, 3, 12])
def test_nothing_is_ever_infinite(sampler: str, schedule: Schedule, steps: int) -> None:
    data = normal(10, 2)
    denoisers = [ideal_denoiser(data, schedule)]
    for prediction in PREDICTIONS:
        network = make_denoiser_2d(width=8, features=4).network
        denoisers.append(Denoiser(network, schedule, prediction, shape=(2,)))
    for denoiser in denoisers:
        trajectory = sample(denoiser, 8, sampler, steps)
        assert trajectory.x.shape == (steps + 1, 8, 2)
        assert trajectory.x0.shape == (steps, 8, 2)
        assert trajectory.t.shape == (steps + 1,)
        assert trajectory.x.isfinite().all()
        assert trajectory.x0.isfinite().all()
        rounding = 1e-5 * float(trajectory.x.abs().max())
        torch.testing.assert_close(trajectory.samples, trajectory.x0[-1], rtol=1e-5, atol=rounding)


@every_schedule
@every_sampler
def test_a_walk_may_end_at_an_interior_time(sampler: str, schedule: Schedule) -> None:
    times = sample_times(schedule, 60, "log_snr")[:40]
    denoiser = Denoiser(OneGaussian(), schedule, "x0", shape=(2,))
    trajectory = sample(denoiser, 2000, sampler, times=times)
    assert torch.equal(trajectory.t, times)
    end = points_of(schedule, times)[-1]
    deviation = math.hypot(0.5 * end.alpha, end.sigma)
    assert float(trajectory.samples.mean()) == pytest.approx(0.7 * end.alpha, abs=0.2 * deviation)
    assert float(trajectory.samples.std()) == pytest.approx(deviation, rel=0.2)


@every_sampler
def test_the_walk_starts_from_sigma_times_unit_noise(sampler: str) -> None:
    for name in schedule_names():
        denoiser = make_denoiser_2d(schedule=name)
        start = next(sample_steps(denoiser, 5000, sampler, steps=3))
        assert float(start.x.std() / denoiser.schedule.sigma(denoiser.schedule.t_max)) == pytest.approx(1, abs=0.03)
        assert (start.index, start.x0, start.evaluations) == (0, None, 0)


CALLS = {"heun": lambda steps: 2 * steps - 1, "langevin": lambda steps: LANGEVIN_CALLS * steps}


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Tensor, log_snr: Tensor, condition: Any = None) -> Tensor:
        self.calls += 1
        return torch.zeros_like(x) if condition is None else condition[:, None].expand_as(x)


@every_sampler
@pytest.mark.parametrize("steps", [1, 7])
def test_evaluations_count_the_network_calls(sampler: str, steps: int) -> None:
    calls = CALLS.get(sampler, lambda steps: steps)(steps)
    for options, each in (
        ({}, 1),
        ({"condition": torch.ones(4)}, 1),
        ({"guidance_scale": 3.0}, 1),
        ({"condition": torch.ones(4), "negative_condition": torch.zeros(4)}, 1),
        ({"condition": torch.ones(4), "guidance_scale": 3.0}, 2),
        ({"condition": torch.ones(4), "guidance_scale": 3.0, "guidance_interval": (-99.0, 99.0)}, 2),
        ({"condition": torch.ones(4), "guidance_scale": 3.0, "guidance_interval": (98.0, 99.0)}, 1),
        ({"negative_condition": torch.ones(4), "guidance_scale": 0.0}, 2),
    ):
        denoiser = Denoiser(Counting(), make_schedule("cosine"), "v", shape=(3,))
        assert sample(denoiser, 4, sampler, steps, **options).evaluations == denoiser.network.calls == calls * each


@given(st.floats(-5, 15), st.floats(0.05, 0.95), st.sampled_from(PREDICTIONS))
def test_guidance_is_a_line_through_two_predictions(scale: float, t: float, prediction: str) -> None:
    denoiser = Denoiser(Counting(), make_schedule("cosine"), prediction, shape=(3,))
    x, wanted, unwanted = normal(4, 3).double(), torch.arange(4.0), -torch.ones(4)
    predict, calls = guided(denoiser, wanted, unwanted, scale)
    positive, negative = denoiser.predict(x, t, wanted), denoiser.predict(x, t, unwanted)
    for name in PREDICTIONS:
        up, down = getattr(positive, name), getattr(negative, name)
        torch.testing.assert_close(getattr(predict(x, t), name), down + scale * (up - down), rtol=1e-9, atol=1e-6)
    assert calls(t) == (1 if scale == 1 else 2)


@given(st.floats(-12, 12), st.floats(0.1, 12), st.floats(0.02, 0.98))
def test_guidance_acts_within_its_interval_alone(low: float, width: float, t: float) -> None:
    denoiser = Denoiser(Counting(), make_schedule("cosine"), "v", shape=(3,))
    x, wanted = normal(4, 3), torch.arange(4.0)
    predict, calls = guided(denoiser, wanted, None, 3.0, (low, low + width))
    within = low <= float(denoiser.schedule.log_snr(t)) <= low + width
    same, _ = guided(denoiser, wanted, None, 3.0 if within else 1.0)
    assert torch.equal(predict(x, t).x0, same(x, t).x0)
    assert denoiser.network.calls == 2 * calls(t) == (4 if within else 2)


@pytest.mark.parametrize("interval", [(1.0, 1.0), (2.0, -2.0), (math.nan, 1.0)])
def test_an_interval_of_guidance_that_does_not_rise_is_refused(interval: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="a lower and a higher log-SNR"):
        sample(make_denoiser_2d(), 2, guidance_interval=interval)


@pytest.mark.parametrize("n", [3, MOST_SIDE_BY_SIDE + 1])
@pytest.mark.parametrize(
    ("network", "conditions"),
    [
        ({"classes": 4}, [torch.tensor(2), None, 1]),
        ({"context": 5}, [normal(1, 6, 5).float(), normal(1, 6, 5, seed=1).float()]),
        ({"context": 5}, [normal(1, 1, 5).float(), None]),
        ({"context": 5}, [normal(1, 6, 5).float(), normal(1, 2, 5).float(), None]),
        ({}, [None, None]),
    ],
    ids=["classes", "tokens", "one token", "unequal tokens", "none"],
)
def test_conditions_side_by_side_are_as_each_alone(n: int, network: dict[str, int], conditions: list[Any]) -> None:
    denoiser = make_image_denoiser((1, 8, 8), widths=(8, 8), **network)
    given = [
        tokens.expand(n, -1, -1) if "context" in network and tokens is not None else tokens for tokens in conditions
    ]
    x = normal(n, 1, 8, 8).float()
    for condition, estimate in zip(given, denoiser.predict_each(x, 0.4, given), strict=True):
        alone = denoiser.predict(x, 0.4, condition)
        for name in PREDICTIONS:
            torch.testing.assert_close(getattr(estimate, name), getattr(alone, name), rtol=1e-4, atol=1e-4)


def test_two_classes_of_few_images_are_asked_in_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    denoiser = make_image_denoiser((1, 8, 8), classes=4, widths=(8, 8))
    asked: list[int] = []
    denoiser.network.register_forward_pre_hook(lambda _, arguments: asked.append(len(arguments[0])))
    guided(denoiser, 1, None, 2.0)[0](normal(3, 1, 8, 8).float(), 0.4)
    guided(denoiser, 1, None, 2.0)[0](normal(MOST_SIDE_BY_SIDE + 1, 1, 8, 8).float(), 0.4)
    assert asked == [6, MOST_SIDE_BY_SIDE + 1, MOST_SIDE_BY_SIDE + 1]


@pytest.mark.parametrize("interval", [(1,), (), (0, 1, 2), 5, (None, 1), "ab", (math.nan, 1)], ids=str)
def test_what_is_no_interval_of_guidance_is_refused(interval: Any) -> None:
    with pytest.raises(ValueError, match="a lower and a higher log-SNR"):
        sample(make_denoiser_2d(), 2, guidance_interval=interval)


@pytest.mark.parametrize("scale", ["2", None, math.nan, [1, 2]], ids=str)
def test_what_is_no_guidance_scale_is_refused(scale: Any) -> None:
    with pytest.raises(ValueError, match="guidance_scale must be a"):
        sample(make_denoiser_2d(), 2, guidance_scale=scale)


def test_times_and_a_start_may_be_arrays_of_any_layout() -> None:
    denoiser, times, start = make_denoiser_2d(), np.linspace(0, 0.9, 5), normal(3, 2).numpy()
    wanted = sample(denoiser, 3, times=times[::-1].copy(), x_init=start[::-1].copy())
    for order in ("<f8", ">f8", ">f4"):
        given = sample(denoiser, 3, times=times[::-1], x_init=start[::-1].astype(order))
        torch.testing.assert_close(given.x, wanted.x)
    with pytest.raises(ValueError, match="x_init must hold real numbers"):
        sample(denoiser, 3, x_init=start + 1j)


def test_weights_set_between_two_steps_are_seen_in_autocast_too() -> None:
    def ends(mode: Any) -> Tensor:
        denoiser = make_denoiser_2d()
        with mode:
            for step in sample_steps(denoiser, 3, steps=3):
                if step.index == 1:
                    denoiser.load_state_dict(make_denoiser_2d(seed=1).state_dict())
        return step.x

    torch.testing.assert_close(ends(torch.autocast("cpu", torch.bfloat16)), ends(torch.no_grad()), rtol=0.1, atol=0.1)


@pytest.mark.parametrize(
    "condition",
    [
        [True, 0],
        (np.True_, 1),
        torch.tensor([1, 0]).to_sparse(),
        np.array([0.5, 1]),
        np.array(["a", "b"]),
        [[0], [1, 2]],
    ],
    ids=str,
)
def test_what_is_no_class_is_refused(condition: Any) -> None:
    with pytest.raises(ValueError, match="the condition must be 2 class numbers from 0 to 2"):
        sample(make_image_denoiser((1, 8, 8), classes=3, widths=(8, 8)), 2, condition=condition)


def test_class_numbers_may_be_arrays_of_any_layout() -> None:
    denoiser = make_image_denoiser((1, 8, 8), classes=3, widths=(8, 8))
    wanted = sample(denoiser, 3, steps=2, condition=[2, 1, 0]).x
    for numbers in (np.arange(3)[::-1], *(np.array([2, 1, 0], dtype) for dtype in (">i4", object, np.uint8))):
        assert torch.equal(sample(denoiser, 3, steps=2, condition=numbers).x, wanted)


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e300, 1j, True], ids=str)
def test_token_vectors_that_are_no_finite_numbers_are_refused(value: Any) -> None:
    denoiser = make_image_denoiser((1, 8, 8), context=4, widths=(8, 8))
    tokens = torch.full((2, 3, 4), value, dtype=torch.float64 if isinstance(value, float) else None)
    with pytest.raises(ValueError, match="token vectors of shape"):
        sample(denoiser, 2, condition=tokens)


def test_each_sample_may_be_guided_at_a_time_of_its_own() -> None:
    denoiser = make_image_denoiser((1, 8, 8), classes=3, widths=(8, 8))
    x, times = normal(3, 1, 8, 8).float(), torch.tensor([0.1, 0.4, 0.8])
    together = guided(denoiser, 1, None, 2.0)[0](x, times)  # type: ignore[arg-type]
    for place, t in enumerate(times.tolist()):
        alone = guided(denoiser, 1, None, 2.0)[0](x[place : place + 1], t)
        torch.testing.assert_close(together.x0[place : place + 1], alone.x0, rtol=1e-4, atol=1e-4)
        assert float(together.t[place]) == pytest.approx(t)


def test_guidance_pushes_away_from_the_null_condition() -> None:
    denoiser = Denoiser(Counting(), make_schedule("flow"), "x0", shape=(3,))
    condition = torch.tensor([1.0, 2.0])
    x0 = sample(denoiser, 2, condition=condition, guidance_scale=3.0, steps=5).samples
    torch.testing.assert_close(x0, 3 * condition[:, None].expand(2, 3))
    both = sample(denoiser, 2, condition=condition, negative_condition=condition - 1, guidance_scale=3.0, steps=5)
    torch.testing.assert_close(both.samples, (condition + 2)[:, None].expand(2, 3))
    plain = sample(denoiser, 2, condition=condition, negative_condition=condition - 1, steps=5)
    torch.testing.assert_close(plain.samples, condition[:, None].expand(2, 3))


@every_sampler
def test_keep_last_is_the_end_of_keep_all(sampler: str) -> None:
    denoiser = make_denoiser_2d()
    whole = sample(denoiser, 6, sampler, steps=9, seed=4)
    last = sample(denoiser, 6, sampler, steps=9, seed=4, keep="last")
    assert torch.equal(last.x, whole.x[-1:])
    assert torch.equal(last.x0, whole.x0[-1:])
    assert torch.equal(last.t, whole.t[-1:])
    assert torch.equal(last.samples, whole.samples)
    assert last.evaluations == whole.evaluations


@every_sampler
def test_sample_steps_is_sample_a_step_at_a_time(sampler: str) -> None:
    denoiser = make_denoiser_2d(schedule="cosine")
    whole = sample(denoiser, 6, sampler, steps=5, seed=4)
    steps = list(sample_steps(denoiser, 6, sampler, steps=5, seed=4))
    assert [step.index for step in steps] == list(range(6))
    assert torch.equal(torch.stack([step.x for step in steps]), whole.x)
    assert [step.t for step in steps] == whole.t.tolist()
    assert torch.equal(torch.stack([step.x0 for step in steps[1:]]), whole.x0)
    assert steps[-1].evaluations == whole.evaluations


def test_gradients_stay_on_for_the_caller_and_off_for_the_walk() -> None:
    steps = sample_steps(make_denoiser_2d(), 2, steps=3)
    for step in steps:
        assert torch.is_grad_enabled()
        assert not step.x.requires_grad


def test_eta_belongs_to_ddim_and_ddpm() -> None:
    denoiser = make_denoiser_2d()

    def run(sampler: str, eta: float | None) -> Tensor:
        return sample(denoiser, 8, sampler, steps=6, eta=eta).samples

    assert torch.equal(run("ddpm", None), run("ddim", 1.0))
    assert torch.equal(run("ddim", None), run("ddpm", 0.0))
    assert not torch.equal(run("ddim", 0.5), run("ddim", 0.0))


@every_sampler
def test_x_init_and_the_seed_decide_the_walk(sampler: str) -> None:
    denoiser = make_denoiser_2d(schedule="cosine")
    start = 3 * normal(6, 2)
    runs = [sample(denoiser, 6, sampler, steps=8, seed=seed, x_init=start) for seed in (0, 0, 1)]
    assert torch.equal(runs[0].x[0], start)
    assert torch.equal(runs[0].x, runs[1].x)
    assert torch.equal(runs[0].x, runs[2].x) != SAMPLERS[sampler].stochastic


BAD_TIMES = [
    [],
    [0.5],
    [0.2, 0.5],
    [0.5, 0.5],
    [0.5, -0.1],
    [0.5, math.nan],
    [math.nan, 0.0],
    [math.inf, 0.0],
    [1.0, 0.0],
    [1.5, 0.5],
    [[0.5, 0.2], [0.3, 0.1]],
    0.5,
]


@pytest.mark.parametrize("times", BAD_TIMES, ids=str)
def test_bad_times_are_refused(times: Any) -> None:
    with pytest.raises(ValueError, match="times must fall"):
        sample(make_denoiser_2d(), 2, times=times)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampler": "plms"}, "no sampler is called 'plms'; choose one of ddpm, ddim"),
        ({"eta": -0.1}, "eta must lie between 0 and 1"),
        ({"eta": 1.1}, "eta must lie between 0 and 1"),
        ({"eta": math.nan}, "eta must lie between 0 and 1"),
        ({"eta": 0.5, "sampler": "heun"}, "eta belongs to ddpm and ddim; heun has none"),
        ({"steps": 0}, "at least 1"),
        ({"steps": -3, "sampler": "langevin"}, "at least 1"),
        ({"n": -1}, "at least 1"),
        ({"n": 0}, "at least 1"),
        ({"n": 2.0}, "n must be a whole number, not 2.0"),
        ({"steps": 2.5}, "steps must be a whole number, not 2.5"),
        ({"steps": "many"}, "steps must be a whole number, not 'many'"),
        ({"keep": "lst"}, 'keep must be "all" or "last", not \'lst\''),
        ({"keep": None}, 'keep must be "all" or "last", not None'),
        ({"guidance_scale": math.nan}, "guidance_scale must be a finite number"),
        ({"guidance_scale": math.inf}, "guidance_scale must be a finite number"),
        ({"x_init": torch.zeros(3, 2)}, "x_init has shape"),
        ({"x_init": torch.zeros(4)}, "x_init has shape"),
        ({"x_init": torch.zeros(4, 2, 1)}, "x_init has shape"),
    ],
    ids=str,
)
def test_bad_input_is_refused_with_a_sentence(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sample(make_denoiser_2d(), **{"n": 4, **options})


def test_one_seed_gives_one_result_while_others_draw() -> None:
    def everything() -> list[Tensor]:
        denoiser = make_denoiser_2d(seed=5)
        return [sample(denoiser, 16, sampler, steps=6, seed=3).x for sampler in sampler_names()]

    quiet = everything()
    with others_drawing_random_numbers():
        noisy = everything()
    assert all(map(torch.equal, quiet, noisy))


@every_sampler
def test_the_global_generator_is_never_touched(sampler: str) -> None:
    before = torch.get_rng_state()
    sample(make_denoiser_2d(seed=1), 4, sampler, steps=3)
    assert torch.equal(torch.get_rng_state(), before)


def test_images_and_spectrograms_are_samples_too() -> None:
    data = normal(5, 1, 4, 6)
    trajectory = sample(ideal_denoiser(data, make_schedule("flow")), 3, "heun", steps=4)
    assert trajectory.x.shape == (5, 3, 1, 4, 6)
    assert torch.cdist(trajectory.samples.flatten(1), data.flatten(1)).min(1).values.max() < 1e-3


def test_one_step_from_pure_noise_is_the_mean_of_the_data() -> None:
    data = normal(40, 2)
    for sampler in sampler_names():
        samples = sample(ideal_denoiser(data, make_schedule("cosine")), 10, sampler, steps=1).samples
        torch.testing.assert_close(samples, data.mean(0).expand(10, 2), rtol=0, atol=0.15)


def test_both_take_the_same_and_say_so() -> None:
    parameters = inspect.signature(sample).parameters
    assert parameters == inspect.signature(sample_steps).parameters
    assert {name: one.default for name, one in parameters.items()} == {
        "denoiser": inspect.Parameter.empty,
        "n": inspect.Parameter.empty,
        "sampler": "ddim",
        "steps": 50,
        "seed": 0,
        "condition": None,
        "negative_condition": None,
        "guidance_scale": 1.0,
        "eta": None,
        "x_init": None,
        "times": None,
        "keep": "all",
        "guidance_interval": None,
    }
    assert inspect.signature(sample).return_annotation is Trajectory
    assert all(one.annotation is not one.empty for one in parameters.values())
    with pytest.raises(TypeError, match="step"):
        sample(make_denoiser_2d(), 2, step=3)


def test_arguments_go_by_place_or_by_name() -> None:
    denoiser = make_denoiser_2d()
    start = normal(4, 2)
    arguments = [denoiser, 4, "ddpm", 6, 3, None, None, 1.0, 0.5, start, [0.9, 0.5, 0.0], "last", None]
    named = dict(zip(inspect.signature(sample).parameters, arguments, strict=True))
    placed, by_name = sample(*arguments), sample(**named)
    assert torch.equal(placed.x, by_name.x)
    assert placed.x.shape == (1, 4, 2)
    for step in (*sample_steps(*arguments), *sample_steps(**named)):
        assert torch.equal(step.x, placed.samples)


@every_sampler
def test_the_last_step_alone_can_be_asked_for(sampler: str) -> None:
    (step,) = sample_steps(make_denoiser_2d(), 6, sampler, steps=5, keep="last")
    *_, last = sample_steps(make_denoiser_2d(), 6, sampler, steps=5)
    assert (step.index, step.t, step.evaluations) == (last.index, last.t, last.evaluations)
    assert torch.equal(step.x, last.x)
    assert torch.equal(step.x0, last.x0)


@every_sampler
def test_what_the_caller_does_to_its_tensors_does_not_change_the_walk(sampler: str) -> None:
    denoiser = make_image_denoiser((1, 4, 4), classes=5, widths=(8,))
    start = normal(3, 1, 4, 4)
    times = torch.tensor([0.9, 0.6, 0.3, 0.0], dtype=torch.float64)
    options = {"seed": 2, "guidance_scale": 2.0}
    expected = sample(
        denoiser, 3, sampler, condition=[1, 2, 3], negative_condition=[0, 0, 4], x_init=start, times=times, **options
    )
    wanted, unwanted = torch.tensor([1, 2, 3]), torch.tensor([0, 0, 4])
    kept = []
    for step in sample_steps(
        denoiser, 3, sampler, condition=wanted, negative_condition=unwanted, x_init=start, times=times, **options
    ):
        kept.append((step.x.clone(), step.x0.clone() if step.x0 is not None else None))
        for mine in (start, wanted, unwanted, times, step.x, step.x0):
            if mine is not None:
                mine.fill_(1)
    assert torch.equal(torch.stack([x for x, _ in kept]), expected.x)
    assert torch.equal(torch.stack([x0 for _, x0 in kept if x0 is not None]), expected.x0)


@every_sampler
def test_a_walk_leaves_its_start_and_its_model_alone(sampler: str) -> None:
    start, data = 3 * normal(6, 2), normal(20, 2)
    denoiser = ideal_denoiser(data, make_schedule("flow"))
    before = start.clone(), data.clone()
    trajectory = sample(denoiser, 6, sampler, steps=4, x_init=start)
    again = sample(denoiser, 6, sampler, steps=4, x_init=start)
    trajectory.x.zero_()
    trajectory.x0.zero_()
    assert torch.equal(start, before[0])
    assert torch.equal(data, before[1])
    assert torch.equal(sample(denoiser, 6, sampler, steps=4, x_init=start).x, again.x)


def test_a_start_of_any_kind_of_number_is_taken() -> None:
    denoiser = make_denoiser_2d()
    start = torch.tensor([[1, -2], [0, 3]])
    expected = sample(denoiser, 2, steps=3, x_init=start.float())
    for same in (start, start.double(), start.bfloat16(), start.numpy()):
        assert torch.equal(sample(denoiser, 2, steps=3, x_init=same).x, expected.x)


CLASSES = make_image_denoiser((1, 4, 4), classes=10, widths=(8,))
THREES = [
    torch.full((11,), 3, dtype=torch.uint8),
    torch.full((11,), 3, dtype=torch.int32),
    np.full(11, 3),
    np.full(11, 3, np.uint8),
    [3] * 11,
    (3,) * 11,
    [np.int64(3)] * 11,
    [torch.tensor(3)] * 11,
    3,
    np.int64(3),
    torch.tensor(3),
]


def kind(value: Any) -> str:
    return f"{type(value).__name__} {getattr(value, 'dtype', '')} {str(value)[:12]}"


@pytest.mark.parametrize("threes", THREES, ids=kind)
@pytest.mark.parametrize("role", ["condition", "negative_condition"])
def test_a_condition_is_any_whole_numbers(threes: Any, role: str) -> None:
    def draw(labels: Any) -> Tensor:
        return sample(CLASSES, 11, steps=2, guidance_scale=2.0, **{role: labels}).samples

    expected = draw(torch.full((11,), 3))
    assert torch.equal(draw(threes), expected)
    assert not torch.equal(draw(torch.full((11,), 4)), expected)
    x = normal(11, 1, 4, 4)
    assert torch.equal(CLASSES.predict(x, 0.5, threes).x0, CLASSES.predict(x, 0.5, torch.full((11,), 3)).x0)


NO_CLASSES = [
    (torch.ones(11, dtype=torch.bool), "whole ones, not torch.bool"),
    ([True] * 11, "whole ones, not torch.bool"),
    (True, "whole ones, not torch.bool"),
    ([-1] * 11, "not -1"),
    ([10] * 11, "not 10"),
    (10, "not 10"),
    (torch.full((11,), 255, dtype=torch.uint8), "not 255"),
    (3.0, "whole ones, not torch.float"),
    (torch.full((11,), 3.0), "whole ones, not torch.float32"),
    (np.full(11, 3.0), "whole ones, not torch.float64"),
    ([3] * 10, r"not a tensor of shape \(10,\)"),
    ([], r"not a tensor of shape \(0,\)"),
    ([[3] * 11], r"not a tensor of shape \(1, 11\)"),
    ("three", "not 'three'"),
    (["three"] * 11, "not "),
    ([None] * 11, "not "),
    ([3, [3]], "not "),
    (2**80, "not "),
    ({}, "not {}"),
]


@pytest.mark.parametrize(("labels", "message"), NO_CLASSES, ids=kind)
@pytest.mark.parametrize("role", ["condition", "negative_condition"])
def test_what_is_no_class_is_refused_with_a_sentence(labels: Any, message: str, role: str) -> None:
    for asked in (
        lambda: sample(CLASSES, 11, steps=2, **{role: labels}),
        lambda: next(sample_steps(CLASSES, 11, **{role: labels})),
        lambda: CLASSES.predict(torch.zeros(11, 1, 4, 4), 0.5, labels),
    ):
        with pytest.raises(ValueError, match=f"^the condition must be 11 class numbers from 0 to 9, .*{message}"):
            asked()


@pytest.mark.parametrize("role", ["condition", "negative_condition"])
def test_a_network_that_takes_no_condition_gets_none(role: str) -> None:
    for denoiser in (
        make_denoiser_2d(),
        make_image_denoiser((1, 4, 4), widths=(8,)),
        ideal_denoiser(normal(5, 2), make_schedule("flow")),
    ):
        for labels in (torch.zeros(3, dtype=torch.long), [0, 1, 2], "a cat", 0):
            with pytest.raises(ValueError, match="this model takes no condition"):
                sample(denoiser, 3, steps=2, **{role: labels})
            with pytest.raises(ValueError, match="this model takes no condition"):
                denoiser.predict(torch.zeros(3, *denoiser.shape), 0.5, labels)


def test_a_condition_is_read_once_a_walk() -> None:
    class Prompts(nn.Module):
        """Reads prompts, as a text-conditional network will."""

        def __init__(self) -> None:
            super().__init__()
            self.read: list[tuple[Any, int]] = []

        def read_condition(self, condition: Any, n: int) -> Tensor:
            self.read.append((condition, n))
            return torch.tensor([float(len(prompt)) for prompt in condition])

        def forward(self, x: Tensor, log_snr: Tensor, condition: Any = None) -> Tensor:
            return torch.zeros_like(x) if condition is None else condition[:, None].expand_as(x)

    denoiser = Denoiser(Prompts(), make_schedule("flow"), "x0", shape=(3,))
    samples = sample(denoiser, 2, condition=["a", "four"], negative_condition=["", ""], steps=7).samples
    assert samples.tolist() == [[1.0] * 3, [4.0] * 3]
    assert denoiser.network.read == [(["a", "four"], 2), (["", ""], 2)]


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES.keys())
@every_sampler
def test_a_walk_is_the_same_in_every_mode_of_its_caller(sampler: str, mode: Callable[[], Any], request: Any) -> None:
    data, start = normal(30, 2), normal(3, 1, 4, 4)

    def draw() -> list[Trajectory]:
        exact = ideal_denoiser(data, make_schedule("cosine"))
        digits = make_image_denoiser((1, 4, 4), classes=10, widths=(8,))
        return [
            sample(exact, 5, sampler, steps=4, eta=None),
            sample(digits, 3, sampler, steps=3, condition=[1, 2, 3], guidance_scale=2.0, x_init=start),
            sample(make_denoiser_2d(), 5, sampler, times=[0.9, 0.4, 0.0]),
        ]

    usual = draw()
    with mode():
        within = draw()
    rounded = "autocast" in request.node.name  # what learned networks say, but not what the exact one says
    for found, wanted in [*zip(within, usual, strict=True)][: 1 if rounded else 3]:
        assert torch.equal(found.x, wanted.x)
        assert torch.equal(found.x0, wanted.x0)
        assert torch.equal(found.t, wanted.t)
    for found in within:
        assert found.x.isfinite().all()


def test_in_autocast_the_weights_of_today_are_sampled() -> None:
    denoiser = make_denoiser_2d()
    with torch.autocast("cpu", torch.bfloat16):
        sample(denoiser, 5, steps=3)
        denoiser.load_state_dict(make_denoiser_2d(1).state_dict())
        found = sample(denoiser, 5, steps=3).samples
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(found, sample(make_denoiser_2d(1), 5, steps=3).samples)


def test_the_mode_of_the_caller_is_back_at_each_step() -> None:
    def mode() -> tuple[bool, ...]:
        return torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")

    steps = sample_steps(make_denoiser_2d(), 2, steps=20)
    next(steps)
    for enter in MODES.values():
        with enter():
            wanted = mode()
            next(steps)
            assert mode() == wanted
        next(steps)
        assert mode() == (True, False, False)


@every_schedule
@every_sampler
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_samples(sampler: str, schedule: Schedule, dtype: torch.dtype) -> None:
    data = torch.tensor([[1.0, 1.0], [-1.0, 0.5], [0.0, -1.25]], dtype=dtype)
    trajectory = sample(ideal_denoiser(data, schedule), 20, sampler, steps=40)
    assert trajectory.x.dtype == dtype
    assert trajectory.x.isfinite().all()
    assert torch.cdist(trajectory.samples.float(), data.float()).min(1).values.max() < 0.05
    for prediction in PREDICTIONS:
        network = make_denoiser_2d(width=8, features=4).network
        found = sample(Denoiser(network, schedule, prediction, shape=(2,)).to(dtype), 8, sampler, 12)
        assert found.x.isfinite().all()
