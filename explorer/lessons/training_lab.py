"""The task of the Training lab: train a U-Net on images, and measure it while it learns."""

import math
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.jobs.events import Event, JobError
from explorer.jobs.process import device
from explorer.lessons.learning import Arrays, LossCurve, resumed_state, state_event
from explorer.lessons.trainings.plan import OWN, Plan, first_of_each_class
from explorer.lessons.trainings.record import FILM, SAMPLES, to_bytes_grid

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.dataset import ImageDataset
    from explorer.denoiser import Denoiser
    from explorer.training import TrainEvent

MOMENTS = (0.01, 0.02, 0.035, 0.05, 0.08, 0.12, 0.18, 0.25, 0.33, 0.42, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
MEASURING = 0.08  # share of the training time that measuring may take, beside the grids that stay on the page
WEIGHTS_AT_EVERY_MOMENT = 1_000_000  # parameters; of larger networks the grids that stay on the page keep theirs
CHECKPOINT_SECONDS, TELL_SECONDS = 2.0, 0.5
SAMPLER, SAMPLING_STEPS, GUIDANCE = "dpmpp_2m", 10, 1.5
JUDGED, LEVELS = 252, 12  # images that the losses are measured on, and groups of them by noise level
MEASURED = 200  # samples at the end
CURVE_ROWS = 400


def train_images(params: dict[str, Any], arrays: Arrays, stop: Callable[[], bool]) -> Iterator[Event]:
    """Train the U-Net of a plan on the training split of its images, judged on the held-out ones.

    `params`: "plan", the fields of `Plan`; for the person's own images also "classes", with the arrays
    "images", uint8 (m, channels, height, width), and "labels", (m,) int64, if they have classes. To resume, `step`,
    `seconds` and the vectors of a "state" event. Events, of which the newest of each kind counts: "data" once;
    "progress"; "levels", the loss by noise level; "grid-K", samples of the averaged weights, always of the same
    noise and classes, with those weights; "state", what resuming needs, sent at the end and, unless the loss runs
    away, on the way; "diverged"; and "result", what was measured at the end, and at which step, of a run that was not
    stopped.
    """
    import explorer as ex

    plan = Plan(**params["plan"])
    dataset = _dataset(plan, params, arrays)
    training, held_out = dataset.split()
    training = first_of_each_class(training, plan.take)
    classes = len(dataset.classes)
    denoiser = plan.denoiser(dataset.shape, classes).to(device())
    config = plan.config(len(training))
    state = resumed_state(params, arrays)
    judge = Judge(plan.denoiser(dataset.shape, classes), training, held_out, classes)
    yield Event(
        "data",
        {"images": len(training), "shape": dataset.shape, "classes": dataset.classes},
        {"real": to_bytes_grid(real_images(training, classes).numpy())},
    )

    curve = LossCurve()
    judged: list[tuple[float, float, float]] = []
    begun = (state.step, state.seconds) if state else (0, 0.0)
    taken = sum(share <= config.progress(*begun) for share in MOMENTS)
    small = sum(parameter.numel() for parameter in denoiser.parameters()) <= WEIGHTS_AT_EVERY_MOMENT
    started = told = saved = time.monotonic()
    measuring, look_takes = 0.0, 0.0
    event: ex.TrainEvent | None = None

    def epoch(step: int) -> float:
        return step * plan.batch_size / len(training)

    def held_out_loss() -> float | None:
        return judged[-1][1] if judged and math.isfinite(judged[-1][1]) else None  # NaN where nothing is held out

    def progress(event: ex.TrainEvent) -> Event:
        share = config.progress(event.step, event.seconds)
        trained = event.seconds - begun[1]
        pace = (time.monotonic() - started) / trained if trained else 1.0
        data = {
            "step": event.step,
            "epoch": epoch(event.step),
            "seconds": event.seconds,
            "share": share,
            "loss": curve.smoothed,
            "validation": held_out_loss(),
            "remaining": pace * event.seconds * (1 / share - 1) if share else None,
            "images_per_second": (event.step - begun[0]) * plan.batch_size / trained if trained else None,
        }
        return Event("progress", data, {"curve": curve.array(), "validation": _rows(judged)})

    def look(event: ex.TrainEvent) -> Event:
        nonlocal judged
        losses, levels = judge.look(averaged_of(event))
        judged.append((event.step, *losses))
        if len(judged) > CURVE_ROWS:
            judged = judged[::2]
        return Event("levels", {"step": event.step}, {"levels": levels})

    def grid(number: int, event: ex.TrainEvent, with_weights: bool) -> Event:
        averaged = averaged_of(event)
        data = {
            "step": event.step,
            "epoch": epoch(event.step),
            "seconds": event.seconds,
            "loss": curve.smoothed,
            "validation": held_out_loss(),
        }
        found = {"samples": to_bytes_grid(judge.samples(averaged).numpy())}
        if with_weights and bool(averaged.abs().max() < np.finfo(np.float16).max):
            found["weights"] = averaged.numpy().astype(np.float16)
        return Event(f"grid-{number:02d}", data, found)

    try:
        for event in ex.train(denoiser, training, config, state):
            curve.add(event.step, event.loss)
            share, began = config.progress(event.step, event.seconds), time.monotonic()
            budget = MEASURING * (event.seconds - begun[1])
            due = taken < len(MOMENTS) and share >= MOMENTS[taken]
            if due:
                passed = [moment for moment in MOMENTS[taken:] if share >= moment]
                taken += len(passed)
                stays = any(moment in FILM for moment in passed)
                due = stays or measuring <= budget
            if due or measuring + look_takes <= budget / 2:
                yield look(event)
                look_takes = time.monotonic() - began
            if due:
                yield grid(taken, event, with_weights=small or stays)
            if due or began - told > TELL_SECONDS:
                yield progress(event)
                told = began
            if began - saved > CHECKPOINT_SECONDS and event.step >= config.warmup and not curve.runs_away:
                yield state_event(event.state())
                saved = began
            measuring += time.monotonic() - began
            if stop():
                break
    except ex.Diverged as error:
        if event is not None:
            yield progress(event)
        yield Event("diverged")
        raise JobError(str(error)) from error
    if event is None:
        return
    yield state_event(event.state())
    yield progress(event)
    if taken < len(MOMENTS):
        yield grid(taken + 1, event, with_weights=True)
    if not stop():
        yield Event("result", {"step": event.step, **judge.result(plan, averaged_of(event))})


def averaged_of(event: "TrainEvent") -> "Tensor":
    """The averaged weights after a step, (parameters,), on the CPU, where they are judged and sent from."""
    return event.state().averaged.cpu()


class Judge:
    """Measures averaged weights, always on the same images, noise and classes.

    `denoiser` is one of its own, made like the one that trains.
    """

    def __init__(self, denoiser: "Denoiser", training: "ImageDataset", held_out: "ImageDataset", classes: int):
        import torch

        self.denoiser, self.training, self.held_out = denoiser, training, held_out
        self.classes = classes
        generator = torch.Generator().manual_seed(0)
        self.t = denoiser.schedule.training_times(JUDGED, generator).sort().values
        self.epsilon = torch.randn(JUDGED, *denoiser.shape, generator=generator)
        turn = torch.randperm(JUDGED, generator=generator)  # so that classes and noise levels are not in step
        self.sets = [images.part(turn % len(images)) for images in (held_out, training) if len(images)]

    def look(self, averaged: "Tensor") -> tuple[tuple[float, float], np.ndarray]:
        """The mean loss on held-out and on training images, and (LEVELS, 3): log-SNR, then both, by noise level.

        Those of held-out images are NaN where there are none.
        """
        import torch

        from explorer.training import load_weights

        load_weights(self.denoiser, averaged)
        with torch.no_grad():
            losses = [self._loss_of_each(part) for part in self.sets]
        if len(losses) == 1:
            losses.insert(0, torch.full_like(losses[0], torch.nan))
        log_snr = self.denoiser.schedule.log_snr(self.t)
        groups = torch.stack([log_snr, *losses]).unflatten(1, (LEVELS, -1)).mean(2).T
        return (float(losses[0].mean()), float(losses[1].mean())), groups.numpy().astype(np.float32)

    def _loss_of_each(self, part: "ImageDataset") -> "Tensor":
        """The loss that training minimises, of each image, (JUDGED,)."""
        import torch

        from explorer.denoiser import expand

        alpha, sigma = self.denoiser.schedule.alpha(self.t), self.denoiser.schedule.sigma(self.t)
        p, q = self.denoiser.target_mix(self.t, alpha, sigma)
        size, log_snr = torch.hypot(alpha, sigma), self.denoiser.schedule.log_snr(self.t).float()

        def mix(of_x0: "Tensor", of_epsilon: "Tensor") -> "Tensor":
            return (expand(of_x0, part.images) * part.images + expand(of_epsilon, part.images) * self.epsilon).float()

        output = self.denoiser.network(mix(alpha / size, sigma / size), log_snr, part.labels if self.classes else None)
        error = (output - mix(p, q)).square().flatten(1).mean(1)
        return self.denoiser.loss_weight(alpha, sigma, p, q) * error

    def samples(self, averaged: "Tensor", n: int = SAMPLES, seed: int = 0) -> "Tensor":
        """(n, channels, height, width) from the noise of `seed`, the classes in turn."""
        import torch

        import explorer as ex
        from explorer.training import load_weights

        load_weights(self.denoiser, averaged)
        condition = torch.arange(n) % self.classes if self.classes else None
        run = ex.sample(
            self.denoiser, n, SAMPLER, SAMPLING_STEPS, seed, condition, guidance_scale=GUIDANCE, keep="last"
        )
        return run.samples

    def result(self, plan: Plan, averaged: "Tensor") -> dict[str, Any]:
        """What MEASURED samples are worth.

        "accuracy" is the share that a classifier finds to be of the class asked for, where there is a classifier;
        "copies" the share whose nearest image, among equally many training and held-out images, is a training
        image; "distance" the median distance to the nearest training image, and "held_out_distance" that of
        held-out images, which are real but were never seen. Of samples that are not finite only "blew_up", 1, is
        known.
        """
        from explorer.metrics import NotFinite

        (held_out_loss, training_loss), _ = self.look(averaged)
        losses = {"training_loss": training_loss, "held_out_loss": held_out_loss}
        found = {name: loss for name, loss in losses.items() if math.isfinite(loss)}
        try:
            return found | self._worth(plan, self.samples(averaged, MEASURED, seed=1))
        except NotFinite:
            return found | {"blew_up": 1}

    def _worth(self, plan: Plan, samples: "Tensor") -> dict[str, float]:
        """What is measured on samples, (MEASURED, channels, height, width). Raises `NotFinite`."""
        import torch

        from explorer.metrics import nearest
        from explorer.zoo import load_classifier

        found = {}
        try:
            judge = load_classifier(plan.dataset)
        except ValueError:
            pass
        else:
            hits = judge.classify(samples) == torch.arange(MEASURED) % self.classes
            found["accuracy"] = float(hits.float().mean())
        count = min(len(self.training), len(self.held_out))
        if count:
            seen, unseen = (first_of_each_class(images, count) for images in (self.training, self.held_out))
            index, _ = nearest(samples, torch.cat([seen.images, unseen.images]))
            found["copies"] = float((index < count).float().mean())
            found["held_out_distance"] = float(nearest(unseen.images[:MEASURED], self.training.images)[1].median())
        found["distance"] = float(nearest(samples, self.training.images)[1].median())
        return found


def real_images(training: "ImageDataset", classes: int) -> "Tensor":
    """SAMPLES training images, of the classes that the grids show; (SAMPLES, channels, height, width)."""
    import torch

    places = torch.arange(SAMPLES)
    if training.labels is None or not classes:
        return training.images[places % len(training)]
    picked = []
    for place in places.tolist():
        of_class = (training.labels == place % classes).nonzero().flatten()
        picked.append(int(of_class[(place // classes) % len(of_class)]) if len(of_class) else place % len(training))
    return training.images[picked]


def _dataset(plan: Plan, params: dict[str, Any], arrays: Arrays) -> "ImageDataset":
    """The images of a plan. Raises `JobError` where they are missing."""
    import torch

    from explorer.data.images import load_dataset
    from explorer.dataset import ImageDataset

    if plan.dataset != OWN:
        try:
            return load_dataset(plan.dataset)
        except ValueError as error:
            raise JobError(str(error)) from error
    images = torch.tensor(arrays["images"], dtype=torch.float32) / 127.5 - 1
    labels = torch.tensor(arrays["labels"]) if "labels" in arrays else None
    return ImageDataset(OWN, images, labels, tuple(params["classes"]) if labels is not None else ())


def _rows(values: list[tuple[float, float, float]]) -> np.ndarray:
    return np.array(values, np.float32).reshape(-1, 3)
