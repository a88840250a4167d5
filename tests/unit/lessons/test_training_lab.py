"""The task of the Training lab on tiny networks, and the record that it fills."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import explorer as ex
from explorer.data.images import load_dataset
from explorer.dataset import ImageDataset
from explorer.jobs import Event, JobError
from explorer.lessons.learning import STATE_VECTORS
from explorer.lessons.training_lab import MOMENTS, Judge, real_images, train_images
from explorer.lessons.trainings.plan import MOST_WEIGHTS, OWN, PRESETS, Plan, first_of_each_class
from explorer.lessons.trainings.record import FILM, SAMPLES, Training, from_json, recorded, to_bytes_grid, to_json

STEPS = 60
TINY = Plan(take=60, width=8, batch_size=20, epochs=20, ema_decay=0.9)  # 60 steps
Latest = dict[str, Event]


def events(
    plan: Plan,
    arrays: dict[str, np.ndarray] | None = None,
    stop: Callable[[], bool] = lambda: False,
    **params: Any,
) -> Iterator[Event]:
    return train_images({"plan": asdict(plan), **params}, arrays or {}, stop)


def latest(*args: Any, **kwargs: Any) -> Latest:
    return {event.kind: event for event in events(*args, **kwargs)}


def training(found: Latest, plan: Plan = TINY) -> Training:
    made = Training("run", "A run", plan)
    made.take(found)
    return made


@pytest.fixture(scope="module")
def whole() -> list[Event]:
    """A run without an interruption."""
    return list(events(TINY))


@pytest.fixture(scope="module")
def record(whole: list[Event]) -> Training:
    return training({event.kind: event for event in whole})


def test_the_events_of_a_run(whole: list[Event], record: Training) -> None:
    kinds = [event.kind for event in whole]
    assert kinds[0] == "data"
    assert kinds[-1] == "result"
    grids = [kind for kind in kinds if kind.startswith("grid-")]
    assert grids == sorted(grids)
    assert {f"grid-{MOMENTS.index(share) + 1:02d}" for share in FILM} <= set(grids)

    data = whole[0]
    assert (data.data["images"], data.data["shape"]) == (60, (1, 8, 8))
    assert data.arrays["real"].shape == (SAMPLES, 1, 8, 8)
    progress = next(event for event in reversed(whole) if event.kind == "progress")
    assert (progress.data["step"], progress.data["epoch"], progress.data["share"]) == (STEPS, 20, 1)
    assert progress.data["remaining"] == 0
    assert progress.data["images_per_second"] > 0
    curve = progress.arrays["curve"]
    assert curve.shape == (STEPS, 3)
    assert curve[-1, 1] < curve[0, 1]
    assert record.state is not None
    assert record.state[0]["step"] == STEPS
    assert [step for _, step in record.film] == [1, 15, 30, 60]
    json.dumps([event.data for event in whole])


def test_the_losses_are_those_of_training(whole: list[Event], record: Training) -> None:
    """On the same scale as the loss of a step, by noise level and as a whole."""
    assert record.validation[0, 1] == pytest.approx(record.curve[0, 2], rel=0.25)
    assert record.validation[-1, 2] == pytest.approx(record.curve[-10:, 2].mean(), rel=0.25)
    assert record.levels.shape == (12, 3)
    assert (np.diff(record.levels[:, 0]) < 0).all()
    np.testing.assert_allclose(record.levels[:, 1:].mean(0), record.validation[-1, 1:], rtol=1e-4)


def test_every_grid_is_of_the_same_noise_and_classes(record: Training) -> None:
    condition = torch.arange(SAMPLES) % 10
    for step in (record.film[0][1], record.film[-1][1]):
        assert step
        denoiser = record.denoiser_at(step)
        samples = ex.sample(denoiser, SAMPLES, "dpmpp_2m", 10, 0, condition, guidance_scale=1.5).samples
        shown = record.moments[step].samples.astype(int)
        assert np.abs(to_bytes_grid(samples.numpy()).astype(int) - shown).max() <= 2  # weights were kept as float16
    assert (record.moments[1].samples != record.moments[STEPS].samples).any()


def test_the_run_is_that_of_a_notebook(record: Training) -> None:
    images = first_of_each_class(load_dataset("digits-8").split()[0], 60)
    denoiser = TINY.denoiser((1, 8, 8), 10)
    for _ in ex.train(denoiser, images, TINY.config(60)):
        pass
    assert record.state
    np.testing.assert_array_equal(record.state[1]["averaged"], ex.training.weights_of(denoiser))


def test_stopping_hands_over_and_resuming_ends_where_the_whole_run_ends(record: Training) -> None:
    seen: Latest = {}
    for event in events(TINY, stop=lambda: "grid-08" in seen):
        seen[event.kind] = event
    assert "result" not in seen
    state = seen["state"]
    step = state.data["step"]
    assert 0 < step < STEPS
    stopped = training(seen)
    assert (stopped.progress["step"], max(stopped.moments), max(stopped.kept_steps)) == (step, step, step)

    rest = latest(TINY, state.arrays, **state.data)
    assert record.state
    for name in STATE_VECTORS:
        np.testing.assert_array_equal(rest["state"].arrays[name], record.state[1][name])
    before = list(stopped.moments)
    stopped.take(rest, step)
    assert set(before) < set(stopped.moments)
    assert (np.diff(stopped.curve[:, 0]) > 0).all()
    assert (np.diff(stopped.validation[:, 0]) > 0).all()
    np.testing.assert_allclose(stopped.curve[:, [0, 2]], record.curve[:, [0, 2]], rtol=1e-6)
    np.testing.assert_array_equal(stopped.moments[STEPS].samples, record.moments[STEPS].samples)


def test_a_run_goes_on_for_as_long_again(record: Training) -> None:
    assert record.state
    about, vectors = record.state
    longer = TINY.longer()
    assert (longer.epochs, longer.seconds) == (40, None)
    rest = latest(longer, vectors, **about)
    assert rest["progress"].data["step"] == 2 * STEPS


def test_seconds_end_a_run() -> None:
    found = latest(replace(TINY, epochs=None, seconds=1))
    assert 1 <= found["progress"].data["seconds"] < 3
    made = training(found, replace(TINY, epochs=None, seconds=1))
    assert all(step for _, step in made.film)


def test_a_rate_that_diverges_ends_in_a_sentence_and_leaves_what_was_good() -> None:
    seen: Latest = {}
    with pytest.raises(JobError, match="Lower the learning rate"):
        for event in events(replace(TINY, learning_rate=1e25)):
            seen[event.kind] = event
    made = training(seen, TINY)
    assert made.diverged
    assert not made.state
    assert "result" not in seen
    json.dumps(seen["progress"].data, allow_nan=False)


def test_a_missing_data_set_ends_in_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DIFFUSION_EXPLORER_DATA", str(tmp_path))
    with pytest.raises(JobError, match="download it"):
        list(events(replace(TINY, dataset="mnist-28")))


@pytest.mark.parametrize("count", [3, 30])
@pytest.mark.parametrize("labelled", [False, True])
def test_own_images_train_even_where_they_are_fewer_than_a_batch(count: int, labelled: bool) -> None:
    images = np.random.default_rng(0).integers(0, 256, (count, 1, 12, 12), np.uint8)
    arrays = {"images": images} | ({"labels": np.arange(count) % 3} if labelled else {})
    plan = Plan(OWN, width=8, batch_size=64, epochs=30)
    found = latest(plan, arrays, classes=["a", "b", "c"])
    assert found["data"].data["images"] == count - count // 5
    assert len(found["data"].data["classes"]) == 3 * labelled
    assert "accuracy" not in found["result"].data
    assert ("copies" in found["result"].data) == (count > 4)
    made = training(found, plan)
    assert np.isfinite(made.validation[:, 2]).all()
    assert np.isfinite(made.validation[:, 1]).all() == (count > 4)
    assert ("held_out_loss" in made.result) == (count > 4)
    json.dumps([event.data for event in found.values()], allow_nan=False)
    assert from_json(to_json(made).encode()).real is not None


def test_memorising_is_told_from_generalising(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, unseen = load_dataset("digits-8").split()
    judge = Judge(TINY.denoiser((1, 8, 8), 10), seen, unseen, 10)
    averaged = ex.training.weights_of(judge.denoiser)

    def told(samples: torch.Tensor) -> dict[str, Any]:
        monkeypatch.setattr(judge, "samples", lambda *_, **__: samples)
        return judge.result(replace(TINY, dataset=OWN), averaged)

    copied, fresh = told(first_of_each_class(seen, 200).images), told(unseen.images[:200])
    assert (copied["copies"], copied["distance"]) == (1, 0)
    assert fresh["copies"] == 0
    assert fresh["distance"] == pytest.approx(fresh["held_out_distance"])
    assert fresh["distance"] > 0.1

    samples = unseen.images[:200].clone()
    samples[17, 0, 3, 3] = torch.nan
    blown_up = told(samples)
    assert blown_up.pop("blew_up") == 1
    assert set(blown_up) == {"training_loss", "held_out_loss"}
    averaged.fill_(3e38)
    assert told(samples) == {"blew_up": 1}


def test_samples_that_are_no_numbers_are_shown_black_and_measured_as_such() -> None:
    seen, unseen = load_dataset("digits-8").split()
    judge = Judge(TINY.denoiser((1, 8, 8), 10), seen, unseen, 10)
    averaged = torch.full_like(ex.training.weights_of(judge.denoiser), 3e38)
    assert not judge.samples(averaged).isfinite().any()
    assert to_bytes_grid(judge.samples(averaged).numpy()).max() == 0
    assert judge.result(TINY, averaged) == {"blew_up": 1}


def test_the_first_images_are_of_each_class_in_turn() -> None:
    images, _ = load_dataset("digits-8").split()
    few = first_of_each_class(images, 20)
    assert few.labels is not None
    assert few.labels.bincount().tolist() == [2] * 10
    assert len(first_of_each_class(images, 0)) == len(first_of_each_class(images, 10**6)) == len(images)
    real = real_images(few, 10)
    assert torch.equal(real.flatten(1).unique(dim=0), few.images.flatten(1).unique(dim=0))
    assert len(first_of_each_class(ImageDataset(OWN, images.images), 7)) == 7


@pytest.mark.parametrize(
    ("side", "widths", "patch"),
    [(8, [8, 16], 2), (16, [8, 16], 2), (28, [8, 16, 32], 2), (27, [8, 16, 32], 1), (64, [8, 16, 32], 2)],
)
def test_larger_images_get_a_deeper_network(side: int, widths: list[int], patch: int) -> None:
    plan = Plan(width=8)
    assert (plan.size((1, side, side))["widths"], plan.size((1, side, side))["patch"]) == (widths, patch)
    denoiser = plan.denoiser((1, side, side), None)
    assert ex.sample(denoiser, 1, "ddim", 1, keep="last").samples.shape == (1, 1, side, side)


def test_the_largest_network_fits_into_a_message_and_a_file() -> None:
    from explorer.jobs.events import MAX_MESSAGE_BYTES
    from explorer.zoo import LARGEST_FILE

    assert 4 * 4 * MOST_WEIGHTS < MAX_MESSAGE_BYTES
    assert 4 * MOST_WEIGHTS < LARGEST_FILE


def test_epochs_are_passes_over_the_images() -> None:
    assert Plan(epochs=100, batch_size=128).steps(1438) == 1124
    assert Plan(epochs=1, batch_size=512).steps(20) == 1
    assert Plan(epochs=None, seconds=3).steps(20) is None
    assert Plan(epochs=None, seconds=3).config(20).max_seconds == 3


# The history as a file


MOMENT = json.loads(to_json(recorded("digits")))["moments"]["12"]


def test_a_history_comes_back_as_it_was(record: Training) -> None:
    content = to_json(record)
    back = from_json(content.encode())
    assert to_json(back) == content
    assert (back.plan, back.classes, back.result) == (record.plan, record.classes, record.result)
    assert not back.kept_steps
    for step, moment in record.moments.items():
        np.testing.assert_array_equal(back.moments[step].samples, moment.samples)
    np.testing.assert_allclose(back.curve, record.curve, rtol=1e-4)
    assert from_json(json.dumps(json.loads(content) | {"moments": {"1": MOMENT}}).encode()).moments.keys() == {1}


def test_a_history_of_one_result_is_read_too(record: Training) -> None:
    """Files were written so before a run could have several ends."""
    about = json.loads(to_json(record))
    (about["result"],) = about.pop("results").values()
    assert from_json(json.dumps(about).encode()).results == record.results


@pytest.mark.parametrize(
    "change",
    [
        {"explorer": "other"},
        {"shape": [1, 8, 9]},
        {"shape": [1, 10**6, 10**6]},
        {"shape": [1, -8, -8]},
        {"plan": {"width": "24"}},
        {"plan": {"nothing": 1}},
        {"plan": {"epochs": None}},
        {"plan": {"epochs": 0}},
        {"plan": {"batch_size": 0}},
        {"curve": [[1, 2]]},
        {"curve": [["a", 1, 2]]},
        {"curve": [[1, 2, 3]] * 5000},
        {"moments": {"x": {}}},
        {"moments": {"1": {"epoch": 1, "seconds": 1, "loss": 1, "validation": None, "samples": "AAAA"}}},
        {"real": "§"},
        {"name": 3},
        {"name": "\ud800"},
        {"name": "two\nlines"},
        {"classes": 3},
        {"classes": ["\ud800"]},
        {"shape": [2, 8, 8]},
        {"progress": {"share": 1}},
        {"results": 3},
        {"results": {"x": {"accuracy": 1}}},
        {"results": {"1": {"accuracy": 1e300}}},
        {"images": None},
        {"images": 10**400},  # found by scripts/fuzz.py: its epochs could not be counted in steps
        {"images": -1},
        {"moments": {"-1": MOMENT}},
        {"moments": {"9" * 30: MOMENT}},
        {"moments": {"1": MOMENT | {"epoch": 1e300}}},
        {"moments": {"1": MOMENT | {"loss": "1"}}},
    ],
)
def test_another_file_is_refused_in_a_sentence(record: Training, change: dict[str, Any]) -> None:
    content = json.dumps(json.loads(to_json(record)) | change).encode()
    with pytest.raises(ValueError, match="This is not a history that the Training lab saved"):
        from_json(content)


@pytest.mark.parametrize("name", ["Run 1: 👩\u200d🔬", "a\u00a0b", "Chats\u202f2", "Ärger, naïve 数字"])
def test_names_that_people_have_are_read_back(name: str) -> None:
    back = from_json(to_json(Training("run", name, Plan(), classes=(name, "b"))).encode())
    assert (back.name, back.classes) == (name, (name, "b"))


def test_a_run_that_was_resumed_often_is_read_back() -> None:
    run = Training("run", "Run", Plan())
    for part in range(12):
        curve = np.arange(400, dtype=np.float32)[:, None] + [400.0 * part, 0, 0]
        data = dict.fromkeys(("step", "epoch", "seconds", "share", "loss"), 0.0)
        run.take({"progress": Event("progress", data, {"curve": curve, "validation": np.zeros((0, 3), np.float32)})})
    back = from_json(to_json(run).encode())
    assert (back.curve[0, 0], back.curve[-1, 0]) == (0, 4799)
    assert np.all(np.diff(back.curve[:, 0]) > 0)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode) | st.just(b"[" * 100_000))
def test_garbage_is_refused_in_a_sentence(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"[A-Z].*\."):
        from_json(content)


def test_a_large_file_is_refused() -> None:
    with pytest.raises(ValueError, match="larger than"):
        from_json(b" " * (5 * 2**20))


# The records that ship


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_has_a_record_of_its_own_plan(name: str) -> None:
    shown = recorded(name)
    assert shown.plan == PRESETS[name].plan
    assert shown.progress["share"] == 1 or shown.diverged
    assert len(shown.moments) >= 8
    assert [step for _, step in shown.film if step]
    assert len(shown.curve) > 100


def test_the_record_of_the_first_preset_is_as_good_as_the_page_says() -> None:
    shown = recorded("digits")
    assert shown.images == 1438
    assert shown.result["accuracy"] >= 0.9
    assert shown.curve[-1, 1] < 0.4 * shown.curve[0, 1]


def test_the_record_without_an_average_is_worse_though_it_made_the_same_steps() -> None:
    without, averaged = recorded("no-ema"), recorded("ema")
    assert without.progress["loss"] == averaged.progress["loss"]
    assert without.result["held_out_loss"] > 1.05 * averaged.result["held_out_loss"]
    assert 1 - without.result["accuracy"] >= 1.5 * (1 - averaged.result["accuracy"])


def test_the_record_of_twenty_images_has_learned_them_by_heart() -> None:
    shown = recorded("memorise")
    assert shown.result["copies"] == 1
    assert shown.result["distance"] < 0.3 * shown.result["held_out_distance"]
    assert shown.validation[-1, 1] > 1.3 * shown.validation[:, 1].min()
