"""How much signal and how much noise there is at each time.

Every family is written x_t = alpha(t) x_0 + sigma(t) eps with t = 0 data and t = 1 noise
(Kingma et al., Variational diffusion models, 2021). Times are tensors or numbers in [0, 1];
results are tensors of the same shape: float32 where t is, float64 for all else.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from explorer.arguments import whole_number
from explorer.modes import default_modes

LOG_SNR_LIMIT = 9.0
EXACT = (torch.float32, torch.float64)


class Schedule:
    """The pair (alpha, sigma) and what follows from it.

    `t_min` and `t_max` bound the times at which a network is trained and asked: the ends
    themselves are singular. At t = 0, alpha is 1 and sigma is 0.
    """

    name: str
    t_min: float
    t_max: float
    training_log_snr: tuple[float, float] | None = None
    """Mean and standard deviation of the log-SNR of training; None trains on times uniform in [t_min, t_max]."""

    def alpha(self, t: Tensor | float) -> Tensor:
        """Scale of the data at time t, shape of t."""
        raise NotImplementedError

    def sigma(self, t: Tensor | float) -> Tensor:
        """Standard deviation of the noise at time t, shape of t."""
        raise NotImplementedError

    def derivatives(self, t: Tensor | float) -> tuple[Tensor, Tensor]:
        """(d alpha / dt, d sigma / dt) at time t, shapes of t."""
        raise NotImplementedError

    def time_of_log_snr(self, log_snr: Tensor | float) -> Tensor:
        """The time at which the log-SNR has this value, shape of `log_snr`."""
        raise NotImplementedError

    def log_snr(self, t: Tensor | float) -> Tensor:
        """2 log(alpha / sigma), falling in t; infinite at t = 0."""
        return 2 * (self.alpha(t).log() - self.sigma(t).log())

    def times(self, steps: int) -> Tensor:
        """The default times of a sampler: `steps` of them from t_max to t_min, then 0; (steps + 1,) float64."""
        steps = whole_number(steps, "steps", least=1)
        inner = torch.linspace(self.t_max, self.t_min, steps, dtype=torch.float64, device="cpu")
        return torch.cat([inner, inner.new_zeros(1)])

    def training_times(
        self,
        n: int,
        generator: torch.Generator | None = None,
        log_snr: tuple[float, float] | None = None,
    ) -> Tensor:
        """n times for a training batch: one in each n-th of their distribution, which lowers the loss's variance.

        `log_snr` replaces `training_log_snr`.
        """
        within = torch.rand(n, generator=generator, dtype=torch.float32, device="cpu")
        u = (torch.arange(n, device="cpu") + within) / n
        log_snr = log_snr or self.training_log_snr
        if log_snr is None:
            return self.t_min + (self.t_max - self.t_min) * u
        mean, deviation = log_snr
        wanted = mean + deviation * math.sqrt(2) * torch.erfinv((2 * u - 1).double())
        return self.time_of_log_snr(wanted.float()).clamp(self.t_min, self.t_max)


def _tensor(t: Tensor | float) -> Tensor:
    """float32 and float64 as they are, all else in float64: whole numbers would round a table, half precision times."""
    if isinstance(t, Tensor):
        return t if t.dtype in EXACT else t.double()
    return torch.tensor(t, dtype=torch.float64, device="cpu")


class Flow(Schedule):
    """alpha = 1 - t, sigma = t: straight lines from data to noise (Lipman et al. 2023; Liu et al. 2023)."""

    name = "flow"

    def __init__(self) -> None:
        self.t_min = float(self.time_of_log_snr(LOG_SNR_LIMIT))
        self.t_max = float(self.time_of_log_snr(-LOG_SNR_LIMIT))

    def alpha(self, t: Tensor | float) -> Tensor:
        return 1 - _tensor(t)

    def sigma(self, t: Tensor | float) -> Tensor:
        return _tensor(t).clone()

    def derivatives(self, t: Tensor | float) -> tuple[Tensor, Tensor]:
        one = torch.ones_like(_tensor(t))
        return -one, one

    def time_of_log_snr(self, log_snr: Tensor | float) -> Tensor:
        return torch.sigmoid(-_tensor(log_snr) / 2)


class EDM(Schedule):
    """alpha = 1, sigma from 0.002 to 80 (Karras et al., Elucidating the design space, 2022).

    sigma = 80 t^7, so that uniform times are the paper's grid (its rho is 7), and training
    times are the paper's: log sigma is normal with mean -1.2 and standard deviation 1.2.
    """

    name = "edm"
    sigma_min, sigma_max, rho = 0.002, 80.0, 7.0
    training_log_snr = 2.4, 2.4

    def __init__(self) -> None:
        self.t_min = (self.sigma_min / self.sigma_max) ** (1 / self.rho)
        self.t_max = 1.0

    def alpha(self, t: Tensor | float) -> Tensor:
        return torch.ones_like(_tensor(t))

    def sigma(self, t: Tensor | float) -> Tensor:
        return self.sigma_max * _tensor(t) ** self.rho

    def derivatives(self, t: Tensor | float) -> tuple[Tensor, Tensor]:
        t = _tensor(t)
        return torch.zeros_like(t), self.sigma_max * self.rho * t ** (self.rho - 1)

    def time_of_log_snr(self, log_snr: Tensor | float) -> Tensor:
        return (torch.exp(-_tensor(log_snr) / 2) / self.sigma_max) ** (1 / self.rho)


class Table(Schedule):
    """A table of betas, variance preserving: alpha^2 + sigma^2 = 1 (Ho et al. 2020).

    Index k of N stands for t = (k + 1) / N; between two entries the log-SNR is linear in t,
    and below the first sigma / alpha falls to 0 in proportion to t.
    """

    @default_modes()
    def __init__(self, name: str, betas: Tensor) -> None:
        betas = betas.detach().to(torch.float64, copy=True)
        if betas.ndim != 1 or len(betas) == 0 or not bool(((betas > 0) & (betas < 1)).all()):
            raise ValueError("betas must be a non-empty vector of numbers strictly between 0 and 1")
        self.name = name
        self.betas = betas
        self.alpha_bar = torch.cumprod(1 - betas, 0)
        log_alpha_bar = torch.cumsum(torch.log1p(-betas), 0)
        self.table = log_alpha_bar - torch.log(-torch.expm1(log_alpha_bar))
        if self.table[-1] >= LOG_SNR_LIMIT:
            raise ValueError("these betas add next to no noise: there is nothing between data and the last of them")
        self.t_min = float(self.time_of_log_snr(LOG_SNR_LIMIT))
        self.t_max = float(self.time_of_log_snr(-LOG_SNR_LIMIT))

    def _piece(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Position k + f in the table of each time, as integer k and fraction f, and the slope of the piece."""
        n = len(self.betas)
        table = self.table.to(t)
        position = t * n - 1
        k = position.floor().long().clamp(0, max(n - 2, 0))
        slope = table[(k + 1).clamp(max=n - 1)] - table[k]
        return table[k], position - k, slope

    def log_snr(self, t: Tensor | float) -> Tensor:
        t = _tensor(t)
        start, fraction, slope = self._piece(t)
        below = start - 2 * torch.log(t * len(self.betas))
        return torch.where(fraction < 0, below, start + slope * fraction)

    def alpha(self, t: Tensor | float) -> Tensor:
        return torch.sigmoid(self.log_snr(t)).sqrt()

    def sigma(self, t: Tensor | float) -> Tensor:
        return torch.sigmoid(-self.log_snr(t)).sqrt()

    def derivatives(self, t: Tensor | float) -> tuple[Tensor, Tensor]:
        t = _tensor(t)
        _, fraction, slope = self._piece(t)
        rate = torch.where(fraction < 0, -2 / t, slope * len(self.betas))
        alpha, sigma = self.alpha(t), self.sigma(t)
        return rate / 2 * alpha * sigma**2, -rate / 2 * sigma * alpha**2

    def time_of_log_snr(self, log_snr: Tensor | float) -> Tensor:
        value = _tensor(log_snr)
        n = len(self.betas)
        rising = -self.table.to(value)
        k = (torch.searchsorted(rising, -value.contiguous()) - 1).clamp(0, max(n - 2, 0))
        slope = rising[(k + 1).clamp(max=n - 1)] - rising[k]
        fraction = (-value - rising[k]) / torch.where(slope > 0, slope, torch.ones_like(slope))
        below = torch.exp((-value - rising[0]) / 2)
        return torch.where(-value < rising[0], below, (k + 1 + fraction).clamp(max=n)) / n


def linear_betas(steps: int = 1000) -> Tensor:
    """Ho et al.'s table, 1e-4 to 0.02 in 1,000 steps; (steps,) float64."""
    return torch.linspace(1e-4, 0.02, steps, dtype=torch.float64, device="cpu")


def cosine_betas(steps: int = 1000) -> Tensor:
    """Nichol and Dhariwal's table (Improved DDPM, 2021), clipped at 0.999 as theirs; (steps,) float64."""
    t = torch.linspace(0, 1, steps + 1, dtype=torch.float64, device="cpu")
    alpha_bar = torch.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2
    return (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=0.999)


SCHEDULES: dict[str, Callable[[], Schedule]] = {
    "linear": lambda: Table("linear", linear_betas()),
    "cosine": lambda: Table("cosine", cosine_betas()),
    "flow": Flow,
    "edm": EDM,
}


def schedule_names() -> list[str]:
    """Names that `make_schedule` takes."""
    return list(SCHEDULES)


def make_schedule(name: str) -> Schedule:
    """The schedule of this name: "linear", "cosine", "flow" or "edm". Raises ValueError for another."""
    if name not in SCHEDULES:
        raise ValueError(f"no schedule is called {name!r}; choose one of {', '.join(SCHEDULES)}")
    return SCHEDULES[name]()


def schedule_from_betas(betas: Tensor | Sequence[float]) -> Table:
    """The schedule of any table of betas, (N,), each in (0, 1); index k stands for t = (k + 1) / N."""
    return Table("betas", torch.as_tensor(betas, dtype=torch.float64, device="cpu"))
