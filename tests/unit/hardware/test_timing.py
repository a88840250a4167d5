"""The operations are counted right, and more of them take longer; how long is never asserted."""

import threading
from itertools import product
from typing import Any

import pytest
import torch
from torch import nn

import explorer as ex
from explorer.hardware import timing
from explorer.hardware.timing import Counter, Rates, Work, count_work, measure_rates, seconds_per_call, seconds_per_step
from explorer.networks.unet import make_image_denoiser

SMALL: dict[str, Any] = {"widths": (8, 16)}


def work_of(module: nn.Module, *shape: int) -> Work:
    x = torch.zeros(shape)
    with torch.no_grad(), Counter() as counter:
        module(x)
    return counter.work


def test_the_work_of_a_convolution() -> None:
    n, inputs, outputs, side = 3, 5, 7, 8
    flops, nbytes = 2 * n * side**2 * outputs * inputs * 3 * 3, 4 * n * side**2 * (inputs + outputs)
    work = work_of(nn.Conv2d(inputs, outputs, 3, padding=1), n, inputs, side, side)
    assert work == Work(convolutions=((flops, nbytes, side**2),), operations=1)
    half = work_of(nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), n, inputs, side, side)
    assert half.convolutions[0][0] == flops // 4


def test_the_work_of_a_linear_layer_and_of_what_only_moves_bytes() -> None:
    linear = work_of(nn.Linear(20, 30), 7, 20)
    assert linear == Work(multiplied=2 * 7 * 20 * 30, operations=1)
    assert work_of(nn.SiLU(), 7, 20) == Work(moved=2 * 4 * 7 * 20, operations=1)
    assert work_of(nn.Flatten(), 7, 4, 5) == Work()


@pytest.mark.parametrize("options", [{}, {"attention": True}, {"depth": 2}, {"widths": (8, 16, 24)}], ids=str)
def test_floating_point_operations_are_those_torch_counts(options: dict[str, Any]) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    denoiser, n = make_image_denoiser((1, 12, 12), **{**SMALL, **options}), 3
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        denoiser.network(torch.zeros(n, 1, 12, 12), torch.zeros(n))
    work = count_work(denoiser, n)
    counted = counter.get_flop_counts()["Global"]
    assert sum(flops for flops, _, _ in work.convolutions) == counted[torch.ops.aten.convolution]
    places, width, heads = (3 * 3) if "widths" not in options else (2 * 2), denoiser.network.size["widths"][-1], 4
    seen = 4 * n * heads * places**2 * (width // heads) if options.get("attention") else 0
    assert work.multiplied - seen == sum(counted[op] for op in (torch.ops.aten.mm, torch.ops.aten.addmm))


def test_seconds_are_counts_times_rates() -> None:
    rates = Rates(convolutions=((1.0, 10.0), (2.0, 20.0), (4.0, 30.0)), tiny=2.0, multiplied=3.0, moved=5.0)
    assert rates.seconds(Work(multiplied=7, moved=100, operations=9)) == 21 + 500
    intensities = [0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 8.0]
    assert [rates.convolution(intensity) for intensity in intensities] == [10.0, 10.0, 15.0, 20.0, 25.0, 30.0, 60.0]
    assert rates.seconds(Work(convolutions=((10, 15, 16), (2, 8, 16), (5, 5, 4)))) == 10 * 15 + 2 * 30 + 5 * 10 + 5 * 2


def test_the_rates_are_measured_once_and_are_rates() -> None:
    for training, single in product((False, True), repeat=2):
        rates = measure_rates(training, single)
        assert measure_rates(training, single) is rates
        intensities = [intensity for intensity, _ in rates.convolutions]
        assert intensities == sorted(intensities) and min(intensities) > 0
        assert rates.tiny >= 0 and rates.multiplied > 0 and rates.moved > 0


@pytest.mark.parametrize("estimate", [seconds_per_step, seconds_per_call])
def test_more_work_takes_longer(estimate: Any) -> None:
    small = make_image_denoiser((1, 8, 8), widths=(16, 32))
    assert 0 < estimate(small, 16) < estimate(small, 32) < estimate(small, 512)
    for larger in (
        make_image_denoiser((1, 8, 8), widths=(32, 64)),
        make_image_denoiser((1, 8, 8), widths=(16, 32), depth=2),
        make_image_denoiser((1, 8, 8), widths=(16, 32), attention=True),
        make_image_denoiser((1, 28, 28), widths=(16, 32)),
    ):
        assert estimate(larger, 64) > estimate(small, 64)


def test_a_network_is_counted_once_for_its_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "_counted", {})
    first = count_work(make_image_denoiser((1, 8, 8), **SMALL), 4)
    assert count_work(make_image_denoiser((1, 8, 8), **SMALL, seed=1), 4) is first
    others = [
        count_work(make_image_denoiser((1, 8, 8), **SMALL), 5),
        count_work(make_image_denoiser((1, 12, 12), **SMALL), 4),
        count_work(make_image_denoiser((1, 8, 8), **SMALL, attention=True), 4),
        count_work(make_image_denoiser((1, 8, 8), **SMALL, patch=1), 4),
    ]
    assert len({first, *others}) == 5


def test_a_network_too_large_for_any_memory_is_counted_and_not_allocated() -> None:
    denoiser = ex.make_denoiser_2d(0)
    with torch.device("meta"):
        denoiser.network = nn.ModuleDict({"wide": nn.Linear(2, 10**6), "huge": nn.Linear(10**6, 10**6)})  # 4 TB
    denoiser.network.forward = lambda x, log_snr: denoiser.network["huge"](denoiser.network["wide"](x))
    assert count_work(denoiser, 10**5).multiplied == 2 * 10**5 * (2 * 10**6 + 10**12)


def test_the_model_is_only_read_and_serves_threads_meanwhile() -> None:
    denoiser = make_image_denoiser((1, 8, 8), **SMALL, attention=True).requires_grad_(False)
    before = {name: (tensor.data_ptr(), tensor._version) for name, tensor in denoiser.state_dict().items()}
    x = torch.zeros(2, 1, 8, 8)
    expected = denoiser.predict(x, 0.5).x0
    wrong: list[str] = []
    counted = {n: count_work(denoiser, n) for n in (1, 2, 3)}
    timing._counted.clear()

    def use() -> None:
        wrong.extend("output" for _ in range(20) if not torch.equal(denoiser.predict(x, 0.5).x0, expected))

    def estimate() -> None:
        wrong.extend("estimate" for n in (1, 2, 3) if count_work(denoiser, n) != counted[n])

    threads = [threading.Thread(target=target) for target in (use, estimate)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert {name: (t.data_ptr(), t._version) for name, t in denoiser.state_dict().items()} == before
    assert not any(parameter.requires_grad for parameter in denoiser.parameters())


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode])
def test_rates_are_measured_without_gradients_around(around: Any) -> None:
    denoiser = make_image_denoiser((1, 8, 8), **SMALL)
    for remembered in (measure_rates, timing.seconds_per_operation, timing.seconds_per_weight):
        remembered.cache_clear()
    with around():
        assert seconds_per_step(denoiser, 2) > 0
        assert seconds_per_call(denoiser, 2) > 0


@pytest.mark.parametrize("estimate", [seconds_per_step, seconds_per_call])
def test_a_batch_below_one_is_refused(estimate: Any) -> None:
    with pytest.raises(ValueError, match="must be at least 1, not 0"):
        estimate(ex.make_denoiser_2d(0), 0)
