from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.ui.frame import (
    Question,
    begin_page,
    check_yourself,
    end_page,
    mathematics,
    the_code,
    what_to_notice,
)

begin_page(
    "Sampling showdown",
    "You will see what a sampler decides once a model is trained: what it costs, how good the images are, and how "
    "much of them is chance.",
)

import torch

from explorer import samplers
from explorer.data.digest import digest
from explorer.guidance import MIDDLE
from explorer.jobs import Job, JobRefused
from explorer.lessons.sampling_showdown import quality as judging
from explorer.lessons.sampling_showdown import walks as showdown
from explorer.lessons.sampling_showdown.quality import Quality
from explorer.lessons.sampling_showdown.task import walk_of
from explorer.lessons.sampling_showdown.walks import Method, Repeats, RoundTrip, Start, Walk, one_clock
from explorer.lessons.views import grey
from explorer.samplers import SPACINGS
from explorer.ui import work
from explorer.ui.controls import SAMPLER_LABELS, choice
from explorer.ui.datasets import offer_missing
from explorer.ui.film import Strip, film
from explorer.ui.pad import draw_image
from explorer.ui.sheet import Row, sheet
from explorer.ui.shelf import SHIPPED, ImageModel, choose_model, dataset_of, shipped

if TYPE_CHECKING:
    import explorer as ex
    from explorer.networks.classifier import Classifier

Kept = TypeVar("Kept")
TASK = "measure_quality"
STEPS = [1, 2, 3, 5, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1000]
FEW_STEPS = [2, 5, 10, 20, 50, 100]
LARGE = 1_000_000  # weights: of such networks a page makes fewer steps at once
COUNTS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
SPACING_LABELS = {"own": "The sampler's own", **SPACINGS}
LONG = 1.5  # seconds
FEW_CALLS = 60  # these a page makes at once, even on a slow machine
IMAGES = 16
WALKS = 6
BETWEEN = 9
CLOSE = 1.25  # times the best distance
SECTIONS = {
    "duel": "Two samplers, one clock",
    "one-noise": "One noise, many walks",
    "quality": "Quality against steps",
    "between": "Between two noises",
    "round-trip": "From a real image to its noise, and back",
}


class TooLong(Exception):
    """Too long for a page: this is work for a job."""


@st.cache_resource(max_entries=24, show_spinner=False)
def shared_walk(key: tuple[Any, ...], _compute: Callable[[], Walk]) -> Walk:
    return _compute()


@st.cache_resource(max_entries=12, scope="session", show_spinner=False)
def own_walk(key: tuple[Any, ...], _compute: Callable[[], Walk]) -> Walk:
    return _compute()


@st.cache_resource(max_entries=500, show_spinner=False)
def shared(key: tuple[Any, ...], _compute: Callable[[], Any]) -> Any:
    return _compute()


@st.cache_resource(max_entries=100, scope="session", show_spinner=False)
def own(key: tuple[Any, ...], _compute: Callable[[], Any]) -> Any:
    return _compute()


def remembered(model: ImageModel, about: tuple[Any, ...], compute: Callable[[], Kept]) -> Kept:
    """What `compute` returns: once a process for a shipped model, once a session for one of the shelf."""
    keep = shared if model.shipped else own
    return keep((*identity(model), repr(about)), compute)


def identity(model: ImageModel) -> tuple[Any, ...]:
    """What tells this model from any other: a training that goes on keeps its key."""
    return model.key, model.about.get("step")


def judge_of(model: ImageModel) -> "Classifier | None":
    """The classifier of the data that a model was trained on, where there is one and the model fits it."""
    from explorer.zoo import load_classifier

    if model.dataset not in SHIPPED:
        return None
    judged = shipped(model.dataset)  # a file of weights may say that it was trained on anything
    fits = model.denoiser.shape == judged.denoiser.shape and len(model.classes) <= len(judged.classes)
    return load_classifier(model.dataset) if fits else None


def class_control(model: ImageModel, key: str, default: str, several: bool = False) -> tuple[int, ...]:
    """The classes that images take in turn: all where there are `several`, one, or none."""
    if not model.classes:
        return ()
    labels = {str(number): name for number, name in enumerate(model.classes)} | {"none": "No class"}
    if several:
        labels = {"all": "All in turn"} | labels
    chosen = choice("Class asked for", labels, default if default in labels else "0", key=key, width=130)
    if chosen == "all":
        return tuple(range(len(model.classes)))
    return () if chosen == "none" else (int(chosen),)


def steps_control(key: str, options: list[int], default: int) -> int:
    return st.select_slider(
        "Steps",
        options,
        default,
        key=key,
        bind="query-params",
        width=180,
        help="Times visited between noise and data.",
    )


def guidance_controls(key: str) -> tuple[float, tuple[float, float] | None]:
    """The guidance scale, and the log-SNR between which it holds, None for all."""
    help = "1 asks the model once; more asks twice, with and without the class, and exaggerates the difference."
    scale = st.slider("Guidance scale", 1.0, 5.0, 1.0, 0.5, key=key, bind="query-params", width=160, help=help)
    if scale == 1:
        return scale, None
    low, high = (f"{level:g}".replace("-", "\N{MINUS SIGN}") for level in MIDDLE)
    help = (
        f"In the middle: only while the log-SNR is between {low} and {high}. Guidance at more noise costs variety, at "
        "less it changes nothing; outside, the model is asked once."
    )
    where = {"all": "At all levels", "middle": "In the middle"}
    return scale, MIDDLE if choice("Guided", where, "all", key=f"{key}_at", help=help, width=150) == "middle" else None


def few_steps(model: ImageModel) -> list[int]:
    """Numbers of steps that a page walks while a person waits."""
    weights = sum(parameter.numel() for parameter in model.denoiser.parameters())
    return FEW_STEPS if weights <= LARGE else FEW_STEPS[:4]


def seed_control(key: str, default: int, label: str = "Noise seed") -> int:
    return st.slider(label, 0, 99, default, key=key, bind="query-params", width=150)


def method_controls(prefix: str, side: str, default: str) -> Method:
    """The sampler of one side, its steps, eta and times."""
    with st.container(horizontal=True):
        sampler = choice(f"{side} sampler", SAMPLER_LABELS, default, key=f"{prefix}_sampler", width=190)
        steps = steps_control(f"{prefix}_steps", STEPS, 10)
        help = "Which times the steps visit. Karras and quadratic times lie denser where there is little noise."
        spacing = choice("Times", SPACING_LABELS, "own", key=f"{prefix}_times", width=190, help=help)
        eta = None
        if sampler == "ddim":
            help = "Share of fresh noise in each step: 0 is DDIM, 1 is DDPM."
            eta = st.slider("eta", 0.0, 1.0, 0.0, 0.1, key=f"{prefix}_eta", bind="query-params", width=180, help=help)
    return Method(sampler, steps, eta, None if spacing == "own" else spacing)


def title_of(method: Method) -> str:
    """A method in a few words."""
    eta = f", eta {method.eta:g}" if method.eta else ""
    times = f", {SPACINGS[method.spacing].lower()}" if method.spacing else ""
    return f"{SAMPLER_LABELS[method.sampler]}{eta}{times}, {method.steps:,} step{'s' * (method.steps > 1)}"


def seconds_of(seconds: float) -> str:
    """A duration as people say it."""
    if seconds < 1:
        return f"{seconds:.2f} s"
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.1f} min"


@st.cache_resource(ttl=60, show_spinner=False)
def call_seconds(model: tuple[Any, ...], n: int, _denoiser: "ex.Denoiser") -> float:
    """Seconds that one network call on n images takes; measured anew every minute, as the load of a machine changes."""
    return showdown.call_seconds(_denoiser, n)


# Jobs


def job_params(model: ImageModel, methods: list[Method], start: Start, judge: str | None) -> dict[str, Any]:
    """The spec of a job, plain values; the key names a model of the shelf."""
    return {
        "model": model.key if model.shipped else None,
        "key": list(identity(model)),
        "methods": [asdict(method) for method in methods],
        "start": {**asdict(start), "classes": list(start.classes)},
        "judge": judge,
    }


def submit(model: ImageModel, params: dict[str, Any]) -> None:
    """Start a job, or say why not."""
    from explorer.zoo import to_bytes

    arrays = {} if model.shipped else {"weights": np.frombuffer(to_bytes(model.denoiser), np.uint8)}
    try:
        work.manager().submit(work.visitor(), TASK, params, arrays)
    except JobRefused as error:
        st.warning(str(error), icon=":material/hourglass:")
        return
    st.rerun()


def jobs_of(judged: bool) -> list[Job]:
    """This visitor's jobs of this page: measurements, or long walks."""
    return work.find_jobs(lambda job: job.task == TASK and bool(job.params["judge"]) == judged)


def running(judged: bool) -> bool:
    return any(not job.finished for job in jobs_of(judged))


def report(job: Job, what: str, key: str) -> None:
    """How a job goes, with a button that ends it; or how it ended without a result."""
    if job.state == "queued":
        st.progress(0.0, text=f"{what}: {work.describe(job)}")
    elif not job.finished:
        progress: dict[str, Any] = job.latest["progress"].data if "progress" in job.latest else {}
        left = progress.get("remaining")
        text = "starting the worker" if left is None else f"about {seconds_of(left)} left"
        st.progress(progress.get("share", 0.0), text=f"{what}: {text}.")
    elif job.state == "failed":
        st.error(f"{what}: {job.error}", icon=":material/error:")
    elif job.capped or job.state == "expired":
        st.caption(f"{what}: it was ended before it was done.")
    if not job.finished:
        st.button("Stop", on_click=job.stop, icon=":material/stop:", key=key)


def report_others(jobs: list[Job]) -> None:
    """Jobs that still run though the page has moved on to other settings, so that they can be stopped."""
    for job in jobs:
        if not job.finished:
            names = dict.fromkeys(SAMPLER_LABELS[method["sampler"]] for method in job.params["methods"])
            report(job, f"Still running from before ({', '.join(names)})", f"show_stop_{job.id}")


# The sections


def duel(busy: bool, takeaway: DeltaGenerator) -> ImageModel:
    """Two methods on one clock. Returns the model that the whole page is about."""
    if busy and not running(judged=False):
        st.rerun()
    st.header(SECTIONS["duel"], anchor="duel")
    with st.container(horizontal=True):
        with st.container(width=220):
            model = choose_model("show_model")
        if st.session_state.setdefault("show_model_of_page", model.key) != model.key:
            st.session_state["show_model_of_page"] = model.key
            st.rerun()
        classes = class_control(model, "show_class", "all", several=True)
        scale, interval = guidance_controls("show_guidance") if classes else (1.0, None)
        seed = seed_control("show_seed", 0)
    start = Start(IMAGES, seed, classes, scale, interval)
    stage = st.container()
    sides = st.columns(2, gap="large")
    methods, walks = [], []
    defaults = (("show_a", "Left", "ddpm"), ("show_b", "Right", "ddim"))
    for side, (prefix, name, default) in zip(sides, defaults, strict=True):
        with side:
            methods.append(method_controls(prefix, name, default))
            walks.append(one_side(model, methods[-1], start, prefix))
    wanted = [job_params(model, [method], start, judge=None) for method in methods]
    report_others([job for job in jobs_of(judged=False) if job.params not in wanted])
    shown = [(method, walk) for method, walk in zip(methods, walks, strict=True) if walk is not None]
    with stage:
        if len(shown) == 1:
            for half, walk in zip(st.columns(2, gap="large"), walks, strict=True):
                with half:
                    if walk is None:
                        st.info("This walk is long: run it below.", icon=":material/hourglass:")
                    else:
                        show_film(shown)
        elif shown:
            show_film(shown)
        else:
            st.info("Both walks are long: run one of them below.", icon=":material/hourglass:")
    if len(shown) < 2:
        takeaway.markdown("- Run both sides to compare them.")
        return model
    left, right = (walk.samples for _, walk in shown)
    apart = float(np.sqrt(np.square(left - right).mean()))
    cost = " and ".join(f"{title_of(method)} ({walk.evaluations:,} network calls)" for method, walk in shown)
    takeaway.markdown(
        f"- **A sampler is a way to use a model, not a model.** From one noise and through one network, {cost} end "
        f"{apart:.2f} apart. {see('duel')}"
    )
    st.caption(f"The ends of the two sides are {apart:.3f} apart: root mean square over pixels that run from −1 to 1.")
    return model


def one_side(model: ImageModel, method: Method, start: Start, prefix: str) -> Walk | None:
    """What a side costs, and its walk; where that takes long, a button and a job."""
    calls = start.calls(model.denoiser, method)
    estimate = calls * call_seconds(identity(model), start.n, model.denoiser)
    st.caption(
        f"{calls:,} network call{'s' * (calls > 1)} for {start.n} images: about {seconds_of(estimate)} on this machine."
    )
    params = job_params(model, [method], start, judge=None)
    job = next((job for job in reversed(jobs_of(judged=False)) if job.params == params), None)

    def compute() -> Walk:
        if job and "walk-0" in job.latest:
            return walk_of(job.latest["walk-0"])
        if (estimate > LONG and calls > FEW_CALLS) or estimate > 4 * LONG:
            raise TooLong
        return showdown.walk(model.denoiser, method, start)

    keep = shared_walk if model.shipped else own_walk
    try:
        walk = keep((*identity(model), repr(method), repr(start)), compute)
    except TooLong:
        if job:
            report(job, title_of(method), f"{prefix}_stop")
        if not job or job.finished:
            label = f"Run {title_of(method)}"
            if st.button(label, type="primary", icon=":material/play_arrow:", key=f"{prefix}_run"):
                submit(model, params)
        return None
    numbers(model, method, start, walk)
    return walk


def numbers(model: ImageModel, method: Method, start: Start, walk: Walk) -> None:
    """What was measured on one walk."""
    with st.container(horizontal=True):
        help = "Of sampling, when these settings were first computed."
        st.metric("Seconds", f"{walk.seconds:.2f}", width="content", help=help)
        help = "Each call moves all images at once. An estimate takes two where it is guided."
        st.metric("Network calls", f"{walk.evaluations:,}", width="content", help=help)
        judge = judge_of(model)
        if judge is not None and start.classes:
            right = remembered(model, ("right", method, start), partial(right_ones, judge, walk, start))
            help = "Images that the classifier takes for the class asked for."
            st.metric("Right class", f"{right} of {start.n}", width="content", help=help)


def right_ones(judge: "Classifier", walk: Walk, start: Start) -> int:
    found = judge(torch.tensor(walk.samples)).argmax(1)
    return int((found == start.labels()).sum())


def show_film(shown: list[tuple[Method, Walk]]) -> None:
    """x and the guesses of each walk, on one clock of times."""
    clock, frames = one_clock([walk for _, walk in shown])
    strips = []
    for (method, walk), frame in zip(shown, frames, strict=True):
        step, t = walk.step[frame], walk.t[frame]
        at = [f"step {k:,} of {method.steps:,}, t = {time:.3f}" for k, time in zip(step, t, strict=True)]
        strips.append(Strip(f"{SAMPLER_LABELS[method.sampler]}: x at time t", grey(walk.x[frame]), at, role="noise"))
        guesses = [f"made at t = {time:.3f}" if time else "the sample" for time in t]
        strips.append(Strip(f"{SAMPLER_LABELS[method.sampler]}: guess of x0", grey(walk.guess[frame]), guesses))
    label = " beside ".join(title_of(method) for method, _ in shown)
    film(strips, key="show_film", fps=max(1.0, len(clock) / 5), label=f"images from noise to data by {label}")


@st.fragment
def one_noise(model: ImageModel, takeaway: DeltaGenerator) -> None:
    """Many walks from one noise: what is left to chance."""
    st.header(SECTIONS["one-noise"], anchor="one-noise")
    st.markdown(
        f"One starting noise, walked {WALKS} times. The noise that a sampler adds on its way is drawn afresh each time."
    )
    with st.container(horizontal=True):
        classes = class_control(model, "show_noise_class", "3")
        steps = steps_control("show_noise_steps", FEW_STEPS[:4], 5)
        help = "Of the row in the middle: the share of fresh noise in each step."
        eta = st.slider(
            "eta between", 0.1, 0.9, 0.5, 0.1, key="show_noise_eta", bind="query-params", width=140, help=help
        )
        others = {"none": "None"} | {
            name: label for name, label in SAMPLER_LABELS.items() if name not in ("ddpm", "ddim", "langevin")
        }
        other = choice("Another sampler", others, "none", key="show_noise_other", width=190)
        seed = seed_control("show_noise_seed", 1)
    methods = {
        "DDIM (eta 0)": Method("ddim", steps),
        f"eta {eta:g}": Method("ddim", steps, eta),
        "DDPM (eta 1)": Method("ddpm", steps),
    }
    if other != "none":
        methods[SAMPLER_LABELS[other]] = Method(other, steps)
    start, judge = Start(WALKS, seed, classes), judge_of(model)
    measured: dict[str, Repeats] = {
        name: remembered(
            model, ("repeats", method, start), partial(showdown.repeats, model.denoiser, method, start, judge)
        )
        for name, method in methods.items()
    }
    picture, table = st.columns([5, 4], gap="medium", vertical_alignment="center")
    with picture:
        rows = [
            Row(name, grey(found.images), [], f"{WALKS} walks of {name} from one noise")
            for name, found in measured.items()
        ]
        sheet(rows, [f"walk {number + 1}" for number in range(WALKS)])
    with table:
        heads = ["", "same seed", "other seed", "diversity"]
        lines = ["|" + "|".join(heads) + "|", "|:--|--:|--:|--:|"]
        for name, found in measured.items():
            lines.append(f"|{name}|{found.again:.3f}|{found.apart:.3f}|{diversity(found)}|".replace(" ", "\u00a0"))
        st.markdown("\n".join(lines))
        what = "in the features of a classifier" if judge else "over the pixels (no classifier knows this model's data)"
        st.caption(
            "Largest difference of a pixel, which runs from −1 to 1, when all is repeated with the same seed, and "
            "between walks with other seeds. Diversity: "
            f"mean distance between two of the walks, {what}. Guidance 1."
        )
    still, moving = measured["DDIM (eta 0)"], measured["DDPM (eta 1)"]
    takeaway.markdown(
        f"- **Under DDIM the start is the image; under DDPM it is a suggestion.** From one noise, {WALKS} walks differ "
        f"by at most {still.apart:.3f} in a pixel under DDIM and by {moving.apart:.3f} under DDPM, a diversity of "
        f"{diversity(still)} against {diversity(moving)}. With its seed each repeats to {moving.again:.3f}. "
        f"{see('one-noise')}"
    )


def diversity(found: Repeats) -> str:
    return f"{found.spread if found.diversity is None else found.diversity:.2f}"


def quality(model: ImageModel, busy: bool, takeaway: DeltaGenerator) -> None:
    """Accuracy and Frechet distance against steps: the shipped table, or measured here by a job."""
    if busy and not running(judged=True):
        st.rerun()
    st.header(SECTIONS["quality"], anchor="quality")
    judge = judge_of(model)
    if judge is None:
        st.info(
            "Quality is judged by a classifier of the data that a model was trained on. There is one for the digits "
            "and for MNIST, and none for this model's data.",
            icon=":material/gavel:",
        )
        takeaway.markdown(f"- How quality grows with steps is not measured for this model. {see('quality')}")
        return
    before = judging.read_table(model.key) if model.shipped else None
    measured = st.session_state.setdefault("show_measured", {})
    jobs = [job for job in jobs_of(judged=True) if job.params["key"] == list(identity(model))]
    if jobs and (points := points_of(jobs[-1])):
        measured[identity(model)] = (points, jobs[-1].params["start"], jobs[-1].seconds)
    if jobs and jobs[-1].state != "done":
        report(jobs[-1], "Measuring", "show_measure_stop")
    report_others([job for job in jobs_of(judged=True) if job not in jobs[-1:]])
    here, start, seconds = measured.get(identity(model), ([], {}, 0.0))
    earlier = before.points if before else []
    if here:  # a distance depends on how many samples it is measured with
        earlier = [point for point in earlier if point.n == here[0].n]
    if not (earlier or here):
        st.caption("Nothing is measured for this model yet. Choose below what to measure, and start.")
    else:
        show_quality(model, judge, here, earlier)
    if here:
        where = " in the middle" * bool(start["guidance_interval"])
        faint = (
            f" The faint lines came with the app, at guidance {before.guidance_scale:g}." if before and earlier else ""
        )
        st.caption(
            f"{start['n']:,} samples a point at guidance {start['guidance_scale']:g}{where}, measured here in "
            f"{seconds_of(seconds)}.{faint}"
        )
    elif before:
        st.caption(f"{before.samples:,} samples a point at guidance {before.guidance_scale:g}, by `{before.command}`.")
    measure_controls(model, running(judged=True))
    takeaway.markdown(f"- {in_words(here or earlier)} {see('quality')}")


def points_of(job: Job) -> list[Quality]:
    """What a measurement has found so far."""
    return [Quality(**event.data) for kind, event in sorted(job.latest.items()) if kind.startswith("point-")]


def show_quality(model: ImageModel, judge: "Classifier", here: list[Quality], earlier: list[Quality]) -> None:
    """A chart of accuracy and one of distance."""
    from explorer.charts.sampling_showdown import quality_chart
    from explorer.zoo import model_card

    n = (here or earlier)[0].n
    level = model_card(f"classifier-{model.dataset}")["metrics"]["frechet_real"].get(str(n))

    axes = {"steps": "Steps", "evaluations": "Network calls"}
    against = st.segmented_control(
        "Against", list(axes), default="steps", format_func=axes.__getitem__, key="show_against", required=True
    )
    dark = st.context.theme.type == "dark"
    columns = st.columns(2 if model.classes else 1, gap="large")
    with columns[0]:
        st.vega_lite_chart(
            quality_chart(here, earlier, "frechet", against, level, dark),
            alt=f"Fréchet distance against {axes[against].lower()}, a line for each sampler.",
        )
        dashed = f" Dashed: {n:,} real training images instead of samples." if level else ""
        st.caption(f"Fréchet distance to held-out images, in the classifier's features.{dashed}")
    if model.classes:
        with columns[1]:
            st.vega_lite_chart(
                quality_chart(here, earlier, "accuracy", against, None, dark),
                alt=f"Share of the class asked for against {axes[against].lower()}, a line for each sampler.",
            )
            st.caption("Share of the samples that the classifier takes for the class asked for.")


def measure_controls(model: ImageModel, busy: bool) -> None:
    """What to measure, how long that takes, and the button."""
    with st.expander("Measure it here", icon=":material/speed:"):
        names = st.pills(
            "Samplers",
            list(SAMPLER_LABELS),
            selection_mode="multi",
            default=["ddpm", "ddim", "dpmpp_2m"],
            format_func=SAMPLER_LABELS.__getitem__,
            key="show_measure_samplers",
        )
        with st.container(horizontal=True):
            n = st.select_slider("Samples a point", [100, 200, 500, 1000], 200, key="show_measure_n", width=200)
            most = st.select_slider("Up to how many steps", COUNTS[2:], 50, key="show_measure_steps", width=220)
            scale, interval = guidance_controls("show_measure_guidance") if model.classes else (1.0, None)
        counts = [count for count in COUNTS if count <= most]
        methods = [Method(name, count) for count in counts for name in names]
        start = Start(n, 0, tuple(range(len(model.classes))), scale, interval)
        calls = sum(start.calls(model.denoiser, method) for method in methods) * n / IMAGES
        limit = work.manager().max_seconds
        estimate = calls * call_seconds(identity(model), IMAGES, model.denoiser)
        say = f"{len(methods)} points, about {seconds_of(estimate)} in the background."
        too_long = f" A job here ends after {seconds_of(limit)}; the points that it has measured by then stay."
        st.caption(say + too_long * (estimate > limit))
        pressed = st.button(
            "Measure", type="primary", icon=":material/speed:", key="show_measure", disabled=busy or not methods
        )
        if pressed:
            submit(model, job_params(model, methods, start, model.dataset))


def in_words(points: list[Quality]) -> str:
    """The fewest steps with which each sampler comes close to the best distance of all."""
    if not points:
        return "**How many steps are enough** depends on the sampler: measure it."
    best = min(points, key=lambda point: point.frechet)
    found = []
    for name in dict.fromkeys(point.sampler for point in points):
        enough = [point.steps for point in points if point.sampler == name and point.frechet <= CLOSE * best.frechet]
        most = max(point.steps for point in points if point.sampler == name)
        calls = {point.steps: point.evaluations for point in points if point.sampler == name}
        asked = f" ({calls[min(enough)]} network calls)" if enough and calls[min(enough)] != min(enough) else ""
        needs = f"needs {min(enough)}{asked}" if enough else f"is not there after {most}"
        found.append(f"{SAMPLER_LABELS[name]} {needs}")
    return (
        f"**How many steps are enough depends on the sampler.** To come within a quarter of the best Fréchet distance "
        f"({best.frechet:.2f}, {SAMPLER_LABELS[best.sampler]} in {best.steps:,} steps): {', '.join(found)}."
    )


@st.fragment
def between(model: ImageModel, takeaway: DeltaGenerator) -> None:
    """Images between two noises, under DDIM and under DDPM."""
    st.header(SECTIONS["between"], anchor="between")
    st.markdown(
        f"{BETWEEN} starting noises along the great circle from one to another. Each becomes an image, once "
        "without fresh noise on the way and once with it."
    )
    with st.container(horizontal=True):
        classes = class_control(model, "show_between_class", "3")
        steps = steps_control("show_between_steps", few_steps(model), 10)
        first = seed_control("show_between_from", 3, "Seed of the left noise")
        last = seed_control("show_between_to", 7, "Seed of the right noise")

    def images_of(sampler: str) -> torch.Tensor:
        a, b = (showdown.first_noise(model.denoiser, 1, seed)[0] for seed in (first, last))
        noises = showdown.slerp(a, b, torch.linspace(0, 1, BETWEEN))
        return showdown.end(model.denoiser, Method(sampler, steps), Start(BETWEEN, 0, classes), noises)

    rows, largest = [], {}
    for sampler, how in {"ddim": "the start decides", "ddpm": "fresh noise at every step"}.items():
        about = ("between", sampler, steps, first, last, classes)
        images = remembered(model, about, partial(images_of, sampler))
        jumps = showdown.jumps(images).tolist()
        largest[sampler] = max(jumps)
        name = SAMPLER_LABELS[sampler]
        title = f"{name}: {how}. Largest jump {max(jumps):.2f}"
        captions = ["", *(f"{jump:.2f}" for jump in jumps)]
        rows.append(Row(title, grey(images.numpy()), captions, f"{BETWEEN} images between two noises under {name}"))
    sheet(rows, [f"{share:.0%}" for share in np.linspace(0, 1, BETWEEN)])
    st.caption(
        "Under each image: how far it is from the one on its left, root mean square over the pixels. Guidance 1."
    )
    takeaway.markdown(
        f"- **Only a deterministic sampler has a space of noises to move in.** Between neighbours on the way from one "
        f"noise to another the largest jump is {largest['ddim']:.2f} under DDIM and {largest['ddpm']:.2f} under DDPM. "
        f"{see('between')}"
    )


@st.fragment
def round_trip(model: ImageModel, takeaway: DeltaGenerator) -> None:
    """A real image, its noise under DDIM, and the way back."""
    from explorer.charts.sampling_showdown import error_chart

    st.header(SECTIONS["round-trip"], anchor="round-trip")
    st.markdown(
        "DDIM without fresh noise can be walked backwards: from an image that nobody sampled up to the noise that "
        "would have become it. Sampling from that noise should return the image; the difference is the error."
    )
    with st.container(horizontal=True):
        image, number, note = real_image(model)
        steps = steps_control("show_trip_steps", few_steps(model), 20)
    condition = None if number is None else torch.tensor([number])
    x0 = torch.from_numpy(image)[None]

    def trip(count: int) -> RoundTrip:
        compute = partial(showdown.round_trip, model.denoiser, x0, count, condition)
        return remembered(model, ("trip", count, number, digest(image)), compute)

    found = trip(steps)
    errors = {count: trip(count).error for count in sorted({5, 10, 20, steps})}
    picture, chart = st.columns([3, 2], gap="large", vertical_alignment="center")
    with picture:
        difference = found.back - found.image
        shown = np.concatenate([found.image, found.noise, found.back, difference])
        heads = ["the image", "its noise", "back again", "difference"]
        sheet([Row("", grey(shown), [], "A real image, the noise that DDIM finds for it, and the way back")], heads)
        short = (
            " What is found is not quite noise: where an image is flat, the first steps up find next to nothing to "
            "follow, so its outline stays visible and the standard deviation below 1."
        )
        st.caption(note + short * bool(found.noise.std() < 0.95))
        if st.session_state["show_trip_source"] == "real":
            offer_missing("show", model.dataset)
        with st.container(horizontal=True):
            help = "Root mean square over the pixels, which run from −1 to 1."
            st.metric("Error", f"{found.error:.3f}", width="content", help=help)
            help = "Of the values of the noise that was found. Those of N(0, 1) have mean 0 and standard deviation 1."
            st.metric("Mean of the noise", f"{found.noise.mean():+.2f}".replace("-", "−"), width="content", help=help)
            st.metric("Its standard deviation", f"{found.noise.std():.2f}", width="content", help=help)
    with chart:
        dark = st.context.theme.type == "dark"
        st.vega_lite_chart(error_chart(errors, steps, dark), alt="Error of the round trip against steps each way.")
    few, many = min(errors), max(errors)
    takeaway.markdown(
        f"- **DDIM can be run backwards, the better the smaller its steps.** The image goes to noise and back with an "
        f"error of {errors[few]:.3f} in {few} steps each way and {errors[many]:.3f} in {many}. {see('round-trip')}"
    )


def real_image(model: ImageModel) -> tuple[np.ndarray, int | None, str]:
    """An image that no sampler made, (channels, height, width) in [-1, 1]; its class; and where it is from."""
    channels, height, _ = model.denoiser.shape
    dataset = dataset_of(model)
    sources = {"real": "Real image", "drawing": "Your drawing"}
    source = st.radio(
        "Image",
        list(sources),
        format_func=sources.__getitem__,
        horizontal=True,
        key="show_trip_source",
        width="content",
        bind="query-params",
    )
    number = None
    if model.classes:
        labels = {str(index): name for index, name in enumerate(model.classes)}
        number = int(choice("Its class", labels, "4" if "4" in labels else "0", key="show_trip_class", width=110))
    if source == "drawing":
        drawn = draw_image(key=f"show_pad_{height}", size=height)
        if drawn is not None:
            return np.stack([drawn] * channels), number, "Your drawing."
    if dataset is not None:
        unseen = dataset.held_out
        images = (
            unseen.images[unseen.labels == number]
            if number is not None and unseen.labels is not None
            else unseen.images
        )
        which = st.slider("Which one", 1, 30, 1, key="show_trip_which", bind="query-params", width=160)
        if len(images):
            return (
                images[(which - 1) % len(images)].numpy(),
                number,
                "An image that this app holds out of every training.",
            )
    note = "The images that this model learned from are not here: this is a scanned digit of 8 x 8 pixels, enlarged."
    return enlarged_scan(number, model.denoiser.shape), number, note


def enlarged_scan(number: int | None, shape: tuple[int, ...]) -> np.ndarray:
    """A scan of a digit of 8 x 8 pixels, with strokes as sharp and margins as wide as MNIST's; of `shape`."""
    from explorer.data.digits import digits

    _, height, width = shape
    scans, digit = digits()
    scan = scans[digit == (number if number is not None and number < 10 else 4)][:1]
    inside = height * 5 // 7, width * 5 // 7
    top, left = height // 7, width // 7
    image = np.full(shape, -1, np.float32)
    enlarged = torch.nn.functional.interpolate(scan, inside, mode="bicubic")[0]
    image[:, top : top + inside[0], left : left + inside[1]] = (2.5 * enlarged).clamp(-1, 1)
    return image


def see(section: str) -> str:
    """Where on the page a number stands."""
    return f"[{SECTIONS[section]}](#{section})"


def notebook() -> str:
    """Code that makes what the first section shows, and what the last two measure."""
    return """
import torch
import explorer as ex
from explorer.lessons.sampling_showdown.walks import invert

denoiser = ex.load_pretrained("digits-8")
digits = torch.arange(16) % 10
ddpm = ex.sample(denoiser, n=16, sampler="ddpm", steps=20, seed=0, condition=digits)
ddim = ex.sample(denoiser, n=16, sampler="ddim", steps=20, seed=0, condition=digits)
print((ddpm.x[0] - ddim.x[0]).abs().max())  # the same start
print((ddpm.samples - ddim.samples).square().mean().sqrt())  # and another end
noise = invert(denoiser, ddim.samples, steps=50, condition=digits)
back = ex.sample(denoiser, n=16, sampler="ddim", steps=50, condition=digits, x_init=noise)
print((back.samples - ddim.samples).square().mean().sqrt())""".strip()


places = {name: st.container() for name in SECTIONS}
st.header("Key takeaways", anchor=False)
takeaways = {name: st.empty() for name in SECTIONS}
what_to_notice(
    "Watch the guesses and not x: they look like digits long before x does.",
    "Give both sides DDIM, one with 10 steps and one with 100, and read how far apart the ends are; then do the same "
    "with DDPM. The paths of DDIM stay near each other, those of DDPM are new ones.",
    "Set one side to 1 step. All samplers but annealed Langevin, which moves at each level, then show the model's "
    "first guess: an average, because at pure noise nothing is known yet.",
)
mathematics(
    (
        "**Sampler** and **eta**: from $t$ down to $s$, with the model's guess $\\hat x_0$ and the "
        "noise $\\hat\\varepsilon$ that it implies. eta 0 is DDIM, eta 1 is DDPM; $z$ is unit noise, drawn afresh:",
        r"x_s = \alpha_s\,\hat x_0 + \sqrt{\sigma_s^2 - \eta^2 \tilde\sigma^2}\;\hat\varepsilon "
        r"+ \eta\,\tilde\sigma\, z, \qquad \tilde\sigma^2 = \frac{\sigma_s^2}{\sigma_t^2}"
        r"\Bigl(\sigma_t^2 - \frac{\alpha_t^2}{\alpha_s^2}\sigma_s^2\Bigr)",
    ),
    (
        "**Times**: quadratic ones are uniform in $\\sqrt t$; Karras's are uniform in the seventh root of the noise "
        "ratio $r = \\sigma / \\alpha$:",
        r"r_i = \Bigl(r_{\max}^{1/7} + \tfrac{i}{N-1}\bigl(r_{\min}^{1/7} - r_{\max}^{1/7}\bigr)\Bigr)^7, "
        r"\qquad i = 0, \dots, N - 1",
    ),
    (
        "**Fréchet distance**: the features of samples and of real images, each taken for a Gaussian with mean $m$ "
        "and covariance $C$:",
        r"d^2 = \lVert m_1 - m_2 \rVert^2 + \operatorname{tr}\bigl(C_1 + C_2 - 2 (C_1 C_2)^{1/2}\bigr)",
    ),
    (
        "**Between two noises** $a$ and $b$ at angle $\\theta$, along the great circle, so that the length stays that "
        "of noise:",
        r"\operatorname{slerp}(a, b; u) = \frac{\sin((1 - u)\,\theta)}{\sin\theta}\,a + "
        r"\frac{\sin(u\,\theta)}{\sin\theta}\,b",
    ),
    (
        "**Back to the noise**: DDIM's step is Euler's on an ordinary differential equation, which has no direction. "
        "Upwards, from $s$ to the noisier $t$:",
        r"x_t = \alpha_t\,\hat x_0(x_s, s) + \sigma_t\,\hat\varepsilon(x_s, s)",
    ),
)
the_code(notebook(), samplers.ddim, samplers.sample_times, showdown.slerp, showdown.invert, judging.quality)
check_yourself(
    "show",
    Question(
        "Two people start from the same noise, but their computers draw other random numbers from then on. Who of "
        "them end with the same image?",
        dict.fromkeys(
            ["Both, whatever the sampler", "Only those who use DDIM", "Nobody"],
            "DDIM draws nothing after the start. The column for other seeds says 0 for it, and not for DDPM.",
        ),
        "Only those who use DDIM",
    ),
    Question(
        "DDIM with 20 steps and DDIM with 40 steps start from the same noise. What do you expect?",
        dict.fromkeys(
            ["Nearly the same images", "Different images of the same class", "The same images, exactly"],
            "Both follow one differential equation, the second more closely. Set the two sides so and read how far apart "
            "the ends are.",
        ),
        "Nearly the same images",
    ),
    Question(
        "Suppose that Heun's method needs half the steps of Euler's for the same quality. Is it twice as fast?",
        dict.fromkeys(
            ["Yes", "No"],
            "Each of its steps asks the network twice. Put network calls on the axis of the quality chart.",
        ),
        "No",
    ),
)

long_walk, measuring = running(judged=False), running(judged=True)
with places["duel"]:
    model = st.fragment(duel, run_every=1.0 if long_walk else None)(long_walk, takeaways["duel"])
with places["one-noise"]:
    one_noise(model, takeaways["one-noise"])
with places["quality"]:
    st.fragment(quality, run_every=1.0 if measuring else None)(model, measuring, takeaways["quality"])
with places["between"]:
    between(model, takeaways["between"])
with places["round-trip"]:
    round_trip(model, takeaways["round-trip"])
end_page()
