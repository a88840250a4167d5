"""What the Sampling showdown claims, computed again."""

import json
import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch import Tensor

import explorer as ex
from explorer.data.mnist import shipped_mnist
from explorer.files import ASSETS
from explorer.zoo import load_classifier
from tests.claims.reading import found, number, replies, says, words

Open = Callable[..., AppTest]
PAGE = "pages/sampling_showdown.py"
IN_TURN = torch.arange(16) % 10


@pytest.fixture(scope="module")
def page(open_page: Open) -> str:
    return words(open_page(PAGE))


@pytest.fixture(scope="module")
def answers(open_page: Open) -> str:
    return replies(open_page(PAGE), "show")


@pytest.fixture(scope="module")
def mnist() -> ex.Denoiser:
    return ex.load_pretrained("mnist-28")


def ends(model: ex.Denoiser, sampler: str, steps: int, condition: Tensor = IN_TURN, seed: int = 1, **how: object):
    return ex.sample(model, len(condition), sampler, steps, seed, condition, keep="last", **how).samples


def apart(a: Tensor, b: Tensor) -> float:
    return float((a - b).square().mean().sqrt())


def right(samples: Tensor, labels: Tensor = IN_TURN) -> int:
    return int((load_classifier("mnist-28").classify(samples) == labels).sum())


def frechet(samples: Tensor, real: Tensor) -> float:
    """The formula of the page, by eigenvalues, in the features of the classifier."""
    judge = load_classifier("mnist-28")
    a, b = (torch.cat([judge.features(part) for part in images.split(250)]).double() for images in (samples, real))
    product = torch.linalg.eigvals(a.T.cov() @ b.T.cov())
    trace = float(a.T.cov().trace() + b.T.cov().trace() - 2 * product.real.clamp(min=0).sqrt().sum())
    return float((a.mean(0) - b.mean(0)).square().sum()) + trace


def test_two_samplers_from_one_noise_end_as_far_apart_as_is_said(page: str, mnist: ex.Denoiser) -> None:
    said = found(
        r"DDPM, 3 steps \(3 network calls\) and DPM-Solver\+\+\(2M\), 3 steps \(3 network calls\) end ([\d.]+) apart",
        page,
    )
    ddpm, solver = (ends(mnist, sampler, 3) for sampler in ("ddpm", "dpmpp_2m"))
    assert apart(ddpm, solver) == pytest.approx(number(said[1]), abs=0.006)


def test_the_frechet_distances_that_were_recorded_are_found_again_on_fewer_samples(
    page: str, mnist: ex.Denoiser
) -> None:
    said = found(r"Over 1,000 samples their Fréchet distances to real images are ([\d.]+) and ([\d.]+)\.", page)
    asked = torch.arange(300) % 10
    real = shipped_mnist("held-out").images
    samples = {sampler: ends(mnist, sampler, 3, asked, 7) for sampler in ("ddpm", "dpmpp_2m")}
    ddpm, solver = (frechet(images, real) for images in samples.values())
    floor = frechet(shipped_mnist("training").images, real)  # few images alone are some way off
    assert 0 < floor < 5
    assert ddpm == pytest.approx(number(said[1]), rel=0.4)
    assert solver == pytest.approx(number(said[2]), rel=0.4)
    assert ddpm > 1.2 * solver
    says(page, "The Fréchet distance to real images sees that; the classifier recognises nearly all of both.")
    for images in samples.values():
        assert right(images, asked) / 300 > 0.95


def test_the_strokes_of_one_are_sharp_and_those_of_the_other_grey(page: str, mnist: ex.Denoiser) -> None:
    says(page, "The strokes of DPM-Solver++ are sharp by then, those of DDPM still grey.")
    real = shipped_mnist("held-out").images
    white, edge = {}, {}
    for name in ("ddpm", "dpmpp_2m", "real"):
        images = real if name == "real" else ends(mnist, name, 3).clamp(-1, 1)
        white[name] = float((images > 0.8).float().mean())
        edge[name] = float(images.diff(dim=-1).abs().flatten(1).quantile(0.98, dim=1).mean())
    assert white["ddpm"] < 0.7 * white["dpmpp_2m"]
    assert white["ddpm"] < 0.5 * white["real"]
    assert edge["ddpm"] < 0.85 * edge["dpmpp_2m"]
    assert edge["dpmpp_2m"] > 0.9 * edge["real"]


def test_strong_guidance_breaks_the_solver_in_3_steps_and_not_in_10(page: str, mnist: ex.Denoiser) -> None:
    says(
        page,
        "Raise the guidance scale to 4: with 3 steps it is DPM-Solver++ whose images fall apart. With 10 steps it "
        "holds.",
    )
    hits = {
        (sampler, steps): right(ends(mnist, sampler, steps, guidance_scale=4.0))
        for sampler in ("ddpm", "dpmpp_2m")
        for steps in (3, 10)
    }
    assert hits["dpmpp_2m", 3] <= 10
    assert min(hits["ddpm", 3], hits["ddpm", 10], hits["dpmpp_2m", 10]) >= 15


def test_the_paths_of_ddim_stay_near_each_other_and_those_of_ddpm_do_not(
    page: str, answers: str, mnist: ex.Denoiser
) -> None:
    says(page, "The paths of DDIM stay near each other, those of DDPM are new ones.")
    says(answers, "Both follow one differential equation, the second more closely.")
    fine = {steps: ends(mnist, "ddim", steps) for steps in (10, 15, 30)}
    others = apart(fine[30], ends(mnist, "ddim", 10, seed=9))
    assert apart(fine[10], fine[30]) < 0.2 * others
    assert apart(fine[15], fine[30]) < 0.1 * others
    assert apart(ends(mnist, "ddpm", 10), ends(mnist, "ddpm", 30)) > 4 * apart(fine[10], fine[30])
    long = ends(mnist, "ddim", 80)
    assert apart(fine[30], long) < apart(fine[15], long) < apart(fine[10], long)


def test_one_noise_has_one_end_under_ddim_and_many_under_ddpm(page: str, answers: str, mnist: ex.Denoiser) -> None:
    said = found(
        r"From one noise, (\d) walks differ by at most ([\d.]+) in a pixel under DDIM and by ([\d.]+) under DDPM, a "
        r"diversity of ([\d.]+) against ([\d.]+)",
        page,
    )
    says(answers, "The column for other seeds says 0 for it, and not for DDPM.")
    walks = int(said[1])
    start = torch.randn(1, 1, 28, 28, generator=torch.Generator().manual_seed(11)).expand(walks, -1, -1, -1)
    start = start * mnist.schedule.sigma(torch.tensor(mnist.schedule.t_max)).float()
    threes = torch.full((walks,), 3)
    judge = load_classifier("mnist-28")
    for sampler, pixel, diversity in (("ddim", said[2], said[4]), ("ddpm", said[3], said[5])):
        images = ends(mnist, sampler, 5, threes, x_init=start)
        spread = float((images.amax(0) - images.amin(0)).max())
        features = float(torch.pdist(judge.features(images)).mean())
        if sampler == "ddim":
            assert spread == pytest.approx(number(pixel), abs=1e-3)
            assert features == pytest.approx(number(diversity), abs=1e-2)
        else:  # another noise: as wild, not the same
            assert spread == pytest.approx(number(pixel), rel=0.3)
            assert features == pytest.approx(number(diversity), rel=0.6)


def test_eta_goes_from_ddim_to_ddpms_posterior(page: str, mnist: ex.Denoiser) -> None:
    says(
        page,
        "$\\eta = 0$ is DDIM, 1 is DDPM",
        r"\tilde\sigma^2 = \frac{\sigma_s^2}{\sigma_t^2}",
        r"\Bigl(\sigma_t^2 - \frac{\alpha_t^2}{\alpha_s^2}\sigma_s^2\Bigr)",
    )
    schedule = mnist.schedule
    times = torch.tensor([0.7, 0.5, 0.0], dtype=torch.float64)
    (alpha_t, alpha_s), (sigma_t, sigma_s) = (
        (float(part(times[0])), float(part(times[1]))) for part in (schedule.alpha, schedule.sigma)
    )
    x_t = torch.randn(200, 1, 28, 28, generator=torch.Generator().manual_seed(0)).clamp(-2, 2)
    asked = torch.arange(200) % 10
    with torch.no_grad():
        x0 = torch.cat([mnist.predict(x, 0.7, c).x0 for x, c in zip(x_t.split(50), asked.split(50), strict=True)])
    implied = (x_t - alpha_t * x0) / sigma_t
    still = ex.sample(mnist, 200, "ddim", seed=0, condition=asked, x_init=x_t, times=times).x[1]
    torch.testing.assert_close(still, alpha_s * x0 + sigma_s * implied, rtol=1e-3, atol=1e-3)
    # the posterior of x_s given x_t and x0: two Gaussians, in precision form
    step = sigma_t**2 - (alpha_t / alpha_s) ** 2 * sigma_s**2
    precision = 1 / sigma_s**2 + (alpha_t / alpha_s) ** 2 / step
    mean = (alpha_s * x0 / sigma_s**2 + alpha_t / alpha_s * x_t / step) / precision
    moved = ex.sample(mnist, 200, "ddpm", seed=5, condition=asked, x_init=x_t, times=times).x[1]
    assert float((moved - mean).mean()) == pytest.approx(0, abs=0.01)
    assert float((moved - mean).std()) == pytest.approx(precision**-0.5, rel=0.01)
    again = ex.sample(mnist, 200, "ddim", seed=5, condition=asked, x_init=x_t, times=times, eta=1.0).x[1]
    assert float((again - mean).std()) == pytest.approx(precision**-0.5, rel=0.01)


def test_heun_and_the_solver_gain_as_steps_are_added(page: str, answers: str, mnist: ex.Denoiser) -> None:
    says(
        page,
        "**Heun**: looks ahead and corrects each step: two network calls a step, and from ten steps on less error "
        "than Euler's.",
        "its error falls faster than Euler's as steps are added.",
    )
    says(answers, "Each of its steps asks the network twice.")
    digits = ex.load_pretrained("digits-8")
    for model in (digits, mnist):
        asked = IN_TURN[:10]
        exact = ends(model, "ddim", 200, asked)
        error = {
            (sampler, steps): apart(ends(model, sampler, steps, asked), exact)
            for sampler in ("euler", "heun", "dpmpp_2m")
            for steps in (10, 20)
        }
        assert error["heun", 10] < 0.8 * error["euler", 10]
        assert error["heun", 20] < 0.5 * error["euler", 20]
        fall = {sampler: error[sampler, 10] / error[sampler, 20] for sampler in ("euler", "heun", "dpmpp_2m")}
        assert fall["dpmpp_2m"] > 1.1 * fall["euler"]
        torch.testing.assert_close(ends(model, "euler", 5), ends(model, "ddim", 5), rtol=1e-3, atol=1e-3)
    calls = {s: ex.sample(digits, 1, s, 6, 0, keep="last").evaluations for s in ("euler", "heun")}
    assert calls == {"euler": 6, "heun": 2 * 6 - 1}


def test_guidance_at_much_noise_costs_variety_and_at_little_moves_next_to_nothing(
    open_page: Open, mnist: ex.Denoiser
) -> None:
    text = words(open_page(PAGE, show_guidance="4.0"))
    low, high = map(number, found(r"only while the log-SNR is between (\S+) and (\S+);", text).groups())
    says(text, "guidance at more noise than that costs a third of the variety of the threes")
    pixel = number(found(r"at less noise it moves a pixel by ([\d.]+) ", text)[1])
    judge, threes = load_classifier("mnist-28"), torch.full((40,), 3)

    def guided(interval: tuple[float, float], condition: Tensor, scale: float = 4.0) -> Tensor:
        return ends(mnist, "ddim", 12, condition, 2, guidance_scale=scale, guidance_interval=interval)

    def variety(interval: tuple[float, float], scale: float = 4.0) -> float:
        return float(torch.pdist(judge.features(guided(interval, threes, scale))).mean())

    whole = variety((-99.0, 99.0), 1.0)
    assert variety((-99.0, low)) == pytest.approx(2 / 3 * whole, rel=0.12)
    assert variety((low, high)) > 0.9 * whole
    plain = ends(mnist, "ddim", 12, seed=2)
    assert apart(guided((high, 99.0), IN_TURN), plain) == pytest.approx(pixel, abs=0.012)
    assert apart(guided((-99.0, low), IN_TURN), plain) > 7 * pixel


def test_only_a_deterministic_sampler_has_a_space_of_noises_to_move_in(page: str, mnist: ex.Denoiser) -> None:
    said = found(
        r"the largest jump is ([\d.]+) under DDIM and ([\d.]+) under DDPM",
        page,
    )
    says(page, "along the great circle, so that the length stays that of noise")
    a, b = torch.randn(2, 784, generator=torch.Generator().manual_seed(4)).double()
    angle = math.acos(float(a @ b / a.norm() / b.norm()))
    shares = torch.linspace(0, 1, 7, dtype=torch.float64)[:, None]
    between = (((1 - shares) * angle).sin() * a + (shares * angle).sin() * b) / math.sin(angle)
    assert float((between.norm(dim=1) / 28).sub(1).abs().max()) < 0.08
    assert float((0.5 * a + 0.5 * b).norm() / 28) < 0.8  # a straight line would lose it
    start = between.float().view(7, 1, 28, 28)
    largest = {}
    for sampler in ("ddim", "ddpm"):
        images = ends(mnist, sampler, 5, torch.full((7,), 3), x_init=start)
        largest[sampler] = max(apart(x, y) for x, y in pairwise(images))
    assert largest["ddim"] < 0.5 * largest["ddpm"]
    assert number(said[1]) < 0.5 * number(said[2])
    assert largest["ddim"] == pytest.approx(number(said[1]), rel=0.5)
    assert largest["ddpm"] == pytest.approx(number(said[2]), rel=0.3)


def test_ddim_runs_backwards_the_better_the_smaller_its_steps(page: str, mnist: ex.Denoiser) -> None:
    said = found(r"Up and down again it makes an error of ([\d.]+) in (\d+) steps each way and ([\d.]+) in (\d+)", page)
    deviation = number(found(r"([\d.]+) Its standard deviation", page)[1])
    held_out = shipped_mnist("held-out")
    image = held_out.images[held_out.labels == 4][:1]  # type: ignore[index]
    four = torch.tensor([4])
    for error, count in ((said[1], int(said[2])), (said[3], int(said[4]))):
        x, schedule = image, mnist.schedule
        times = torch.linspace(schedule.t_min, schedule.t_max, count, dtype=torch.float64)
        with torch.no_grad():
            for here, there in pairwise(times.tolist()):
                x = euler(mnist, x, here, there, four)
            noise = x
            for here, there in pairwise(times.tolist()[::-1]):
                x = euler(mnist, x, here, there, four)
            back = mnist.predict(x, times[0].item(), four).x0
        assert apart(back, image) == pytest.approx(number(error), abs=0.1)
    assert number(said[1]) > 2 * number(said[3])
    assert float(noise.std()) == pytest.approx(deviation, abs=0.08)
    says(page, "so its outline stays visible and the standard deviation below 1")


def euler(model: ex.Denoiser, x: Tensor, here: float, there: float, condition: Tensor) -> Tensor:
    """A step of DDIM without fresh noise, in either direction."""
    guess = model.predict(x, here, condition)
    now = torch.tensor(there, dtype=torch.float64)
    return float(model.schedule.alpha(now)) * guess.x0 + float(model.schedule.sigma(now)) * guess.epsilon


def test_quadratic_times_lie_denser_where_there_is_little_noise_and_karras_at_both_ends(page: str) -> None:
    says(
        page,
        "Quadratic times lie denser where there is little noise, Karras's at both ends.",
        r"quadratic ones are uniform in $\sqrt t$",
    )
    for name in ("digits-8", "mnist-28", "emoji"):
        schedule = ex.load_pretrained(name).schedule
        quadratic, karras = (ex.samplers.sample_times(schedule, 20, way)[:-1] for way in ("quadratic", "karras"))
        gaps = -quadratic.sqrt().diff()
        torch.testing.assert_close(gaps, gaps.mean().expand_as(gaps), rtol=1e-3, atol=1e-6)
        assert bool(((-quadratic.diff()).diff() < 0).all())
        gaps = -(schedule.sigma(karras) / schedule.alpha(karras)).pow(1 / 7).diff()
        torch.testing.assert_close(gaps, gaps.mean().expand_as(gaps), rtol=1e-2, atol=1e-5)
        gaps = -karras.diff()
        assert float(gaps.max()) > 10 * max(float(gaps[0]), float(gaps[-1]))


def test_how_many_steps_each_sampler_needs(page: str) -> None:
    best, who, most, needs = found(
        r"To come to at most 25 % above the best Fréchet distance \(([\d.]+), (\w+) in ([\d,]+) steps\): (.+?)\. \[",
        page,
    ).groups()
    points = json.loads((ASSETS / "quality" / "mnist-28.json").read_text())["points"]
    nearest = min(points, key=lambda point: point["frechet"])
    assert (round(nearest["frechet"], 2), nearest["steps"]) == (number(best), number(most))
    assert who == "DDPM" == nearest["sampler"].upper()
    enough: dict[str, int] = {}
    for point in sorted(points, key=lambda point: point["steps"]):
        if point["frechet"] <= 1.25 * nearest["frechet"]:
            enough.setdefault(point["sampler"], point["steps"])
    labels = {"ddpm": "DDPM", "ddim": "DDIM", "heun": "Heun", "dpmpp_2m": "DPM-Solver++(2M)"}
    for name, label in labels.items():
        assert f"{label} needs {enough[name]}" in needs
    assert enough["ddim"] < enough["ddpm"]  # in fewer steps
    assert f"Heun needs {enough['heun']} ({2 * enough['heun'] - 1} network calls)" in needs
