"""What Core concepts claims, computed again."""

import gzip
import json
import math
import re
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch import Tensor

import explorer as ex
from explorer.data.digits import digits
from explorer.files import ASSETS
from explorer.lessons.conclusion_ethics.memory import training_images
from explorer.ui.glossary import GLOSSARY
from tests.claims.reading import found, number, replies, says, words

Open = Callable[..., AppTest]
PAGE = "pages/core_concepts.py"


@pytest.fixture(scope="module")
def page(open_page: Open) -> str:
    return words(open_page(PAGE))


@pytest.fixture(scope="module")
def answers(open_page: Open) -> str:
    return replies(open_page(PAGE), "core")


@pytest.fixture(scope="module")
def scans() -> Tensor:
    return digits()[0]


@pytest.fixture(scope="module")
def exact(scans: Tensor) -> ex.Denoiser:
    return ex.ideal_denoiser(scans, ex.make_schedule("cosine"))


def cosine_alpha_bar(t: float) -> float:
    """Nichol and Dhariwal's formula."""
    return math.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2 / math.cos(0.008 / 1.008 * math.pi / 2) ** 2


def from_the_nearest(images: Tensor, scans: Tensor) -> Tensor:
    return torch.cdist(images.flatten(1), scans.flatten(1)).amin(1) / 8


def weights(x_t: Tensor, scans: Tensor, alpha: float, sigma: float) -> Tensor:
    """How well each scan explains each x_t, by the formula of the page."""
    exponent = -(x_t.flatten(1)[:, None] - alpha * scans.flatten(1)).double().square().sum(2) / (2 * sigma**2)
    return exponent.softmax(1)


def shown(page: str, row: str) -> list[tuple[float, float]]:
    """Mean and standard deviation of the black and of the white pixel in a row of the table."""
    cells = found(rf"\|{row}\|([^|]*)\|([^|]*)\|", page).groups()
    return [(number(mean), number(std)) for mean, std in (cell.split(" ± ") for cell in cells)]


def test_one_jump_and_small_steps_are_what_theory_says(page: str) -> None:
    says(page, "Here a black pixel and a white one go both ways to the same time, 4,000 times each.")
    alpha_bar = cosine_alpha_bar(0.25)
    black, white = shown(page, "Theory")
    assert black == pytest.approx((-math.sqrt(alpha_bar), math.sqrt(1 - alpha_bar)), abs=2e-3)
    assert white == pytest.approx((math.sqrt(alpha_bar), math.sqrt(1 - alpha_bar)), abs=2e-3)
    chance = np.random.default_rng(0)
    for road in ("One jump", "Small steps"):
        for pixel, (mean, std) in zip((-1, 1), shown(page, road), strict=True):
            assert mean == pytest.approx(pixel * math.sqrt(alpha_bar), abs=4 * 0.391 / math.sqrt(4000))
            assert std == pytest.approx(math.sqrt(1 - alpha_bar), rel=0.05)
    walked = np.full(4000, 1.0)  # 50 steps of the kernel of the page
    levels = [cosine_alpha_bar(0.25 * k / 50) for k in range(51)]
    for before, after in pairwise(levels):
        walked = math.sqrt(after / before) * walked + math.sqrt(1 - after / before) * chance.normal(size=4000)
    assert walked.mean() == pytest.approx(math.sqrt(alpha_bar), abs=0.03)
    assert walked.std() == pytest.approx(math.sqrt(1 - alpha_bar), rel=0.05)


def test_two_sets_from_one_distribution_stay_as_near_as_is_said(page: str) -> None:
    gap, bound = map(
        number,
        found(
            r"at most ([\d.]+) apart, and two sets of 4,000 draws of one and the same kind stay below ([\d.]+) in",
            page,
        ).groups(),
    )
    chance, ways = np.random.default_rng(1), []
    for _ in range(300):
        gaps = []
        for _ in range(2):  # two pixels are compared, and the larger gap counts
            a, b = np.sort(chance.random((2, 4000)))
            at = np.linspace(0, 1, 2000)
            gaps.append(np.abs(np.searchsorted(a, at) - np.searchsorted(b, at)).max() / 4000)
        ways.append(max(gaps))
    assert np.mean(np.array(ways) < bound) == pytest.approx(0.95, abs=0.035)
    assert gap < bound


def test_the_clock_runs_between_the_ends_that_are_named(page: str) -> None:
    says(page, "from a log-SNR of 9 to −9, for EDM from σ = 0.002 to 80. EDM's time is that of its paper, σ = 80 t⁷")
    weak = number(found(r"in the first third of it σ stays below ([\d.]+), and black is 2 away from white", page)[1])
    assert weak > 80 * (1 / 3) ** 7
    edm = ex.make_schedule("edm")
    for t in (0.3, 0.5, 0.9):
        assert float(edm.sigma(torch.tensor(t, dtype=torch.float64))) == pytest.approx(80 * t**7, rel=1e-4)
    assert 80 * edm.t_min**7 == pytest.approx(0.002, rel=1e-3)
    for name in ("linear", "cosine", "flow"):
        schedule = ex.make_schedule(name)
        ends = torch.tensor([schedule.t_min, schedule.t_max], dtype=torch.float64)
        ratio = schedule.alpha(ends) / schedule.sigma(ends)
        torch.testing.assert_close(2 * ratio.log(), torch.tensor([9.0, -9.0], dtype=torch.float64), rtol=1e-3, atol=0)


def test_all_schedules_pass_through_the_same_images_at_other_times(page: str) -> None:
    says(
        page,
        "Shown at one contrast, all schedules pass through the same images. They differ in when: on the linear one the "
        "digit is gone long before it is on the cosine one.",
    )
    image, noise = torch.randn(2, 100, generator=torch.Generator().manual_seed(0)).double()
    seen, when = {}, {}
    for name in ("linear", "cosine", "flow", "edm"):
        schedule = ex.make_schedule(name)
        t = torch.linspace(schedule.t_min, schedule.t_max, 200_001, dtype=torch.float64)
        alpha, sigma = schedule.alpha(t), schedule.sigma(t)
        at = int((alpha / sigma - 1).abs().argmin())  # as much signal as noise
        when[name] = float(t[at])
        seen[name] = (alpha[at] * image + sigma[at] * noise) / torch.hypot(alpha[at], sigma[at])
    for other in seen.values():
        torch.testing.assert_close(other, seen["linear"], rtol=1e-2, atol=1e-2)
    assert when["linear"] < 0.6 * when["cosine"]


def test_the_histogram_turns_into_the_bell_curve_whatever_the_image(page: str, scans: Tensor) -> None:
    says(page, "The histogram turns from the shades of the image into N(0, 1), whatever the image was.")
    schedule = ex.make_schedule("cosine")
    end = torch.tensor(schedule.t_max, dtype=torch.float64)
    alpha, sigma = float(schedule.alpha(end)), float(schedule.sigma(end))
    epsilon = torch.randn(64 * 400, generator=torch.Generator().manual_seed(0))
    for image in (torch.ones(64), -torch.ones(64), scans[0].flatten()):
        values = (alpha * image.repeat(400) + sigma * epsilon).sort().values
        normal = torch.distributions.Normal(0.0, 1.0).cdf(values)
        assert float((normal - torch.linspace(0, 1, len(values))).abs().max()) < 0.015


def test_the_images_of_the_page_were_held_out(page: str) -> None:
    says(page, "MNIST: real handwritten digits of 28 x 28 pixels, which no model of this course was trained on.")
    index = json.loads((ASSETS / "mnist" / "index.json").read_text())
    assert all(number % 5 == 4 for number in index["held-out"])
    shown, learned = (
        gzip.decompress((ASSETS / "mnist" / f"{part}-images-idx3-ubyte.gz").read_bytes())[16:]
        for part in ("held-out", "training")
    )
    images = [{part[k : k + 784] for k in range(0, len(part), 784)} for part in (shown, learned)]
    assert len(images[0]) == 200
    assert not images[0] & images[1]
    twenty = ((training_images(20).images + 1) * 127.5).round().byte().flatten(1)  # to be learned by heart
    assert not {bytes(image.tolist()) for image in twenty} & images[0]
    cards = [json.loads(path.read_text()) for path in (ASSETS / "weights").glob("*.json")]
    data = [card["data"] for card in cards if re.search("MNIST's", card.get("data", ""))]
    assert data
    for text in data:
        assert re.search(r"held out|training part|4 of 5|i % 5", text), text


def test_the_exact_denoiser_is_the_formula_and_ends_on_scans(page: str, scans: Tensor, exact: ex.Denoiser) -> None:
    said = found(r"it knows these ([\d,]+) scans", page)
    assert number(said[1]) == len(scans) == number(found(r"the mean of the ([\d,]+) scans", page)[1])
    labels = found(
        r"\*\*Exact:\*\* at the end of the walk all 9 images are scans that it was given, of ([\d, ]+):", page
    )[1].split(", ")
    assert len(labels) == 9
    says(page, "none is more than 0.000 away from one.")
    t = torch.tensor(0.5, dtype=torch.float64)
    alpha, sigma = float(exact.schedule.alpha(t)), float(exact.schedule.sigma(t))
    x_t = alpha * scans[:6] + sigma * torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    mean = weights(x_t, scans, alpha, sigma) @ scans.flatten(1).double()
    torch.testing.assert_close(exact.predict(x_t, 0.5).x0.flatten(1).double(), mean, rtol=1e-3, atol=1e-3)
    walk = ex.sample(exact, 60, "ddpm", 10, 21, keep="last").samples
    assert float(from_the_nearest(walk, scans).max()) < 5e-4


def test_the_network_generalises(page: str, scans: Tensor) -> None:
    says(
        page,
        "A network that learned from four fifths of them, by making the squared error small, walks beside it",
        "its images are a little farther from every scan than a real scan is from the next, and are none.",
    )
    low, high = map(number, found(r"They are ([\d.]+) to ([\d.]+) away from the nearest one", page).groups())
    median, five, ninety_five = map(
        number,
        found(r"is ([\d.]+) away from the nearest other one \(the median; ([\d.]+) to ([\d.]+) for", page).groups(),
    )
    among = torch.cdist(scans.flatten(1), scans.flatten(1)) / 8
    real = among.fill_diagonal_(9).amin(1)
    assert float(real.median()) == pytest.approx(median, abs=0.005)
    assert real.quantile(torch.tensor([0.05, 0.95])).tolist() == pytest.approx([five, ninety_five], abs=0.005)
    made = from_the_nearest(ex.sample(ex.load_pretrained("digits-8"), 300, "ddpm", 10, 5, keep="last").samples, scans)
    assert 1 < float(made.median()) / median < 1.35
    assert 0.05 < float(made.min()) <= high
    assert made.min() - 0.05 < low < float(made.median()) < high < made.max() + 0.05
    card = json.loads((ASSETS / "weights" / "digits-8.json").read_text())
    assert "every fifth is held out" in card["data"]


def test_the_first_guess_is_one_grey_average(page: str, answers: str, scans: Tensor, exact: ex.Denoiser) -> None:
    says(
        page,
        "Going back, the first guess is the same grey average for every start. It sharpens long before x does and ends "
        "on a scan. With one step it stays the average.",
    )
    says(answers, "At t near 1 every scan explains the noise about equally well, so the best guess is the mean of all")
    walk = ex.sample(exact, 40, "ddpm", 20, 3)
    assert float(walk.x0[0].std(0).max()) < 0.03
    assert float((walk.x0[0] - scans.mean(0)).abs().max()) < 0.08
    end = torch.tensor(exact.schedule.t_max, dtype=torch.float64)
    share = weights(walk.x[0], scans, float(exact.schedule.alpha(end)), float(exact.schedule.sigma(end)))
    assert float((1 / share.square().sum(1)).min()) > 0.9 * len(scans)  # nearly all scans count
    one = ex.sample(exact, 40, "ddpm", 1, 3).samples
    assert float((one - scans.mean(0)).abs().max()) < 0.08
    sharp = [from_the_nearest(guess, scans).median() < 0.05 for guess in walk.x0]
    size = torch.hypot(exact.schedule.alpha(walk.t), exact.schedule.sigma(walk.t))
    clean = [from_the_nearest(x / scale, scans).median() < 0.05 for x, scale in zip(walk.x, size, strict=True)]
    assert sharp.index(True) + 4 < clean.index(True)


def test_no_denoiser_has_a_smaller_error_on_the_scans_and_two_steps_reach_them(
    page: str, answers: str, scans: Tensor, exact: ex.Denoiser
) -> None:
    says(
        answers,
        "No denoiser has a smaller error on these scans",
        "It needs fewer than the network: set Steps to 2, and it already ends on scans.",
    )
    network = ex.load_pretrained("digits-8")
    noise = torch.randn(scans.shape, generator=torch.Generator().manual_seed(2))
    for t in (0.15, 0.4, 0.7, 0.95):
        time = torch.tensor(t, dtype=torch.float64)
        x_t = float(exact.schedule.alpha(time)) * scans + float(exact.schedule.sigma(time)) * noise
        with torch.no_grad():
            best, learned = (float((model.predict(x_t, t).x0 - scans).square().mean()) for model in (exact, network))
        assert best < learned
    two = from_the_nearest(ex.sample(exact, 60, "ddpm", 2, 1, keep="last").samples, scans)
    assert float((two < 1e-3).float().mean()) > 0.9
    assert float(from_the_nearest(ex.sample(network, 60, "ddpm", 2, 1, keep="last").samples, scans).min()) > 0.1


def test_alpha_bar_is_the_share_of_the_variance_that_is_left(page: str, scans: Tensor) -> None:
    says(page, r"\bar\alpha_t = \frac{\alpha_t^2}{\alpha_t^2 + \sigma_t^2}", r"\lambda_t = \text{log-SNR} = 2 \log")
    for name in ("linear", "cosine", "flow", "edm"):
        schedule = ex.make_schedule(name)
        t = torch.tensor(0.4, dtype=torch.float64)
        alpha, sigma = float(schedule.alpha(t)), float(schedule.sigma(t))
        unit = torch.randn(200_000, generator=torch.Generator().manual_seed(0))  # of the variance of the noise
        noisy = alpha * unit + sigma * torch.randn(200_000, generator=torch.Generator().manual_seed(1))
        share = (alpha * unit).var() / noisy.var()
        assert float(share) == pytest.approx(1 / (1 + math.exp(-float(schedule.log_snr(t)))), abs=0.01)


def test_each_step_of_the_log_snr_doubles_the_signal(page: str) -> None:
    label, meaning = GLOSSARY["log_snr"]
    assert label == "log-SNR (λ)"
    step = number(found(r"every \+([\d.]+) doubles α / σ", meaning)[1])
    assert step == pytest.approx(2 * math.log(2), abs=0.05)
    says(meaning, "At 0 both are equally strong", "below 0 the noise is stronger")
