"""What a stage shows is what the model and the sampler do."""

import numpy as np
import pytest
import torch
from torch import Tensor

import explorer as ex
from explorer.lessons.views import (
    EXTENT,
    FAN,
    FIELD_LINES,
    MESH_EXTENT,
    MESH_LINES,
    MOST_FIELDS,
    as_shown,
    fan_2d,
    fields_2d,
    view_2d,
    view_scale,
)
from explorer.samplers import SAMPLERS
from explorer.schedules import schedule_names

DATA = ex.toy2d("moons", 200, seed=0).double()
DETERMINISTIC = [name for name, sampler in SAMPLERS.items() if not sampler.stochastic]
STOCHASTIC = [name for name, sampler in SAMPLERS.items() if sampler.stochastic]


def exact(schedule: str, examples: int = 200) -> ex.Denoiser:
    return ex.ideal_denoiser(DATA[:examples].float(), ex.make_schedule(schedule))


def interior(schedule: ex.Schedule) -> Tensor:
    """Times where the data matters, by log-SNR, falling."""
    return schedule.time_of_log_snr(torch.tensor([-4.0, -2.0, 0.0, 2.0, 4.0], dtype=torch.float64))


def square(extent: float, lines: int) -> np.ndarray:
    """(lines, lines, 2), x along the columns and y along the rows."""
    axis = np.linspace(-extent, extent, lines)
    return np.stack(np.meshgrid(axis, axis), -1)


@pytest.mark.parametrize("schedule", schedule_names())
def test_the_field_is_where_the_ode_moves_the_points_of_the_stage(schedule: str) -> None:
    denoiser = ex.ideal_denoiser(DATA, ex.make_schedule(schedule))
    times = interior(denoiser.schedule)
    field, _ = fields_2d(exact(schedule), times)
    places = torch.tensor(square(EXTENT, FIELD_LINES).reshape(-1, 2))
    for t, shown in zip(times, field, strict=True):
        scales = view_scale(denoiser.schedule, torch.stack([t, t - 1e-6]))
        walk = ex.sample(denoiser, len(places), "euler", x_init=places * scales[0], times=[t, t - 1e-6])
        moved = (walk.samples / scales[1] - places) / 1e-6
        np.testing.assert_allclose(shown.reshape(-1, 2), moved, rtol=1e-3, atol=1e-3 * float(moved.abs().max()))


@pytest.mark.parametrize("schedule", schedule_names())
def test_the_score_is_the_slope_of_the_log_density_on_the_stage(schedule: str) -> None:
    denoiser = exact(schedule)
    times = interior(denoiser.schedule)
    _, score = fields_2d(denoiser, times)
    for t, shown in zip(times, score, strict=True):
        alpha, sigma = denoiser.schedule.alpha(t), denoiser.schedule.sigma(t)
        scale = torch.hypot(alpha, sigma)
        places = torch.tensor(square(EXTENT, FIELD_LINES).reshape(-1, 2), requires_grad=True)
        exponents = -((places[:, None] * scale - alpha * DATA) ** 2).sum(-1) / (2 * sigma**2)
        (slope,) = torch.autograd.grad(exponents.logsumexp(1).sum(), places)
        np.testing.assert_allclose(shown.reshape(-1, 2), slope, rtol=1e-3, atol=1e-3 * float(slope.abs().max()))


@pytest.mark.parametrize("schedule", schedule_names())
def test_the_arrows_of_the_velocity_lead_to_the_data(schedule: str) -> None:
    denoiser = exact(schedule, examples=1)
    (arrows,), _ = fields_2d(denoiser, interior(denoiser.schedule)[-1:])
    assert (((DATA[0].numpy() - square(EXTENT, FIELD_LINES)) * arrows).sum(-1) > 0).mean() > 0.98


@pytest.mark.parametrize("schedule", schedule_names())
def test_many_frames_have_the_fields_of_some_and_between_them_what_lies_between(schedule: str) -> None:
    few, many = (view_2d(exact(schedule), n=16, sampler="euler", steps=steps) for steps in (MOST_FIELDS, 96))
    for view, steps in ((few, MOST_FIELDS), (many, 96)):
        whole, _ = fields_2d(exact(schedule), torch.from_numpy(view.t[:-1]).double())
        assert view.field.shape == (steps + 1, FIELD_LINES, FIELD_LINES, 2)
        np.testing.assert_array_equal(view.field[-1], view.field[-2])
        lengths = [np.linalg.norm(fields, axis=-1) for fields in (view.field[:-1], whole)]
        cosine = (view.field[:-1] * whole).sum(-1) / (lengths[0] * lengths[1] + 1e-12)
        assert np.median(cosine, axis=(1, 2)).min() > (0.9999 if view is few else 0.9)
        np.testing.assert_allclose(view.field[[0, -2]], whole[[0, -1]], rtol=1e-3, atol=1e-3 * lengths[1].max())


@pytest.mark.parametrize("schedule", schedule_names())
def test_points_drift_along_the_field_that_is_drawn_behind_them(schedule: str) -> None:
    view = view_2d(exact(schedule), n=400, sampler="euler", steps=120)
    frame = 40
    spacing = 2 * EXTENT / (FIELD_LINES - 1)
    nearest = np.rint((view.x[frame] + EXTENT) / spacing).astype(int)
    close = (np.abs(square(EXTENT, FIELD_LINES)[0, 0] + nearest * spacing - view.x[frame]) < 0.2 * spacing).all(1)
    close &= ((nearest >= 0) & (nearest < FIELD_LINES)).all(1)
    assert close.sum() > 20
    moved = (view.x[frame + 1] - view.x[frame])[close]
    arrows = view.field[frame][nearest[close, 1], nearest[close, 0]]
    cosine = (moved * arrows).sum(1) / np.linalg.norm(moved, axis=1) / np.linalg.norm(arrows, axis=1)
    assert np.median(cosine) > 0.95


@pytest.mark.parametrize("schedule", schedule_names())
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_pair_of_schedule_and_sampler_has_a_view(schedule: str, sampler: str) -> None:
    view = view_2d(exact(schedule), n=64, sampler=sampler, steps=8)
    started = fan_2d(exact(schedule), (0.5, -1.0), sampler, steps=8, seed=0)
    assert view.x.shape == (9, 64, 2)
    assert view.x0.shape == (8, 64, 2)
    assert view.field.shape == view.score.shape == (9, FIELD_LINES, FIELD_LINES, 2)
    assert started.shape == (9, FAN if sampler in STOCHASTIC else 1, 2)
    assert (view.mesh is None) == (sampler in STOCHASTIC)
    assert (np.diff(view.t) < 0).all()
    assert view.t[-1] == 0
    arrays = [view.x, view.x0, view.field, view.score, started, *([] if view.mesh is None else [view.mesh])]
    assert all(array.dtype == np.float32 and np.isfinite(array).all() for array in arrays)
    assert view.evaluations >= 8


@pytest.mark.parametrize("schedule", schedule_names())
def test_the_walk_starts_at_unit_scale_and_ends_on_the_data(schedule: str) -> None:
    view = view_2d(exact(schedule), n=2000, sampler="heun", steps=20)
    assert view.x[0].std() == pytest.approx(1, abs=0.05)
    assert np.abs(view.x[:, :, :]).max() < 6
    assert ex.sliced_wasserstein(torch.tensor(view.samples), DATA.float()) < 0.2
    np.testing.assert_allclose(view.samples, view.x0[-1], atol=1e-5)


def test_the_view_scale_is_the_spread_of_noised_unit_data() -> None:
    data = torch.randn(100_000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    noise = torch.randn(100_000, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for name in schedule_names():
        schedule = ex.make_schedule(name)
        for t in interior(schedule):
            spread = (schedule.alpha(t) * data + schedule.sigma(t) * noise).std()
            assert float(view_scale(schedule, t)) == pytest.approx(float(spread), rel=0.01)


@pytest.mark.parametrize("sampler", DETERMINISTIC)
def test_the_mesh_starts_regular(sampler: str) -> None:
    view = view_2d(exact("cosine"), n=16, sampler=sampler, steps=10)
    assert view.mesh is not None
    np.testing.assert_allclose(view.mesh[0], square(MESH_EXTENT, MESH_LINES), atol=1e-5)
    assert np.abs(view.mesh[-1] - view.mesh[0]).max() > 0.5


def test_a_share_of_fresh_noise_tears_the_mesh_so_there_is_none() -> None:
    assert view_2d(exact("flow"), n=16, sampler="ddim", steps=5, eta=0.0).mesh is not None
    assert view_2d(exact("flow"), n=16, sampler="ddim", steps=5, eta=0.5).mesh is None


@pytest.mark.parametrize("sampler", DETERMINISTIC)
def test_a_started_particle_goes_where_the_mesh_goes_from_there(sampler: str) -> None:
    row, column = 11, 4
    start = tuple(square(MESH_EXTENT, MESH_LINES)[row, column].tolist())
    view = view_2d(exact("linear"), n=16, sampler=sampler, steps=12)
    started = fan_2d(exact("linear"), start, sampler, steps=12, seed=0)
    assert view.mesh is not None
    np.testing.assert_allclose(started[:, 0], view.mesh[:, row, column], atol=1e-4)


@pytest.mark.parametrize("sampler", [*STOCHASTIC, "ddim"])
def test_a_fan_leaves_one_place_and_spreads(sampler: str) -> None:
    eta = 0.7 if sampler == "ddim" else None
    started = fan_2d(exact("edm"), (1.5, -0.5), sampler, steps=30, seed=0, eta=eta)
    np.testing.assert_allclose(started[0], np.tile([1.5, -0.5], (FAN, 1)), rtol=1e-5)
    assert started[-1].std(0).max() > 0.1


def test_the_exact_model_of_a_few_examples_returns_them() -> None:
    for schedule in schedule_names():
        samples = torch.tensor(view_2d(exact(schedule, examples=5), n=500, steps=20).samples).double()
        nearest = torch.cdist(samples, DATA[:5]).min(1)
        assert float(nearest.values.median()) < 1e-3
        assert len(nearest.indices.unique()) == 5


def test_the_seed_decides() -> None:
    one, same, other = (view_2d(exact("flow"), n=32, sampler="ddpm", steps=6, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.x, same.x)
    assert (one.x != other.x).any()


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("schedule", schedule_names())
def test_the_cloud_is_what_sample_gives(schedule: str, sampler: str) -> None:
    view = view_2d(exact(schedule), n=32, sampler=sampler, steps=6, seed=5)
    samples = ex.sample(exact(schedule), n=32, sampler=sampler, steps=6, seed=5).samples
    np.testing.assert_allclose(view.samples, samples, atol=1e-4)


def test_the_network_calls_are_those_of_the_cloud() -> None:
    assert view_2d(exact("flow"), n=8, sampler="heun", steps=20).evaluations == 39
    assert view_2d(exact("flow"), n=8, sampler="ddim", steps=20).evaluations == 20


def test_three_channels_are_shown_in_colours_and_others_as_their_mean() -> None:
    images = np.random.default_rng(0).normal(size=(2, 5, 3, 4, 6))
    np.testing.assert_allclose(as_shown(images), np.moveaxis(images, 2, -1).astype(np.float32))
    np.testing.assert_allclose(as_shown(images[:, :, :2]), images[:, :, :2].mean(2), atol=1e-6)
    np.testing.assert_allclose(as_shown(images[0, 0, :1]), images[0, 0, 0], atol=1e-6)
