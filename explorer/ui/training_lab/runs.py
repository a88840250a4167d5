"""Which runs the Training lab shows, and what can be done with them: start, pause, stop, resume."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import streamlit as st

from explorer.jobs import Job, JobRefused
from explorer.lessons.trainings.plan import OWN, PRESETS, Plan, preset_of
from explorer.lessons.trainings.record import Training, recorded
from explorer.ui import trainings
from explorer.ui.datasets import find_dataset
from explorer.ui.kept import choose_kept, gone
from explorer.ui.markdown import plain
from explorer.ui.shelf import unlike

if TYPE_CHECKING:
    from explorer.dataset import ImageDataset

RECORDED = "recorded-"
NOTHING = "Nothing"


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


def is_own(run: Training) -> bool:
    """Whether a run is one of this visitor's, and no recorded one."""
    return run.run in trainings.known()


def now(shown: list[Training]) -> list[Training]:
    """The same trainings as they stand now."""
    known = trainings.known()
    return [known.get(run.run, run) for run in shown]


def names(known: Mapping[str, Training]) -> dict[str, str]:
    """The names of the trainings that can be shown: those of this visitor, the newest first, then the recorded ones."""
    records = {RECORDED + name: f"Recorded: {PRESETS[name].label}" for name in PRESETS if has_record(name)}
    taken = [*records.values(), NOTHING]
    own = {run: unlike(known[run].name, taken) for run in reversed(list(known))}
    return own | records


def choose(plan: Plan) -> list[Training]:
    """The training that is shown, and the one it is compared with, if one is.

    Until one is chosen, the newest of this visitor; without any, the record of the preset that the settings make.
    """
    known = trainings.known()
    found = names(known)
    preset = preset_of(plan)
    record = RECORDED + (preset if preset and has_record(preset) else next(iter(PRESETS)))
    default = next(iter(found)) if known else record
    shown = choose_kept("Run", found, default, key="lab_shown", width=290)
    others = {"": NOTHING} | {key: name for key, name in found.items() if key != shown}
    if st.session_state.get("lab_other") == shown:
        st.session_state["lab_other"] = ""
    other = choose_kept("Compare with", others, "", key="lab_other", width=290)
    return [known.get(key) or _recorded(key.removeprefix(RECORDED)) for key in (shown, other) if key]


def say_what_is_gone(shown: Training) -> None:
    """A sentence for each run that a link names and that is not here."""
    if gone("lab_shown"):
        st.info(
            "The run of this link is not here (it may be another visitor's or has expired): "
            f"“{plain(shown.name)}” is shown.",
            icon=":material/history_toggle_off:",
        )
    if gone("lab_other"):
        st.info(
            "The run that this link compares with is not here (it may be another visitor's or has expired).",
            icon=":material/history_toggle_off:",
        )


def show(key: str) -> None:
    """Let the page show a run."""
    st.session_state["lab_shown"] = key


def show_record(preset: str) -> None:
    """Let the page show the recorded run of a preset, if one came with the app."""
    if has_record(preset):
        show(RECORDED + preset)


def has_own_images(plan: Plan) -> bool:
    """Whether this session has the images that a plan of the person's own images was for."""
    from explorer.data.digest import digest

    dataset = find_dataset(OWN)
    return dataset is not None and digest(dataset.images.numpy()) == plan.digest


def start_button(plan: Plan, dataset: "ImageDataset | None", page: str, disabled: bool) -> None:
    """Start a new training, which is then shown on the page of that path."""
    st.button(
        "Start",
        type="primary",
        on_click=_start,
        args=(plan, dataset, page),
        disabled=disabled,
        icon=":material/play_arrow:",
        key="lab_start",
        help="Trains a new network with the settings of this page.",
    )


def _start(plan: Plan, dataset: "ImageDataset", page: str) -> None:
    preset = preset_of(plan)
    what = PRESETS[preset].label if preset else "own settings"
    _submit(lambda: trainings.start(plan, what, dataset, page))


def _resume(run: Training, plan: Plan) -> None:
    dataset = find_dataset(OWN) if plan.dataset == OWN else None
    _submit(lambda: trainings.resume(run.run, plan, dataset))


def _submit(job: Callable[[], str]) -> None:
    """Hand in a job, whose training is then shown; where it is refused, `say_why_refused` says why."""
    st.session_state.pop("lab_refused", None)
    try:
        show(job())
    except JobRefused as error:
        st.session_state["lab_refused"] = str(error)


def say_why_refused() -> None:
    """Why the last Start or Resume did nothing, if it did nothing."""
    if refused := st.session_state.pop("lab_refused", None):
        st.warning(refused, icon=":material/hourglass:")


def buttons(run: Training, job: Job | None) -> None:
    """What can be done with a training of this visitor; `job` is that of one that is under way."""
    if job is not None:
        waiting = job.state == "stopping"
        help = "Stops for now. If later runs need its memory, its model moves to the shelf."
        st.button("Pause", on_click=job.stop, disabled=waiting, icon=":material/pause:", key="lab_pause", help=help)
        _stop_button(run, waiting)
    elif run.state and not run.diverged:
        done = run.done >= 1
        missing = run.plan.dataset == OWN and not has_own_images(run.plan)
        st.button(
            "Train as long again" if done else "Resume",
            on_click=_resume,
            args=(run, run.plan.longer() if done else run.plan),
            disabled=missing,
            icon=":material/resume:",
            key="lab_resume",
            help="Choose the same images again first." if missing else "Goes on from its last checkpoint.",
        )
        if not done and not run.ended:
            _stop_button(run)


def _stop_button(run: Training, disabled: bool = False) -> None:
    st.button(
        "Stop",
        on_click=trainings.end,
        args=(run.run,),
        disabled=disabled,
        icon=":material/stop:",
        key="lab_stop",
        help="Ends the run here; what it has learned goes on the shelf. It can be resumed all the same.",
    )


def forget_button(run: Training) -> None:
    """Take a run off the page."""
    st.button(
        "Forget this run",
        on_click=_forget,
        args=(run.run,),
        icon=":material/delete:",
        key="lab_forget",
        help="Takes it off this page; what it has on the shelf stays there.",
    )


def _forget(run: str) -> None:
    st.session_state.pop("lab_shown", None)
    trainings.forget(run)
