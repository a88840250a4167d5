"""What the samples of a method are worth: their class, their distance to real images, and the tables of that."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from explorer.denoiser import Denoiser
from explorer.files import ASSETS, has_asset, read_asset
from explorer.lessons.sampling_showdown.walks import Method, Start, steps_of
from explorer.metrics import NotFinite, finite, frechet_to
from explorer.networks.classifier import Classifier
from explorer.once import once

BATCH = 100
TABLES = ASSETS / "quality"


@dataclass(frozen=True)
class Quality:
    """What n samples of a method are worth.

    `accuracy` is the share that a classifier takes for the class asked for (None where none was), `frechet` the
    Frechet distance of their features to those of real images that nobody was trained on (both None where the model
    blew up). `seconds` are those of sampling all of them, `evaluations` the network calls that each took.
    """

    sampler: str
    steps: int
    eta: float | None
    n: int
    accuracy: float | None
    frechet: float | None
    seconds: float
    evaluations: int

    def as_json(self) -> dict[str, Any]:
        """Plain values; `Quality(**values)` makes it again."""
        return asdict(self)


def quality(
    denoiser: Denoiser, classifier: Classifier, methods: Sequence[Method], start: Start
) -> Iterator[tuple[float, Quality | None]]:
    """Judge each method on `start.n` samples: (share done of all the work, None), or a point with it.

    Samples come in batches of 100, so that memory stays small.
    """
    calls = [start.calls(denoiser, method) for method in methods]
    total = sum(calls) * start.n
    before = 0
    for method, each in zip(methods, calls, strict=True):
        images, seconds = [], 0.0
        for first in range(0, start.n, BATCH):
            batch = _batch(start, first)
            began = time.perf_counter()
            for step in steps_of(denoiser, method, batch):
                done = before + each * (first + batch.n * step.index / method.steps)
                yield done / total, None
            seconds += time.perf_counter() - began
            images.append(step.x)
        before += each * start.n
        try:
            judged: tuple[float | None, float | None] = judge(classifier, torch.cat(images), start.labels())
        except NotFinite:
            judged = None, None
        point = Quality(method.sampler, method.steps, method.eta, start.n, *judged, seconds, step.evaluations)
        yield before / total, point


def _batch(start: Start, first: int) -> Start:
    """The part of a start from image `first` on, with noise of its own."""
    classes = (
        start.classes[first % len(start.classes) :] + start.classes[: first % len(start.classes)]
        if start.classes
        else ()
    )
    return replace(start, n=min(BATCH, start.n - first), seed=start.seed * 1_000_003 + first, classes=classes)


@torch.no_grad()
def judge(classifier: Classifier, images: Tensor, labels: Tensor | None) -> tuple[float | None, float]:
    """Share of `images`, (n, *shape), that are taken for their label, and their Frechet distance to real ones.

    Raises `NotFinite` for images of a model that blew up.
    """
    features, right = [], 0
    for first in range(0, len(images), BATCH):
        batch = finite(images[first : first + BATCH])
        features.append(classifier.features(batch))
        if labels is not None:
            right += int((classifier.classify(batch) == labels[first : first + BATCH]).sum())
    distance = frechet_to(torch.cat(features), classifier.reference_mean, classifier.reference_covariance)
    return (None if labels is None else right / len(images)), distance


@dataclass(frozen=True)
class QualityTable:
    """What `scripts/measure_samplers.py` measured on a shipped model, and the command that did."""

    command: str
    samples: int
    guidance_scale: float
    points: list[Quality]


def write_table(name: str, table: QualityTable) -> None:
    """Keep the table of a shipped model beside it."""
    TABLES.mkdir(parents=True, exist_ok=True)
    (TABLES / f"{name}.json").write_text(json.dumps(asdict(table), indent=1) + "\n")


def read_table(name: str) -> QualityTable | None:
    """The table of a shipped model; None where it was never measured."""
    path = TABLES / f"{name}.json"
    if not has_asset(path):
        return None
    return _table(path, path.stat().st_mtime_ns if path.exists() else 0)


@once(4)
def _table(path: Path, modified: int) -> QualityTable:
    table = json.loads(read_asset(path))
    return QualityTable(**{**table, "points": [Quality(**point) for point in table["points"]]})
