"""What the Geometry lab claims, computed again."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch import Tensor

import explorer as ex
from explorer.lessons.for_teachers.exercises import EXERCISES
from explorer.lessons.geometry_lab.runs import TRAINING_POINTS
from tests.claims.distances import distance
from tests.claims.reading import found, number, replies, says, words

Open = Callable[..., AppTest]
PAGE = "pages/geometry_lab.py"


@pytest.fixture(scope="module")
def page(open_page: Open) -> str:
    return words(open_page(PAGE))


@pytest.fixture(scope="module")
def answers(open_page: Open) -> str:
    return replies(open_page(PAGE), "geo")


@pytest.fixture(scope="module")
def smiley() -> ex.Denoiser:
    return ex.load_pretrained("toy2d-smiley-flow-velocity")


def walked(model: ex.Denoiser, sampler: str, steps: int, start: Tensor, seed: int = 0) -> Tensor:
    return ex.sample(model, len(start), sampler, steps, seed, x_init=start, keep="last").samples


def growth_of_area(model: ex.Denoiser, steps: int, side: float = 0.002) -> Tensor:
    """How much larger small triangles of starts become on the way, negative where they are turned over."""
    corner = torch.randn(2000, 2, generator=torch.Generator().manual_seed(2))
    triangle = torch.stack([corner, corner + torch.tensor([side, 0.0]), corner + torch.tensor([0.0, side])])
    a, b, c = walked(model, "heun", steps, triangle.flatten(0, 1)).double().view(3, -1, 2)
    return ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / side**2


def test_the_distance_and_the_range_of_a_perfect_model(page: str, smiley: ex.Denoiser) -> None:
    shown = number(found(r"([\d.]+) Distance to fresh data", page)[1])
    low, high = map(number, found(r"perfect: ([\d.]+) to ([\d.]+)", page).groups())
    says(page, "the range is from the 5th to the 95th percentile of 100 perfect sets.")
    points = ex.toy2d("smiley", n=2000, seed=71).numpy()
    samples = ex.sample(smiley, 1000, "heun", 12, 0, keep="last").samples.numpy()
    assert distance(samples, points) == pytest.approx(shown, rel=0.5)
    perfect = [
        distance(ex.toy2d("smiley", n=1000, seed=100 + k).numpy(), ex.toy2d("smiley", n=2000, seed=1).numpy())
        for k in range(60)
    ]
    assert np.percentile(perfect, 5) == pytest.approx(low, rel=0.25)
    assert np.percentile(perfect, 95) == pytest.approx(high, rel=0.25)
    assert min(perfect) > 0  # even a perfect model does not get 0


def test_heun_asks_twice_but_for_the_last_step(page: str, smiley: ex.Denoiser) -> None:
    assert (
        number(
            found(
                r"(\d+) Network calls Each call answers for all points at once",
                page,
            )[1]
        )
        == 2 * 12 - 1
    )
    asked = []

    class Counting(torch.nn.Module):
        def forward(self, *inputs: Tensor) -> Tensor:
            asked.append(len(inputs[0]))
            return smiley.network(*inputs)

    counted = ex.Denoiser(Counting(), smiley.schedule, smiley.prediction, (2,))
    for sampler, steps, calls in (("heun", 12, 23), ("heun", 4, 7), ("ddim", 7, 7)):
        asked.clear()
        ex.sample(counted, 5, sampler, steps, 0)
        assert asked == [5] * calls
    (exercise,) = [one for one in EXERCISES if "Heun with 4" in one.task]
    assert "Heun makes two calls a step but for the last. Compare it with DDIM at 7 steps" in exercise.answer


def test_the_exact_model_recalls_and_the_network_makes_new_points(page: str, answers: str, smiley: ex.Denoiser) -> None:
    says(page, "With **Exact model** and 10 examples every sample ends on an example: that is recall,")
    learned = int(number(found(r"The networks here learn from ([\d,]+) points", page)[1]))
    says(answers, "The exact model returns its 10 examples and nothing else.")
    training = ex.toy2d("smiley", n=learned, seed=0)
    exact = ex.ideal_denoiser(training[:10], smiley.schedule)
    start = torch.randn(400, 2, generator=torch.Generator().manual_seed(5))
    recalled = walked(exact, "heun", 12, start)
    assert float(torch.cdist(recalled, training[:10]).amin(1).max()) < 1e-2
    made = walked(smiley, "heun", 12, start)
    assert float((torch.cdist(made, training).amin(1) > 0).float().mean()) == 1  # in no data set
    assert float(torch.cdist(made, training[:10]).amin(1).median()) > 0.1
    fresh = ex.toy2d("smiley", n=2000, seed=9).numpy()
    assert distance(made.numpy(), fresh) < 0.5 * distance(recalled.numpy(), fresh)
    assert learned == TRAINING_POINTS


def test_the_exact_flow_folds_nothing_and_three_steps_do(page: str, answers: str, smiley: ex.Denoiser) -> None:
    says(
        page,
        "followed exactly, the field bends the plane without folding it, so two starts never meet on the way. Lower "
        "**Steps** to 3 and the mesh folds over: that is the sampler's error, and the distance to fresh data measures "
        "it.",
    )
    says(answers, "The mesh shows it with many steps; with few steps a sampler only approximates the ODE")
    few, many = growth_of_area(smiley, 3), growth_of_area(smiley, 200)
    assert float((few < 0).double().mean()) > 0.02
    assert float((many < -1e-3).double().mean()) < 0.001
    start = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0))
    fresh = ex.toy2d("smiley", n=2000, seed=9).numpy()
    three, twelve = (distance(walked(smiley, "heun", steps, start).numpy(), fresh) for steps in (3, 12))
    assert three > 1.5 * twelve


def test_one_start_is_a_fan_under_ddpm_and_the_sde_and_one_end_under_the_others(page: str, smiley: ex.Denoiser) -> None:
    says(page, "Under DDPM or the SDE it becomes a fan, because fresh noise decides at every step.")
    start = torch.tensor([[0.3, -0.4]]).expand(200, 2)
    for sampler in ("ddpm", "euler_maruyama", "ddim", "euler", "heun", "dpmpp_2m"):
        spread = float(walked(smiley, sampler, 20, start).std(0).max())
        assert spread > 0.2 if sampler in ("ddpm", "euler_maruyama") else spread < 1e-5


def test_euler_and_ddim_are_one_method(page: str) -> None:
    says(page, "Euler and DDIM with eta 0 are one method under two names.")
    for name in ("toy2d-smiley-flow-velocity", "toy2d-smiley-cosine-epsilon"):
        model = ex.load_pretrained(name)
        one, other = (ex.sample(model, 100, sampler, 7, 3).x for sampler in ("euler", "ddim"))
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


def test_any_prediction_gives_all_others(page: str) -> None:
    says(
        page,
        "Since $x_t$ is known, one mixture is enough to compute all others.",
        r"v = \alpha_t\varepsilon - \sigma_t x_0, \qquad \dot x_t = \dot\alpha_t\, x_0 + \dot\sigma_t\,\varepsilon, "
        r"\qquad \nabla_{x_t}\log p(x_t) = -\mathbb E[\varepsilon \mid x_t] / \sigma_t",
    )
    x_t, t, h = torch.randn(50, 2, generator=torch.Generator().manual_seed(0)), 0.4, 1e-4
    for name in ("toy2d-smiley-flow-velocity", "toy2d-smiley-cosine-epsilon"):
        model = ex.load_pretrained(name)
        times = torch.tensor([t - h, t, t + h], dtype=torch.float64)
        (before, alpha, after), (earlier, sigma, later) = (
            part(times).tolist() for part in (model.schedule.alpha, model.schedule.sigma)
        )
        with torch.no_grad():
            guess = model.predict(x_t, t)
        torch.testing.assert_close(alpha * guess.x0 + sigma * guess.epsilon, x_t, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(guess.v, alpha * guess.epsilon - sigma * guess.x0, rtol=1e-4, atol=1e-4)
        velocity = ((after - before) * guess.x0 + (later - earlier) * guess.epsilon) / (2 * h)
        torch.testing.assert_close(guess.velocity, velocity, rtol=5e-3, atol=5e-3)
        torch.testing.assert_close(guess.score, -guess.epsilon / sigma, rtol=1e-4, atol=1e-4)


def test_the_score_of_the_exact_model_is_the_gradient_of_the_log_density(page: str) -> None:
    says(
        page,
        "The **exact model** averages its examples $x^{(i)}$, each weighted by the probability that $x_t$ was made "
        "from it",
        "- **Score**: the way uphill, to where noisy data are more likely.",
    )
    examples = ex.toy2d("smiley", n=10, seed=0).double()
    schedule = ex.make_schedule("flow")
    t = 0.3
    alpha, sigma = float(schedule.alpha(torch.tensor(t))), float(schedule.sigma(torch.tensor(t)))
    x_t = torch.randn(40, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64).requires_grad_()
    exponent = -(x_t[:, None] - alpha * examples).square().sum(2) / (2 * sigma**2)
    (uphill,) = torch.autograd.grad(exponent.logsumexp(1).sum(), x_t)
    exact = ex.ideal_denoiser(examples.float(), schedule).predict(x_t.detach().float(), t)
    torch.testing.assert_close(exact.score.double(), uphill, rtol=1e-3, atol=1e-3)
    weighted = exponent.softmax(1) @ examples
    torch.testing.assert_close(exact.x0.double(), weighted.detach(), rtol=1e-3, atol=1e-3)


def test_the_arrows_lead_to_the_data(page: str, answers: str, smiley: ex.Denoiser) -> None:
    says(page, "The arrows lead from noise to **data**, which is *against* the velocity $\\dot x_t$")
    says(answers, "sampling goes from noise to data. The velocity in the mathematics is its opposite")
    data = ex.toy2d("smiley", n=3000, seed=3)
    epsilon = torch.randn(3000, 2, generator=torch.Generator().manual_seed(3))
    alpha, sigma = (float(part(torch.tensor(0.6))) for part in (smiley.schedule.alpha, smiley.schedule.sigma))
    with torch.no_grad():
        velocity = smiley.predict(alpha * data + sigma * epsilon, 0.6).velocity
    assert float((velocity * (epsilon - data)).sum(1).mean()) > 0.1  # the mathematics: from data to noise
    (path,) = ex.sample(smiley, 500, "heun", 30, 0).x[None]
    step = path[15] - path[14]
    with torch.no_grad():
        at = smiley.predict(path[14], ex.samplers.sample_times(smiley.schedule, 30, "time")[14].item()).velocity
    assert float((torch.nn.functional.cosine_similarity(step, -at, dim=1)).median()) > 0.99


def test_a_network_learns_ten_points_by_heart(page: str) -> None:
    says(page, "A network that is trained on so few learns them by heart as well.")
    ten = ex.toy2d("smiley", n=10, seed=0)
    denoiser = ex.make_denoiser_2d(seed=0)
    for _ in ex.train(denoiser, ten, ex.TrainConfig(steps=1200, batch_size=512, learning_rate=0.02)):
        pass
    samples = ex.sample(denoiser, 500, "heun", 30, 1, keep="last").samples
    near = torch.cdist(samples, ten).amin(1)
    assert float((near < 0.1).float().mean()) > 0.8


def test_the_right_end_of_the_learning_rate_leaves_the_numbers(page: str) -> None:
    says(page, "At the right end the loss leaves the numbers, and the run says so.")
    rate = float(found(r"'?1e\+06", page)[0].strip("'"))
    with pytest.raises(ex.Diverged):
        for event in ex.train(
            ex.make_denoiser_2d(seed=0),
            ex.toy2d("smiley", n=2000, seed=0),
            ex.TrainConfig(steps=300, batch_size=512, learning_rate=rate),
        ):
            assert event.step < 300


def test_the_checkerboard_comes_within_one_and_a_half_times_of_the_upper_end() -> None:
    (exercise,) = [one for one in EXERCISES if "checkerboard" in one.task]
    assert "Within 1.5 times of its upper end is reached in about three seconds" in exercise.answer
    fresh = ex.toy2d("checkerboard", n=2000, seed=1).numpy()
    perfect = [distance(ex.toy2d("checkerboard", n=1000, seed=50 + k).numpy(), fresh) for k in range(40)]
    denoiser = ex.make_denoiser_2d(seed=0)
    config = ex.TrainConfig(steps=1000, batch_size=512, learning_rate=0.02)
    for _ in ex.train(denoiser, ex.toy2d("checkerboard", n=20_000, seed=0), config):
        pass
    samples = ex.sample(denoiser, 1000, "heun", 12, 0, keep="last").samples.numpy()
    assert distance(samples, fresh) < 1.5 * np.percentile(perfect, 95)
