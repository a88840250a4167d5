"""What the page of the U-Net claims, computed again."""

import math
from collections.abc import Callable

import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch import Tensor
from torch.nn import functional

import explorer as ex
from explorer.data.mnist import shipped_mnist
from explorer.lessons.for_teachers.exercises import EXERCISES
from tests.claims.reading import found, number, replies, says, words

Open = Callable[..., AppTest]
PAGE = "pages/unet.py"
LEVELS = (6, 3, 0, -3, -6)


@pytest.fixture(scope="module")
def page(open_page: Open) -> str:
    return words(open_page(PAGE))


@pytest.fixture(scope="module")
def answers(open_page: Open) -> str:
    return replies(open_page(PAGE), "unet")


@pytest.fixture(scope="module")
def mnist() -> ex.Denoiser:
    return ex.load_pretrained("mnist-28")


@pytest.fixture(scope="module")
def images() -> Tensor:
    return shipped_mnist("held-out").images[::4]


def noised(images: Tensor, level: float) -> tuple[Tensor, float, float]:
    """Images with noise at a log-SNR, and alpha and sigma, whose squares sum to 1."""
    alpha, sigma = math.sqrt(1 / (1 + math.exp(-level))), math.sqrt(1 / (1 + math.exp(level)))
    return alpha * images + sigma * torch.randn(images.shape, generator=torch.Generator().manual_seed(7)), alpha, sigma


def time_of(model: ex.Denoiser, level: float) -> float:
    t = torch.linspace(model.schedule.t_min, model.schedule.t_max, 4001, dtype=torch.float64)
    return float(t[(model.schedule.log_snr(t) - level).abs().argmin()])


@torch.no_grad()
def guess(model: ex.Denoiser, images: Tensor, level: float, **scales: float) -> Tensor:
    """The guess of the network with some skip connections cut: `skip_1=0`."""
    cut = {name.replace("_", " "): scale for name, scale in scales.items()}
    return model.predict(noised(images, level)[0], time_of(model, level), None, scales=cut).x0


def error(guessed: Tensor, images: Tensor) -> float:
    return float((guessed - images).square().flatten(1).mean(1).sqrt().mean())


@pytest.fixture(scope="module")
def lost(mnist: ex.Denoiser, images: Tensor) -> dict[tuple[int, int], float]:
    """What cutting each skip connection adds to the error, by connection and log-SNR, over 50 images."""
    found = {}
    for level in LEVELS:
        whole = error(guess(mnist, images, level), images)
        for skip in (1, 2, 3):
            found[skip, level] = error(guess(mnist, images, level, **{f"skip_{skip}": 0.0}), images) - whole
    return found


def maps_of(model: ex.Denoiser, x: Tensor, log_snr: float) -> dict[str, Tensor]:
    record: dict[str, Tensor] = {}
    with torch.no_grad():
        model.network(x, torch.full((len(x),), log_snr), None, record=record)
    return record


def test_the_first_skip_matters_at_moderate_noise_and_hardly_at_high_noise(
    page: str, answers: str, lost: dict[tuple[int, int], float]
) -> None:
    says(
        page,
        "at moderate noise the guess stays covered with noise. At high noise hardly anything is lost",
    )
    says(
        answers,
        "fine detail comes over the first skip connection, and at high noise there is no detail to bring.",
        "the numbers in brackets at the right of its row are close to 0",
    )
    moderate, high = max(lost[1, level] for level in (6, 3, 0)), lost[1, -6]
    assert moderate > 0.2
    assert high < 0.03
    assert max(lost, key=lost.__getitem__)[1] in (3, 0)


def test_what_stays_on_the_guess_is_noise(page: str, mnist: ex.Denoiser, images: Tensor) -> None:
    says(page, "at moderate noise the guess stays covered with noise")
    ground = images == -1  # where nothing is written, all that is left is noise
    ground[..., 5:23, 5:23] = False
    whole, cut = (guess(mnist, images, 0, skip_1=scale)[ground] for scale in (1.0, 0.0))
    assert float(cut.std()) > 5 * float(whole.std())


def test_at_high_noise_the_answer_is_a_rough_shape_of_the_deep_parts(
    page: str, answers: str, mnist: ex.Denoiser, images: Tensor
) -> None:
    says(page, "for there the answer is a rough shape, which the deep parts make by themselves.")
    says(answers, "There the guess is a rough shape, which the deep parts make by themselves")
    whole = guess(mnist, images, -6)
    without = guess(mnist, images, -6, skip_1=0.0, skip_2=0.0, skip_3=0.0)
    assert error(without, images) < error(whole, images) + 0.08
    assert error(without, whole) < 0.3 * error(whole, images)
    rough, sharp = (value.diff(dim=-1).abs().mean() for value in (whole, images))
    assert float(rough) < 0.6 * float(sharp)


def test_the_deeper_a_skip_lies_the_less_it_carries(page: str, lost: dict[tuple[int, int], float]) -> None:
    says(page, "Over many images, the deeper a skip connection lies, the less its cut costs.")
    for level in LEVELS:
        assert lost[1, level] > lost[2, level] > lost[3, level]
    (exercise,) = [one for one in EXERCISES if "upper skip connection" in one.task]
    assert "The upper one carries the finest detail, which at low noise is nearly the whole answer" in exercise.answer
    assert lost[1, 6] > 10 * abs(lost[2, 6])


def test_the_numbers_in_brackets_may_by_chance_be_less_than_nothing(
    page: str, mnist: ex.Denoiser, images: Tensor
) -> None:
    says(page, "In brackets, what the cut adds to it; on one image at one level that may by chance be negative.")
    whole, cut = (guess(mnist, images, -6, skip_3=scale) for scale in (1.0, 0.0))
    added = [
        error(one[None], x[None]) - error(two[None], x[None]) for one, two, x in zip(cut, whole, images, strict=True)
    ]
    assert min(added) < 0 < max(added)


def test_maps_get_smaller_and_more_on_the_way_down(page: str, mnist: ex.Denoiser, images: Tensor) -> None:
    says(
        page,
        "Down the left side the maps get smaller and there are more of them",
    )
    record = maps_of(mnist, images[:2], 0.0)
    sizes = [record[f"encoder {level}"].shape for level in (1, 2, 3)]
    assert [size[1] for size in sizes] == sorted({size[1] for size in sizes})
    assert [size[2] for size in sizes] == sorted({size[2] for size in sizes}, reverse=True)


def test_a_skip_puts_the_maps_beside_those_from_below(page: str, mnist: ex.Denoiser, images: Tensor) -> None:
    says(
        page,
        "A **skip connection** puts the encoder's maps beside those from below.",
        r"h_{\text{decoder}} = \mathrm{block}\big(\,[\,h_{\text{below}},\; a \cdot h_{\text{encoder}}\,]\,\big)",
    )
    record, network = maps_of(mnist, images[:3], 1.0), mnist.network
    both = torch.cat([record["up 1"], record["encoder 1"]], 1)
    with torch.no_grad():
        decoded = network.decoders[0](both, functional.silu(record["embedding"]))
    torch.testing.assert_close(decoded, record["decoder 1"], rtol=1e-3, atol=1e-4)


def test_the_same_weights_make_other_maps_at_another_time(
    page: str, answers: str, mnist: ex.Denoiser, images: Tensor
) -> None:
    says(
        page,
        "Move the time: the **embedding** changes, and with it the same weights make other maps of the same image.",
    )
    says(answers, "The dotted lines lead from the embedding into every residual block; the weights are the same at all")
    early, late = (maps_of(mnist, images[:2], level) for level in (4.0, -4.0))
    torch.testing.assert_close(early["stem"], late["stem"])  # before the first residual block
    for name in ("embedding", "encoder 1", "encoder 3", "middle", "decoder 1"):
        moved = (early[name] - late[name]).square().mean() / early[name].square().mean()
        assert float(moved) > 0.01
    blocks = [part for part in mnist.network.modules() if type(part).__name__ == "ResidualBlock"]
    assert len(blocks) == 8
    assert all(part.modulation.out_features == 2 * part.first.out_channels for part in blocks)


def test_the_noise_level_enters_as_waves_through_two_layers(page: str, mnist: ex.Denoiser, images: Tensor) -> None:
    says(
        page,
        "The **noise level** $\\lambda$, the log-SNR, enters as waves of fixed random frequencies $f_i$, through two",
        r"e = W_2\,\mathrm{silu}\big(W_1\,[\cos f_i \lambda,\; \sin f_i \lambda,\; \lambda / 4]\big)",
    )
    drawn = number(found(r"Of the embedding's (\d+) numbers all are drawn", page)[1])
    network, level = mnist.network, 2.5
    one, two = network.time[0], network.time[2]
    angles = network.noise_level.frequencies.flatten() * level
    waves = torch.cat([angles.cos(), angles.sin(), torch.tensor([level / 4])])
    with torch.no_grad():
        e = two.weight @ functional.silu(one.weight @ waves + one.bias) + two.bias + network.label(None).flatten()
    assert len(e) == drawn
    torch.testing.assert_close(e, maps_of(mnist, images[:1], level)["embedding"].flatten(), rtol=1e-3, atol=1e-4)


def test_a_residual_block_is_the_formula_and_its_norm_reaches_every_place(
    page: str, mnist: ex.Denoiser, images: Tensor
) -> None:
    says(
        page,
        "A **residual block** adds to its input; the **embedding** $e$ scales and shifts its normalised features.",
        "through it a place depends a little on places that the convolutions alone (*Sees*) do not reach",
    )
    block, record = mnist.network.encoders[0].blocks[0], maps_of(mnist, images[:2], 1.0)
    h, e = record["stem"], functional.silu(record["embedding"])

    def norm(maps: Tensor, like: torch.nn.Module, affine: bool = True) -> Tensor:
        groups = maps.unflatten(1, (like.num_groups, -1)).flatten(2)
        mean, variance = groups.mean(2, keepdim=True), groups.var(2, keepdim=True, correction=0)
        flat = ((groups - mean) / (variance + like.eps).sqrt()).view(maps.shape)
        return flat * like.weight[:, None, None] + like.bias[:, None, None] if affine else flat

    with torch.no_grad():
        inner = block.first(functional.silu(norm(h, block.first_norm)))
        scale, shift = block.modulation(e).view(len(e), 2, -1, 1, 1).unbind(1)
        expected = h + block.second(functional.silu((1 + scale) * norm(inner, block.second_norm, False) + shift))
    torch.testing.assert_close(expected, record["encoder 1"], rtol=1e-3, atol=1e-4)
    start = h.clone().requires_grad_()
    (reach,) = torch.autograd.grad(block(start, e)[0, :, 0, 0].sum(), start)
    near, far = reach[0, :, :3, :3].abs().mean(), reach[0, :, 8:, 8:].abs().mean()
    assert 0 < float(far) < 0.1 * float(near)


def test_most_parameters_lie_at_the_lowest_resolution(page: str, answers: str, mnist: ex.Denoiser) -> None:
    says(
        answers,
        "The parts there have the most channels, and weights grow with the product of the channels that enter",
        "It has the most places to visit, but the fewest channels",
    )
    network = mnist.network

    def weights(*parts: torch.nn.Module) -> int:
        return sum(parameter.numel() for part in parts for parameter in part.parameters())

    lowest = weights(network.encoders[-1], network.middle, network.decoders[-1])
    assert lowest > weights(network) / 2
    assert weights(network.encoders[0]) < weights(network.encoders[1]) < weights(network.encoders[2])
    assert weights(network.time) < 0.1 * weights(network.middle)


def test_the_error_is_that_of_the_guess_which_v_gives(page: str, mnist: ex.Denoiser, images: Tensor) -> None:
    says(
        page,
        r"\hat x_0 = \alpha_t x_t - \sigma_t v_\theta",
        "the root mean square over the pixels against the clean image",
    )
    x_t, alpha, sigma = noised(images, 1.0)
    with torch.no_grad():
        v = mnist.network(x_t, torch.full((len(x_t),), 1.0), None)
    torch.testing.assert_close(alpha * x_t - sigma * v, guess(mnist, images, 1.0), rtol=2e-2, atol=2e-2)
    says(page, "predicts $v$ (one that predicts something else is solved for $\\hat x_0$ likewise)")
    assert mnist.prediction == "v"
