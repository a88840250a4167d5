import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from explorer.denoiser import Denoiser
from explorer.networks.blocks import GroupNorm, build
from explorer.networks.mlp import make_denoiser_2d
from explorer.networks.unet import UNet, make_image_denoiser
from explorer.samplers import sample
from explorer.schedules import make_schedule
from explorer.training import TrainConfig, train
from tests.unit.test_modes import MODES

X = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
LOG_SNR = torch.tensor([-2.0, 0.0, 2.0])


def small(**options: object) -> UNet:
    return build(lambda: UNet(**{"widths": (8, 16), "classes": 10, "attention": True, **options}), seed=0)


@pytest.mark.parametrize("size", [8, 12, 28])
@pytest.mark.parametrize("options", [{}, {"widths": (8, 8, 16), "depth": 2}, {"patch": 1}, {"channels": 3}])
def test_an_image_keeps_its_shape(size: int, options: dict[str, object]) -> None:
    x = torch.zeros(2, int(str(options.get("channels", 1))), size, size)
    assert small(**options)(x, torch.zeros(2), torch.tensor([1, 2])).shape == x.shape


def test_one_noise_level_may_serve_all_images() -> None:
    network = small()
    torch.testing.assert_close(network(X, torch.zeros(1)), network(X, torch.zeros(3)))


def test_the_class_and_the_noise_level_matter() -> None:
    network = small()
    with_class = network(X, LOG_SNR, torch.tensor([1, 1, 1]))
    assert not torch.allclose(with_class, network(X, LOG_SNR))
    assert not torch.allclose(with_class, network(X, LOG_SNR, torch.tensor([2, 2, 2])))
    assert not torch.allclose(with_class, network(X, LOG_SNR + 1, torch.tensor([1, 1, 1])))


@pytest.mark.parametrize("part", ["skip 1", "skip 2", "attention"])
def test_what_is_cut_is_an_argument(part: str) -> None:
    network = small()
    whole = network(X, LOG_SNR)
    assert not torch.allclose(network(X, LOG_SNR, scales={part: 0.0}), whole)
    torch.testing.assert_close(network(X, LOG_SNR, scales={part: 1.0}), whole)
    torch.testing.assert_close(network(X, LOG_SNR), whole)


def test_one_thread_s_cut_is_nobody_else_s() -> None:
    network = small().requires_grad_(False)
    whole, cut = network(X, LOG_SNR), network(X, LOG_SNR, scales={"skip 1": 0.0})
    wrong: list[str] = []

    def repeat(scales: dict[str, float] | None, expected: torch.Tensor) -> None:
        wrong.extend("mixed up" for _ in range(50) if not torch.allclose(network(X, LOG_SNR, scales=scales), expected))

    threads = [threading.Thread(target=repeat, args=case) for case in ((None, whole), ({"skip 1": 0.0}, cut))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_activations_are_recorded_by_name() -> None:
    record: dict[str, torch.Tensor] = {}
    out = small()(X, LOG_SNR, record=record)
    shapes = {name: tuple(h.shape[1:]) for name, h in record.items()}
    assert shapes == {
        "embedding": (32,),
        "stem": (8, 4, 4),
        "encoder 1": (8, 4, 4),
        "down 1": (16, 2, 2),
        "encoder 2": (16, 2, 2),
        "attention": (16, 2, 2),
        "middle": (16, 2, 2),
        "decoder 2": (16, 2, 2),
        "up 1": (8, 4, 4),
        "decoder 1": (8, 4, 4),
        "head": (1, 8, 8),
    }
    assert torch.equal(record["head"], out)


def test_it_learns() -> None:
    images = torch.ones(64, 1, 8, 8) * torch.tensor([-1.0, 1.0]).repeat(32)[:, None, None, None]
    denoiser = Denoiser(small(), make_schedule("flow"), "velocity", shape=(1, 8, 8))
    config = TrainConfig(steps=60, batch_size=32, learning_rate=5e-3)
    losses = [event.loss for event in train(denoiser, (images, (images[:, 0, 0, 0] > 0).long()), config)]
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])


@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("widths", [(8,), (8, 8), (16,)], ids=str)
def test_a_map_of_one_place_is_no_obstacle(widths: tuple[int, ...], n: int) -> None:
    side = 2 ** len(widths)
    denoiser = make_image_denoiser((1, side, side), classes=3, widths=widths, attention=True)
    x, labels = torch.randn(n, 1, side, side, generator=torch.Generator().manual_seed(n)), [k % 3 for k in range(n)]
    together = denoiser.predict(x, 0.5, labels).x0
    one_by_one = torch.cat([denoiser.predict(x[k : k + 1], 0.5, labels[k : k + 1]).x0 for k in range(n)])
    torch.testing.assert_close(together, one_by_one, rtol=1e-4, atol=1e-5)
    assert sample(denoiser, n, steps=3, condition=labels).samples.isfinite().all()
    losses = [event.loss for event in train(denoiser, (x, labels), TrainConfig(steps=2, batch_size=1))]
    assert len(losses) == 2


def test_the_norm_is_torchs_wherever_torch_has_one() -> None:
    x = torch.randn(3, 16, 4, 4, generator=torch.Generator().manual_seed(0))
    ours, theirs = GroupNorm(8, 16), nn.GroupNorm(8, 16)
    for values in (x, x.to(memory_format=torch.channels_last)):
        torch.testing.assert_close(ours(values), theirs(values))
        with torch.no_grad():
            torch.testing.assert_close(ours(values), theirs(values))
    alone = GroupNorm(8, 8)(torch.randn(1, 8, 1, 1, generator=torch.Generator().manual_seed(0)))
    assert alone.abs().max() < 1e-4  # 0, but for the rounding of a mean


def test_token_vectors_are_read_as_the_network_takes_them() -> None:
    denoiser = make_image_denoiser((1, 4, 4), widths=(8,), context=6)
    tokens = torch.randn(3, 5, 6, generator=torch.Generator().manual_seed(0))
    x = torch.zeros(3, 1, 4, 4)
    expected = denoiser.predict(x, 0.5, tokens).x0
    for same in (tokens.double(), tokens.numpy(), tokens.tolist()):
        torch.testing.assert_close(denoiser.predict(x, 0.5, same).x0, expected)
    for wrong in (tokens[:2], tokens[:, :0], tokens[..., :5], tokens[0], [0, 1, 2], "a cat"):
        with pytest.raises(ValueError, match=r"the condition must be token vectors of shape \(3, tokens, 6\), not "):
            denoiser.predict(x, 0.5, wrong)


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES.keys())
def test_networks_are_made_alike_in_every_mode_of_their_caller(mode: Callable[[], Any]) -> None:
    def make() -> list[Denoiser]:
        return [make_denoiser_2d(3, width=8), make_image_denoiser((1, 4, 4), classes=3, widths=(8,), attention=True)]

    usual = make()
    with mode():
        within = make()
    for ours, theirs in zip(within, usual, strict=True):
        for found, wanted in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
            assert (found.dtype, found.is_inference(), found.stride()) == (wanted.dtype, False, wanted.stride())
            assert torch.equal(found, wanted)
        assert all(parameter.requires_grad for parameter in ours.parameters())
