"""The one training loop: a generator, so that the caller decides what to do with each step."""

import math
import operator
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sized
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec

import torch
from torch import Tensor, nn

from explorer.arguments import number, pair, seeded, whole_number
from explorer.dataset import ImageDataset
from explorer.denoiser import Denoiser, expand
from explorer.modes import learning

VALUES_DRAWN_AT_ONCE = 2**17
ADAM_BETAS = (0.9, 0.99)
OPTIMIZERS = ("adam", "muon")
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
MUON_SCALE = 0.2


P = ParamSpec("P")


class Diverged(ArithmeticError):
    """The loss is no longer a finite number; the denoiser holds the last good averaged weights."""


@dataclass(frozen=True)
class TrainConfig:
    """How to train. One of `steps` and `max_seconds` must be given; the nearer one ends the run.

    Both count from the very first step, also when a run is resumed; time spent by the caller between
    two steps does not count. The learning rate rises over `warmup` steps, then falls along a cosine to 0
    at the end of the run, or stays where it is without `decay`. `ema_decay` in [0, 1) is that of the averaged
    weights, 0 for none.
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
    decay: bool = True
    ema_decay: float = 0.99
    condition_dropout: float = 0.1
    optimizer: str = "adam"
    log_snr: tuple[float, float] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("steps", None), ("batch_size", 1), ("warmup", 0), ("seed", None)):
            if (value := getattr(self, name)) is not None or name != "steps":
                self._take(name, whole_number(value, name, least))
        for name in ("max_seconds", "learning_rate", "ema_decay", "condition_dropout"):
            if (value := getattr(self, name)) is not None or name != "max_seconds":
                self._take(name, number(value, name))
        limits = [limit for limit in (self.steps, self.max_seconds) if limit is not None]
        if not limits:
            raise ValueError("give steps, max_seconds, or both: training must know when to end")
        if not all(0 <= limit < math.inf for limit in limits):
            raise ValueError(f"steps and max_seconds must be finite and not negative, not {limits}")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay must lie in [0, 1), not {self.ema_decay}")
        if not 0 <= self.condition_dropout <= 1:
            raise ValueError(f"condition_dropout must lie in [0, 1], not {self.condition_dropout}")
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"no optimizer is called {self.optimizer!r}; choose one of {', '.join(OPTIMIZERS)}")
        if self.log_snr is not None:
            mean, deviation = pair(self.log_snr)
            if not (math.isfinite(mean) and 0 < deviation < math.inf):
                raise ValueError(f"log_snr must be a finite mean and a positive deviation, not {self.log_snr!r:.60}")
            self._take("log_snr", (mean, deviation))
        if not 0 < self.learning_rate <= 1e30:
            raise ValueError(f"learning_rate must be a positive number, 1e30 at most, not {self.learning_rate}")

    def _take(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)  # a plain one: what a caller's array or tensor becomes is not ours

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
    _live: tuple[Tensor, Tensor, Tensor, Tensor]

    def state(self) -> TrainState:
        """A copy of the run's state now; call it before asking for the next event."""
        weights, averaged, first_moment, second_moment = (vector.clone() for vector in self._live)
        return TrainState(self.step, self.seconds, weights, averaged, first_moment, second_moment)


Run = Generator[TrainEvent, None, None]


def _parts(vector: Tensor, parameters: list[nn.Parameter]) -> list[Tensor]:
    """The part of a vector of weights that belongs to each parameter, with its shape and its memory layout."""
    parts = vector.split([parameter.numel() for parameter in parameters])
    return [part.as_strided(one.shape, one.stride()) for part, one in zip(parts, parameters, strict=True)]


def _dense(tensor: Tensor) -> bool:
    """Whether its values fill a stretch of memory, in some order."""
    filled = 1
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size > 1 and stride != filled:
            return False
        filled *= size
    return True


def weights_of(denoiser: Denoiser) -> Tensor:
    """A copy of the denoiser's parameters as one vector, (parameters,), in the order of their memory."""
    return torch.cat([parameter.detach().as_strided((parameter.numel(),), (1,)) for parameter in denoiser.parameters()])


@torch.no_grad()
def load_weights(denoiser: Denoiser, vector: Tensor) -> None:
    """Copy a vector of weights, as in `TrainState`, into the denoiser's parameters.

    Each keeps its memory layout, so the vector must come from a denoiser that was made alike.
    """
    parameters = list(denoiser.parameters())
    for parameter, values in zip(parameters, _parts(vector, parameters), strict=True):
        parameter.copy_(values)
    torch.clear_autocast_cache()


class _Flat:
    """All weights of a denoiser as one vector, and their gradients as another, both (parameters,).

    While a run lasts the parameters are views of them: an optimiser step is then a handful of operations instead
    of a handful for every layer.
    """

    def __init__(self, denoiser: Denoiser):
        self.denoiser, self.parameters = denoiser, list(denoiser.parameters())
        if not self.parameters or not all(parameter.requires_grad for parameter in self.parameters):
            raise ValueError("this denoiser has no weights to train, or they are frozen: copy it and unfreeze the copy")
        if any(parameter.is_inference() for parameter in self.parameters):
            raise ValueError("this denoiser was made inside torch.inference_mode, where nothing learns: train a copy")
        kinds = {parameter.dtype for parameter in self.parameters}
        if len(kinds) > 1 or not kinds <= {torch.float32, torch.float64}:
            raise ValueError(
                f"weights must be float32 or float64 to be trained, not {', '.join(sorted(map(str, kinds)))}, in which "
                "small steps are lost: train denoiser.float(), for speed inside torch.autocast, and convert it then"
            )
        for parameter in self.parameters:
            if not _dense(parameter):
                parameter.data = parameter.detach().clone(memory_format=torch.contiguous_format)
        self.weights = weights_of(denoiser)
        self.gradient = torch.zeros_like(self.weights)
        for parameter, part in zip(self.parameters, _parts(self.weights, self.parameters), strict=True):
            parameter.data = part
        self._places = [parameter.data_ptr() for parameter in self.parameters]
        self._take_gradients()
        self.leave()

    def _take_gradients(self) -> None:
        for parameter, part in zip(self.parameters, _parts(self.gradient, self.parameters), strict=True):
            parameter.grad = part
        self._gradients = [parameter.grad for parameter in self.parameters]

    def leave(self) -> None:
        """Let others have their turn."""
        self._edits = self.parameters[0]._version

    def resume(self) -> None:
        """Go on after their turn. Raises RuntimeError where the denoiser has been given other parameters."""
        now = list(self.denoiser.parameters())
        ours = len(now) == len(self.parameters) and all(map(operator.is_, now, self.parameters))
        if not ours or [parameter.data_ptr() for parameter in now] != self._places:
            raise RuntimeError("this run cannot go on: others have trained, moved or changed its denoiser since")
        if any(map(operator.is_not, [parameter.grad for parameter in now], self._gradients)):
            self._take_gradients()

    def changed(self) -> bool:
        """Whether others have written or replaced the parameters in their turn."""
        edited = self.parameters[0]._version != self._edits
        return edited or [parameter.data_ptr() for parameter in self.parameters] != self._places

    def release(self, vector: Tensor) -> None:
        """Give each parameter, unless it has been replaced, memory of its own with its values in `vector`."""
        if sys.is_finalizing():  # nobody is left to read them, and views made this late make torch abort
            return
        parts = _parts(vector, self.parameters)
        for parameter, place, part in zip(self.parameters, self._places, parts, strict=True):
            if parameter.data_ptr() == place:
                parameter.data, parameter.grad = part.clone(), None
        torch.clear_autocast_cache()


def orthogonalised(matrices: Tensor) -> Tensor:
    """Matrices (k, m, n) with their singular values brought near 1, by five steps of Newton and Schulz's iteration.

    The coefficients are those of Muon (Jordan et al. 2024), which stop between 0.7 and 1.2; what a step multiplies
    by depends on the Gram matrix (k, m, m) alone, so only that one is iterated.
    """
    a, b, c = NEWTON_SCHULZ
    matrices = matrices / (matrices.norm(dim=(1, 2), keepdim=True) + 1e-7)
    gram = matrices @ matrices.mT
    one = product = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
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
        with torch.autocast(update.device.type, enabled=False):
            steps = orthogonalised(matrices)
        for place, step in zip(places, steps, strict=True):
            update[place] = scale * step.flatten()


def _check(denoiser: Denoiser, values: Tensor, condition: Any, state: TrainState | None) -> None:
    if values.is_complex():
        raise ValueError(f"data must hold real numbers, not {values.dtype}")
    if len(values) == 0 or values.shape[1:] != denoiser.shape:
        raise ValueError(f"data has shape {tuple(values.shape)}, but a sample has shape {denoiser.shape}")
    if not bool(values.isfinite().all()):
        raise ValueError("data holds values that are not finite")
    if isinstance(condition, Sized) and getattr(condition, "ndim", True) and len(condition) != len(values):
        raise ValueError(f"{len(values)} samples, but {len(condition)} conditions")
    size = sum(parameter.numel() for parameter in denoiser.parameters())
    if state is not None:
        for vector in (state.weights, state.averaged, state.first_moment, state.second_moment):
            if vector.shape != (size,):
                raise ValueError(f"the state holds {tuple(vector.shape)} weights, the denoiser {size}")


def _batches(
    denoiser: Denoiser, values: Tensor, condition: Tensor | None, config: TrainConfig, first: int
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None]]:
    """What each step from `first` on needs: network inputs, targets, log-SNR, weights, condition.

    Many small batches are drawn at once; the seed and the number of the group decide them.
    """
    schedule, size, seed = denoiser.schedule, config.batch_size, whole_number(config.seed, "seed")
    group = max(1, min(64, VALUES_DRAWN_AT_ONCE // (size * values[0].numel())))
    for turn in range(first // group, 2**62):
        generator = seeded(seed * 1_000_003 + turn)
        t = torch.stack([schedule.training_times(size, generator, config.log_snr) for _ in range(group)]).to(values)
        picked = torch.randint(len(values), (group, size), generator=generator, device="cpu").to(values.device)
        x0 = values[picked]
        epsilon = torch.randn(x0.shape, generator=generator, dtype=torch.float32, device="cpu").to(values)
        dropped = torch.rand(group, generator=generator, dtype=torch.float32, device="cpu") < config.condition_dropout
        alpha, sigma = schedule.alpha(t), schedule.sigma(t)
        p, q = denoiser.target_mix(t, alpha, sigma)
        size_of_x = torch.hypot(alpha, sigma)

        def mix(a: Tensor, b: Tensor, x0: Tensor = x0, epsilon: Tensor = epsilon) -> Tensor:
            columns = (*a.shape, *[1] * (x0.ndim - 2))
            return a.reshape(columns) * x0 + b.reshape(columns) * epsilon

        x_in, target = mix(alpha / size_of_x, sigma / size_of_x), mix(p, q)
        log_snr, weight = 2 * torch.log(alpha / sigma), denoiser.loss_weight(alpha, sigma, p, q)
        turns = zip(*(part.unbind() for part in (x_in, target, log_snr, weight)), strict=True)
        for k, step in enumerate(turns):
            if turn * group + k >= first:
                yield *step, None if condition is None or dropped[k] else condition[picked[k]]


def _learning_in_its_turns(generator: Callable[P, Run]) -> Callable[P, Run]:
    """Makes a generator learn in its own turns, and gives its caller's mode back with each event."""

    @wraps(generator)
    def taking_turns(*arguments: P.args, **options: P.kwargs) -> Run:
        run = generator(*arguments, **options)
        try:
            while True:
                with learning():
                    event = next(run, None)
                if event is None:
                    return
                yield event
        finally:
            with learning():
                run.close()

    return taking_turns


@_learning_in_its_turns
def train(denoiser: Denoiser, data: Any, config: TrainConfig, state: TrainState | None = None) -> Run:
    """Train the denoiser in place by denoising score matching, yielding an event a step (Ho et al. 2020).

    `data` is a tensor (m, *shape), a pair (tensor, condition (m,)) or an `ImageDataset`, whose labels are the
    condition of a network that takes one; a copy is trained on. Give a `state` back to resume: a run bounded by
    steps then ends with the numbers of one that was never interrupted. While it runs the denoiser holds the raw
    weights; when it ends or is closed, the averaged ones, unless others have changed the weights since the last
    step. It learns inside torch.no_grad and torch.inference_mode too, and inside torch.autocast in its precision.
    The optimiser works on one vector of all weights. Raises ValueError for data of another shape, a condition that
    the network does not take or weights in half precision, `Diverged` at the first loss that is not finite.
    """
    if isinstance(data, ImageDataset):
        data = data.images, data.labels if denoiser.takes_condition else None
    values, condition = data if isinstance(data, tuple) else (data, None)
    _check(denoiser, values, condition, state)
    read = denoiser.read_condition(condition, len(values))
    if read is not None:
        condition = torch.as_tensor(read.value, device=next(denoiser.parameters(), values).device)
    flat = _Flat(denoiser)
    weights, gradient = flat.weights, flat.gradient
    values = values.to(weights, copy=True)
    if state is None:
        step, seconds = 0, 0.0
        averaged, first_moment, second_moment = weights.clone(), torch.zeros_like(weights), torch.zeros_like(weights)
    else:
        step, seconds = state.step, state.seconds
        weights.copy_(state.weights)
        averaged, first_moment, second_moment = (
            vector.to(weights, copy=True) for vector in (state.averaged, state.first_moment, state.second_moment)
        )
    averaged_before = averaged.clone()
    share = 0.0
    batches = _batches(denoiser, values, condition, config, step)
    kernels = _kernels(denoiser) if config.optimizer == "muon" else {}
    beta1, beta2 = ADAM_BETAS

    def outcome() -> Tensor:
        """The average, but where others have changed the weights since the last step, what they have made of them."""
        as_left = torch.equal(averaged, torch.lerp(averaged_before, weights, share))
        return averaged if as_left and not flat.changed() else weights

    try:
        while (progress := config.progress(step, seconds)) < 1:
            started = time.perf_counter()
            flat.resume()
            x_in, target, log_snr, weight, kept = next(batches)
            torch.clear_autocast_cache()
            output = denoiser.network(x_in, log_snr, kept)
            loss = (expand(weight, output) * (output - target).square()).mean()
            value = loss.item()
            if not math.isfinite(value):
                averaged = averaged_before
                raise Diverged(
                    f"The loss stopped being a finite number at step {step + 1}. Lower the learning rate and train "
                    "again; the model keeps its last good weights."
                )
            gradient.zero_()
            loss.backward()
            step += 1
            first_moment.lerp_(gradient, 1 - beta1)
            second_moment.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
            rate = config.learning_rate * min(1, step / max(1, config.warmup))
            rate *= (1 + math.cos(math.pi * progress)) / 2 if config.decay else 1
            bias1, bias2 = 1 - beta1**step, math.sqrt(1 - beta2**step)
            update = first_moment / second_moment.sqrt().mul_(bias1 / bias2).add_(bias1 * 1e-8)
            _orthogonalise(update, first_moment, kernels)
            weights.sub_(update, alpha=rate)
            torch.clear_autocast_cache()
            share = 1 - min(config.ema_decay, step / (step + 9))
            averaged, averaged_before = torch.lerp(averaged, weights, share, out=averaged_before), averaged
            flat.leave()
            seconds += time.perf_counter() - started
            yield TrainEvent(step, value, seconds, (weights, averaged, first_moment, second_moment))
        averaged = outcome()
    except GeneratorExit:  # perhaps long after the last step
        averaged = outcome()
        raise
    finally:
        flat.release(averaged)
