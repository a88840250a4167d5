"""What a training shows: the film of its samples, its numbers and its charts."""

import base64
import html
import io
from collections.abc import Sequence

import numpy as np
import streamlit as st
from PIL import Image

from explorer.charts import palette
from explorer.jobs import Job
from explorer.lessons.trainings.plan import PRESETS, Plan, preset_of
from explorer.lessons.trainings.record import SAMPLES, Moment, Training, recorded
from explorer.ui import trainings
from explorer.ui.markdown import plain

RECORDED = "recorded-"
COLUMNS = 5  # of a grid


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
    own = {run: training.name for run, training in reversed(trainings.known().items())}
    return own | {RECORDED + name: f"Recorded: {PRESETS[name].label}" for name in PRESETS if has_record(name)}


def run_of(key: str) -> Training:
    """The training of a key of `runs`."""
    if key.startswith(RECORDED):
        return _recorded(key.removeprefix(RECORDED))
    return trainings.known()[key]


def choose_runs(plan: Plan) -> list[Training]:
    """The training that is shown, and the one it is compared with, if one is.

    Until one is chosen, the newest of this session; without any, the record of the preset that the settings make.
    """
    names = runs()
    if st.session_state.get("lab_shown") not in names:
        preset = preset_of(plan)
        st.session_state["lab_shown"] = (
            next(iter(names))
            if trainings.known()
            else RECORDED + (preset if preset and has_record(preset) else next(iter(PRESETS)))
        )
    shown = st.selectbox("Run", list(names), format_func=names.__getitem__, key="lab_shown", width=290)
    others = {"": "Nothing"} | {key: name for key, name in names.items() if key != shown}
    if st.session_state.get("lab_other", "") not in others:
        st.session_state["lab_other"] = ""
    other = st.selectbox("Compare with", list(others), format_func=others.__getitem__, key="lab_other", width=290)
    return [run_of(key) for key in (shown, other) if key]


def report(training: Training, job: Job | None, name: str) -> None:
    """Progress while a training runs, and how it ended."""
    line = name + trainings.describe(training, job)
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
    if found.get("blew_up"):
        from explorer.metrics import NotFinite

        st.error(str(NotFinite()), icon=":material/error:")
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
    from explorer.charts.training_lab import levels_chart, losses_chart

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
