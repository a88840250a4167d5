"""How long a training step or a network call will take here: counted operations times measured rates.

The operations are counted on shapes alone, so a network of any size may be asked about. The rates are those of
one thread, which pages use, and workers too on fewer than eight cores (with more a worker is faster than is said
here), and of a core that nobody else wants. The kinds of work are chosen for
U-Nets; a plain MLP, all small matrix products, takes about half of what is said here.
"""

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.denoiser import Denoiser
from explorer.hardware.dry_run import AttentionKernel, DeviceLayout, inputs_of, shape_copy
from explorer.modes import default_modes
from explorer.networks.unet import make_image_denoiser
from explorer.once import once
from explorer.training import TrainConfig, train

aten = torch.ops.aten
PRODUCTS = (aten.mm.default, aten.addmm.default, aten.bmm.default)
ATTENTION_KERNEL = aten._scaled_dot_product_flash_attention_for_cpu.default
TINY = 4
PASSES_OF_A_STEP = 29  # how often `train` reads or writes a vector as long as the weights, of 4 bytes each
CACHED = 256
zeros = partial(torch.zeros, dtype=torch.float32)


@dataclass(frozen=True)
class Work:
    """What one forward pass asks for.

    `convolutions` are (floating-point operations, bytes of the maps read and written, places of the map made) of
    each; `multiplied` the floating-point operations of matrix products, attention included (a multiply-add is
    two); `moved` the bytes that all others read and write; `operations` how many of any kind there are.
    """

    convolutions: tuple[tuple[int, int, int], ...] = ()
    multiplied: int = 0
    moved: int = 0
    operations: int = 0


@dataclass(frozen=True)
class Rates:
    """Seconds for one of each kind of `Work`, on this machine.

    A convolution with few channels moves more bytes for each operation, and is slower: `convolutions` are
    (bytes an operation, seconds an operation), rising, with straight lines between them. On maps of `TINY` places
    each byte takes `tiny` seconds more.
    """

    convolutions: tuple[tuple[float, float], ...]
    tiny: float
    multiplied: float
    moved: float

    def seconds(self, work: Work) -> float:
        """For one forward pass, and the backward pass if these are the rates of training."""
        convolved = sum(
            count * self.convolution(moved / count) + (moved * self.tiny if places <= TINY else 0)
            for count, moved, places in work.convolutions
        )
        return convolved + self.multiplied * work.multiplied + self.moved * work.moved

    def convolution(self, intensity: float) -> float:
        """Seconds an operation, at so many bytes an operation; beyond the last that was measured, by bytes."""
        for (left, low), (right, high) in pairwise(self.convolutions):
            if intensity <= right:
                return low + max(0.0, intensity - left) / (right - left) * (high - low)
        last, slowest = self.convolutions[-1]
        return slowest * max(1.0, intensity / last)


class Counter(DeviceLayout):
    """Counts the `work` of what runs within."""

    def __init__(self) -> None:
        super().__init__()
        self.work = Work()

    def note(self, func: Any, args: Any, out: Any) -> None:
        if func.is_view:
            return
        first = out[0] if isinstance(out, tuple | list) else out
        convolutions, multiplied, moved, operations = vars(self.work).values()
        if func is aten.convolution.default:
            count = 2 * first.numel() * args[1][0].numel()
            convolutions += ((count, _nbytes((args[0], first)), first[0, 0].numel()),)
        elif func in PRODUCTS:
            multiplied += 2 * first.numel() * args[-1].shape[-2]
        elif func is ATTENTION_KERNEL:
            multiplied += 4 * args[0].numel() * args[1].shape[-2]
        else:
            moved += _nbytes((*args, out))
        self.work = Work(convolutions, multiplied, moved, operations + 1)


def _nbytes(values: Iterable[Any]) -> int:
    flat = (part for value in values for part in (value if isinstance(value, tuple | list) else (value,)))
    return sum(part.numel() * part.element_size() for part in flat if isinstance(part, Tensor))


_counted: dict[Any, Work] = {}


def count_work(denoiser: Denoiser, n: int) -> Work:
    """What `denoiser.network`, in 32 bits, does for `n` samples, counted on shapes; remembered by the network's shape.

    Raises ValueError for n below 1.
    """
    shapes = tuple((name, tuple(parameter.shape)) for name, parameter in denoiser.named_parameters())
    key = type(denoiser.network), shapes, denoiser.shape, n
    if (work := _counted.get(key)) is None:
        if len(_counted) >= CACHED:
            _counted.clear()
        with default_modes(), torch.no_grad(), AttentionKernel("flash"):
            inputs, network = inputs_of(denoiser, None, n), shape_copy(denoiser.network, torch.float32)
            with Counter() as counter:
                network(*inputs)
        work = _counted[key] = counter.work
    return work


def seconds_per_step(denoiser: Denoiser, batch_size: int) -> float:
    """An estimate of one step of `ex.train`: batch, forward, backward, optimiser. Raises ValueError for a batch
    below 1."""
    weights = sum(parameter.numel() for parameter in denoiser.parameters())
    return _seconds(denoiser, batch_size, training=True) + PASSES_OF_A_STEP * weights * seconds_per_weight()


def seconds_per_call(denoiser: Denoiser, n: int) -> float:
    """An estimate of one `denoiser.predict` for n samples, without gradients. Raises ValueError for n below 1."""
    return _seconds(denoiser, n, training=False)


def _seconds(denoiser: Denoiser, n: int, training: bool) -> float:
    work, single = count_work(denoiser, n), n == 1
    return work.operations * seconds_per_operation(training, single) + measure_rates(training, single).seconds(work)


@once()
@default_modes()
def measure_rates(training: bool, single: bool, /) -> Rates:
    """Time a few small workloads, each of one kind: a fifth of a second, once a process.

    Convolutions are timed by what a larger batch takes more, for to call one at all costs up to a millisecond,
    which is in `seconds_per_operation`. For a `single` small image torch's convolutions take another path.
    """

    def convolution(inputs: int, outputs: int, side: int, n: int) -> tuple[float, float]:
        layer = nn.Conv2d(inputs, outputs, 3, padding=1).float().to(memory_format=torch.channels_last)
        images = zeros(3 * n, inputs, side, side).to(memory_format=torch.channels_last)
        (more, slower), (less, faster) = (_timed(layer, some, training) for some in (images, images[:n]))
        (count, moved, _), (smaller, fewer, _) = more.convolutions[0], less.convolutions[0]
        return (moved - fewer) / (count - smaller), max(0.0, slower - faster) / (count - smaller)

    maps = zeros(32, 64, 7, 7).to(memory_format=torch.channels_last)
    pointwise, between = _timed(_Pointwise().float(), maps, training)
    attention, seen = _timed(_Attention().float(), zeros(32, 49, 64), training)
    wide, tiny = convolution(32, 32, side=14, n=1 if single else 16), 0.0
    convolutions = [wide]
    if not single:
        convolutions += [convolution(16, 16, side=4, n=128), convolution(4, 16, side=4, n=256)]
        intensity, slower = convolution(32, 32, side=2, n=256)
        tiny = max(0.0, slower - wide[1]) / intensity
    return Rates(tuple(convolutions), tiny, multiplied=seen / attention.multiplied, moved=between / pointwise.moved)


@once()
@default_modes()
def seconds_per_operation(training: bool, single: bool, /) -> float:
    """What it costs to call an operation, whatever its size: measured on a U-Net whose numbers hardly count."""
    n, network = 1 if single else 16, make_image_denoiser((1, 8, 8), widths=(8, 8)).float()
    work, x = count_work(network, n), zeros(n, 1, 8, 8)
    if training:
        steps = train(network, x, TrainConfig(steps=100, batch_size=n, learning_rate=1e-6))
        whole = _median_seconds(lambda: next(steps), 6)
    else:
        with torch.no_grad():
            whole = _median_seconds(lambda: network.predict(x, 0.5), 6)
    return max(0.0, whole - measure_rates(training, single).seconds(work)) / work.operations


@once()
@default_modes()
def seconds_per_weight() -> float:
    """For one pass over a long vector of weights."""
    vector, other = zeros(2**18), torch.ones(2**18, dtype=torch.float32)
    return _median_seconds(lambda: vector.lerp_(other, 0.5), 6) / (3 * len(vector))


class _Pointwise(nn.Module):
    """What stands between the convolutions of a residual block."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, 64)

    def forward(self, x: Tensor) -> Tensor:
        return x + functional.silu(self.norm(x) * (1 + x[:, :, :1, :1]))


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(64, 64)

    def forward(self, x: Tensor) -> Tensor:
        by_head = x.unflatten(-1, (4, 16)).transpose(1, 2)
        seen = functional.scaled_dot_product_attention(by_head, by_head, by_head)
        return self.out(seen.transpose(1, 2).flatten(2))


def _timed(module: nn.Module, x: Tensor, training: bool) -> tuple[Work, float]:
    """The work of `module(x)`, and the seconds it takes, with its backward pass if training."""
    with torch.no_grad(), AttentionKernel("flash"), Counter() as counter:
        module(x)

    def run() -> None:
        with torch.set_grad_enabled(training):
            out = module(x.detach().requires_grad_(training))
            if training:
                out.backward(out.detach())

    return counter.work, _median_seconds(run, 4)


def _median_seconds(run: Callable[[], Any], times: int) -> float:
    """Of processor time, so that others on this machine do not count; the first call warms up."""
    run()
    seconds = []
    for _ in range(times):
        began = time.thread_time()
        run()
        seconds.append(time.thread_time() - began)
    return statistics.median(seconds)
