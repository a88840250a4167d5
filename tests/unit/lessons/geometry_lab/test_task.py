"""The training task, run by real workers."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

import explorer as ex
from explorer.jobs import Job, JobManager
from explorer.lessons.geometry_lab.runs import Settings
from explorer.lessons.geometry_lab.task import SNAPSHOTS, _snapshot
from explorer.lessons.learning import CURVE_POINTS, STATE_VECTORS
from explorer.lessons.tasks import TASKS
from explorer.training import load_weights

SIZE = {"width": 32, "depth": 2}
STEPS = 800
pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def manager() -> Iterator[JobManager]:
    made = JobManager(TASKS, workers=1, threads=1)
    yield made
    made.close()


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    return {"points": ex.toy2d("moons", 5000, 0).numpy(), "fresh": ex.toy2d("moons", 1000, 1).numpy()}


def params(**config: Any) -> dict[str, Any]:
    return {
        "schedule": "flow",
        "prediction": "velocity",
        "seed": 0,
        "size": SIZE,
        "config": {"batch_size": 128, **config},
    }


def until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)
    return value


def finished(job: Job) -> Job:
    until(lambda: job.finished)
    return job


def resumed(job: Job, **config: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Params and arrays that go on from where a job stopped."""
    state = job.latest["state"]
    return params(**config) | state.data, state.arrays


def distance(vector: np.ndarray, fresh: np.ndarray) -> float:
    denoiser = ex.make_denoiser_2d(0, **SIZE)
    load_weights(denoiser, torch.tensor(vector))
    samples = ex.sample(denoiser, Settings.n, "heun", steps=Settings.steps, keep="last").samples
    return ex.sliced_wasserstein(samples, torch.tensor(fresh))


@pytest.fixture(scope="module")
def whole(manager: JobManager, arrays: dict[str, np.ndarray]) -> Job:
    """STEPS steps without an interruption."""
    return finished(manager.submit("whole", "train_2d", params(steps=STEPS), arrays))


def test_a_training_tells_how_it_goes_and_what_it_made(whole: Job, arrays: dict[str, np.ndarray]) -> None:
    assert (whole.state, whole.error) == ("done", None)
    latest = whole.latest
    assert set(latest) == {"progress", "state", *(f"snapshot-{k:02d}" for k in range(1, len(SNAPSHOTS) + 1))}

    progress, state = latest["progress"], latest["state"]
    assert progress.data["step"] == state.data["step"] == STEPS
    assert progress.data["share"] == 1
    assert progress.data["remaining"] == 0
    curve = progress.arrays["curve"]
    assert curve.dtype == np.float32
    assert 50 < len(curve) <= CURVE_POINTS
    assert (np.diff(curve[:, 0]) > 0).all()
    assert curve[-1, 1] < curve[0, 1]

    snapshots = [latest[f"snapshot-{k:02d}"] for k in range(1, len(SNAPSHOTS) + 1)]
    wanted = [max(STEPS * share, ex.TrainConfig(steps=1).warmup) for share in SNAPSHOTS]
    assert [event.data["step"] for event in snapshots] == pytest.approx(wanted, abs=1)
    assert snapshots[-1].data["distance"] < 0.5 * snapshots[0].data["distance"]
    last = snapshots[-1].arrays["averaged"]
    np.testing.assert_array_equal(last, state.arrays["averaged"])
    assert distance(last, arrays["fresh"]) == pytest.approx(snapshots[-1].data["distance"], rel=1e-4)


def test_a_training_in_a_worker_is_the_training_of_a_notebook(whole: Job, arrays: dict[str, np.ndarray]) -> None:
    denoiser = ex.make_denoiser_2d(0, **SIZE)
    for _ in ex.train(denoiser, torch.tensor(arrays["points"]), ex.TrainConfig(steps=STEPS, batch_size=128)):
        pass
    vector = torch.cat([parameter.detach().flatten() for parameter in denoiser.parameters()])
    np.testing.assert_allclose(vector, whole.latest["state"].arrays["averaged"], rtol=1e-4, atol=1e-5)


def test_stopping_keeps_everything_and_resuming_ends_where_the_whole_run_ends(
    manager: JobManager, whole: Job, arrays: dict[str, np.ndarray]
) -> None:
    first = manager.submit("stopped", "train_2d", params(steps=STEPS), arrays)
    until(lambda: "snapshot-03" in first.latest)
    first.stop()
    assert finished(first).state == "stopped"
    state = first.latest["state"]
    step = state.data["step"]
    assert 0 < step < STEPS
    assert first.latest["progress"].data["step"] == step
    newest = max((event for kind, event in first.latest.items() if kind[:4] == "snap"), key=lambda e: e.data["step"])
    assert newest.data["step"] == step
    np.testing.assert_array_equal(newest.arrays["averaged"], state.arrays["averaged"])

    again, vectors = resumed(first, steps=STEPS)
    second = finished(manager.submit("stopped", "train_2d", again, arrays | vectors))
    assert second.state == "done"
    assert second.latest["progress"].arrays["curve"][0, 0] > step
    for name in STATE_VECTORS:
        np.testing.assert_array_equal(second.latest["state"].arrays[name], whole.latest["state"].arrays[name])


def test_more_seconds_go_on_from_the_seconds_that_were_trained(
    manager: JobManager, arrays: dict[str, np.ndarray]
) -> None:
    first = finished(manager.submit("timed", "train_2d", params(max_seconds=0.3), arrays))
    before = first.latest["state"].data
    assert before["seconds"] >= 0.3
    again, vectors = resumed(first, max_seconds=before["seconds"] + 0.3)
    second = finished(manager.submit("timed", "train_2d", again, arrays | vectors))
    after = second.latest["state"].data
    assert after["step"] > before["step"]
    assert after["seconds"] >= before["seconds"] + 0.3
    steps = [event.data["step"] for kind, event in second.latest.items() if kind.startswith("snapshot")]
    assert min(steps) > before["step"]
    assert len(steps) < len(SNAPSHOTS)


def test_a_rate_that_diverges_ends_in_a_sentence(manager: JobManager, arrays: dict[str, np.ndarray]) -> None:
    job = finished(manager.submit("diverged", "train_2d", params(steps=STEPS, learning_rate=1e6), arrays))
    assert job.state == "failed"
    assert job.error is not None
    assert "Lower the learning rate" in job.error
    assert set(job.latest) == {"progress"}


@pytest.mark.parametrize("prediction", ["velocity", "x0"])
def test_a_run_that_diverges_late_leaves_nothing_that_is_worse(
    manager: JobManager, arrays: dict[str, np.ndarray], prediction: str
) -> None:
    calm = params(steps=STEPS) | {"prediction": prediction}
    first = finished(manager.submit("late", "train_2d", calm, arrays))
    reached = first.latest["snapshot-16"].data["distance"]
    wild, vectors = resumed(first, steps=2 * STEPS, learning_rate=1e6)
    job = finished(manager.submit("late", "train_2d", wild | {"prediction": prediction}, arrays | vectors))
    assert job.state == "failed"
    assert job.latest["progress"].data["step"] > STEPS
    left = [event.data["distance"] for kind, event in job.latest.items() if kind.startswith("snapshot")]
    assert all(distance < 1.5 * reached for distance in left)
    if state := job.latest.get("state"):
        assert np.isfinite(state.arrays["weights"]).all()


def test_weights_whose_samples_are_not_finite_are_kept_without_a_distance(arrays: dict[str, np.ndarray]) -> None:
    denoiser, fresh = ex.make_denoiser_2d(0, **SIZE), torch.tensor(arrays["fresh"])
    *_, event = ex.train(denoiser, torch.tensor(arrays["points"]), ex.TrainConfig(steps=1))
    state = event.state()
    assert _snapshot(1, event, state, denoiser, fresh).data["distance"] > 0
    state.averaged.fill_(3e38)
    snapshot = _snapshot(2, event, state, denoiser, fresh)
    assert snapshot.data["distance"] is None
    np.testing.assert_array_equal(snapshot.arrays["averaged"], state.averaged)


def test_a_worker_that_is_killed_leaves_what_it_sent(manager: JobManager, arrays: dict[str, np.ndarray]) -> None:
    job = manager.submit("killed", "train_2d", params(max_seconds=60), arrays)
    until(lambda: {"state", "snapshot-01"} <= set(job.latest))
    assert job._worker is not None
    job._worker.kill()
    assert finished(job).state == "failed"
    assert job.error is not None
    assert "What it had sent last is kept" in job.error
    step = job.latest["state"].data["step"]
    again, vectors = resumed(job, steps=step + 20)
    second = finished(manager.submit("killed", "train_2d", again, arrays | vectors))
    assert second.state == "done"
    assert second.latest["state"].data["step"] == step + 20
