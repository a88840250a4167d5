"""What a visitor takes away from the Training lab, and brings to it: moments on the shelf, and files."""

import streamlit as st

from explorer.lessons.trainings.record import Training, from_json, to_json
from explorer.ui import shelf, trainings
from explorer.ui.controls import sentence
from explorer.ui.markdown import plain
from explorer.ui.training_lab import runs

MOST_NAME = 60  # characters
ON_SHELF = "on the shelf: the other image pages offer it now."


def take_away(run: Training, own: bool) -> None:
    """Keep a moment of an own run on the shelf, and files of the weights and the history."""
    from explorer.zoo import to_bytes

    file = "".join(letter if letter.isalnum() else "-" for letter in run.name.lower()).strip("-")
    keeps = own and bool(run.kept_steps)
    if keeps:
        step = _choose_moment(run)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input("Name", run.name, max_chars=MOST_NAME, key=f"lab_name_{run.run}", width=300)
            st.button(
                "Keep on the shelf", on_click=_keep, args=(run, step), icon=":material/bookmark_add:", key="lab_keep"
            )
        if kept := st.session_state.pop("lab_kept", None):
            st.success(kept, icon=":material/check:")
        name = _typed_name(run)
    with st.container(horizontal=True):
        if keeps:
            st.download_button(
                "Weights as safetensors",
                lambda: to_bytes(  # in a thread that knows no session
                    run.denoiser_at(step),
                    name=name,
                    dataset=run.plan.dataset,
                    digest=run.plan.digest,
                    classes=run.classes,
                ),
                f"{file}.safetensors",
                "application/octet-stream",
                on_click="ignore",
                icon=":material/save:",
                key="lab_save",
            )
        st.download_button(
            "History as JSON",
            lambda: to_json(run),
            f"{file}.json",
            "application/json",
            on_click="ignore",
            icon=":material/history:",
            key="lab_history",
        )
        if own:
            runs.forget_button(run)


def _choose_moment(run: Training) -> int:
    """One of the steps whose weights are here; the last, also when others come, until another is chosen."""
    steps, key = run.kept_steps, f"lab_moment_{run.run}"
    before = st.session_state.get(f"{key}_last")
    if st.session_state.get(key, before) == before or st.session_state[key] not in steps:
        st.session_state[key] = steps[-1]
    st.session_state[f"{key}_last"] = steps[-1]
    if len(steps) == 1:
        return steps[0]
    return st.select_slider(
        "Moment", steps, key=key, format_func=lambda step: f"epoch {run.epoch_of(step):,.1f}, step {step:,}"
    )


def _typed_name(run: Training) -> str:
    return str(st.session_state[f"lab_name_{run.run}"]).strip() or run.name


def _keep(run: Training, step: int) -> None:
    """The moment that was chosen goes on the shelf under the name that was typed."""
    name = _typed_name(run)
    trainings.put_on_shelf(run, step, name, key=f"{run.run}-{step}")
    if run.done >= 1 and step == run.kept_steps[-1]:
        trainings.rename(run.run, name)
    st.session_state["lab_kept"] = f"“{plain(name)}”, of epoch {run.epoch_of(step):,.0f}, is {ON_SHELF}"


def bring() -> None:
    """A place for the files that `take_away` saves, and what became of the last one."""
    st.file_uploader("A file that this lab saved", ["safetensors", "json"], key="lab_file", on_change=_load)
    if said := st.session_state.get("lab_problem"):
        st.error(said, icon=":material/error:")
    if said := st.session_state.get("lab_loaded"):
        st.success(said, icon=":material/check:")


def _load() -> None:
    """A file of weights goes on the shelf, a history to the runs that can be shown."""
    from explorer.zoo import from_bytes

    for name in ("lab_loaded", "lab_problem"):
        st.session_state.pop(name, None)
    if (upload := st.session_state["lab_file"]) is None:
        return
    content = upload.getvalue()
    try:
        if upload.name.lower().endswith(".json"):
            run = trainings.adopt_history(from_json(content))
            runs.show(run.run)
            st.session_state["lab_loaded"] = f"The history of “{plain(run.name)}” is shown."
        else:
            model = shelf.adopt(*from_bytes(content, "UNet"))
            st.session_state["lab_loaded"] = f"“{plain(model.label)}” is {ON_SHELF}"
    except ValueError as error:
        st.session_state["lab_problem"] = sentence(error)
