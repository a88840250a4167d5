"""Two samplers, one clock: the film of both, and what each costs."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
import torch
from streamlit.delta_generator import DeltaGenerator

from explorer.lessons.sampling_showdown import walks as showdown
from explorer.lessons.sampling_showdown.quality import Quality, read_table
from explorer.lessons.sampling_showdown.task import walk_of
from explorer.lessons.sampling_showdown.walks import Method, Start, Walk, one_clock
from explorer.lessons.views import as_shown
from explorer.ui import work
from explorer.ui.controls import SAMPLER_LABELS
from explorer.ui.film import Strip, film
from explorer.ui.sampling_showdown.background import job_params, jobs_of, report, report_others, submit
from explorer.ui.sampling_showdown.cache import call_seconds, identity, judge_of, own_walk, remembered, shared_walk
from explorer.ui.sampling_showdown.controls import class_control, guidance_controls, method_controls, seed_control
from explorer.ui.sampling_showdown.words import BLOWN_UP, PIXELS, SECTIONS, seconds_of, see, title_of
from explorer.ui.shelf import ImageModel

if TYPE_CHECKING:
    from explorer.networks.classifier import Classifier

LONG = 0.25  # seconds of a core: the page serves others meanwhile
FEW_CALLS = 30  # these a page makes at once, even on a slow machine
TOO_LONG = "This walk is long: run it below."
IMAGES = 16


class TooLong(Exception):
    """Too long for a page: this is work for a job."""


def duel(model: ImageModel, busy: work.Standing, takeaway: DeltaGenerator) -> None:
    """Two methods on one clock."""
    if busy != work.standing(jobs_of(judged=False)):
        st.rerun()
    with st.container(horizontal=True):
        classes = class_control(model, "show_class", "all", several=True)
        scale, interval = guidance_controls("show_guidance") if classes else (1.0, None)
        seed = seed_control("show_seed", 1)
    start = Start(IMAGES, seed, classes, scale, interval)
    stage = st.container()
    sides = st.columns(2, gap="large")
    methods: list[Method] = []
    walks: list[Walk | str] = []
    defaults = (("show_a", "Left", "ddpm"), ("show_b", "Right", "dpmpp_2m"))
    for side, (prefix, name, default) in zip(sides, defaults, strict=True):
        with side:
            methods.append(method_controls(prefix, name, default))
            walks.append(one_side(model, methods[-1], start, prefix))
    wanted = [job_params(model, [method], start, judge=None) for method in methods]
    report_others([job for job in jobs_of(judged=False) if job.params not in wanted])
    shown = [(method, walk) for method, walk in zip(methods, walks, strict=True) if isinstance(walk, Walk)]
    with stage:
        if len(shown) == 2:
            show_film(shown)
        else:
            for half, walk in zip(st.columns(2, gap="large"), walks, strict=True):
                with half:
                    if isinstance(walk, Walk):
                        show_film(shown)
                    else:
                        st.info(walk, icon=":material/info:")
    if len(shown) < 2:
        takeaway.markdown("- Two walks that have ended can be compared: see what each side says.")
        return
    left, right = (walk.samples for _, walk in shown)
    apart = float(np.sqrt(np.square(left - right).mean()))
    cost = " and ".join(f"{title_of(method)} ({walk.evaluations:,} network calls)" for method, walk in shown)
    known = [point for method in methods if (point := judged_before(model, method, start))]
    judged = ""
    if len(known) == 2:
        n, distances = known[0].n, " and ".join(f"{point.frechet:.2f}" for point in known)
        judged = f" Over {n:,} samples their Fréchet distances to real images are {distances}."
    takeaway.markdown(
        f"- **A sampler is a way to use a model, not a model.** From one noise and through one network, {cost} end "
        f"{apart:.2f} apart.{judged} {see('duel')}"
    )
    st.caption(f"The ends of the two sides are {apart:.3f} apart: root mean square over the pixels ({PIXELS}).")


def one_side(model: ImageModel, method: Method, start: Start, prefix: str) -> Walk | str:
    """What a side costs, and its walk; where that takes long, a button and a job. A sentence where there is no walk."""
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
        if (estimate > LONG and calls > FEW_CALLS) or estimate > 10 * LONG:
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
        return TOO_LONG
    if not walk.finite:
        return BLOWN_UP
    numbers(model, method, start, walk)
    return walk


def numbers(model: ImageModel, method: Method, start: Start, walk: Walk) -> None:
    """What was measured on one walk."""
    with st.container(horizontal=True):
        help = (
            "Of one core, when these settings were first computed: the network calls at the median time of one. So "
            "neither the first call of a process nor other work of the machine is counted."
        )
        st.metric("Seconds", f"{walk.seconds:.2f}", width="content", help=help)
        help = "Each call moves all images at once. An estimate takes two where it is guided."
        st.metric("Network calls", f"{walk.evaluations:,}", width="content", help=help)
        judge = judge_of(model)
        if judge is not None and start.classes:
            right = remembered(model, ("right", method, start), partial(right_ones, judge, walk, start))
            help = "Images that the classifier takes for the class asked for."
            st.metric("Right class", f"{right} of {start.n}", width="content", help=help)
        if known := judged_before(model, method, start):
            help = (
                f"Of {known.n:,} samples to real images, measured before: see {SECTIONS['quality']}. Lower is better."
            )
            st.metric(f"Fréchet distance of {known.n:,}", f"{known.frechet:.2f}", width="content", help=help)


def judged_before(model: ImageModel, method: Method, start: Start) -> Quality | None:
    """What many samples of a method are worth, where the table that came with the app has it."""
    table = read_table(model.key) if model.shipped else None
    plain = method.spacing is None and not method.eta and start.classes == tuple(range(len(model.classes)))
    if table is None or not plain or (start.guidance_scale, start.guidance_interval) != (table.guidance_scale, None):
        return None
    asked = method.sampler, method.steps
    return next((point for point in table.points if (point.sampler, point.steps) == asked), None)


def right_ones(judge: "Classifier", walk: Walk, start: Start) -> int:
    labels = start.labels()
    assert labels is not None
    return int((judge.classify(torch.tensor(walk.samples)) == labels).sum())


def show_film(shown: list[tuple[Method, Walk]]) -> None:
    """x and the guesses of each walk, on one clock of times."""
    clock, frames = one_clock([walk for _, walk in shown])
    strips = []
    for (method, walk), frame in zip(shown, frames, strict=True):
        step, t = walk.step[frame], walk.t[frame]
        at = [f"step {k:,} of {method.steps:,}, t = {time:.3f}" for k, time in zip(step, t, strict=True)]
        strips.append(
            Strip(f"{SAMPLER_LABELS[method.sampler]}: x at time t", as_shown(walk.x[frame]), at, role="noise")
        )
        guesses = [f"made at t = {time:.3f}" if time else "the sample" for time in t]
        strips.append(Strip(f"{SAMPLER_LABELS[method.sampler]}: guess of x0", as_shown(walk.guess[frame]), guesses))
    label = " beside ".join(title_of(method) for method, _ in shown)
    film(strips, key="show_film", fps=max(2.0, len(clock) / 5), label=f"images from noise to data by {label}")
