import threading

import pytest
import torch

from explorer.denoiser import Denoiser
from explorer.networks.blocks import build
from explorer.networks.unet import UNet
from explorer.schedules import make_schedule
from explorer.training import TrainConfig, train

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
