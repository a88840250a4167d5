"""The training loop learns, resumes to the bit, ends when told, and survives what breaks it."""

import copy
import gc
import math
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from explorer import training
from explorer.data.toy2d import toy2d
from explorer.dataset import ImageDataset
from explorer.denoiser import PREDICTIONS, Denoiser, ideal_denoiser
from explorer.metrics import sliced_wasserstein
from explorer.networks.blocks import build
from explorer.networks.mlp import make_denoiser_2d
from explorer.networks.unet import make_image_denoiser
from explorer.samplers import sample
from explorer.schedules import make_schedule, schedule_names
from explorer.training import Diverged, TrainConfig, TrainEvent, TrainState, load_weights, train, weights_of
from tests.unit.noisy_threads import others_drawing_random_numbers
from tests.unit.test_modes import MODES

POINTS = toy2d("swiss_roll", n=2000, seed=0)


def small(seed: int = 0, **options: Any) -> Denoiser:
    return make_denoiser_2d(seed=seed, width=16, features=8, **options)


def weights(denoiser: Denoiser) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in denoiser.parameters()])


def run(denoiser: Denoiser, data: Any = POINTS, state: TrainState | None = None, **config: Any) -> list[TrainEvent]:
    return list(train(denoiser, data, TrainConfig(**{"batch_size": 64, **config}), state))


def owns_its_memory(denoiser: Denoiser) -> bool:
    """Whether each parameter has memory of its own, no larger than it needs."""
    return all(
        parameter.untyped_storage().nbytes() == parameter.numel() * parameter.element_size()
        for parameter in denoiser.parameters()
    )


@pytest.fixture(scope="module")
def fresh_sets() -> tuple[list[Tensor], float]:
    """Five sets of 4,000 points that no model saw, and the floor: the median distance to five others."""
    sets = [toy2d("swiss_roll", n=4000, seed=seed) for seed in range(10, 20)]
    return sets[:5], median(map(sliced_wasserstein, sets[:5], sets[5:]))


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_the_five_predictions_train_alike(prediction: str, fresh_sets: tuple[list[Tensor], float]) -> None:
    fresh, floor = fresh_sets
    denoiser = make_denoiser_2d(seed=0, schedule="cosine", prediction=prediction)
    data = toy2d("swiss_roll", n=20_000, seed=1)
    run(denoiser, data, steps=800, batch_size=256)
    samples = [sample(denoiser, 4000, "heun", 20, seed, keep="last").samples for seed in range(5)]
    assert median(map(sliced_wasserstein, samples, fresh)) < 2 * floor


@pytest.mark.parametrize("schedule", schedule_names())
def test_training_lowers_the_loss_on_every_schedule(schedule: str) -> None:
    three = torch.tensor([[1.0, 1.0], [-1.0, 0.5], [0.0, -1.2]])
    losses = [event.loss for event in run(small(schedule=schedule), three, steps=150, batch_size=256)]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


@pytest.mark.parametrize("prediction", ["v", "velocity"])
def test_a_network_that_says_nothing_has_a_loss_of_one(prediction: str) -> None:
    class Silent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.loudness = nn.Parameter(torch.zeros(1))

        def forward(self, x: Tensor, log_snr: Tensor, condition: Any = None) -> Tensor:
            return self.loudness * x

    denoiser = Denoiser(Silent(), make_schedule("cosine"), prediction)
    assert run(denoiser, steps=1, batch_size=4096)[0].loss == pytest.approx(1, abs=0.05)


def test_the_optimiser_is_torchs_adam() -> None:
    config = TrainConfig(steps=30, batch_size=64, learning_rate=0.01, warmup=5)
    ours, theirs = small(), small()
    events = list(train(ours, POINTS, config))
    adam = torch.optim.Adam(theirs.parameters(), betas=training.ADAM_BETAS)
    batches = training._batches(theirs, POINTS, None, config, 0)
    for step, (x_in, target, log_snr, weight, _) in zip(range(30), batches, strict=False):
        loss = (weight[:, None] * (theirs.network(x_in, log_snr) - target) ** 2).mean()
        assert events[step].loss == pytest.approx(loss.item(), rel=1e-3)
        adam.param_groups[0]["lr"] = 0.01 * min(1, (step + 1) / 5) * (1 + math.cos(math.pi * step / 30)) / 2
        adam.zero_grad()
        loss.backward()
        adam.step()
    torch.testing.assert_close(events[-1].state().weights, weights(theirs), rtol=1e-3, atol=1e-4)


@given(st.integers(1, 4), st.integers(2, 24), st.integers(0, 40), st.floats(-20, 20), st.integers(0, 2**31))
def test_orthogonalising_moves_singular_values_alone(k: int, rows: int, more: int, size: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    matrices = torch.randn(k, rows, rows + more, generator=generator) * 2.0**size
    done = training.orthogonalised(matrices)
    u, _, v = torch.linalg.svd(matrices.double(), full_matrices=False)
    turned = u.mT @ done.double() @ v.mT
    values = turned.diagonal(dim1=1, dim2=2)
    assert (turned - torch.diag_embed(values)).abs().max() < 1e-3
    relative = torch.linalg.svdvals(matrices) / matrices.norm(dim=(1, 2))[:, None]
    assert ((values[relative > 0.01] > 0.65) & (values[relative > 0.01] < 1.25)).all()


def test_orthogonalising_nothing_gives_nothing() -> None:
    assert torch.equal(training.orthogonalised(torch.zeros(2, 8, 72)), torch.zeros(2, 8, 72))


def test_muon_is_torchs_for_the_kernels_within_and_adam_for_the_rest() -> None:
    config = TrainConfig(steps=5, batch_size=16, learning_rate=0.01, warmup=1, optimizer="muon")
    images = torch.randn(64, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    ours, theirs = (make_image_denoiser((3, 8, 8), widths=(8, 16)) for _ in range(2))
    before = weights(ours)
    *_, last = train(ours, images, config)

    inner = [parameter for parameter in theirs.parameters() if parameter.ndim == 4][1:-1]
    outer = [parameter for parameter in theirs.parameters() if all(parameter is not one for one in inner)]
    assert sum(map(torch.numel, inner)) > sum(map(torch.numel, outer)) > 0
    matrices = [nn.Parameter(kernel.detach().flatten(1).clone()) for kernel in inner]
    adam = torch.optim.Adam(outer, betas=training.ADAM_BETAS)
    muon = torch.optim.Muon(matrices, weight_decay=0, momentum=0.9, nesterov=False, adjust_lr_fn="match_rms_adamw")
    batches = training._batches(theirs, images, None, config, 0)
    for step, (x_in, target, log_snr, weight, _) in zip(range(5), batches, strict=False):
        theirs.zero_grad()
        (weight[:, None, None, None] * (theirs.network(x_in, log_snr) - target) ** 2).mean().backward()
        for optimizer in (adam, muon):
            optimizer.param_groups[0]["lr"] = 0.01 * (1 + math.cos(math.pi * step / 5)) / 2
        for kernel, matrix in zip(inner, matrices, strict=True):
            assert kernel.grad is not None
            matrix.grad = kernel.grad.flatten(1)
        adam.step()
        muon.step()
        for kernel, matrix in zip(inner, matrices, strict=True):
            kernel.data.copy_(matrix.detach().view_as(kernel))
    load_weights(ours, last.state().weights)
    apart = (weights(ours) - weights(theirs)).norm() / (weights(theirs) - before).norm()
    assert apart < 0.02  # torch orthogonalises in bfloat16


def test_each_step_is_an_event() -> None:
    events = run(small(), steps=12)
    assert [event.step for event in events] == list(range(1, 13))
    assert all(math.isfinite(event.loss) for event in events)
    seconds = [event.seconds for event in events]
    assert seconds == sorted(seconds)
    assert run(small(), steps=0) == []
    assert run(small(), max_seconds=0) == []


@pytest.mark.parametrize("stop", [1, 7, 63, 64, 65])
def test_a_resumed_run_is_the_uninterrupted_one_to_the_bit(stop: int) -> None:
    config = TrainConfig(steps=90, batch_size=32)
    whole, half, rest = small(), small(), small()
    events = list(train(whole, POINTS, config))
    running = train(half, POINTS, config)
    for event in running:
        if event.step == stop:
            state = event.state()
            running.close()
    load_weights(rest, torch.zeros_like(state.weights))
    kept = copy.deepcopy(state)
    resumed = list(train(rest, POINTS, config, state))
    assert [event.step for event in resumed] == list(range(stop + 1, 91))
    assert [event.loss for event in resumed] == [event.loss for event in events[stop:]]
    assert torch.equal(weights(rest), weights(whole))
    for name in ("weights", "averaged", "first_moment", "second_moment"):
        assert torch.equal(getattr(resumed[-1].state(), name), getattr(events[-1].state(), name))
        assert torch.equal(getattr(state, name), getattr(kept, name)), "resuming must not change the state given"


def test_a_state_is_a_copy() -> None:
    running = train(small(), POINTS, TrainConfig(steps=20, batch_size=32))
    state = next(running).state()
    before = state.weights.clone()
    for _ in running:
        pass
    assert torch.equal(state.weights, before)
    assert (state.step, state.seconds > 0) == (1, True)


def test_raw_weights_while_running_averaged_ones_once_closed() -> None:
    denoiser = small()
    running = train(denoiser, POINTS, TrainConfig(steps=100, batch_size=32, ema_decay=0.9))
    states = []
    for event in running:
        states.append(event.state())
        assert torch.equal(weights(denoiser), states[-1].weights)
        if event.step == 25:
            running.close()
    assert torch.equal(weights(denoiser), states[-1].averaged)
    average = weights(small())
    for k, state in enumerate(states):
        average = average.lerp(state.weights, 1 - min(0.9, (k + 1) / (k + 10)))
    torch.testing.assert_close(states[-1].averaged, average)


def test_the_last_step_counts() -> None:
    denoiser = small()
    before = weights(denoiser)
    (event,) = train(denoiser, POINTS, TrainConfig(steps=1, batch_size=32))
    assert torch.equal(weights(denoiser), event.state().averaged)
    torch.testing.assert_close(weights(denoiser) - before, 0.9 * (event.state().weights - before))
    assert not torch.equal(weights(denoiser), before)


@pytest.mark.parametrize("stop", [1, 17, 30])
def test_without_an_average_a_run_ends_with_the_raw_weights(stop: int) -> None:
    denoiser = small()
    for event in train(denoiser, POINTS, TrainConfig(steps=30, batch_size=32, ema_decay=0)):
        if event.step == stop:
            break
    assert torch.equal(weights(denoiser), event.state().weights)
    assert torch.equal(event.state().averaged, event.state().weights)


def test_a_rate_that_does_not_fall_knows_no_end() -> None:
    after = []
    for steps in (12, 500):
        denoiser = small()
        for event in train(denoiser, POINTS, TrainConfig(steps=steps, batch_size=32, warmup=3, decay=False)):
            if event.step == 12:
                break
        after.append(event.state().weights)
    assert torch.equal(*after)


def test_a_generator_that_is_dropped_leaves_the_averaged_weights() -> None:
    denoiser = small()
    running = train(denoiser, POINTS, TrainConfig(steps=100, batch_size=32))
    state = [next(running).state() for _ in range(9)][-1]
    del running
    assert torch.equal(weights(denoiser), state.averaged)
    assert not torch.equal(state.averaged, state.weights)


@pytest.mark.parametrize("learning_rate", [1e10, 1e30])
def test_a_run_that_diverges_says_so_and_keeps_the_last_good_weights(learning_rate: float) -> None:
    denoiser = small()
    averages = [weights(denoiser)]
    with pytest.raises(Diverged, match="stopped being a finite number at step [0-9]+. Lower the learning rate"):
        for event in train(denoiser, POINTS, TrainConfig(steps=500, batch_size=64, learning_rate=learning_rate)):
            assert math.isfinite(event.loss)
            averages.append(event.state().averaged)
    assert len(averages) == 2
    assert torch.equal(weights(denoiser), averages[-2]), "the last step is the one that blew up"
    assert weights(denoiser).isfinite().all()
    assert sample(denoiser, 4, steps=3).samples.isfinite().all()
    assert math.isfinite(run(denoiser, steps=20)[-1].loss)


def test_a_run_that_was_good_for_a_while_keeps_what_it_learnt() -> None:
    class Explodes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.calls = small().network, 0

        def forward(self, x: Tensor, log_snr: Tensor, condition: Any = None) -> Tensor:
            self.calls += 1
            return self.inner(x, log_snr) * (math.inf if self.calls > 40 else 1)

    denoiser = Denoiser(Explodes(), make_schedule("flow"))
    states = []
    with pytest.raises(Diverged, match="step 41"):
        for event in train(denoiser, POINTS, TrainConfig(steps=500, batch_size=64)):
            states.append(event.state())
    assert torch.equal(weights(denoiser), states[-2].averaged), "the last step is the one that blew up"
    assert states[-1].step == 40


def test_max_seconds_ends_a_run() -> None:
    events = run(small(), max_seconds=0.2)
    assert events[-1].seconds >= 0.2
    assert all(event.seconds < 0.2 for event in events[:-1])
    assert len(run(small(), max_seconds=0.05, steps=10**9)) >= 1
    assert len(run(small(), max_seconds=1e6, steps=3)) == 3


def test_time_that_the_caller_spends_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 0.01
        return now

    monkeypatch.setattr(training.time, "perf_counter", clock)
    count = 0
    for _ in train(small(), POINTS, TrainConfig(max_seconds=0.095, batch_size=16)):
        now += 1000
        count += 1
    assert count == 10


def test_progress_follows_the_nearer_limit() -> None:
    config = TrainConfig(steps=100, max_seconds=10)
    assert config.progress(50, 1) == 0.5
    assert config.progress(50, 9) == pytest.approx(0.9)
    assert config.progress(101, 0) == 1
    assert config.progress(0, 11) == 1
    assert TrainConfig(max_seconds=10).progress(10**9, 5) == 0.5
    assert TrainConfig(steps=4).progress(1, 1e9) == 0.25


def test_one_seed_gives_one_result_while_others_draw() -> None:
    def everything() -> tuple[list[float], Tensor]:
        denoiser = small(seed=3, schedule="edm")
        return [event.loss for event in run(denoiser, steps=40, seed=7)], weights(denoiser)

    quiet_losses, quiet = everything()
    with others_drawing_random_numbers():
        noisy_losses, noisy = everything()
    assert noisy_losses == quiet_losses
    assert torch.equal(noisy, quiet)


def test_seeds_decide_weights_and_batches() -> None:
    assert not torch.equal(weights(small(0)), weights(small(1)))
    losses = [[event.loss for event in run(small(0), steps=3, seed=seed)] for seed in (0, 1)]
    assert losses[0] != losses[1]


def test_build_fills_every_weight_as_torch_does_or_refuses() -> None:
    layers = build(lambda: nn.Sequential(nn.Linear(9, 4000), nn.Conv2d(4, 2000, 3)), seed=0)
    for layer, fan_in in zip(layers, (9, 36), strict=True):
        for parameter in map(Tensor.detach, layer.parameters()):
            assert float(parameter.abs().max()) == pytest.approx(1 / math.sqrt(fan_in), rel=0.01)
            assert float(parameter.std()) == pytest.approx(1 / math.sqrt(3 * fan_in), rel=0.05)
    norm = build(lambda: nn.GroupNorm(1, 4), seed=0)
    assert (norm.weight == 1).all()
    assert (norm.bias == 0).all()
    for make in (lambda: nn.Embedding(3, 4), lambda: nn.BatchNorm2d(4), lambda: nn.MultiheadAttention(4, 2)):
        with pytest.raises(TypeError, match="build does not know how to fill"):
            build(make, seed=0)


def test_the_global_generator_is_never_touched() -> None:
    before = torch.get_rng_state()
    run(small(seed=4), steps=5)
    assert torch.equal(torch.get_rng_state(), before)


class ByClass(nn.Module):
    """Answers with a multiple of its condition, a number, and with one weight to the null condition."""

    def __init__(self) -> None:
        super().__init__()
        self.on_class, self.null = (nn.Parameter(torch.zeros(1)) for _ in range(2))
        self.asked: list[Tensor | None] = []

    def forward(self, x: Tensor, log_snr: Tensor, condition: Any = None) -> Tensor:
        self.asked.append(condition)
        return self.null.expand_as(x) if condition is None else self.on_class * condition[:, None]


def test_each_sample_is_trained_with_its_own_condition() -> None:
    condition = torch.arange(400) % 5
    denoiser = Denoiser(ByClass(), make_schedule("cosine"), "x0", shape=(1,))
    run(denoiser, (3.0 * condition[:, None], condition), steps=500, learning_rate=0.1, condition_dropout=0.3)
    network = denoiser.network
    assert float(network.on_class.detach()) == pytest.approx(3, abs=1e-3)
    assert float(network.null.detach()) == pytest.approx(6, abs=0.5)  # the mean over the classes
    dropped = [asked is None for asked in network.asked]
    assert 0.22 < sum(dropped) / len(dropped) < 0.38


@pytest.mark.parametrize(("share", "expected"), [(0.0, {False}), (1.0, {True})])
def test_condition_dropout_runs_from_never_to_always(share: float, expected: set[bool]) -> None:
    denoiser = Denoiser(ByClass(), make_schedule("flow"), "x0", shape=(1,))
    run(denoiser, (torch.zeros(9, 1), torch.zeros(9)), steps=30, condition_dropout=share)
    assert {asked is None for asked in denoiser.network.asked} == expected


class Levels(ByClass):
    """Remembers the noise levels that it was trained on."""

    def forward(self, x: Tensor, log_snr: Tensor, condition: Any = None) -> Tensor:
        self.asked.append(log_snr)
        return super().forward(x, log_snr)


def test_a_wanted_log_snr_is_what_is_trained_on() -> None:
    denoiser = Denoiser(Levels(), make_schedule("cosine"), "v", shape=(1,))
    run(denoiser, torch.randn(50, 1), steps=20, batch_size=100, log_snr=(-1.0, 0.5))
    levels = torch.cat([asked for asked in denoiser.network.asked if asked is not None])
    assert len(levels) == 2000
    assert float(levels.mean()) == pytest.approx(-1, abs=0.05)
    assert float(levels.std()) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("schedule", schedule_names())
def test_images_train_too(schedule: str) -> None:
    class Pixelwise(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.zeros(1, 4, 6))

        def forward(self, x: Tensor, log_snr: Tensor, condition: Any = None) -> Tensor:
            return self.scale * x

    denoiser = Denoiser(Pixelwise(), make_schedule(schedule), "epsilon", shape=(1, 4, 6))
    pictures = torch.randint(0, 2, (30, 1, 4, 6), generator=torch.Generator().manual_seed(0))
    assert math.isfinite(run(denoiser, pictures.to(torch.uint8), steps=20)[-1].loss)
    assert (weights(denoiser) > 0).all()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": None}, "must know when to end"),
        ({"steps": -1}, "finite and not negative"),
        ({"max_seconds": -0.5}, "finite and not negative"),
        ({"max_seconds": math.nan}, "finite and not negative"),
        ({"max_seconds": math.inf}, "finite and not negative"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate must be a positive number"),
        ({"learning_rate": -1.0}, "learning_rate must be a positive number"),
        ({"learning_rate": math.nan}, "learning_rate must be a positive number"),
        ({"learning_rate": math.inf}, "learning_rate must be a positive number"),
        ({"learning_rate": 1e300}, "learning_rate must be a positive number"),
        ({"ema_decay": 1.0}, "ema_decay must lie in"),
        ({"ema_decay": -0.1}, "ema_decay must lie in"),
        ({"ema_decay": math.nan}, "ema_decay must lie in"),
        ({"condition_dropout": 1.5}, "condition_dropout must lie in"),
        ({"condition_dropout": math.nan}, "condition_dropout must lie in"),
        ({"batch_size": 1.5}, "batch_size must be a whole number, not 1.5"),
        ({"seed": 0.5}, "seed must be a whole number, not 0.5"),
        ({"seed": None}, "seed must be a whole number, not None"),
        ({"optimizer": "sgd"}, "no optimizer is called 'sgd'; choose one of adam, muon"),
        ({"log_snr": (math.nan, 1.0)}, "log_snr must be a finite mean"),
        ({"log_snr": (0.0, 0.0)}, "log_snr must be a finite mean"),
        ({"log_snr": (1.0,)}, "log_snr must be a finite mean"),
        ({"log_snr": ()}, "log_snr must be a finite mean"),
        ({"log_snr": 0}, "log_snr must be a finite mean"),
        ({"steps": 2.5}, "steps must be a whole number, not 2.5"),
        ({"steps": "2"}, "steps must be a whole number, not '2'"),
        ({"warmup": -1}, "warmup must be at least 0"),
        ({"warmup": math.nan}, "warmup must be a whole number"),
        ({"ema_decay": "none"}, "ema_decay must be a number, not 'none'"),
        ({"learning_rate": None}, "learning_rate must be a number, not None"),
    ],
    ids=str,
)
def test_a_config_out_of_range_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainConfig(**{"steps": 10, **values})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (torch.zeros(0, 2), "data has shape"),
        (torch.zeros(5, 3), "data has shape"),
        (torch.zeros(5), "data has shape"),
        (torch.zeros(5, 2, 2), "data has shape"),
        (torch.tensor([[0.0, math.nan]]), "not finite"),
        (torch.tensor([[0.0, math.inf]]), "not finite"),
        ((torch.zeros(5, 2), torch.zeros(4)), "5 samples, but 4 conditions"),
        ((torch.zeros(5, 2), [0, 1, 2, 3]), "5 samples, but 4 conditions"),
        ((torch.zeros(3, 2), [[1], [1, 2], [3]]), "takes no condition"),
        (torch.zeros(5, 2, dtype=torch.complex64), "real numbers"),
        ((torch.zeros(5, 2), torch.zeros(5, dtype=torch.long)), "takes no condition"),
    ],
    ids=str,
)
def test_bad_data_is_refused_and_the_weights_stay(data: Any, message: str) -> None:
    denoiser = small()
    before = weights(denoiser)
    with pytest.raises(ValueError, match=message):
        run(denoiser, data, steps=1)
    assert torch.equal(weights(denoiser), before)


def test_a_config_keeps_plain_numbers_of_its_own() -> None:
    steps, log_snr = torch.tensor(3), [0.0, 1.0]
    config = TrainConfig(steps=steps, batch_size=np.uint8(200), log_snr=log_snr)  # type: ignore[arg-type]
    steps += 10
    log_snr[0] = 5.0
    assert config == TrainConfig(steps=3, batch_size=200, log_snr=(0.0, 1.0))
    assert hash(config) == hash(TrainConfig(steps=3, batch_size=200, log_snr=(0.0, 1.0)))
    assert len(list(train(small(), POINTS, config))) == 3


@pytest.mark.parametrize("vector", ["weights", "averaged", "first_moment", "second_moment"])
def test_a_state_with_a_vector_of_another_length_is_refused(vector: str) -> None:
    denoiser = small()
    state = run(denoiser, steps=1)[0].state()
    before = weights(denoiser)
    with pytest.raises(ValueError, match="the state holds"):
        run(denoiser, state=replace(state, **{vector: getattr(state, vector)[:-1]}), steps=2)
    assert torch.equal(weights(denoiser), before)


def test_weights_that_lie_scattered_in_memory_are_trained_as_they_are() -> None:
    denoiser = small()
    scattered = denoiser.network.layers[0]  # type: ignore[union-attr, index]
    scattered.bias = nn.Parameter(torch.arange(32.0).reshape(16, 2)[:, 0])
    next(train(denoiser, POINTS, TrainConfig(steps=9, learning_rate=1e-9)))
    torch.testing.assert_close(scattered.bias.detach(), torch.arange(0.0, 32, 2))


def test_a_state_of_another_network_is_refused() -> None:
    state = run(small(), steps=1)[0].state()
    other = make_denoiser_2d(width=24)
    with pytest.raises(ValueError, match="the state holds"):
        run(other, state=state, steps=2)
    assert owns_its_memory(other)


def test_what_cannot_be_trained_is_refused() -> None:
    frozen = small().requires_grad_(False)
    for denoiser in (frozen, ideal_denoiser(POINTS, make_schedule("flow"))):
        with pytest.raises(ValueError, match="no weights to train, or they are frozen"):
            run(denoiser, steps=1)


def test_a_copy_of_a_trained_model_trains_on_its_own() -> None:
    denoiser = small()
    run(denoiser, steps=5)
    twin = copy.deepcopy(denoiser)
    before = weights(denoiser)
    run(twin, steps=5)
    assert torch.equal(weights(denoiser), before)
    assert not torch.equal(weights(twin), before)


LEARNING = {name: mode for name, mode in MODES.items() if name != "autocast"}


@pytest.mark.parametrize("mode", LEARNING.values(), ids=LEARNING.keys())
@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_a_run_is_the_same_in_every_mode_of_its_caller(mode: Callable[[], Any], optimizer: str) -> None:
    images = torch.randn(40, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(40) % 10
    config = TrainConfig(steps=12, batch_size=8, optimizer=optimizer)

    def everything() -> tuple[list[float], Denoiser, TrainState]:
        denoiser = make_image_denoiser((1, 8, 8), classes=10, widths=(8, 16))
        events = list(train(denoiser, (images, labels), config))
        return [event.loss for event in events], denoiser, events[-1].state()

    losses, usual, usual_state = everything()
    with mode():
        losses_within, within, state = everything()
    assert losses_within == losses
    assert torch.equal(weights(within), weights(usual))
    assert not any(parameter.is_inference() for parameter in within.parameters())
    longer = TrainConfig(steps=15, batch_size=8, optimizer=optimizer)
    resumed = [
        [event.loss for event in train(denoiser, (images, labels), longer, start)]
        for denoiser, start in ((within, state), (usual, usual_state))
    ]
    assert resumed[0] == resumed[1]
    assert len(resumed[0]) == 3


def test_it_learns_in_autocast_as_without() -> None:
    points = toy2d("moons", 2000)

    def learn() -> tuple[float, Denoiser]:
        denoiser = small()
        losses = [event.loss for event in run(denoiser, points, steps=300, batch_size=128)]
        return sum(losses[-50:]) / 50, denoiser

    loss, _ = learn()
    with torch.autocast("cpu", torch.bfloat16):
        loss_within, within = learn()
        assert sample(within, 50, steps=10).samples.isfinite().all()
        assert torch.is_autocast_enabled("cpu")
    assert loss_within == pytest.approx(loss, rel=0.02)
    start = small()
    distances = [sliced_wasserstein(sample(one, 1000, "heun", 15).samples, points) for one in (within, start)]
    assert distances[0] < 0.3 * distances[1]


def test_what_the_caller_evaluates_in_autocast_is_never_stale() -> None:
    """Autocast keeps the copies that it made of weights, and a copy that was made without gradients takes none."""
    denoiser = small()
    x, t = POINTS[:64], 0.5
    with torch.autocast("cpu", torch.bfloat16):
        for event in train(denoiser, POINTS, TrainConfig(steps=8, batch_size=32, warmup=1)):
            with torch.no_grad():
                seen = denoiser.predict(x, t).x0
                torch.clear_autocast_cache()
                assert torch.equal(seen, denoiser.predict(x, t).x0)
            before = event.state().weights
        assert not torch.equal(before, event.state().averaged)
        seen = denoiser.predict(x, t).x0
        torch.clear_autocast_cache()
        assert torch.equal(seen, denoiser.predict(x, t).x0), "the average took the place of the raw weights"
        load_weights(denoiser, before)
        seen = denoiser.predict(x, t).x0
        torch.clear_autocast_cache()
        assert torch.equal(seen, denoiser.predict(x, t).x0)
    moved = [event.state().weights for event in train(small(), POINTS, TrainConfig(steps=8, batch_size=32, warmup=1))]
    torch.testing.assert_close(before, moved[-1], rtol=0, atol=0.2)


def test_the_mode_of_the_caller_is_back_at_each_event() -> None:
    def mode() -> tuple[bool, ...]:
        return torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")

    running = train(small(), POINTS, TrainConfig(steps=20, batch_size=16))
    next(running)
    for enter in MODES.values():
        with enter():
            wanted = mode()
            next(running)
            assert mode() == wanted
        next(running)
        assert mode() == (True, False, False)
    with torch.inference_mode():
        running.close()
        assert mode() == (False, True, False)
    assert mode() == (True, False, False)


def test_a_denoiser_made_where_nothing_learns_is_refused_with_what_to_do() -> None:
    with torch.inference_mode():
        denoiser = Denoiser(nn.Sequential(nn.Linear(2, 2)), make_schedule("flow"))
    with pytest.raises(ValueError, match="made inside torch.inference_mode.*train a copy"):
        run(denoiser, steps=1)
    assert next(train(copy.deepcopy(small()), POINTS, TrainConfig(steps=1))).step == 1


def test_a_run_that_is_never_closed_lets_python_end() -> None:
    script = """
import explorer as ex
running = ex.train(ex.make_denoiser_2d(0, width=8, depth=1), ex.toy2d("moons", 100), ex.TrainConfig(steps=9))
next(running)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stderr) == (0, "")


def in_place(denoiser: Denoiser) -> None:
    with torch.no_grad():
        for parameter in denoiser.parameters():
            parameter.mul_(1.5)


def in_data(denoiser: Denoiser) -> None:
    [*denoiser.parameters()][3].data.add_(0.01)


def replaced(denoiser: Denoiser) -> None:
    parameter = [*denoiser.parameters()][2]
    parameter.data = torch.ones_like(parameter)


def optimised(denoiser: Denoiser) -> None:
    optimiser = torch.optim.SGD(denoiser.parameters(), lr=0.1)
    denoiser.predict(POINTS[:9], 0.5).x0.square().mean().backward()
    optimiser.step()


CHANGES: dict[str, Callable[[Denoiser], Any]] = {
    "another run": lambda denoiser: run(denoiser, steps=20, seed=1),
    "another run, closed early": lambda denoiser: next(train(denoiser, POINTS, TrainConfig(steps=20))),
    "load_weights": lambda denoiser: load_weights(denoiser, weights_of(small(3))),
    "load_state_dict": lambda denoiser: denoiser.load_state_dict(small(3).state_dict()),
    "its own raw weights": lambda denoiser: denoiser.load_state_dict(copy.deepcopy(denoiser.state_dict())),
    "in place": in_place,
    "in data": in_data,
    "replaced": replaced,
    "converted": lambda denoiser: denoiser.double(),
    "optimised": optimised,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.parametrize("end", ["closed", "dropped", "collected", "at its end"])
def test_a_run_that_was_broken_off_leaves_what_came_later(change: Callable[[Denoiser], Any], end: str) -> None:
    denoiser = small()
    running = train(denoiser, POINTS, TrainConfig(steps=5 if end == "at its end" else 100, batch_size=32))
    for _ in range(5):
        next(running)
    change(denoiser)
    kept = weights(denoiser)
    if end == "at its end":
        assert next(running, None) is None
    elif end == "closed":
        running.close()
    elif end == "dropped":
        del running
    else:
        ring = [running]
        ring.append(ring)
        del running, ring
        gc.collect()
    assert torch.equal(weights(denoiser), kept)
    assert owns_its_memory(denoiser)


def test_a_run_whose_denoiser_others_have_trained_does_not_go_on() -> None:
    denoiser = small()
    running = train(denoiser, POINTS, TrainConfig(steps=100, batch_size=32))
    next(running)
    run(denoiser, steps=20)
    kept = weights(denoiser)
    with pytest.raises(RuntimeError, match="this run cannot go on: others have trained"):
        next(running)
    assert torch.equal(weights(denoiser), kept)


@pytest.mark.parametrize(
    "change",
    [
        lambda network: network.layers.append(nn.Linear(2, 2)),
        lambda network: network.layers.__setitem__(-1, copy.deepcopy(network.layers[-1])),
        lambda network: network.gate.double().float(),
        lambda network: network.layers[2].requires_grad_(False) and setattr(network.layers[2], "bias", None),
    ],
    ids=["a layer more", "another layer", "converted and back", "a bias less"],
)
def test_a_run_whose_network_others_have_rebuilt_does_not_go_on(change: Callable[[Any], Any]) -> None:
    denoiser = small()
    running = train(denoiser, POINTS, TrainConfig(steps=100, batch_size=32))
    next(running)
    change(denoiser.network)
    with pytest.raises(RuntimeError, match="this run cannot go on"):
        next(running)


def test_weights_that_are_set_within_the_loop_are_trained_on() -> None:
    denoiser, other = small(), weights_of(small(3))
    for event in train(denoiser, POINTS, TrainConfig(steps=3, batch_size=32, learning_rate=1e-4)):
        if event.step == 2:
            load_weights(denoiser, other)
    assert torch.allclose(event.state().weights, other, atol=1e-3)


def test_gradients_that_others_drop_are_no_loss() -> None:
    def losses(drop: Callable[[Any], Any]) -> list[float]:
        denoiser, found = small(), []
        for event in train(denoiser, POINTS, TrainConfig(steps=20, batch_size=32)):
            found.append(event.loss)
            drop(denoiser.network)
        return found

    whole = losses(lambda network: None)
    assert losses(lambda network: network.zero_grad()) == whole
    assert losses(lambda network: network.layers[2].zero_grad()) == whole


def stop_early(denoiser: Denoiser, data: Any) -> None:
    for _ in train(denoiser, data, TrainConfig(steps=9, batch_size=8)):
        break


def blow_up(denoiser: Denoiser, data: Any) -> None:
    with pytest.raises(Diverged):
        run(denoiser, data, steps=50, learning_rate=1e30)


def give_up(denoiser: Denoiser, data: Any) -> None:
    running = train(denoiser, data, TrainConfig(steps=9, batch_size=8))
    next(running)
    with pytest.raises(KeyError):
        running.throw(KeyError())


ENDS: dict[str, Callable[[Denoiser, Any], Any]] = {
    "at its end": lambda denoiser, data: run(denoiser, data, steps=3, batch_size=8),
    "stopped": stop_early,
    "diverged": blow_up,
    "failed": give_up,
    "loaded": lambda denoiser, data: load_weights(denoiser, weights_of(denoiser)),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
@pytest.mark.parametrize("kind", ["points", "images"])
def test_a_trained_denoiser_is_as_large_as_its_weights(
    kind: str, end: Callable[[Denoiser, Any], Any], tmp_path: Path
) -> None:
    from safetensors.torch import load_model, save_model

    def make() -> Denoiser:
        return make_denoiser_2d(0) if kind == "points" else make_image_denoiser((1, 8, 8), widths=(8, 16))

    data = POINTS if kind == "points" else torch.randn(30, 1, 8, 8)
    denoiser = make()
    strides = [parameter.stride() for parameter in denoiser.parameters()]
    end(denoiser, data)
    assert owns_its_memory(denoiser)
    assert all(parameter.grad is None for parameter in denoiser.parameters())
    assert [parameter.stride() for parameter in denoiser.parameters()] == strides
    size = sum(tensor.numel() * tensor.element_size() for tensor in denoiser.state_dict().values())
    content = pickle.dumps(denoiser)
    assert len(content) <= len(pickle.dumps(make())) + 100
    save_model(denoiser, tmp_path / "model.safetensors")
    assert (tmp_path / "model.safetensors").stat().st_size < 1.1 * size
    for same in (pickle.loads(content), copy.deepcopy(denoiser), make()):
        load_model(same, tmp_path / "model.safetensors")
        assert torch.equal(weights(same), weights(denoiser))


def test_data_that_the_caller_changes_later_are_not_trained_on() -> None:
    def losses(change: bool) -> list[float]:
        images = torch.randn(50, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        labels = torch.arange(50) % 10
        found = []
        denoiser = make_image_denoiser((1, 8, 8), classes=10, widths=(8,))
        for event in train(denoiser, (images, labels), TrainConfig(steps=40, batch_size=16)):
            found.append(event.loss)
            if change:
                images.mul_(3)
                labels.zero_()
        return found

    assert losses(change=True) == losses(change=False)


def test_double_precision_learns_as_single() -> None:
    losses = {}
    for dtype in (torch.float32, torch.float64):
        denoiser = small().to(dtype)
        events = run(denoiser, steps=60)
        losses[dtype] = [event.loss for event in events]
        assert {parameter.dtype for parameter in denoiser.parameters()} == {dtype}
        assert events[-1].state().averaged.dtype == dtype
        assert sample(denoiser, 5, steps=4).samples.dtype == dtype
    assert losses[torch.float64] == pytest.approx(losses[torch.float32], rel=1e-3)
    assert losses[torch.float64] != losses[torch.float32]


def test_a_state_of_single_precision_goes_on_in_double() -> None:
    state = run(small(), steps=5)[-1].state()
    denoiser = small().double()
    assert [event.step for event in run(denoiser, state=state, steps=8)] == [6, 7, 8]
    assert {parameter.dtype for parameter in denoiser.parameters()} == {torch.float64}
    load_weights(denoiser, state.averaged)
    assert {parameter.dtype for parameter in denoiser.parameters()} == {torch.float64}
    assert torch.equal(weights(denoiser), state.averaged.double())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_refused_with_what_to_do(dtype: torch.dtype) -> None:
    denoiser = small().to(dtype)
    before = weights(denoiser)
    mixed = small()
    mixed.network.gate.double()
    for refused in (denoiser, mixed):
        with pytest.raises(
            ValueError, match=r"must be float32 or float64 to be trained, not torch\..*denoiser.float\(\)"
        ):
            run(refused, steps=1)
    assert torch.equal(weights(denoiser), before)


@pytest.mark.parametrize(
    "labels",
    [
        torch.arange(60, dtype=torch.uint8) % 10,
        torch.arange(60, dtype=torch.int32) % 10,
        np.arange(60) % 10,
        np.arange(60, dtype=np.uint8) % 10,
        list(range(10)) * 6,
        [np.int64(k % 10) for k in range(60)],
    ],
    ids=lambda labels: f"{type(labels).__name__} {getattr(labels, 'dtype', '')}",
)
def test_labels_may_be_any_whole_numbers(labels: Any) -> None:
    images = torch.randn(60, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    losses = [
        [event.loss for event in run(make_image_denoiser((1, 8, 8), classes=10, widths=(8,)), data, steps=4)]
        for data in ((images, labels), (images, torch.arange(60) % 10))
    ]
    assert losses[0] == losses[1]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.arange(60) % 26 + 1, "must be 60 class numbers from 0 to 25, not 26"),
        (torch.arange(60) % 26 - 1, "from 0 to 25, not -1"),
        (torch.zeros(60), "whole ones, not torch.float32"),
        (torch.zeros(60, dtype=torch.bool), "whole ones, not torch.bool"),
        (torch.zeros(59, dtype=torch.long), "60 samples, but 59 conditions"),
        (torch.zeros(60, 1, dtype=torch.long), r"not a tensor of shape \(60, 1\)"),
        (["a"] * 60, "must be 60 class numbers from 0 to 25, not"),
    ],
    ids=["26 is no class", "-1", "fractions", "mask", "one short", "a column", "words"],
)
def test_what_is_no_label_is_refused(labels: Any, message: str) -> None:
    denoiser = make_image_denoiser((1, 8, 8), classes=26, widths=(8,))
    before = weights(denoiser)
    with pytest.raises(ValueError, match=message):
        run(denoiser, (torch.zeros(60, 1, 8, 8), labels), steps=1)
    assert torch.equal(weights(denoiser), before)


def test_the_labels_of_a_data_set_are_for_networks_that_take_classes() -> None:
    images = torch.randn(30, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with_labels = ImageDataset("own", images, torch.arange(30) % 10, tuple("0123456789"))
    losses = [
        [event.loss for event in run(make_image_denoiser((1, 8, 8), widths=(8,)), data, steps=3)]
        for data in (with_labels, images)
    ]
    assert losses[0] == losses[1]
    conditional = [
        [event.loss for event in run(make_image_denoiser((1, 8, 8), classes=10, widths=(8,)), data, steps=3)]
        for data in (with_labels, (images, with_labels.labels))
    ]
    assert conditional[0] == conditional[1] != losses[0]


@pytest.mark.parametrize("seed", [np.int64(7), np.uint8(7), torch.tensor(7)], ids=["int64", "uint8", "tensor"])
def test_any_whole_number_is_a_seed(seed: Any) -> None:
    losses = [[event.loss for event in run(small(), steps=3, seed=one)] for one in (seed, 7)]
    assert losses[0] == losses[1]
    assert torch.equal(weights(small(seed)), weights(small(7)))
    assert len(run(small(), steps=np.int64(3), batch_size=np.int64(16), seed=-(2**70))) == 3
