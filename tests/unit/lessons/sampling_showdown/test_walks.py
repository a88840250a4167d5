"""Samplers against each other: what a walk keeps, what is measured, slerp and inversion against closed forms."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import explorer as ex
from explorer import samplers, zoo
from explorer.data.digits import digits
from explorer.jobs import JobManager
from explorer.lessons.sampling_showdown import quality, walks
from explorer.lessons.sampling_showdown.quality import Quality, QualityTable
from explorer.lessons.sampling_showdown.task import measure_quality, walk_of
from explorer.lessons.sampling_showdown.walks import Method, Start
from explorer.lessons.tasks import TASKS
from explorer.metrics import NotFinite, moments
from explorer.networks.blocks import build
from explorer.networks.classifier import Classifier
from explorer.networks.unet import make_image_denoiser
from explorer.samplers import SPACINGS, first_noise, sample_times
from explorer.schedules import Schedule, make_schedule, schedule_names
from explorer.zoo import to_bytes

SHAPE = (1, 8, 8)
STD = 0.5


class Gaussian(nn.Module):
    """E[x_0 | x_t] where x_0 ~ N(m, STD^2): the one network whose walks have a closed form. m is the class."""

    def forward(self, x: Tensor, log_snr: Tensor, condition: Tensor | None = None) -> Tensor:
        snr = log_snr.exp().reshape(-1, 1, 1, 1)
        alpha, variance = (snr / (1 + snr)).sqrt(), 1 / (1 + snr)
        mean = 0.0 if condition is None else condition.reshape(-1, 1, 1, 1).float()
        return mean + alpha * STD**2 / (alpha**2 * STD**2 + variance) * (x - alpha * mean)


@pytest.fixture(scope="module")
def gaussian() -> ex.Denoiser:
    return ex.Denoiser(Gaussian(), make_schedule("cosine"), "x0", SHAPE)


@pytest.fixture(scope="module")
def tiny() -> ex.Denoiser:
    return make_image_denoiser(SHAPE, classes=10, widths=(8, 16)).requires_grad_(False)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """Untrained, but with real digits as its reference."""
    made = build(lambda: Classifier(width=8), seed=0).requires_grad_(False)
    mean, covariance = moments(made.features(digits()[0]))
    made.reference_mean, made.reference_covariance = mean.float(), covariance.float()
    return made


@pytest.mark.parametrize("name", schedule_names())
@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("steps", [1, 2, 17, 1000])
def test_every_spacing_falls_from_t_max_to_t_min_then_zero(name: str, spacing: str, steps: int) -> None:
    schedule = make_schedule(name)
    times = Method("ddim", steps, spacing=spacing).times(schedule)
    assert times.shape == (steps + 1,)
    assert bool((times.diff() < 0).all())
    assert float(times[0]) == pytest.approx(schedule.t_max)
    assert times[-1] == 0
    if steps > 1:
        assert float(times[-2]) == pytest.approx(schedule.t_min)


def test_karras_times_are_uniform_on_edm_and_quadratic_ones_uniform_in_the_root() -> None:
    edm, cosine = make_schedule("edm"), make_schedule("cosine")
    torch.testing.assert_close(sample_times(edm, 12, "karras"), sample_times(edm, 12))
    roots = sample_times(cosine, 12, "quadratic")[:-1].sqrt()
    torch.testing.assert_close(roots.diff(), roots.diff().mean().expand(11))
    ratio = torch.exp(-cosine.log_snr(sample_times(cosine, 12, "karras")[:-1]) / 2) ** (1 / 7)
    torch.testing.assert_close(ratio.diff(), ratio.diff().mean().expand(11))
    with pytest.raises(ValueError, match="no spacing is called"):
        sample_times(cosine, 12, "cubic")


@pytest.mark.parametrize("sampler", ex.sampler_names())
@pytest.mark.parametrize(("scale", "interval"), [(1.0, None), (2.0, None), (2.0, (-1.0, 4.0)), (2.0, (8.5, 8.6))])
def test_the_calls_that_are_promised_are_made(
    gaussian: ex.Denoiser, sampler: str, scale: float, interval: tuple[float, float] | None
) -> None:
    for steps in (1, 4):
        method, start = Method(sampler, steps), Start(2, 0, (0, 1), scale, interval)
        walk = walks.walk(gaussian, method, start)
        assert walk.evaluations == start.calls(gaussian, method)
    unguided = Start(2, 0, (), 2.0).calls(gaussian, method)
    assert unguided <= walk.evaluations <= 2 * unguided
    assert (walk.evaluations > unguided) == (scale > 1 and interval != (8.5, 8.6))


@pytest.mark.parametrize(
    ("n", "classes", "expected"), [(5, (0, 1, 2), [0, 1, 2, 0, 1]), (2, (7,), [7, 7]), (3, (), None)]
)
def test_classes_are_taken_in_turn(n: int, classes: tuple[int, ...], expected: list[int] | None) -> None:
    labels = Start(n, 0, classes).labels()
    assert (None if labels is None else labels.tolist()) == expected


def test_a_walk_is_what_sample_returns(tiny: ex.Denoiser) -> None:
    walk = walks.walk(tiny, Method("ddpm", 12, spacing="karras"), Start(4, 3, (1, 2), 1.5, (-9.0, 9.0)))
    times = sample_times(tiny.schedule, 12, "karras")
    whole = ex.sample(tiny, 4, "ddpm", seed=3, condition=torch.tensor([1, 2, 1, 2]), guidance_scale=1.5, times=times)
    np.testing.assert_array_equal(walk.samples, whole.samples)
    np.testing.assert_array_equal(walk.step, np.arange(13))
    np.testing.assert_allclose(walk.t, times)
    scale = torch.hypot(tiny.schedule.alpha(times), tiny.schedule.sigma(times)).float()
    np.testing.assert_allclose(walk.x, whole.x / scale[:, None, None, None, None], rtol=2e-3, atol=1e-3)
    np.testing.assert_allclose(walk.guess[:-1], whole.x0, rtol=2e-3, atol=1e-3)
    np.testing.assert_array_equal(walk.guess[-1], walk.x[-1])
    assert walk.evaluations == whole.evaluations == 24
    assert walk.seconds > 0


@pytest.mark.parametrize(("sampler", "scale"), [("ddim", 1.0), ("heun", 1.0), ("ddim", 2.0), ("langevin", 1.0)])
def test_neither_a_first_call_nor_an_interruption_counts_as_time(
    gaussian: ex.Denoiser, monkeypatch: pytest.MonkeyPatch, sampler: str, scale: float
) -> None:
    now, asked = 0.0, 0
    predict = ex.Denoiser.predict

    def slow_at_first(*given: Any) -> Any:
        nonlocal now, asked
        now += {0: 100.0, 5: 30.0}.get(asked, 1.0)
        asked += 1
        return predict(*given)

    monkeypatch.setattr(ex.Denoiser, "predict", slow_at_first)
    monkeypatch.setattr(walks, "thread_seconds", lambda: now)
    walk = walks.walk(gaussian, Method(sampler, 12), Start(2, 0, (0, 1), scale))
    assert walk.seconds == walk.evaluations == asked


def test_equal_calls_take_about_equal_time() -> None:
    denoiser, start = ex.load_pretrained("mnist-28"), Start(16, 1, tuple(range(10)))
    walks.call_seconds(denoiser, 16)
    taken = [
        [walks.walk(denoiser, Method(sampler, 10), start).seconds for sampler in ("ddpm", "dpmpp_2m")] for _ in range(5)
    ]
    left, right = np.median(taken, axis=0)
    assert 0.6 < left / right < 1.6


def test_what_the_page_opens_with_shows_the_point_for_every_seed() -> None:
    """In 3 steps DPM-Solver++ draws strokes, and DDPM is still grey between ink and paper."""
    denoiser = ex.load_pretrained("mnist-28")
    for seed in range(6):
        start = Start(16, seed, tuple(range(10)))
        ddpm, solver = (
            float((np.abs(walks.walk(denoiser, Method(name, 3), start).samples) < 0.6).mean())
            for name in ("ddpm", "dpmpp_2m")
        )
        assert solver < 0.85 * ddpm
    table = quality.read_table("mnist-28")
    assert table
    distance = {point.sampler: point.frechet for point in table.points if point.steps == 3}
    assert distance["dpmpp_2m"] < 0.7 * distance["ddpm"]  # type: ignore[operator]


def test_a_table_that_came_with_the_app_repeats(classifier: Classifier) -> None:
    table = quality.read_table("mnist-28")
    assert table
    known = next(point for point in table.points if (point.sampler, point.steps) == ("dpmpp_2m", 3))
    start = Start(table.samples, 0, tuple(range(10)), table.guidance_scale)
    judge = zoo.load_classifier("mnist-28")
    *_, (_, point) = quality.quality(ex.load_pretrained("mnist-28"), judge, [Method("dpmpp_2m", 3)], start)
    assert point
    assert point.accuracy == pytest.approx(known.accuracy, abs=0.005)
    assert point.frechet == pytest.approx(known.frechet, rel=0.02)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_model_that_blew_up_has_no_quality(classifier: Classifier, value: float) -> None:
    broken = make_image_denoiser(SHAPE, classes=10, widths=(8, 16)).requires_grad_(False)
    broken.network.head.bias.fill_(value)  # type: ignore[union-attr, operator]
    assert not walks.walk(broken, Method("ddim", 2), Start(2)).finite
    points = [
        point for _, point in quality.quality(broken, classifier, [Method("ddim", 2)], Start(4, 0, (1,))) if point
    ]
    assert [(point.accuracy, point.frechet) for point in points] == [(None, None)]


def test_a_long_walk_is_thinned(gaussian: ex.Denoiser) -> None:
    steps = list(walks.walk_steps(gaussian, Method("ddim", 300), Start(1)))
    assert [done for done, walk in steps if walk is None] == list(range(301))
    walk = steps[-1][1]
    assert walk is not None
    assert len(walk.step) == len(walk.t) == len(walk.x) == len(walk.guess) == walks.MOST_FRAMES + 1
    assert (walk.step[0], walk.step[-1]) == (0, 300)
    whole = ex.sample(gaussian, 1, "ddim", 300)
    np.testing.assert_allclose(walk.guess[:-1], whole.x0[walk.step[:-1]], rtol=2e-3, atol=1e-3)


def test_walks_share_a_clock_of_times(gaussian: ex.Denoiser) -> None:
    methods = Method("ddim", 10), Method("heun", 10), Method("ddim", 1), Method("ddim", 7, spacing="karras")
    run = [walks.walk(gaussian, method, Start(1)) for method in methods]
    clock, frames = walks.one_clock(run)
    np.testing.assert_array_equal(clock, run[0].t)
    for found in frames[:2]:
        np.testing.assert_array_equal(found, np.arange(11))
    np.testing.assert_array_equal(frames[2], [0] * 10 + [1])
    for walk, found in zip(run, frames, strict=True):
        assert (walk.t[found] >= clock).all()  # no side is shown ahead of the clock
        assert found[-1] == len(walk.t) - 1


def test_from_one_noise_only_eta_makes_a_difference(gaussian: ex.Denoiser) -> None:
    found = [walks.repeats(gaussian, Method("ddim", 20, eta), Start(64, 5)) for eta in (0.0, 0.5, 1.0)]
    assert found[0].apart == 0
    assert found[0].spread == 0
    assert 0 < found[1].spread < found[2].spread
    for eta, repeated in zip((0.0, 0.5, 1.0), found, strict=True):
        assert walks.again(gaussian, Method("ddim", 20, eta), Start(64, 5), repeated.images) == 0
    assert walks.again(gaussian, Method("ddim", 20, 0.5), Start(64, 6), found[1].images) > 0.1
    # DDPM nearly forgets its start: x_0 ~ N(0, STD^2), of which two are STD sqrt(2) apart
    assert found[2].spread == pytest.approx(STD * 2**0.5, rel=0.2)
    for sampler in ("ddpm", "ddim"):
        own = walks.repeats(gaussian, Method(sampler, 20), Start(64, 5))
        np.testing.assert_array_equal(own.images, found[2 if sampler == "ddpm" else 0].images)


def test_diversity_is_measured_in_features(tiny: ex.Denoiser, classifier: Classifier) -> None:
    still, moving = (
        walks.repeats(tiny, Method(sampler, 5), Start(4, 0, (3,)), classifier) for sampler in ("ddim", "ddpm")
    )
    assert still.diversity == 0
    assert moving.diversity == pytest.approx(
        float(torch.pdist(classifier.features(torch.from_numpy(moving.images))).mean())
    )
    assert walks.repeats(tiny, Method("ddim", 2), Start(2)).diversity is None


def test_slerp_keeps_the_length_and_the_angle() -> None:
    a, b = torch.randn(2, 1, 28, 28, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    shares = torch.linspace(0, 1, 9, dtype=torch.float64)
    path = walks.slerp(a, b, shares)
    torch.testing.assert_close(path[0], a)
    torch.testing.assert_close(path[-1], b)
    low, high = sorted((float(a.norm()), float(b.norm())))
    lengths = path.flatten(1).norm(dim=1)
    assert 0.99 * low < float(lengths.min()) <= float(lengths.max()) < 1.01 * high
    straight = (a + b) / 2
    assert float(straight.norm()) < 0.8 * low  # what a straight line would do
    unit = a / a.norm()
    other = b / b.norm()
    arc = walks.slerp(unit, other, shares).flatten(1)
    between = torch.arccos((arc[1:] * arc[:-1]).sum(1))
    torch.testing.assert_close(between, between.mean().expand(8))
    torch.testing.assert_close(walks.slerp(a, 2 * a, torch.tensor([0.5])), 1.5 * a[None])


def test_ddim_is_smooth_between_two_noises_and_ddpm_is_not(gaussian: ex.Denoiser) -> None:
    a, b = first_noise(gaussian, 2, 0)
    noises = walks.slerp(a, b, torch.linspace(0, 1, 9))
    still, moving = (
        walks.jumps(walks.end(gaussian, Method(sampler, 20), Start(9), noises)) for sampler in ("ddim", "ddpm")
    )
    assert still.shape == (8,)
    assert float(still.max()) < 0.4 * float(moving.min())


def test_the_first_noise_is_where_sampling_starts(tiny: ex.Denoiser) -> None:
    walk = ex.sample(tiny, 3, "ddpm", 4, seed=9)
    torch.testing.assert_close(first_noise(tiny, 3, 9), walk.x[0])
    again = walks.end(tiny, Method("ddpm", 4), Start(3, 9), walk.x[0])
    torch.testing.assert_close(again, walk.samples)


@pytest.mark.parametrize("name", schedule_names())
@pytest.mark.parametrize("spacing", SPACINGS)
def test_a_common_film_begins_with_the_start_of_both(name: str, spacing: str) -> None:
    denoiser = ex.Denoiser(Gaussian(), make_schedule(name), "x0", SHAPE)
    run = [walks.walk(denoiser, Method("ddim", 5, spacing=other), Start(1)) for other in ("time", spacing)]
    _, frames = walks.one_clock(run)
    assert [frame[0] for frame in frames] == [0, 0]
    assert all((np.diff(frame) >= 0).all() for frame in frames)


@pytest.mark.parametrize("name", schedule_names())
def test_inversion_finds_the_noise_of_the_differential_equation(name: str) -> None:
    schedule: Schedule = make_schedule(name)
    denoiser = ex.Denoiser(Gaussian(), schedule, "x0", SHAPE)
    x0 = STD * torch.randn(4, *SHAPE, generator=torch.Generator().manual_seed(1))
    top = schedule.t_max
    exact = x0 / STD * torch.sqrt(schedule.alpha(top) ** 2 * STD**2 + schedule.sigma(top) ** 2).float()
    errors = [
        float((samplers.invert(denoiser, x0, steps, spacing="log_snr") - exact).square().mean().sqrt())
        / float(exact.std())
        for steps in (10, 40, 160)
    ]
    assert errors[0] > 1.5 * errors[1] > 2 * errors[2]
    assert errors[2] < 0.05
    with pytest.raises(ValueError, match="at least 2"):
        samplers.invert(denoiser, x0, 1)


def test_the_round_trip_comes_closer_with_more_steps(tiny: ex.Denoiser, gaussian: ex.Denoiser) -> None:
    scans, labels = digits()
    for denoiser in (tiny, gaussian):
        errors = [walks.round_trip(denoiser, scans[:2], steps, labels[:2]).error for steps in (5, 20, 80)]
        assert errors[0] > errors[1] > errors[2]
    trip = walks.round_trip(gaussian, scans[:2], 80, torch.zeros(2))
    assert trip.error < 0.05
    np.testing.assert_array_equal(trip.image, scans[:2])
    assert trip.noise.shape == trip.back.shape == (2, *SHAPE)


def test_quality_judges_every_sample_of_every_method(tiny: ex.Denoiser, classifier: Classifier) -> None:
    methods = [Method("ddim", 2), Method("heun", 2)]
    start = Start(130, 0, (0, 1, 2))
    said = list(quality.quality(tiny, classifier, methods, start))
    shares = [share for share, _ in said]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    points = [point for _, point in said if point is not None]
    assert [(point.sampler, point.steps, point.n, point.evaluations) for point in points] == [
        ("ddim", 2, 130, 2),
        ("heun", 2, 130, 3),
    ]
    batches = [quality._batch(start, first) for first in (0, 100)]
    assert [batch.n for batch in batches] == [100, 30]
    joined = torch.cat([batch.labels() for batch in batches])  # type: ignore[misc]
    assert torch.equal(joined, start.labels())  # type: ignore[arg-type]
    images = torch.cat([ex.sample(tiny, b.n, "ddim", 2, b.seed, b.labels(), keep="last").samples for b in batches])
    assert (points[0].accuracy, points[0].frechet) == quality.judge(classifier, images, start.labels())
    assert points[0].accuracy == int((classifier(images).argmax(1) == start.labels()).sum()) / 130
    assert Quality(**points[0].as_json()) == points[0]


def test_real_digits_are_close_to_real_digits_and_samples_of_an_untrained_network_are_not(
    tiny: ex.Denoiser, classifier: Classifier
) -> None:
    real = quality.judge(classifier, digits()[0], None)
    *_, (_, point) = quality.quality(tiny, classifier, [Method("ddim", 2)], Start(100))
    assert real[0] is None
    assert real[1] < 1e-3
    assert point is not None
    assert point.accuracy is None
    assert point.frechet > 10 * real[1]


class BlowsUp(nn.Module):
    """Grows without bounds, as a network does that was trained at too high a rate."""

    def forward(self, x: Tensor, log_snr: Tensor, condition: Tensor | None = None) -> Tensor:
        return 1e6 * (1 + x**2)


@pytest.fixture(scope="module")
def blown_up() -> ex.Denoiser:
    return ex.Denoiser(BlowsUp(), make_schedule("cosine"), "epsilon", SHAPE)


def test_a_model_that_blew_up_is_told_from_one_that_is_bad(
    tiny: ex.Denoiser, blown_up: ex.Denoiser, classifier: Classifier
) -> None:
    start = Start(6, 0, (0, 1, 2))
    methods = [Method("ddim", 2), Method("ddpm", 5)]
    points = [point for _, point in quality.quality(blown_up, classifier, methods, start) if point]
    assert [(point.accuracy, point.frechet) for point in points] == [(None, None)] * 2
    assert [Quality(**json.loads(json.dumps(point.as_json(), allow_nan=False))) for point in points] == points
    for value in (torch.nan, torch.inf, 1e30):
        images = ex.sample(tiny, 6, steps=2).samples
        images[3, 0, 0, 0] = value
        for measure in (
            lambda images=images: classifier.classify(images),
            lambda images=images: quality.judge(classifier, images, None),
            lambda images=images: quality.judge(classifier, images, start.labels()),
            lambda images=images: walks.jumps(images),
        ):
            with pytest.raises(NotFinite):
                measure()
    for measure in (
        lambda: walks.repeats(blown_up, Method("ddpm", 5), start),
        lambda: walks.round_trip(blown_up, digits()[0][:2], 5),
    ):
        with pytest.raises(NotFinite):
            measure()


def spec(methods: list[Method], start: Start, judge: str | None) -> dict[str, Any]:
    return {
        "model": None,
        "methods": [vars(method) for method in methods],
        "start": {**vars(start), "classes": list(start.classes)},
        "judge": judge,
    }


@pytest.fixture(scope="module")
def weights(tiny: ex.Denoiser) -> dict[str, np.ndarray]:
    return {"weights": np.frombuffer(to_bytes(tiny), np.uint8)}


def test_the_job_sends_a_point_for_each_method(
    tiny: ex.Denoiser, classifier: Classifier, weights: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zoo, "load_classifier", {"judge": classifier}.__getitem__)
    methods, start = [Method("ddim", 2), Method("ddpm", 2)], Start(20, 0, (4,))
    events = list(measure_quality(spec(methods, start, "judge"), weights, lambda: False))
    points = {event.kind: event.data for event in events if event.kind != "progress"}
    assert list(points) == ["point-001", "point-002"]
    direct = [point for _, point in quality.quality(tiny, classifier, methods, start) if point]
    assert [points[kind]["frechet"] for kind in points] == [point.frechet for point in direct]
    assert events[-1].kind == "progress"
    assert events[-1].data == {"share": 1.0, "remaining": 0.0}


def test_the_job_stops_when_asked(
    classifier: Classifier, weights: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zoo, "load_classifier", {"judge": classifier}.__getitem__)
    asked = iter([False] * 4 + [True] * 1000)
    events = list(measure_quality(spec([Method("ddim", 50)], Start(10), "judge"), weights, lambda: next(asked)))
    assert not [event for event in events if event.kind != "progress"]
    assert next(asked)
    assert len(list(asked)) > 900


@pytest.fixture(scope="module")
def manager() -> Iterator[JobManager]:
    made = JobManager(TASKS, workers=1, threads=1)
    yield made
    made.close()


@pytest.mark.timeout(120)
def test_a_worker_walks_as_the_page_does(
    tiny: ex.Denoiser, weights: dict[str, np.ndarray], manager: JobManager
) -> None:
    method, start = Method("ddpm", 70, spacing="quadratic"), Start(2, 1, (3, 4), 1.5)
    job = manager.submit("someone", "measure_quality", spec([method], start, None), weights)
    with manager._changed:
        assert manager._changed.wait_for(lambda: job.finished, 60)
    assert job.state == "done", job.error
    walk, own = walk_of(job.latest["walk-0"]), walks.walk(tiny, method, start)
    assert walk.evaluations == own.evaluations == 140
    for name in ("step", "t", "x", "guess", "samples"):
        there, here = getattr(walk, name), getattr(own, name)
        assert there.dtype == here.dtype
        np.testing.assert_allclose(there, here, rtol=1e-2, atol=1e-2)
    assert job.latest["progress"].data["share"] == 1


def test_a_table_is_kept_beside_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "TABLES", tmp_path / "quality")
    assert quality.read_table("digits-8") is None
    table = QualityTable("python x.py", 100, 1.5, [Quality("ddim", 5, None, 100, 0.5, 1.25, 0.1, 10)])
    quality.write_table("digits-8", table)
    assert quality.read_table("digits-8") == table


def test_a_call_takes_time(tiny: ex.Denoiser) -> None:
    assert 0 < walks.call_seconds(tiny, 4) < 10
