"""The training loop learns, resumes to the bit, ends when told, and survives what breaks it."""

import copy
import math
from statistics import median
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from explorer import training
from explorer.data.toy2d import toy2d
from explorer.denoiser import PREDICTIONS, Denoiser, ideal_denoiser
from explorer.metrics import sliced_wasserstein
from explorer.networks.blocks import build
from explorer.networks.mlp import make_denoiser_2d
from explorer.networks.unet import make_image_denoiser
from explorer.samplers import sample
from explorer.schedules import make_schedule, schedule_names
from explorer.training import Diverged, TrainConfig, TrainEvent, TrainState, load_weights, train
from tests.unit.noisy_threads import others_drawing_random_numbers

POINTS = toy2d("swiss_roll", n=2000, seed=0)


def small(seed: int = 0, **options: Any) -> Denoiser:
    return make_denoiser_2d(seed=seed, width=16, features=8, **options)


def weights(denoiser: Denoiser) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in denoiser.parameters()])


def run(denoiser: Denoiser, data: Any = POINTS, state: TrainState | None = None, **config: Any) -> list[TrainEvent]:
    return list(train(denoiser, data, TrainConfig(**{"batch_size": 64, **config}), state))


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
    average = small_average = weights(small())
    for k, state in enumerate([None, *states[:-1]]):
        average = average.lerp(small_average if state is None else state.weights, 1 - min(0.9, (k + 1) / (k + 10)))
    torch.testing.assert_close(states[-1].averaged, average)


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
    state, before = None, weights(denoiser)
    with pytest.raises(Diverged, match="stopped being a finite number at step [0-9]+. Lower the learning rate"):
        for event in train(denoiser, POINTS, TrainConfig(steps=500, batch_size=64, learning_rate=learning_rate)):
            assert math.isfinite(event.loss)
            state = event.state()
    assert state is not None
    assert torch.equal(weights(denoiser), state.averaged)
    assert torch.equal(state.averaged, before)
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
    with pytest.raises(Diverged, match="step 41"):
        for event in train(denoiser, POINTS, TrainConfig(steps=500, batch_size=64)):
            state = event.state()
    assert torch.equal(weights(denoiser), state.averaged)
    assert state.step == 40


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
        ({"optimizer": "sgd"}, "no optimizer is called 'sgd'; choose one of adam, muon"),
        ({"log_snr": (math.nan, 1.0)}, "log_snr must be a finite mean"),
        ({"log_snr": (0.0, 0.0)}, "log_snr must be a finite mean"),
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
    ],
    ids=str,
)
def test_bad_data_is_refused_and_the_weights_stay(data: Any, message: str) -> None:
    denoiser = small()
    before = weights(denoiser)
    with pytest.raises(ValueError, match=message):
        run(denoiser, data, steps=1)
    assert torch.equal(weights(denoiser), before)


def test_a_state_of_another_network_is_refused() -> None:
    state = run(small(), steps=1)[0].state()
    with pytest.raises(ValueError, match="the state holds"):
        run(make_denoiser_2d(width=24), state=state, steps=2)


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
