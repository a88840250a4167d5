"""What the Training lab claims, computed again."""

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

import explorer as ex
from explorer.data.images import load_dataset
from explorer.dataset import ImageDataset
from explorer.lessons.trainings.plan import PRESETS, Plan, first_of_each_class
from explorer.lessons.trainings.record import Training, recorded
from explorer.training import TrainState, load_weights
from explorer.zoo import load_classifier
from tests.claims.reading import found, number, replies, says, words

Open = Callable[..., AppTest]


@pytest.fixture(scope="module")
def page(open_page: Open) -> str:
    return words(open_page("pages/training_lab.py"))


@pytest.fixture(scope="module")
def answers(open_page: Open) -> str:
    return replies(open_page("pages/training_lab.py"), "lab")


@pytest.fixture(scope="module")
def split() -> tuple[ImageDataset, ImageDataset]:
    return load_dataset("digits-8").split()


def last_grid(record: Training) -> Tensor:
    return torch.from_numpy(record.moments[max(record.moments)].samples / 127.5 - 1).float()


def nearest_of(samples: Tensor, images: Tensor) -> Tensor:
    """Root mean square to the nearest image, of each sample."""
    return torch.cdist(samples.flatten(1), images.flatten(1)).amin(1) / samples[0].numel() ** 0.5


def v_loss(denoiser: ex.Denoiser, data: ImageDataset, level: float, seed: int = 0) -> float:
    """The squared error of v at one log-SNR."""
    alpha, sigma = math.sqrt(1 / (1 + math.exp(-level))), math.sqrt(1 / (1 + math.exp(level)))
    epsilon = torch.randn(data.images.shape, generator=torch.Generator().manual_seed(seed))
    x_t = alpha * data.images + sigma * epsilon
    t = torch.linspace(denoiser.schedule.t_min, denoiser.schedule.t_max, 2001, dtype=torch.float64)
    at = float(t[(denoiser.schedule.log_snr(t) - level).abs().argmin()])
    with torch.no_grad():
        x0 = denoiser.predict(x_t, at, data.labels).x0
    return float(
        ((data.images - x0) / sigma).square().mean()
    )  # v - v' = (x0' - x0) / sigma where alpha^2 + sigma^2 = 1


def test_the_first_record_draws_the_digit_that_was_asked_for(page: str, split: tuple[ImageDataset, ...]) -> None:
    said = found(
        r"100 passes over ([\d,]+) scans: noise becomes digits, and each is the digit that was asked for", page
    )
    training, held_out = split
    assert number(said[1]) == len(training)
    labels = torch.cat([training.labels, held_out.labels])  # type: ignore[list-item]
    for digit in range(10):
        assert abs(int((held_out.labels == digit).sum()) - int((labels == digit).sum()) / 5) < 1
    grid = load_classifier("digits-8").classify(last_grid(recorded("digits")))
    assert grid.tolist() == list(range(10)) * 2


def test_about_half_of_what_a_general_model_draws_is_nearest_to_a_training_image(
    page: str, split: tuple[ImageDataset, ...]
) -> None:
    says(page, "About half is what a model that only generalises would have.")
    shown = number(found(r"(\d+)% Nearest real image is a training image", page)[1]) / 100
    training, held_out = split
    seen = first_of_each_class(training, len(held_out))
    model = ex.load_pretrained("digits-8")
    samples = ex.sample(model, 400, "dpmpp_2m", 10, 3, torch.arange(400) % 10, keep="last").samples
    copies = float((nearest_of(samples, seen.images) < nearest_of(samples, held_out.images)).float().mean())
    assert abs(copies - 0.5) < 0.1
    assert abs(shown - copies) < 3 * math.sqrt(0.25 / 200 + 0.25 / 400)


def test_real_images_that_nobody_saw_are_as_far_from_the_training_images_as_the_page_says(
    page: str, split: tuple[ImageDataset, ...]
) -> None:
    says(page, "root mean square over pixels, where black to white is 2. Near 0 is a copy.")
    said = found(r"([\d.]+), held-out ([\d.]+) Distance of samples", page)
    training, held_out = split
    unseen = first_of_each_class(held_out, len(held_out)).images[:200]
    assert float(nearest_of(unseen, training.images).median()) == pytest.approx(number(said[2]), abs=0.005)
    samples = nearest_of(last_grid(recorded("digits")), training.images)
    assert float(samples.median()) == pytest.approx(number(said[1]), abs=0.08)  # 20 of the 200
    assert 2 * float(samples.amin()) > float(nearest_of(unseen, training.images).median())  # none is a copy


def test_faint_noise_is_the_hardest_on_small_images_and_mnist_rises_at_both_ends(page: str) -> None:
    says(
        page,
        "There faint noise must be told from the image's own roughness; on 8 x 8 pixels that is by far the "
        "hardest. MNIST's rises at the right too, where the whole image must be guessed.",
    )
    losses = {}
    for name in ("digits-8", "mnist-28"):
        held_out = load_dataset(name).split()[1].part(slice(0, 200)) if name == "digits-8" else shipped_held_out()
        losses[name] = [v_loss(ex.load_pretrained(name), held_out, level) for level in (5.4, 0.0, -5.5)]
    left, middle, right = losses["digits-8"]
    assert left > 2.5 * max(middle, right)
    left, middle, right = losses["mnist-28"]
    assert min(left, right) > 1.4 * middle


def shipped_held_out() -> ImageDataset:
    from explorer.data.mnist import shipped_mnist

    return shipped_mnist("held-out").part(slice(0, 100))


def test_no_network_can_bring_the_loss_to_0(page: str, split: tuple[ImageDataset, ...]) -> None:
    says(page, "The loss never reaches 0: noise hides the image, and no network can know what is hidden.")
    training, _ = split
    exact = ex.ideal_denoiser(training.images, ex.make_schedule("cosine"))  # the best of all, on these very images
    assert v_loss(exact, ImageDataset("", training.images[:200]), -5.5) > 0.1
    records = [recorded(name) for name in PRESETS]
    assert min(record.validation[:, 1:].min() for record in records) > 0


def test_twenty_images_become_copies_and_the_losses_part(page: str, split: tuple[ImageDataset, ...]) -> None:
    says(
        page,
        "they part: the held-out one turns and rises, and the samples become copies. The distance to the "
        "nearest training image falls towards 0.",
    )
    times = number(found(r"20 images, seen ([\d,]+) times each", page)[1])
    record = recorded("memorise")
    assert record.progress["step"] * record.plan.batch_size / 20 == pytest.approx(times, rel=0.01)
    twenty = first_of_each_class(split[0], 20).images
    moments = [moment for _, moment in sorted(record.moments.items())]
    apart = [float(nearest_of(torch.from_numpy(m.samples / 127.5 - 1).float(), twenty).median()) for m in moments]
    assert all(late < early for early, late in pairwise(apart))
    assert apart[-1] < apart[0] / 8
    held_out = [moment.validation for moment in moments]
    assert held_out[-1] > 1.5 * min(held_out)  # type: ignore[type-var]
    assert moments[-1].loss < 0.2 * moments[0].loss
    general = nearest_of(last_grid(recorded("digits")), split[0].images)
    assert apart[-1] < float(general.median()) / 3  # 1,438 images in 100 passes do not fit so sharply


def test_large_shapes_come_before_thin_strokes(page: str) -> None:
    says(page, "Large shapes come first, thin strokes last.")
    for name in ("digits", "mnist"):
        record = recorded(name)
        grids = [moment.samples.mean(1) / 127.5 - 1 for _, moment in sorted(record.moments.items())]
        coarse, fine = zip(*(by_size(grid) for grid in grids), strict=True)
        for k in range(len(grids) // 2):  # what is still to change, beside what is there at the end
            assert error(fine[k], fine[-1]) > 2 * error(coarse[k], coarse[-1])


def by_size(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Waves longer than five pixels, without the mean, and the shorter ones."""
    waves = np.fft.fft2(images)
    size = np.hypot(*np.meshgrid(*(np.fft.fftfreq(n) for n in images.shape[-2:]), indexing="ij"))
    return np.fft.ifft2(waves * ((size > 0) & (size < 0.2))).real, np.fft.ifft2(waves * (size >= 0.2)).real


def error(now: np.ndarray, last: np.ndarray) -> float:
    return float(np.square(now - last).sum() / np.square(last).sum())


def test_the_weights_move_by_adam_at_the_rate_that_the_page_says(page: str) -> None:
    says(
        page,
        "It rises for 20 steps; if the switch is on, it then **falls to 0** like a cosine to the end of the run",
        r"\theta \leftarrow \theta - \text{rate} \cdot \frac{\langle g \rangle}{\sqrt{\langle g^2 \rangle} + 10^{-8}}",
        r"\bar\theta \leftarrow \mu\,\bar\theta + (1 - \mu)\,\theta",
    )
    found(r"with \*\*EMA decay\*\* \$\\mu\$, but \$k / \(k \+ 9\)\$ at step \$k\$ where that is less", page)
    config = ex.TrainConfig(steps=60, learning_rate=1e-2, ema_decay=0.8)
    denoiser, states = ex.make_denoiser_2d(seed=0), []
    for event in ex.train(denoiser, ex.toy2d("moons", n=500, seed=0), config):
        states.append(event.state())
    for before, after in pairwise(states):
        k = after.step
        mean, square = after.first_moment / (1 - 0.9**k), after.second_moment / (1 - adam_beta(states) ** k)
        update = mean / (square.sqrt() + 1e-8)
        moved = before.weights - after.weights
        rate = float((moved * update).sum() / update.square().sum())
        cosine = (1 + math.cos(math.pi * (k - 1) / 60)) / 2
        assert rate == pytest.approx(1e-2 * min(1, k / 20) * cosine, rel=2e-2, abs=1e-6)
        mu = min(0.8, k / (k + 9))
        torch.testing.assert_close(
            after.averaged, mu * before.averaged + (1 - mu) * after.weights, rtol=1e-4, atol=1e-6
        )


def adam_beta(states: list[TrainState]) -> float:
    """Adam's second decay, from what one step with a gradient known from the first moments did."""
    first, second = states[0], states[1]
    gradient = (second.first_moment - 0.9 * first.first_moment) / 0.1
    kept = (second.second_moment - gradient.square()) / (first.second_moment - gradient.square())
    return float(kept[(first.second_moment - gradient.square()).abs() > 1e-6].median())


def test_each_of_the_five_losses_is_that_of_v_up_to_a_cap(page: str) -> None:
    says(page, "every choice counts errors as if $v$ were predicted, and the weight is never more than 50")
    cap = number(found(r"\\sigma_t A_t\)\^2\},\\; (\d+)\\Bigr", page)[1])
    generator = torch.Generator().manual_seed(0)
    x0, guess, epsilon = (torch.randn(500, generator=generator) for _ in range(3))
    schedule = ex.make_schedule("cosine")
    t = torch.linspace(schedule.t_min, schedule.t_max, 500, dtype=torch.float64)
    alpha, sigma = schedule.alpha(t), schedule.sigma(t)
    implied = (alpha * x0 + sigma * epsilon - alpha * guess) / sigma
    of_v = ((alpha * epsilon - sigma * x0) - (alpha * implied - sigma * guess)).square()
    capped = 0
    for prediction in ("epsilon", "x0", "v", "velocity", "score"):
        denoiser = ex.make_denoiser_2d(0, schedule="cosine", prediction=prediction)
        p, q = denoiser.target_mix(t, alpha, sigma)
        error = (p * (x0 - guess) + q * (epsilon - implied)).square()
        weight = (alpha**2 + sigma**2) / (alpha * q - sigma * p).square()
        torch.testing.assert_close(denoiser.loss_weight(alpha, sigma, p, q), weight.clamp(max=cap))
        torch.testing.assert_close(weight * error, of_v, rtol=1e-6, atol=1e-9)
        capped += int((weight > cap).sum())
    assert capped  # the cap does bite somewhere


def test_twice_the_width_costs_up_to_four_times_as_much(page: str) -> None:
    says(page, "each below has twice as many. Twice the width takes up to four times as long.")
    weights = number(found(r"([\d,]+) weights, 1,438 training images", page)[1])
    assert sum(parameter.numel() for parameter in Plan().denoiser((1, 8, 8), 10).parameters()) == weights
    for shape in ((1, 8, 8), (1, 28, 28)):
        cost = {}
        for width in (8, 16, 24, 32, 48, 64):
            denoiser = Plan(width=width).denoiser(shape, 10)
            with FlopCounterMode(display=False) as counter, torch.no_grad():
                denoiser.predict(torch.zeros(2, *shape), 0.5, torch.tensor([0, 1]))
            cost[width] = counter.get_total_flops()
        for width in (8, 16, 24, 32):
            assert 2 < cost[2 * width] / cost[width] <= 4


def test_too_high_a_rate(page: str, answers: str, open_page: Open, split: tuple[ImageDataset, ...]) -> None:
    says(page, "too high overshoots, and at the far right the loss grows beyond all numbers")
    says(answers, "Then the training loss would leap or stay high as well: see the preset with too high a rate.")
    says(
        words(open_page("pages/training_lab.py", lab_rate="0.3", lab_epochs="60")),
        "Each step overshoots: the loss leaps and stays high, and the samples never become digits.",
    )
    plan = Plan(learning_rate=100.0)
    with pytest.raises(ex.Diverged):
        for event in ex.train(plan.denoiser((1, 8, 8), 10), split[0], plan.config(len(split[0]))):
            assert event.step < 100
    record, good = recorded("rate"), recorded("digits")
    assert record.curve[:, 2].max() > 1.5 * record.curve[0, 2]
    assert record.curve[-100:, 1].min() > 2 * good.curve[-1, 1]
    judge = load_classifier("digits-8")
    for moment in record.moments.values():
        hits = judge.classify(torch.from_numpy(moment.samples / 127.5 - 1).float()) == torch.arange(20) % 10
        assert float(hits.float().mean()) <= 0.35


@pytest.fixture(scope="module")
def ends(split: tuple[ImageDataset, ...]) -> dict[bool, TrainState]:
    """Where a training at a high rate ends: one that stays, of 20 epochs, and one that falls to 0, of 5."""
    found = {}
    for decay, epochs in ((False, 20), (True, 5)):
        plan = replace(PRESETS["ema"].plan, decay=decay, epochs=epochs)
        *_, last = ex.train(plan.denoiser((1, 8, 8), 10), split[0], plan.config(len(split[0])))
        found[decay] = last.state()
    return found


def held_out_loss(weights: Tensor, held_out: ImageDataset) -> float:
    denoiser = PRESETS["ema"].plan.denoiser((1, 8, 8), 10)
    load_weights(denoiser, weights)
    return sum(v_loss(denoiser, held_out, level) for level in (4.0, 2.0, 0.0, -2.0, -4.0)) / 5


def test_averaging_helps_while_the_steps_are_large_and_not_where_they_fall_to_0(
    answers: str, ends: dict[bool, TrainState], split: tuple[ImageDataset, ...]
) -> None:
    says(
        answers,
        "A learning rate that falls to 0 does the same at the end of a run: train both again with it, and they meet.",
        "Where the learning rate has fallen to 0 the weights stand nearly still, and their average is where they are.",
    )
    raw, averaged = (held_out_loss(getattr(ends[False], name), split[1]) for name in ("weights", "averaged"))
    assert raw > 1.02 * averaged
    raw, averaged = (held_out_loss(getattr(ends[True], name), split[1]) for name in ("weights", "averaged"))
    assert raw == pytest.approx(averaged, rel=0.01)


def test_without_an_average_more_samples_are_the_wrong_digit(open_page: Open, ends: dict[bool, TrainState]) -> None:
    rate = {"lab_rate": "0.03", "lab_decay": "false", "lab_batch": "32", "lab_epochs": "20"}
    says(
        words(open_page("pages/training_lab.py", lab_ema="None", **rate)),
        "Compare it with the next preset: about one and a half times as many samples, or more, are the wrong digit.",
    )
    says(
        words(open_page("pages/training_lab.py", lab_ema="0.99", **rate)),
        "The same steps, and so the same training loss: but what samples is the average of the last hundred or so.",
    )
    wrong = {}
    for name in ("weights", "averaged"):
        denoiser = PRESETS["ema"].plan.denoiser((1, 8, 8), 10)
        load_weights(denoiser, getattr(ends[False], name))
        asked = torch.arange(1000) % 10
        samples = ex.sample(denoiser, 1000, "dpmpp_2m", 10, 5, asked, guidance_scale=1.5, keep="last").samples
        wrong[name] = float((load_classifier("digits-8").classify(samples) != asked).float().mean())
    assert wrong["weights"] > 1.3 * wrong["averaged"]


def test_the_schedules_are_as_they_are_told(page: str) -> None:
    says(
        page,
        "**Linear**: DDPM's own, whose steps of noise grow evenly: the image is gone early.",
        "**Cosine**: keeps the image for longer and loses it at an even pace.",
        "**Flow**: a straight mix, (1 - t) of the image and t of noise.",
    )
    low, high = found(r"noise grows over it from σ = ([\d.]+) to (\d+)", page).groups()
    betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    linear = (1 - betas).cumprod(0)
    s = 0.008
    cosine = torch.cos((torch.linspace(0, 1, 1001, dtype=torch.float64) + s) / (1 + s) * math.pi / 2) ** 2
    cosine = (cosine / cosine[0])[1:]
    t = torch.arange(100, 1000, 100, dtype=torch.float64) / 1000
    index = (t * 1000).long() - 1
    for name, alpha_bar in (("linear", linear), ("cosine", cosine)):
        torch.testing.assert_close(
            ex.make_schedule(name).alpha(t).double().square(), alpha_bar[index], rtol=1e-3, atol=1e-3
        )
    assert bool((cosine[index] > linear[index]).all())
    assert float(linear[499]) < 0.1 < 0.4 < float(cosine[499])
    pace = -cosine[99:900:100].diff()
    assert float(pace.max() / pace.min()) < 3  # of linear's more than 20
    assert float((-linear[99:900:100].diff()).max() / (-linear[99:900:100].diff()).min()) > 20
    flow, edm = ex.make_schedule("flow"), ex.make_schedule("edm")
    torch.testing.assert_close(flow.alpha(t).double(), 1 - t)
    assert float(edm.sigma(torch.tensor(edm.t_min))) == pytest.approx(number(low))
    assert float(edm.sigma(torch.tensor(edm.t_max))) == pytest.approx(number(high))
