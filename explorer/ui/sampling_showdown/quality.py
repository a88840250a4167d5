"""Quality against steps: the table that came with the app, or measured here by a job."""

from typing import TYPE_CHECKING

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.jobs import Job
from explorer.lessons.sampling_showdown import quality as judging
from explorer.lessons.sampling_showdown.quality import Quality
from explorer.lessons.sampling_showdown.walks import Method, Start
from explorer.ui import work
from explorer.ui.chart import chart
from explorer.ui.controls import SAMPLER_LABELS
from explorer.ui.sampling_showdown.background import job_params, jobs_of, report, report_others, submit
from explorer.ui.sampling_showdown.cache import call_seconds, identity, judge_of
from explorer.ui.sampling_showdown.controls import guidance_controls
from explorer.ui.sampling_showdown.words import BLOWN_UP, seconds_of, see
from explorer.ui.shelf import ImageModel
from explorer.ui.spent import fragment

if TYPE_CHECKING:
    from explorer.networks.classifier import Classifier

COUNTS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
BATCH = 16
CLOSE = 1.25  # times the best distance


def quality(model: ImageModel, busy: work.Standing, takeaway: DeltaGenerator) -> None:
    """Accuracy and Frechet distance against steps: the shipped table, or measured here by a job."""
    if busy != work.standing(jobs_of(judged=True)):
        st.rerun()
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
    blown_up = [point for point in here if point.frechet is None]
    here = [point for point in here if point.frechet is not None]
    if here:  # a distance depends on how many samples it is measured with
        earlier = [point for point in earlier if point.n == here[0].n]
    if blown_up:
        names = ", ".join(f"{SAMPLER_LABELS[point.sampler]} in {point.steps:,}" for point in blown_up)
        st.error(f"{BLOWN_UP} Steps of which this is so: {names}.", icon=":material/error:")
    if not (earlier or here or blown_up):
        st.caption("Nothing is measured for this model yet. Choose below what to measure, and start.")
    elif earlier or here:
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
    fragment(measure_controls)(model, bool(work.standing(jobs_of(judged=True))))
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
        chart(
            quality_chart(here, earlier, "frechet", against, level, dark),
            alt=f"Fréchet distance against {axes[against].lower()}, a line for each sampler.",
        )
        dashed = f" Dashed: {n:,} real training images instead of samples." if level else ""
        st.caption(f"Fréchet distance to held-out images, in the classifier's features.{dashed}")
    if model.classes:
        with columns[1]:
            chart(
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
        calls = sum(start.calls(model.denoiser, method) for method in methods) * n / BATCH
        limit = work.manager().max_seconds
        estimate = calls * call_seconds(identity(model), BATCH, model.denoiser)
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
    distances = {point: point.frechet for point in points if point.frechet is not None}
    best = min(distances, key=distances.__getitem__)
    near, found = CLOSE * distances[best], []
    for name in dict.fromkeys(point.sampler for point in points):
        enough = [point.steps for point in points if point.sampler == name and distances[point] <= near]
        most = max(point.steps for point in points if point.sampler == name)
        calls = {point.steps: point.evaluations for point in points if point.sampler == name}
        asked = f" ({calls[min(enough)]} network calls)" if enough and calls[min(enough)] != min(enough) else ""
        needs = f"needs {min(enough)}{asked}" if enough else f"is not there after {most}"
        found.append(f"{SAMPLER_LABELS[name]} {needs}")
    return (
        "**How many steps are enough depends on the sampler.** To come to at most 25 % above the best Fréchet "
        f"distance ({distances[best]:.2f}, {SAMPLER_LABELS[best.sampler]} in {best.steps:,} steps): {', '.join(found)}."
    )
