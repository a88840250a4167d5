"""Training images: presets and settings, the film of a run, its charts and numbers, and the line in the sidebar."""

import base64
import html
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
from PIL import Image

from explorer.jobs import Job
from explorer.lab_images import MOST_WEIGHTS, OWN, PRESETS, SAMPLES, Moment, Plan, Training, recorded
from explorer.ui import models_images, work
from explorer.ui.markdown import plain

if TYPE_CHECKING:
    from explorer.data.images import ImageDataset

TAKES = [20, 100, 500, 0]
WIDTHS = [8, 16, 24, 32, 48, 64]
RATES = [1e-4, 5e-4, 1e-3, 2e-3, 3e-3, 5e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 100.0]
BATCHES = [32, 64, 128, 256, 512, 1024]
EMAS = [0.0, 0.9, 0.99, 0.995, 0.999]
UNTIL = {"epochs": "Epochs", "seconds": "Seconds"}
EPOCHS = [1, 2, 5, 10, 20, 40, 60, 100, 150, 200, 500, 1000, 2000, 5000]
MOST_SECONDS = 480
COLUMNS = 5  # of a grid
LONGEST_STEP = 5.0  # seconds
RECORDED = "recorded-"


# Settings


def choose_preset(plan: Plan) -> None:
    """The presets in a row, with the one marked that the settings make; choosing one sets them all."""
    chosen = preset_of(plan)
    st.session_state["lab_preset"] = chosen
    st.segmented_control(
        "Presets",
        list(PRESETS),
        format_func=lambda preset: PRESETS[preset].label,
        key="lab_preset",
        on_change=_take_preset,
        label_visibility="collapsed",
    )
    st.caption(PRESETS[chosen].about if chosen else "Settings of your own.")


def _take_preset() -> None:
    name = st.session_state["lab_preset"]
    if name is None:
        return
    st.session_state.update(settings_of(PRESETS[name].plan))
    if has_record(name):
        st.session_state["lab_shown"] = RECORDED + name


def preset_of(plan: Plan) -> str | None:
    """The preset that a plan is."""
    return next((name for name, preset in PRESETS.items() if preset.plan == plan), None)


def settings_of(plan: Plan) -> dict[str, Any]:
    """The values of the controls, by key, that make a plan."""
    return {
        "lab_data": plan.dataset,
        "lab_take": plan.take,
        "lab_width": plan.width,
        "lab_depth": plan.depth,
        "lab_attention": plan.attention,
        "lab_objective": plan.prediction,
        "lab_schedule": plan.schedule,
        "lab_rate": plan.learning_rate,
        "lab_batch": plan.batch_size,
        "lab_ema": plan.ema_decay,
        "lab_until": "epochs" if plan.epochs else "seconds",
        **({"lab_epochs": plan.epochs} if plan.epochs else {"lab_seconds": plan.seconds}),
    }


def choose_plan() -> "tuple[Plan, ImageDataset | None]":
    """The controls: what to train, on what, how and for how long; and the images, None while they are missing."""
    from explorer.lab2d import digest
    from explorer.ui.controls import PREDICTION_LABELS, SCHEDULE_LABELS, choice
    from explorer.ui.datasets import choose_dataset

    default = Plan()
    dataset = choose_dataset("lab")
    take = _option(
        "Images used",
        TAKES,
        default.take,
        "lab_take",
        "Of the training images, so many of each class in turn. With 20 the network can learn them by heart.",
        lambda take: f"{take}" if take else "All",
    )
    width = _option(
        "Width",
        WIDTHS,
        default.width,
        "lab_width",
        "Channels of the upper level; each below has twice as many. Twice the width takes up to four times as long.",
    )
    depth = st.slider(
        "Depth", 1, 3, default.depth, key="lab_depth", bind="query-params", help="Residual blocks a level, each way."
    )
    attention = st.toggle(
        "Self-attention",
        default.attention,
        key="lab_attention",
        bind="query-params",
        help="At the lowest resolution every place looks at every other. On images this small it changes little.",
    )
    prediction = choice(
        "What the network predicts",
        PREDICTION_LABELS,
        default.prediction,
        key="lab_objective",
        help="The noise, the clean image, or a mixture of both. The loss is weighted so that all train alike.",
    )
    schedule = choice(
        "Schedule",
        SCHEDULE_LABELS,
        default.schedule,
        key="lab_schedule",
        help="How much signal and noise there is at each time, and so which noise levels are trained most.",
    )
    rate = _option(
        "Learning rate",
        RATES,
        default.learning_rate,
        "lab_rate",
        "How far each step goes. Too low learns slowly; too high overshoots, and at the far right the loss "
        "grows beyond all numbers.",
        lambda rate: f"{rate:g}",
    )
    batch = _option(
        "Batch size",
        BATCHES,
        default.batch_size,
        "lab_batch",
        "Images a step. Larger batches give steadier steps, but fewer of them in an epoch.",
    )
    ema = _option(
        "EMA decay",
        EMAS,
        default.ema_decay,
        "lab_ema",
        "The samples come from a running average of the weights, with this memory: 0.99 averages about 100 steps.",
        lambda decay: f"{decay:g}" if decay else "None",
    )
    until = choice(
        "Length of the run in",
        UNTIL,
        "epochs",
        key="lab_until",
        help="An epoch is one pass over the training images. Seconds end the run wherever it is.",
    )
    if until == "epochs":
        help = "In each, the network sees as many images as there are to train on; few images need many epochs."
        epochs = _option("Epochs", EPOCHS, default.epochs, "lab_epochs", help)
        seconds = None
    else:
        epochs = None
        seconds = st.slider("Seconds", 1, MOST_SECONDS, 60, key="lab_seconds", bind="query-params")
    name = st.session_state["lab_data"]
    return Plan(
        dataset=name,
        digest=digest(dataset.images.numpy()) if name == OWN and dataset else "",
        take=take,
        width=width,
        depth=depth,
        attention=attention,
        prediction=prediction,
        schedule=schedule,
        learning_rate=rate,
        batch_size=batch,
        ema_decay=ema,
        epochs=epochs,
        seconds=seconds,
    ), dataset


def _option(
    label: str, options: Sequence[Any], default: Any, key: str, help: str, write: Callable[[Any], str] = str
) -> Any:
    """A slider over `options`, kept in the URL."""
    return st.select_slider(label, options, default, format_func=write, key=key, help=help, bind="query-params")


@dataclass(frozen=True)
class Forecast:
    """What a plan will take: seconds, bytes of memory, training images, weights of the network, seconds a step."""

    seconds: float
    bytes: int
    images: int
    weights: int
    seconds_per_step: float


def forecast(plan: Plan, dataset: "ImageDataset") -> Forecast:
    """What training a plan on these images will take, estimated before it starts."""
    images = len(dataset) - len(dataset) // 5
    return _forecast(plan, dataset.shape, len(dataset.classes), min(plan.take or images, images))


@st.cache_data(max_entries=256, show_spinner=False)
def _forecast(plan: Plan, shape: tuple[int, ...], classes: int, images: int) -> Forecast:
    from explorer.hardware.memory import estimate_memory
    from explorer.hardware.timing import seconds_per_step

    denoiser = plan.denoiser(shape, classes)
    memory = estimate_memory(denoiser, batch_size=plan.batch_size, mode="train", optimizer="adam-ema")
    steps = plan.steps(images)
    step = seconds_per_step(denoiser, plan.batch_size)
    seconds = plan.seconds if steps is None else steps * step
    weights = sum(parameter.numel() for parameter in denoiser.parameters())
    return Forecast(float(seconds or 0), int(memory.total), images, weights, step)


def describe_forecast(plan: Plan, expected: Forecast) -> str:
    """The estimate in a line or two."""
    longest = work.manager().max_seconds
    time = f"about {expected.seconds:.0f} s" if plan.seconds is None else f"{plan.seconds} s"
    lines = [
        f"{expected.weights:,} weights, {expected.images:,} training images.",
        f"Training takes {time} and {expected.bytes / 2**20:,.0f} MB of memory here, beside what PyTorch itself takes.",
    ]
    if expected.seconds > longest:
        lines.append(f"A run may take {longest:.0f} s here: it is paused then, and can be resumed.")
    if plan.batch_size > expected.images:
        lines.append(
            f"A batch of {plan.batch_size} is larger than the data: each step sees an image several times, "
            "each time with other noise."
        )
    return " ".join(lines)


def too_large(expected: Forecast) -> str:
    """A sentence where a plan is too large for this machine or this lab, else nothing."""
    if expected.weights > MOST_WEIGHTS:
        return (
            f"This network would have {expected.weights:,} weights, and a run may have {MOST_WEIGHTS:,} here: choose "
            "a smaller width or depth."
        )
    if expected.seconds_per_step > LONGEST_STEP:
        return (
            f"A step of this training would take about {expected.seconds_per_step:.0f} s here, too long to pause or "
            "to keep anything in time: choose a smaller batch, width or depth."
        )
    allowed = memory_for_training()
    if allowed is None or expected.bytes <= allowed:
        return ""
    return (
        f"This training would need {expected.bytes / 2**20:,.0f} MB of memory, and a run may have "
        f"{allowed / 2**20:,.0f} MB here: choose a smaller batch, width or depth."
    )


@st.cache_resource(show_spinner=False)
def memory_for_training() -> int | None:
    """Bytes that one run may have: a worker's share of half of what this machine gives; None where it does not say."""
    from explorer.hardware.machine import allowed_memory

    memory = allowed_memory()
    return memory and memory // 2 // work.manager().workers


def has_own_images(plan: Plan) -> bool:
    """Whether this session has the images that a plan of the person's own images was for."""
    from explorer.lab2d import digest
    from explorer.ui.datasets import find_dataset

    dataset = find_dataset(OWN)
    return dataset is not None and digest(dataset.images.numpy()) == plan.digest


# Runs


def has_record(preset: str) -> bool:
    """Whether a recorded run of a preset came with the app."""
    try:
        return bool(_recorded(preset))
    except KeyError:
        return False


@st.cache_resource(show_spinner=False)
def _recorded(preset: str) -> Training:
    """Read once a process: do not write to it."""
    return recorded(preset)


def runs() -> dict[str, str]:
    """The names of the trainings that can be shown by key: those of this session, the newest first, then records."""
    own = {run: training.name for run, training in reversed(models_images.trainings().items())}
    return own | {RECORDED + name: f"Recorded: {PRESETS[name].label}" for name in PRESETS if has_record(name)}


def run_of(key: str) -> Training:
    """The training of a key of `runs`."""
    if key.startswith(RECORDED):
        return _recorded(key.removeprefix(RECORDED))
    return models_images.trainings()[key]


def choose_runs(plan: Plan) -> list[Training]:
    """The training that is shown, and the one it is compared with, if one is.

    Until one is chosen, the newest of this session; without any, the record of the preset that the settings make.
    """
    names = runs()
    if st.session_state.get("lab_shown") not in names:
        preset = preset_of(plan)
        st.session_state["lab_shown"] = (
            next(iter(names))
            if models_images.trainings()
            else RECORDED + (preset if preset and has_record(preset) else next(iter(PRESETS)))
        )
    shown = st.selectbox("Run", list(names), format_func=names.__getitem__, key="lab_shown", width=290)
    others = {"": "Nothing"} | {key: name for key, name in names.items() if key != shown}
    if st.session_state.get("lab_other", "") not in others:
        st.session_state["lab_other"] = ""
    other = st.selectbox("Compare with", list(others), format_func=others.__getitem__, key="lab_other", width=290)
    return [run_of(key) for key in (shown, other) if key]


def describe(training: Training, job: Job | None) -> str:
    """One line on where a training stands."""
    about = training.progress
    if job is not None and not job.finished:
        if job.state == "queued" or not about:
            return work.describe(job)
        speed = about.get("images_per_second")
        left = about.get("remaining")
        parts = [_when(training, about["epoch"], about["seconds"])]
        parts += [f"{speed:,.0f} images a second"] if speed else []
        parts += [f"about {left:.0f} s left"] if left is not None else []
        return " · ".join(parts)
    if training.diverged:
        kept = " The last good weights are kept." if training.state else ""
        return f"{job.error if job and job.error else 'The loss stopped being a finite number.'}{kept}"
    if job is not None and job.state in ("failed", "expired"):
        return work.describe(job)
    if not about:
        return "This training was stopped before it had begun."
    when = _when(training, about["epoch"], about["seconds"])
    return (
        f"{when}."
        if training.done >= 1
        else f"{'Paused' if training.state else 'Stopped'} at {when[0].lower()}{when[1:]}."
    )


def _when(training: Training, epoch: float, seconds: float) -> str:
    plan = training.plan
    if plan.epochs:
        return f"Epoch {min(epoch, plan.epochs):,.0f} of {plan.epochs:,}, {seconds:.0f} s"
    return f"{seconds:.0f} of {plan.seconds} s, epoch {epoch:,.0f}"


def report(training: Training, job: Job | None, name: str) -> None:
    """Progress while a training runs, and how it ended."""
    line = name + describe(training, job)
    if job is not None and not job.finished:
        st.progress(training.done, text=line)
    elif training.diverged or (job is not None and job.state in ("failed", "expired")):
        st.error(line, icon=":material/error:")
    else:
        st.caption(line)


# The film


def film_strip(training: Training, real: np.ndarray | None, goes_on: bool) -> None:
    """The grids of 1, 25, 50 and 100 % beside real images; the next to come shows how far the run is."""
    so_far, to_come = ("so far", "to come") if goes_on else ("ended at", "not reached")
    panels = []
    newest = max(training.moments, default=0)
    shown = 0
    for share, step in training.film:
        title = f"Epoch {share * training.plan.epochs:,g}" if training.plan.epochs else f"{share:.0%}"
        if step is not None:
            moment = training.moments[step]
            panels.append(_panel(title, _note(training, moment), moment.samples, "model", training))
            shown = step
        elif shown < newest:
            moment = training.moments[newest]
            panels.append(_panel(title, f"{so_far}: epoch {moment.epoch:,.0f}", moment.samples, "model", training))
            shown = newest
        else:
            panels.append(_panel(title, to_come, None, "model", training))
    why = "to train on" if real is not None else "shown when the data are here"
    panels.append(_panel("Real images", why, real, "data", training))
    grid = "display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 0.75rem 1rem"
    st.html(f'<div class="lab-film" style="{grid}">{"".join(panels)}</div>')


def _note(training: Training, moment: Moment) -> str:
    """What the title of a panel leaves open, on one line."""
    when = f"{moment.seconds:.0f} s" if training.plan.epochs else f"epoch {moment.epoch:,.0f}"
    return f"{when} · loss {moment.loss:.3f}"


def _caption(moment: Moment) -> str:
    return f"epoch {moment.epoch:,.1f} · {moment.seconds:.0f} s · loss {moment.loss:.3f}"


def _panel(title: str, caption: str, samples: np.ndarray | None, role: str, training: Training) -> str:
    from explorer import palette

    colours = palette.DARK if st.context.theme.type == "dark" else palette.LIGHT
    _, height, width = training.shape
    ratio = f"{COLUMNS * width} / {SAMPLES // COLUMNS * height}"
    box = f"display: block; width: 100%; aspect-ratio: {ratio}; border-radius: 4px"
    if samples is None:
        picture = f'<div style="{box}; box-sizing: border-box; border: 1px dashed currentColor; opacity: 0.35"></div>'
    else:
        alt = f"{title}: {SAMPLES} {'real images' if role == 'data' else 'samples'}; {caption}."
        picture = f'<img src="{_png(samples)}" alt="{html.escape(alt)}" style="{box}; image-rendering: pixelated">'
    dot = f'<b aria-hidden="true" style="color: {colours[role]}">●</b>'
    return (
        f'<figure style="margin: 0"><figcaption style="font-size: 0.875rem; line-height: 1.3; margin-bottom: 0.25rem">'
        f"{dot} <strong>{html.escape(title)}</strong><br>"
        f'<span style="opacity: 0.75; font-size: 0.8125rem; font-variant-numeric: tabular-nums">{html.escape(caption)}'
        f"</span></figcaption>{picture}</figure>"
    )


def _png(samples: np.ndarray) -> str:
    """SAMPLES images in rows of COLUMNS with thin gaps, as the URL of a PNG."""
    count, channels, height, width = samples.shape
    gap = max(1, width // 14)
    picture = np.zeros((count // COLUMNS, height + gap, COLUMNS, width + gap, channels + 1), np.uint8)
    grid = samples.reshape(-1, COLUMNS, channels, height, width).transpose(0, 3, 1, 4, 2)
    picture[:, :height, :, :width, :-1] = grid
    picture[:, :height, :, :width, -1] = 255
    file = io.BytesIO()
    rows = picture.reshape(count // COLUMNS * (height + gap), -1, channels + 1)[:-gap, :-gap]
    Image.fromarray(np.ascontiguousarray(rows)).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def replay(trainings: Sequence[Training]) -> None:
    """The samples of every moment, under a slider that runs in the browser."""
    from explorer.ui.film import Strip, film

    strips = []
    for training in trainings:
        moments = [moment for _, moment in sorted(training.moments.items())]
        if not moments:
            continue
        samples = np.stack([moment.samples for moment in moments]).mean(2)  # (moments, SAMPLES, height, width)
        captions = [_caption(moment) for moment in moments]
        strips.append(Strip(training.name, (samples / 127.5 - 1).astype(np.float32), captions))
    if strips:
        film(strips, key="lab_film", fps=2, label="the samples as training goes on")


# Numbers and charts


def numbers(training: Training) -> None:
    """What was measured on a finished run."""
    found = training.result
    speed = training.progress.get("images_per_second")
    with st.container(horizontal=True):
        if "accuracy" in found:
            help = "Of 200 samples at guidance 1.5, as a classifier sees them that was trained on real images."
            st.metric("Of the class asked for", f"{found['accuracy']:.1%}", width="content", help=help)
        if {"training_loss", "held_out_loss"} <= found.keys():
            help = "Of the averaged weights at the end, on the same noise levels."
            losses = f"{found['training_loss']:.3f} · {found['held_out_loss']:.3f}"
            st.metric("Loss, training · held-out", losses, width="content", help=help)
        if "copies" in found:
            help = (
                "The share of 200 samples whose nearest real image is one it was trained on, among as many held-out "
                "ones. About half is what a model that only generalises would have."
            )
            st.metric("Nearest is a training image", f"{found['copies']:.0%}", width="content", help=help)
        if {"distance", "held_out_distance"} <= found.keys():
            help = (
                "Median distance to the nearest training image, of samples and of real held-out images: root mean "
                "square over pixels, where black to white is 2. Near 0 is a copy."
            )
            distances = f"{found['distance']:.2f} · {found['held_out_distance']:.2f}"
            st.metric("Distance, samples · held-out", distances, width="content", help=help)
        if speed:
            st.metric("Images a second", f"{speed:,.0f}", width="content", help="Training alone, without measuring.")


def charts(trainings: Sequence[Training]) -> None:
    """The losses by epoch, and by noise level."""
    from explorer.charts_training import levels_chart, losses_chart

    dark = st.context.theme.type == "dark"
    shown = [training for training in trainings if len(training.curve)]
    if not shown:
        st.caption("The charts begin with the first steps.")
        return
    left, right = st.columns(2)
    with left:
        st.markdown(
            "**Loss**", help="Each step's faintly, smoothed, and that of the averaged weights on held-out images."
        )
        st.vega_lite_chart(losses_chart(shown, dark), alt="The training and the held-out loss against the epoch.")
    with right:
        st.markdown("**Loss by noise level**", help="Of the averaged weights, always on the same images and noise.")
        st.vega_lite_chart(levels_chart(shown, dark), alt="The training and the held-out loss against the log-SNR.")
    if len(shown) > 1:
        st.caption(f"Solid lines: {plain(shown[0].name)}. Dashed lines: {plain(shown[1].name)}.")


# The sidebar


def attend(link: Callable[[str, str], None]) -> None:
    """On every page: take in what this visitor's trainings have sent, and show those that run in the sidebar."""
    running = [job.id for job in models_images.absorb()]
    if running:
        with st.sidebar:
            st.fragment(_line, run_every=2.0)(running, link)


def _line(running: list[str], link: Callable[[str, str], None]) -> None:
    jobs = models_images.absorb()
    if [job.id for job in jobs] != running:
        st.rerun()
    for job in jobs:
        training = models_images.trainings()[job.params["run"]]
        st.progress(training.done, text=f"{plain(training.name)}: {describe(training, job)}")
    if jobs:
        link(jobs[-1].params["page"], "Training lab")
