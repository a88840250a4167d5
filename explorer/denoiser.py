"""A network, a schedule, and what the network predicts.

Whatever a network predicts is a mixture p x_0 + q eps of the two unknowns in
x_t = alpha x_0 + sigma eps, so one prediction gives all the others by solving two linear
equations. `Denoiser` does that once; samplers and losses never ask what was predicted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from explorer.arguments import tensor_of
from explorer.modes import default_modes
from explorer.schedules import Schedule

LOSS_WEIGHT_CAP = 50.0
LOGITS_AT_ONCE = 2**22
MOST_SIDE_BY_SIDE = 64  # samples; of more, a call for each condition is no slower, and stays in the processor's cache
PREDICTIONS = ("epsilon", "x0", "v", "velocity", "score")


def expand(values: Tensor, like: Tensor) -> Tensor:
    """Scalars or (n,) values, with axes of length 1 appended so that they broadcast over (n, *shape)."""
    return values if values.ndim == 0 else values.reshape(-1, *[1] * (like.ndim - 1))


def _factor(values: Tensor, like: Tensor) -> Tensor:
    """`expand` in the dtype of `like`, which a scalar takes by itself."""
    return values if values.ndim == 0 else expand(values, like).to(like)


def _time(t: Any) -> Tensor | float:
    """Plain numbers and tensors as they are, all else in float64."""
    return t if isinstance(t, int | float | Tensor) else tensor_of(t, dtype=torch.float64, device="cpu")


@dataclass(frozen=True)
class Estimate:
    """What a denoiser believes about x_t; every field and property has the shape of x_t.

    `x0` is its guess of the clean sample, E[x_0 | x_t], and `epsilon` of the noise.
    """

    schedule: Schedule
    t: Tensor
    x0: Tensor
    epsilon: Tensor

    def _mix(self, of_x0: Tensor, of_epsilon: Tensor) -> Tensor:
        return _factor(of_x0, self.x0) * self.x0 + _factor(of_epsilon, self.x0) * self.epsilon

    @property
    def v(self) -> Tensor:
        """alpha eps - sigma x_0 (Salimans and Ho, Progressive distillation, 2022)."""
        return self._mix(-self.schedule.sigma(self.t), self.schedule.alpha(self.t))

    @property
    def velocity(self) -> Tensor:
        """dx_t/dt along the probability-flow ODE (Song et al. 2021; Lipman et al. 2023)."""
        return self._mix(*self.schedule.derivatives(self.t))

    @property
    def score(self) -> Tensor:
        """The gradient of log p_t(x_t), -eps / sigma (Song and Ermon 2019)."""
        return self._mix(torch.zeros_like(self.t), -1 / self.schedule.sigma(self.t))


@dataclass(frozen=True)
class ReadCondition:
    """A condition that `Denoiser.read_condition` has read: `value` is what the network's `forward` takes."""

    value: Any


class Denoiser(nn.Module):
    """`network(x, log_snr, condition)` on a `schedule`, read as `prediction`.

    The network sees x_t scaled to unit variance, (n, *shape), and the log-SNR, (1,) or (n,);
    what it returns is scaled to unit variance as well, so that a network does not care how
    large a score or a velocity is. `shape` is that of one sample. Raises ValueError for an
    unknown prediction.

    A network may say what it is conditioned on: `takes_condition`, a bool, and `read_condition(condition, n)`,
    which returns what `forward` takes for n samples or raises ValueError. To one that says nothing a condition is
    passed as it is.
    """

    def __init__(
        self,
        network: nn.Module,
        schedule: Schedule,
        prediction: str = "velocity",
        shape: tuple[int, ...] = (2,),
    ):
        super().__init__()
        if prediction not in PREDICTIONS:
            raise ValueError(f"no prediction is called {prediction!r}; choose one of {', '.join(PREDICTIONS)}")
        self.network, self.schedule, self.prediction, self.shape = network, schedule, prediction, tuple(shape)

    def target_mix(self, t: Tensor, alpha: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """(p, q) with p^2 + q^2 = 1: the network is trained to return p x_0 + q eps."""
        if self.prediction == "x0":
            return torch.ones_like(t), torch.zeros_like(t)
        if self.prediction == "epsilon":
            return torch.zeros_like(t), torch.ones_like(t)
        if self.prediction == "score":
            return torch.zeros_like(t), -torch.ones_like(t)
        p, q = (-sigma, alpha) if self.prediction == "v" else self.schedule.derivatives(t)
        norm = torch.hypot(p, q)
        return p / norm, q / norm

    def _mixing(self, t: Tensor) -> tuple[Tensor, ...]:
        """The log-SNR, sqrt(alpha^2 + sigma^2), and the shares of x_t and of the network's output in x_0, then in eps.

        The shares solve x_t = alpha x_0 + sigma eps and output = p x_0 + q eps. Each has the shape of t.
        """
        alpha, sigma = self.schedule.alpha(t), self.schedule.sigma(t)
        p, q = self.target_mix(t, alpha, sigma)
        determinant = alpha * q - sigma * p
        shares = q / determinant, -sigma / determinant, -p / determinant, alpha / determinant
        return 2 * torch.log(alpha / sigma), torch.hypot(alpha, sigma), *shares

    @property
    def takes_condition(self) -> bool:
        """Whether the network can be told what to make."""
        return getattr(self.network, "takes_condition", True)

    def read_condition(self, condition: Any, n: int) -> ReadCondition | None:
        """What `predict` takes for n samples without reading it again: checked, in memory of its own; None for None.

        Raises ValueError for what is no condition of this network.
        """
        if condition is None or isinstance(condition, ReadCondition):
            return condition
        if not self.takes_condition:
            raise ValueError("this model takes no condition: leave it out, or take a model that was made with classes")
        read = getattr(self.network, "read_condition", None)
        if read is not None:
            return ReadCondition(read(condition, n))
        if isinstance(condition, Tensor | np.ndarray):
            condition = condition.clone() if isinstance(condition, Tensor) else condition.copy()
        return ReadCondition(condition)

    def predict(self, x_t: Tensor, t: Tensor | float, condition: Any = None, **options: Any) -> Estimate:
        """What the model believes about x_t, (n, *shape), at time t in [t_min, t_max], a scalar or (n,).

        `condition` is None, or what the network takes: class numbers (n,), or n prompts. Who asks many times reads it
        once, by `read_condition`, and passes what that returns. `options` go to the network: the `scales` and
        `record` of a U-Net. Raises ValueError for a condition that it does not take.
        """
        read = self.read_condition(condition, len(x_t))
        if x_t.is_complex():
            raise ValueError(f"x_t must hold real numbers, not {x_t.dtype}")
        x_t = x_t if x_t.is_floating_point() else x_t.float()
        factors: Sequence[Tensor | float]
        t = _time(t)
        if not isinstance(t, Tensor):
            time = torch.tensor(t, dtype=torch.float64, device="cpu")
            at, *factors = (float(part) for part in self._mixing(time))  # as tensors: slow
            time, log_snr = time.to(x_t.device), x_t.new_tensor([at])
        else:
            time = t.to(x_t.device, torch.float64, copy=True)  # what it is made of may change
            log_snr, *of_each = self._mixing(time)
            log_snr, factors = log_snr.reshape(-1).to(x_t), [_factor(factor, x_t) for factor in of_each]
        size, x_in_x0, output_in_x0, x_in_epsilon, output_in_epsilon = factors
        output = self.network(x_t / size, log_snr, None if read is None else read.value, **options)
        return Estimate(
            self.schedule,
            time,
            x0=x_in_x0 * x_t + output_in_x0 * output,
            epsilon=x_in_epsilon * x_t + output_in_epsilon * output,
        )

    def predict_each(self, x_t: Tensor, t: Tensor | float, conditions: Sequence[Any]) -> list[Estimate]:
        """What `predict` returns under each of the conditions; of few samples in one call, if the network allows.

        It does when it has `side_by_side(conditions, n)`, which returns one condition of as many times n samples, or
        None.
        """
        read = [self.read_condition(condition, len(x_t)) for condition in conditions]
        side_by_side = getattr(self.network, "side_by_side", None) if len(x_t) <= MOST_SIDE_BY_SIDE else None
        joint = side_by_side and side_by_side([one and one.value for one in read], len(x_t))
        if joint is None:
            return [self.predict(x_t, t, condition) for condition in read]
        t = _time(t)
        t = t.repeat(len(read)) if isinstance(t, Tensor) and t.ndim else t
        together = self.predict(torch.cat([x_t] * len(read)), t, ReadCondition(joint))
        parts = zip(together.x0.chunk(len(read)), together.epsilon.chunk(len(read)), strict=True)
        time = together.t[: len(x_t)] if together.t.ndim else together.t
        return [Estimate(self.schedule, time, x0, epsilon) for x0, epsilon in parts]

    def loss_weight(self, alpha: Tensor, sigma: Tensor, p: Tensor, q: Tensor) -> Tensor:
        """Weight of each squared error, so that the five predictions train alike; shape of alpha.

        It turns every loss into that of v-prediction, up to a cap where a prediction says next to nothing
        of the other unknown (the idea of min-SNR weighting, Hang et al. 2023).
        """
        determinant = alpha * q - sigma * p
        return ((alpha**2 + sigma**2) / determinant**2).clamp(max=LOSS_WEIGHT_CAP)


class PosteriorMean(nn.Module):
    """E[x_0 | x_t] of the empirical distribution of `data`, (m, *shape), in closed form.

    The mean of the data weighted by softmax(-|x_t - alpha x_0|^2 / (2 sigma^2)), the exponents
    kept in log space and the queries taken a few at a time (16 MB of exponents). Half-precision data are
    recalled as they are, but the exponents need float32: they reach the thousands.
    """

    takes_condition = False
    data: Tensor
    half_square: Tensor

    def __init__(self, data: Tensor):
        super().__init__()
        data = data.detach().flatten(1)
        self.register_buffer("data", data.clone() if data.is_floating_point() else data.float())
        self.register_buffer("half_square", _wide(self.data).square().sum(1) / 2)

    def _apply(self, fn: Any, recurse: bool = True) -> "PosteriorMean":
        super()._apply(fn, recurse)
        self.half_square = _wide(self.data).square().sum(1) / 2  # of the data as another dtype rounds them
        return self

    def forward(self, x: Tensor, log_snr: Tensor, condition: Any = None) -> Tensor:
        """x: (n, *shape), unit variance; log_snr: (1,) or (n,). Returns (n, *shape)."""
        data, half_square = _wide(self.data), self.half_square
        if x.dtype != data.dtype:
            return self(x.to(data), log_snr.to(data)).to(x)
        snr = log_snr.exp()[:, None]
        flat = x.flatten(1) * ((1 + snr) * snr).sqrt()  # x alpha / sigma^2 with alpha^2 + sigma^2 = 1
        chunk = max(1, LOGITS_AT_ONCE // len(data))
        means = []
        for start in range(0, len(flat), chunk):
            rows = slice(start, start + chunk) if len(snr) > 1 else slice(None)
            products = flat[start : start + chunk] @ data.T
            if products.dtype != data.dtype:  # a caller's autocast has rounded them
                with torch.autocast(x.device.type, enabled=False):
                    return self(x, log_snr)
            means.append((products - snr[rows] * half_square).softmax(1) @ data)
        return torch.cat(means).reshape(x.shape)


def _wide(values: Tensor) -> Tensor:
    """float32 and float64 as they are, half precision in float32."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


@default_modes()
def ideal_denoiser(data: Tensor, schedule: Schedule) -> Denoiser:
    """The denoiser that minimises the training loss on `data`, (m, *shape), exactly: it can only recall.

    (Karras et al. 2022, appendix B.3.) It keeps a copy of the data. Raises ValueError for no data.
    """
    if len(data) == 0:
        raise ValueError("an exact denoiser needs at least one sample to recall")
    return Denoiser(PosteriorMean(data), schedule, prediction="x0", shape=tuple(data.shape[1:]))
