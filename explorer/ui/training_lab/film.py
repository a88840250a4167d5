"""The samples of a training as it goes on: the film strip of the Training lab, and every moment under a slider."""

import base64
import html
import io
from collections.abc import Sequence

import numpy as np
import streamlit as st
from PIL import Image

from explorer.charts import palette
from explorer.charts.slides.figures import Film
from explorer.lessons.trainings.record import SAMPLES, Moment, Training
from explorer.once import once
from explorer.ui import gathering

COLUMNS = 5  # of a grid


def film_strip(training: Training, real: np.ndarray | None, goes_on: bool) -> None:
    """The grids of 1, 25, 50 and 100 % beside real images; the next to come shows how far the run is."""
    so_far, to_come = ("so far", "to come") if goes_on else ("ended at", "not reached")
    panels, kept = [], list[tuple[str, np.ndarray]]()
    newest = max(training.moments, default=0)
    shown = 0
    for share, step in training.film:
        title = f"Epoch {share * training.plan.epochs:,g}" if training.plan.epochs else f"{share:.0%}"
        if step is not None:
            moment = training.moments[step]
            panels.append(_panel(title, _note(training, moment), moment.samples, "model", training))
            kept.append((f"{title}: {_note(training, moment)}", moment.samples))
            shown = step
        elif shown < newest:
            moment = training.moments[newest]
            panels.append(_panel(title, f"{so_far}: epoch {moment.epoch:,.0f}", moment.samples, "model", training))
            kept.append((f"Epoch {moment.epoch:,.0f}", moment.samples))
            shown = newest
        else:
            panels.append(_panel(title, to_come, None, "model", training))
    why = "to train on" if real is not None else "shown when the data are here"
    panels.append(_panel("Real images", why, real, "data", training))
    if kept or real is not None:
        gathering.keep(lambda: _as_film(training, kept, real))
    grid = "display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 0.75rem 1rem"
    st.html(f'<div class="lab-film" style="{grid}">{"".join(panels)}</div>')


def _as_film(training: Training, kept: Sequence[tuple[str, np.ndarray]], real: np.ndarray | None) -> Film:
    """The grids that are there, and the real images."""
    strips: list[tuple[str, np.ndarray, Sequence[str]]] = []
    if kept:
        frames = np.stack([samples for _, samples in kept])
        strips.append(("Samples", np.moveaxis(frames, 2, -1), [note for note, _ in kept]))
    if real is not None:
        strips.append(("Real images", np.moveaxis(real[None], 2, -1), [""]))
    return Film(f"Samples as training goes on: {training.name}", strips)


def _note(training: Training, moment: Moment) -> str:
    """What the title of a panel leaves open, on one line."""
    when = f"{moment.seconds:.0f} s" if training.plan.epochs else f"epoch {moment.epoch:,.0f}"
    return f"{when} · training loss {moment.loss:.3f}"


def _caption(moment: Moment) -> str:
    return f"epoch {moment.epoch:,.1f} · {moment.seconds:.0f} s · training loss {moment.loss:.3f}"


def _panel(title: str, caption: str, samples: np.ndarray | None, role: str, training: Training) -> str:
    colours = palette.DARK if st.context.theme.type == "dark" else palette.LIGHT
    _, height, width = training.shape
    ratio = f"{COLUMNS * width} / {SAMPLES // COLUMNS * height}"
    box = f"display: block; width: 100%; aspect-ratio: {ratio}; border-radius: 4px"
    if samples is None:
        picture = f'<div style="{box}; box-sizing: border-box; border: 1px dashed currentColor; opacity: 0.35"></div>'
    else:
        alt = f"{title}: {SAMPLES} {'real images' if role == 'data' else 'samples'}; {caption}."
        png = _png(samples.tobytes(), samples.shape)
        picture = f'<img src="{png}" alt="{html.escape(alt)}" style="{box}; image-rendering: pixelated">'
    dot = f'<b aria-hidden="true" style="color: {colours[role]}">●</b>'
    return (
        f'<figure style="margin: 0"><figcaption style="font-size: 0.875rem; line-height: 1.3; margin-bottom: 0.25rem">'
        f"{dot} <strong>{html.escape(title)}</strong><br>"
        '<span style="opacity: 0.75; font-size: max(0.8125rem, var(--least, 0px)); font-variant-numeric: tabular-nums">'
        f"{html.escape(caption)}</span></figcaption>{picture}</figure>"
    )


@once(256)
def _png(content: bytes, shape: tuple[int, ...]) -> str:
    """SAMPLES images, uint8, in rows of COLUMNS with thin gaps, as the URL of a PNG."""
    samples = np.frombuffer(content, np.uint8).reshape(shape)
    count, channels, height, width = shape
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
