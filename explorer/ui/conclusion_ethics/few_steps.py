"""Few steps: a student that learns, while one watches, to jump where its teacher walks."""

from typing import Any

import numpy as np
import streamlit as st

from explorer.jobs import Job, JobRefused
from explorer.ui import work
from explorer.ui.controls import choice
from explorer.ui.player import Scene, player
from explorer.ui.turns import in_turn

TASK = "distil_2d"
SHAPES = {
    "smiley": "Smiley",
    "spirals": "Spirals",
    "swiss_roll": "Swiss roll",
    "checkerboard": "Checkerboard",
    "moons": "Moons",
    "word": "Word",
}
STEPS = [1, 2, 4, 8, 20]
SHOWN = 1_000


def learning() -> work.Standing:
    """The students of this visitor that learn now, or wait for it."""
    return work.standing(work.find_jobs(lambda job: job.task == TASK))


def show(was_learning: work.Standing) -> None:
    """The controls, the two stages, and what both measure, by now."""
    if was_learning != learning():
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        shape = choice("Shape", SHAPES, "smiley", key="ethics_shape", width=150)
        steps = st.select_slider(
            "Teacher's steps", STEPS, 20, key="ethics_teacher_steps", bind="query-params", width=170
        )
        jobs = work.find_jobs(lambda job: job.task == TASK and job.params["shape"] == shape)
        buttons(jobs[-1] if jobs else None, shape)
    stages(jobs[-1] if jobs else None, shape, steps)


@st.cache_resource(max_entries=32, show_spinner="Walking…")
@in_turn
def _teacher(shape: str, steps: int) -> "tuple[np.ndarray, float]":
    """Where the teacher's points are at each step, (frames, n, 2), and how far they end from fresh data."""
    from explorer.lessons.conclusion_ethics import few_steps

    return _path(few_steps.teacher_of(shape), steps), few_steps.distance(few_steps.teacher_of(shape), shape, steps)


def _path(denoiser: Any, steps: int) -> np.ndarray:
    import torch

    import explorer as ex

    walk = ex.sample(denoiser, SHOWN, "heun" if steps > 1 else "ddim", steps, seed=0)
    schedule = denoiser.schedule
    size = torch.hypot(schedule.alpha(walk.t), schedule.sigma(walk.t)).float()
    return (walk.x / size[:, None, None]).numpy()


@st.cache_resource(max_entries=16, show_spinner=False)
def _target(shape: str) -> np.ndarray:
    import explorer as ex

    return ex.toy2d(shape, 1_200, seed=5).numpy()


def stages(job: Job | None, shape: str, steps: int) -> None:
    """The student as it is by now, beside its teacher."""
    from explorer.lessons.conclusion_ethics import few_steps

    student = job.latest.get("student") if job else None
    weights = student.arrays["weights"] if student else None
    walked, far = _teacher(shape, steps)
    jump = _path(few_steps.student_of(shape, weights), 1)
    reached = student.data["distance"] if student else _teacher(shape, 1)[1]
    target = _target(shape)
    times = np.linspace(1, 0, len(walked), dtype=np.float32)
    teacher = f"Teacher, {steps} step{'s' if steps > 1 else ''}"
    scenes = [
        Scene(
            "Student, one step",
            jump,
            np.array([1, 0], np.float32),
            target=target,
            caption=f"{'' if student else 'untrained, '}distance to fresh data {reached:.3f}, 1 network call",
        ),
        Scene(
            teacher,
            walked,
            times,
            role="exact",
            target=target,
            caption=f"distance to fresh data {far:.3f}, {2 * steps - 1} network calls",
        ),
    ]
    player(scenes, key="ethics_student", layers=("points", "paths"))
    st.markdown(
        "Each step of most samplers asks the network once or twice. A **student** that lands in one step where its "
        "teacher's walk ends costs a fraction; consistency models and rectified flows make large models do so."
    )
    st.caption(
        f"The student is a copy of its teacher. It learns for {few_steps.SECONDS:.0f} s on {few_steps.PAIRS:,} pairs "
        f"of noise and where the teacher's {few_steps.TEACHER_STEPS} steps of Heun's method end. What it loses: it "
        "cannot be better than those, and one step leaves nothing to guide on the way."
    )


def _waits(job: Job) -> None:
    st.progress(0.0, text=work.describe(job))
    st.button("Stop", on_click=job.stop, icon=":material/stop:", key="ethics_stop")


def buttons(job: Job | None, shape: str) -> None:
    """Teach, stop, and how it goes."""
    from explorer.lessons.conclusion_ethics.few_steps import SECONDS

    if job is not None and job.pending:
        work.in_line(job, lambda: _waits(job))
        return
    if job is not None and not job.finished:
        progress: dict[str, Any] = job.latest["progress"].data if "progress" in job.latest else {}
        st.progress(min(1.0, progress.get("share", 0.0)), text=work.describe(job))
        st.button("Stop", on_click=job.stop, icon=":material/stop:", key="ethics_stop")
        return
    if job is not None and job.state in ("failed", "expired"):
        st.error(work.describe(job), icon=":material/error:")
    if st.button("Teach the student", type="primary", icon=":material/school:", key="ethics_teach"):
        try:
            work.manager().submit(work.visitor(), TASK, {"shape": shape, "seconds": SECONDS, "seed": 0})
        except JobRefused as refusal:
            st.warning(str(refusal), icon=":material/hourglass:")
        else:
            st.rerun()
