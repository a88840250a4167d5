"""The one training loop: a generator, so that the caller decides what to do with each step."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from explorer.dataset import ImageDataset
from explorer.denoiser import Denoiser, expand

VALUES_DRAWN_AT_ONCE = 2**17
ADAM_BETAS = (0.9, 0.99)
OPTIMIZERS = ("adam", "muon")
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
MUON_SCALE = 0.2


class Diverged(ArithmeticError):
    """The loss is no longer a finite number; the denoiser holds the last good averaged weights."""


@dataclass(frozen=True)
class TrainConfig:
    """How to train. One of `steps` and `max_seconds` must be given; the nearer one ends the run.

    Both count from the very first step, also when a run is resumed; time spent by the caller between
    two steps does not count. The learning rate rises over `warmup` steps, then falls along a cosine to 0
    at the end of the run. `ema_decay` in [0, 1) is that of the averaged weights, 0 for none.
    `condition_dropout` is the share of batches trained without their condition (Ho and Salimans 2022).
    `optimizer` is "adam" (Kingma and Ba 2015), or "muon", which gives the kernels between the first and the last
    convolution orthogonal steps of the size that Adam's have (Jordan et al. 2024; Liu et al. 2025).
    `log_snr`, a mean and a standard deviation, trains most where the noise level is near that mean instead of at
    the schedule's own times (Karras et al. 2022; Esser et al. 2024).
    Raises ValueError for a value out of its range.
    """

    steps: int | None = None
    max_seconds: float | None = None
    batch_size: int = 512
    learning_rate: float = 2e-2
    warmup: int = 20
    ema_decay: float = 0.99
    condition_dropout: float = 0.1
    optimizer: str = "adam"
    log_snr: tuple[float, float] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        limits = [limit for limit in (self.steps, self.max_seconds) if limit is not None]
        if not limits:
            raise ValueError("give steps, max_seconds, or both: training must know when to end")
        if not all(0 <= limit < math.inf for limit in limits):
            raise ValueError(f"steps and max_seconds must be finite and not negative, not {limits}")
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {self.batch_size}")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay must lie in [0, 1), not {self.ema_decay}")
        if not 0 <= self.condition_dropout <= 1:
            raise ValueError(f"condition_dropout must lie in [0, 1], not {self.condition_dropout}")
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"no optimizer is called {self.optimizer!r}; choose one of {', '.join(OPTIMIZERS)}")
        if self.log_snr and not (math.isfinite(self.log_snr[0]) and 0 < self.log_snr[1] < math.inf):
            raise ValueError(f"log_snr must be a finite mean and a positive standard deviation, not {self.log_snr}")
        if not 0 < self.learning_rate <= 1e30:
            raise ValueError(f"learning_rate must be a positive number, 1e30 at most, not {self.learning_rate}")

    def progress(self, step: int, seconds: float) -> float:
        """Share of the run that is done, in [0, 1], by the nearer limit."""
        by_steps = step / self.steps if self.steps else float(self.steps == 0)
        by_time = seconds / self.max_seconds if self.max_seconds else float(self.max_seconds == 0)
        return min(1.0, max(by_steps, by_time))


@dataclass(frozen=True)
class TrainState:
    """Where a run stands. The vectors are (parameters,), in the order of `denoiser.parameters()`.

    The random numbers of a step follow from the seed and the step, so no generator needs keeping.
    """

    step: int
    seconds: float
    weights: Tensor
    averaged: Tensor
    first_moment: Tensor
    second_moment: Tensor


@dataclass(frozen=True)
class TrainEvent:
    """One step done: its number from 1, its weighted loss, and the seconds trained so far."""

    step: int
    loss: float
    seconds: float
    _live: TrainState

    def state(self) -> TrainState:
        """A copy of the run's state now; call it before asking for the next event."""
        live = self._live
        vectors = (live.weights, live.averaged, live.first_moment, live.second_moment)
        return TrainState(self.step, self.seconds, *(vector.clone() for vector in vectors))


def weights_of(denoiser: Denoiser) -> Tensor:
    """A copy of the denoiser's parameters as one vector, (parameters,), in the order of their memory."""
    return torch.cat([parameter.detach().as_strided((parameter.numel(),), (1,)) for parameter in denoiser.parameters()])


def load_weights(denoiser: Denoiser, vector: Tensor) -> None:
    """Let the denoiser's parameters be views of a vector of weights, as in `TrainState`.

    Each keeps its memory layout, so the vector must come from a denoiser that was made alike.
    """
    offset = 0
    for parameter in denoiser.parameters():
        parameter.data = vector.as_strided(parameter.shape, parameter.stride(), vector.storage_offset() + offset)
        parameter.grad = None
        offset += parameter.numel()


def _flatten(denoiser: Denoiser) -> tuple[Tensor, Tensor]:
    """One vector that all parameters are views of, and one for their gradients: an optimiser step is then
    a handful of operations instead of a handful for every layer."""
    parameters = list(denoiser.parameters())
    if not parameters or not all(parameter.requires_grad for parameter in parameters):
        raise ValueError("this denoiser has no weights to train, or they are frozen: copy it and unfreeze the copy")
    weights = weights_of(denoiser)
    gradient = torch.zeros_like(weights)
    load_weights(denoiser, weights)
    offset = 0
    for parameter in parameters:
        parameter.grad = gradient.as_strided(parameter.shape, parameter.stride(), offset)
        offset += parameter.numel()
    return weights, gradient


def orthogonalised(matrices: Tensor) -> Tensor:
    """Matrices (k, m, n) with their singular values brought near 1, by five steps of Newton and Schulz's iteration.

    The coefficients are those of Muon (Jordan et al. 2024), which stop between 0.7 and 1.2; what a step multiplies
    by depends on the Gram matrix (k, m, m) alone, so only that one is iterated.
    """
    a, b, c = NEWTON_SCHULZ
    matrices = matrices / (matrices.norm(dim=(1, 2), keepdim=True) + 1e-7)
    gram = matrices @ matrices.mT
    one = product = torch.eye(gram.shape[-1]).to(gram)
    for _ in range(5):
        factor = a * one + b * gram + c * gram @ gram
        product, gram = factor @ product, factor @ gram @ factor
    return product @ matrices


def _kernels(denoiser: Denoiser) -> dict[torch.Size, list[slice]]:
    """Where the kernels between the first and the last convolution lie in a vector of weights, by their shape."""
    found: list[tuple[torch.Size, slice]] = []
    offset = 0
    for parameter in denoiser.parameters():
        if parameter.ndim == 4:
            found.append((parameter.shape, slice(offset, offset + parameter.numel())))
        offset += parameter.numel()
    kernels: dict[torch.Size, list[slice]] = {}
    for shape, place in found[1:-1]:
        kernels.setdefault(shape, []).append(place)
    return kernels


def _orthogonalise(update: Tensor, momentum: Tensor, kernels: dict[torch.Size, list[slice]]) -> None:
    """Put into `update`, in the place of each kernel, its momentum orthogonalised, as large as a step of Adam."""
    for shape, places in kernels.items():
        rows = shape[0]
        matrices = torch.stack([momentum[place].view(rows, -1) for place in places])
        scale = MUON_SCALE * math.sqrt(max(matrices.shape[1:]))
        for place, matrix in zip(places, orthogonalised(matrices), strict=True):
            update[place] = scale * matrix.flatten()


def _check(denoiser: Denoiser, values: Tensor, condition: Tensor | None) -> None:
    if len(values) == 0 or values.shape[1:] != denoiser.shape:
        raise ValueError(f"data has shape {tuple(values.shape)}, but a sample has shape {denoiser.shape}")
    if not bool(values.isfinite().all()):
        raise ValueError("data holds values that are not finite")
    if condition is not None and len(condition) != len(values):
        raise ValueError(f"{len(values)} samples, but {len(condition)} conditions")


def _batches(
    denoiser: Denoiser, values: Tensor, condition: Tensor | None, config: TrainConfig, first: int
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None]]:
    """What each step from `first` on needs: network inputs, targets, log-SNR, weights, condition.

    Many small batches are drawn at once; the seed and the number of the group decide them.
    """
    schedule, size = denoiser.schedule, config.batch_size
    group = max(1, min(64, VALUES_DRAWN_AT_ONCE // (size * values[0].numel())))
    generator = torch.Generator()
    for number in range(first // group, 2**62):
        generator.manual_seed(config.seed * 1_000_003 + number)
        t = torch.stack([schedule.training_times(size, generator, config.log_snr) for _ in range(group)])
        t = t.to(values.device)
        picked = torch.randint(len(values), (group, size), generator=generator).to(values.device)
        x0 = values[picked]
        epsilon = torch.randn(x0.shape, generator=generator).to(values.device)
        dropped = torch.rand(group, generator=generator) < config.condition_dropout
        alpha, sigma = schedule.alpha(t), schedule.sigma(t)
        p, q = denoiser.target_mix(t, alpha, sigma)
        size_of_x = torch.hypot(alpha, sigma)

        def mix(a: Tensor, b: Tensor, x0: Tensor = x0, epsilon: Tensor = epsilon) -> Tensor:
            columns = (*a.shape, *[1] * (x0.ndim - 2))
            return a.reshape(columns) * x0 + b.reshape(columns) * epsilon

        x_in, target = mix(alpha / size_of_x, sigma / size_of_x), mix(p, q)
        log_snr, weight = 2 * torch.log(alpha / sigma), denoiser.loss_weight(alpha, sigma, p, q)
        for k in range(first - number * group if number == first // group else 0, group):
            kept = None if condition is None or dropped[k] else condition[picked[k]]
            yield x_in[k], target[k], log_snr[k], weight[k], kept


def train(denoiser: Denoiser, data: Any, config: TrainConfig, state: TrainState | None = None) -> Iterator[TrainEvent]:
    """Train the denoiser in place by denoising score matching, yielding an event a step (Ho et al. 2020).

    `data` is a tensor (m, *shape), a pair (tensor, condition (m,)) or an `ImageDataset`. Give a `state` back to
    resume: a run bounded by steps then ends with the numbers of one that was never interrupted. While it runs
    the denoiser holds the raw weights; when it ends or is closed, the averaged ones. The optimiser works on one
    vector of all weights. Raises ValueError for data of another shape, `Diverged` at the first loss that is not finite.
    """
    if isinstance(data, ImageDataset):
        data = data.images, data.labels
    values, condition = data if isinstance(data, tuple) else (data, None)
    _check(denoiser, values, condition)
    weights, gradient = _flatten(denoiser)
    values = values.to(weights)
    if state is None:
        step, seconds = 0, 0.0
        averaged, first_moment, second_moment = weights.clone(), torch.zeros_like(weights), torch.zeros_like(weights)
    elif state.weights.shape != weights.shape:
        raise ValueError(f"the state holds {len(state.weights)} weights, the denoiser {len(weights)}")
    else:
        step, seconds = state.step, state.seconds
        weights.copy_(state.weights)
        averaged, first_moment, second_moment = (
            vector.clone() for vector in (state.averaged, state.first_moment, state.second_moment)
        )
    live = TrainState(step, seconds, weights, averaged, first_moment, second_moment)
    batches = _batches(denoiser, values, condition, config, step)
    kernels = _kernels(denoiser) if config.optimizer == "muon" else {}
    beta1, beta2 = ADAM_BETAS
    try:
        while (progress := config.progress(step, seconds)) < 1:
            started = time.perf_counter()
            x_in, target, log_snr, weight, kept = next(batches)
            output = denoiser.network(x_in, log_snr, kept)
            loss = (expand(weight, output) * (output - target).square()).mean()
            value = loss.item()
            if not math.isfinite(value):
                raise Diverged(
                    f"The loss stopped being a finite number at step {step + 1}. Lower the learning rate and train "
                    "again; the model keeps its last good weights."
                )
            averaged.lerp_(weights, 1 - min(config.ema_decay, (step + 1) / (step + 10)))
            gradient.zero_()
            loss.backward()
            step += 1
            first_moment.lerp_(gradient, 1 - beta1)
            second_moment.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
            rate = config.learning_rate * min(1, step / max(1, config.warmup)) * (1 + math.cos(math.pi * progress)) / 2
            scale = second_moment.sqrt().div_(math.sqrt(1 - beta2**step)).add_(1e-8)
            update = first_moment / (1 - beta1**step) / scale
            _orthogonalise(update, first_moment, kernels)
            weights.sub_(update, alpha=rate)
            seconds += time.perf_counter() - started
            yield TrainEvent(step, value, seconds, live)
    finally:
        load_weights(denoiser, averaged)
