"""The record of a training, in memory and as a file."""

import base64
import binascii
import json
import math
import unicodedata
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from explorer.files import ASSETS, has_asset, read_asset
from explorer.jobs.events import Event
from explorer.lessons.trainings.plan import OWN, PRESETS, Plan

if TYPE_CHECKING:
    from explorer.denoiser import Denoiser

RECORDED = ASSETS / "trainings"
SAMPLES = 20  # in each grid
FILM = (0.01, 0.25, 0.5, 1.0)  # shares of a run at which its grids stay on the page
LARGEST_HISTORY = 4 * 2**20
MOST_MOMENTS = 64
PROGRESS = ("step", "epoch", "seconds", "loss")
MOST_ROWS = 2000  # of a curve
LARGEST_SIDE = 64
LARGEST_NUMBER = 1e12
LONGEST_TEXT = 200
UNSHOWN = ("Cc", "Cs", "Zl", "Zp")  # control characters, halves of characters, ends of lines


def to_bytes_grid(images: np.ndarray) -> np.ndarray:
    """Images in [-1, 1] as uint8; what is not a number becomes black."""
    return np.rint((np.clip(np.nan_to_num(images, nan=-1.0), -1, 1) + 1) * 127.5).astype(np.uint8)


@dataclass
class Moment:
    """A training at one step: SAMPLES images, uint8 (SAMPLES, channels, height, width), always of the same noise
    and classes, and the averaged weights they came from, float16, where they are known."""

    epoch: float
    seconds: float
    loss: float
    validation: float | None
    samples: np.ndarray
    weights: np.ndarray | None = None


@dataclass
class Training:
    """The record of one training, as far as it has come.

    `images` counts those it trains on; `curve` is (k, 3): step, smoothed loss, loss; `validation` (k, 3): step,
    loss of the averaged weights on held-out images, and on training images; `levels` (k, 3): log-SNR and the same
    two by noise level. `real` are training images, as `Moment.samples`. `state` is what resuming needs: its
    numbers and vectors. `results` is what was measured at the end, by step: a run that is trained for longer has
    several ends. `ended` tells that it was stopped for good and not for now, `problem` is a sentence where it ended
    otherwise than it should, `news` tells that nobody has looked at it since it ended, and `page` shows it. `job` is
    the id of the one that has not been taken in to its end.
    """

    run: str
    name: str
    plan: Plan
    shape: tuple[int, ...] = (1, 8, 8)
    classes: tuple[str, ...] = ()
    images: int = 0
    curve: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), np.float32))
    validation: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), np.float32))
    levels: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), np.float32))
    real: np.ndarray | None = None
    moments: dict[int, Moment] = field(default_factory=dict)
    progress: dict[str, Any] = field(default_factory=dict)
    results: dict[int, dict[str, Any]] = field(default_factory=dict)
    state: tuple[dict[str, Any], dict[str, np.ndarray]] | None = None
    diverged: bool = False
    ended: bool = False
    problem: str = ""
    news: bool = False
    page: str = ""
    job: str = ""

    def take(self, latest: Mapping[str, Event], begun: int = 0) -> None:
        """Take what a job that began at step `begun` has sent so far, the newest event of each kind.

        Nothing is changed in place, so a shallow copy that is made before stays what it was.
        """
        if "data" in latest:
            about = latest["data"].data
            self.shape, self.classes, self.images = tuple(about["shape"]), tuple(about["classes"]), about["images"]
            self.real = latest["data"].arrays["real"]
        grids = [event for kind, event in latest.items() if kind.startswith("grid-")]
        if grids:  # what lay behind the checkpoint that the job began at is trained anew
            self.moments = {step: moment for step, moment in self.moments.items() if step <= begun}
        for event in grids:
            known = {name: event.data[name] for name in ("epoch", "seconds", "loss", "validation")}
            weights = event.arrays.get("weights")
            self.moments[event.data["step"]] = Moment(**known, samples=event.arrays["samples"], weights=weights)
        if "progress" in latest:
            self.progress = latest["progress"].data
            self.curve = _continued(self.curve, latest["progress"].arrays["curve"])
            self.validation = _continued(self.validation, latest["progress"].arrays["validation"])
        if "levels" in latest:
            self.levels = latest["levels"].arrays["levels"]
        if "state" in latest:
            self.state = (latest["state"].data, latest["state"].arrays)
        if "result" in latest:
            found = dict(latest["result"].data)
            self.results = {**self.results, found.pop("step"): found}
        self.diverged = "diverged" in latest

    @property
    def film(self) -> list[tuple[float, int | None]]:
        """Of each share in FILM the step of its moment, None while it has not come."""
        reached = [(self.share(moment), step) for step, moment in sorted(self.moments.items())]
        return [(wanted, next((step for share, step in reached if share >= wanted - 1e-9), None)) for wanted in FILM]

    def share(self, moment: Moment) -> float:
        """How much of the run is done at a moment, in [0, 1]."""
        done = moment.epoch / self.plan.epochs if self.plan.epochs else moment.seconds / (self.plan.seconds or math.inf)
        return min(1.0, done)

    @property
    def done(self) -> float:
        """How much of the run is done, in [0, 1]."""
        if not self.progress:
            return 0.0
        steps = self.plan.steps(self.images)
        share = self.progress["step"] / steps if steps else self.progress["seconds"] / (self.plan.seconds or math.inf)
        return max(0.0, min(1.0, share))

    @property
    def result(self) -> dict[str, Any]:
        """What was measured last; nothing before the first end."""
        return self.results[max(self.results)] if self.results else {}

    @property
    def bytes(self) -> int:
        """What it takes in memory, nearly."""
        arrays = [self.curve, self.validation, self.levels, *(moment.samples for moment in self.moments.values())]
        arrays += [moment.weights for moment in self.moments.values() if moment.weights is not None]
        return sum(array.nbytes for array in arrays + list(self.state[1].values() if self.state else []))

    def epoch_of(self, step: int) -> float:
        """How often each training image had been seen by then, on average."""
        return step * self.plan.batch_size / max(1, self.images)

    @property
    def kept_steps(self) -> list[int]:
        """The steps whose averaged weights are known, the last checkpoint among them."""
        checkpoint = {self.state[0]["step"]} if self.state else set()
        return sorted(checkpoint | {step for step, moment in self.moments.items() if moment.weights is not None})

    def denoiser_at(self, step: int) -> "Denoiser":
        """The frozen model of one of `kept_steps`."""
        import torch

        from explorer.training import load_weights

        newest = self.state and self.state[0]["step"] == step
        weights = self.state[1]["averaged"] if self.state and newest else self.moments[step].weights
        assert weights is not None
        denoiser = self.plan.denoiser(self.shape, len(self.classes))
        load_weights(denoiser, torch.from_numpy(weights.astype(np.float32)))
        return denoiser.requires_grad_(False)


def _continued(before: np.ndarray, curve: np.ndarray) -> np.ndarray:
    """A curve that a resumed run goes on with, thinned where it grows too long."""
    if not len(curve):
        return before
    whole = np.concatenate([before[before[:, 0] < curve[0, 0]], curve])
    return whole if len(whole) <= MOST_ROWS else np.concatenate([whole[:-1:2], whole[-1:]])


# The history as a file


def to_json(training: Training) -> str:
    """The plan, the curves, the grids and the results, without weights."""
    moments = {
        step: {name: getattr(moment, name) for name in ("epoch", "seconds", "loss", "validation")}
        | {"samples": _packed(moment.samples)}
        for step, moment in sorted(training.moments.items())
    }
    return json.dumps(
        {
            "explorer": "training",
            "run": training.run,
            "name": training.name,
            "plan": asdict(training.plan),
            "shape": training.shape,
            "classes": training.classes,
            "images": training.images,
            **{name: _rows(getattr(training, name)) for name in ("curve", "validation", "levels")},
            "real": None if training.real is None else _packed(training.real),
            "moments": moments,
            "progress": training.progress,
            "results": training.results,
            "diverged": training.diverged,
        },
        separators=(",", ":"),
    )


def from_json(content: bytes) -> Training:
    """The training in a file that `to_json` made; raises ValueError, with a sentence, for any other."""
    if len(content) > LARGEST_HISTORY:
        raise ValueError(f"This file is larger than {LARGEST_HISTORY // 2**20} MB; a history is far smaller.")
    try:
        about = json.loads(content)
        if about["explorer"] != "training":
            raise ValueError("another kind of file")
        shape = tuple(about["shape"])
        if len(shape) != 3 or not all(type(length) is int and 1 <= length <= LARGEST_SIDE for length in shape):
            raise ValueError("an impossible shape")
        if shape[0] not in (1, 3) or len(about["moments"]) > MOST_MOMENTS:
            raise ValueError("what a training never sends")
        progress = _numbers(about["progress"], PROGRESS) if about["progress"] else {}
        results = about["results"] if "results" in about else {progress.get("step", 0): about["result"]}
        return Training(
            run=_text(about["run"]),
            name=_text(about["name"]),
            plan=_plan(about["plan"]),
            shape=shape,
            classes=tuple(map(_text, about["classes"])),
            images=_count(about["images"]),
            curve=_curve(about["curve"]),
            validation=_curve(about["validation"]),
            levels=_curve(about["levels"]),
            real=None if about["real"] is None else _unpacked(about["real"], shape),
            moments={_count(int(step)): _moment(moment, shape) for step, moment in about["moments"].items()},
            progress=progress,
            results={_count(int(step)): _numbers(found, ()) for step, found in results.items() if found},
            diverged=bool(about["diverged"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, zlib.error) as error:
        raise ValueError("This is not a history that the Training lab saved; choose one of its JSON files.") from error


def _rows(curve: np.ndarray) -> list[list[float | None]]:
    return [[float(f"{value:.5g}") if math.isfinite(value) else None for value in row] for row in curve.tolist()]


def _curve(rows: list[list[float | None]]) -> np.ndarray:
    if len(rows) > MOST_ROWS:
        raise ValueError("too many rows")
    return np.array(
        [[math.nan if value is None else float(value) for value in row] for row in rows], np.float32
    ).reshape(-1, 3)


def _packed(samples: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(np.ascontiguousarray(samples).tobytes(), 9)).decode()


def is_text(value: Any) -> TypeGuard[str]:
    """Whether a value from a file is a line of text that a page can show."""
    return (
        type(value) is str
        and len(value) <= LONGEST_TEXT
        and not any(unicodedata.category(letter) in UNSHOWN for letter in value)
    )


def _unpacked(text: str, shape: tuple[int, ...]) -> np.ndarray:
    try:
        packed = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    size = SAMPLES * math.prod(shape)
    content = zlib.decompressobj().decompress(packed, size + 1)
    if len(content) != size:
        raise ValueError("a grid of another size")
    return np.frombuffer(content, np.uint8).reshape(SAMPLES, *shape)


def _text(value: Any) -> str:
    if not is_text(value):
        raise ValueError("a text was expected")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < LARGEST_NUMBER:
        raise ValueError("a count was expected")
    return value


def _numbers(values: dict[str, Any], wanted: Sequence[str]) -> dict[str, Any]:
    """`values` that are numbers; those of `wanted` must be."""
    found = {_text(name): value for name, value in values.items() if type(value) in (int, float)}
    if not all(abs(value) < LARGEST_NUMBER for value in found.values() if value == value):
        raise ValueError("an impossible number")
    if not set(wanted) <= set(found):
        raise ValueError("numbers are missing")
    return found


def _moment(about: dict[str, Any], shape: tuple[int, ...]) -> Moment:
    numbers = _numbers(about, ("epoch", "seconds", "loss"))
    return Moment(
        **{name: numbers[name] for name in ("epoch", "seconds", "loss")},
        validation=numbers["validation"] if about["validation"] is not None else None,
        samples=_unpacked(about["samples"], shape),
    )


def _plan(values: dict[str, Any]) -> Plan:
    from explorer.data.images import DATASETS
    from explorer.denoiser import PREDICTIONS
    from explorer.schedules import SCHEDULES

    kinds = {known.name: type(known.default) for known in fields(Plan)} | {"epochs": int, "seconds": int}
    for name, value in values.items():
        if value is None and name in ("epochs", "seconds"):
            continue
        if type(value) is not kinds[name] and not (kinds[name] is float and type(value) is int):
            raise ValueError(f"{name} is not {kinds[name].__name__}")
        if isinstance(value, int | float) and not abs(value) < LARGEST_NUMBER:
            raise ValueError(f"{name} is impossible")
    plan = Plan(**values)
    known = plan.schedule in SCHEDULES and plan.prediction in PREDICTIONS
    if not known or plan.dataset not in (OWN, *DATASETS):
        raise ValueError("a plan of another app")
    return plan


def recorded(name: str) -> Training:
    """The recorded run of a preset: real, made by `scripts/record_training.py`. Raises KeyError where none is."""
    path = RECORDED / f"{name}.json"
    if name not in PRESETS or not has_asset(path):
        raise KeyError(name)
    return from_json(read_asset(path))
