"""The presets and settings of a training."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from explorer.lessons.trainings.plan import OWN, PRESETS, Plan, preset_of
from explorer.ui.glossary import meaning
from explorer.ui.training_lab import runs

if TYPE_CHECKING:
    from explorer.dataset import ImageDataset

TAKES = [20, 100, 500, 0]
WIDTHS = [8, 16, 24, 32, 48, 64]
RATES = [1e-4, 5e-4, 1e-3, 2e-3, 3e-3, 5e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 100.0]
BATCHES = [32, 64, 128, 256, 512, 1024]
EMAS = [0.0, 0.9, 0.99, 0.995, 0.999]
UNTIL = {"epochs": "Epochs", "seconds": "Seconds"}
EPOCHS = [1, 2, 5, 10, 20, 40, 60, 100, 150, 200, 500, 1000, 2000, 5000]
MOST_SECONDS = 480


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
    runs.show_record(name)


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
        "lab_decay": plan.decay,
        "lab_batch": plan.batch_size,
        "lab_ema": plan.ema_decay,
        "lab_until": "epochs" if plan.epochs else "seconds",
        **({"lab_epochs": plan.epochs} if plan.epochs else {"lab_seconds": plan.seconds}),
    }


def choose_plan() -> "tuple[Plan, ImageDataset | None]":
    """The controls: what to train, on what, how and for how long; and the images, None while they are missing."""
    from explorer.data.digest import digest
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
        help=f"{meaning('prediction')} The loss is weighted so that all train alike.",
    )
    schedule = choice(
        "Schedule",
        SCHEDULE_LABELS,
        default.schedule,
        key="lab_schedule",
        help=f"{meaning('schedule')} So it decides which noise levels are trained most.",
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
    decay = st.toggle(
        "Learning rate falls to 0",
        default.decay,
        key="lab_decay",
        bind="query-params",
        help="Along a cosine, to the end of the run. Where it stays, the last steps are as large as the first.",
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
        "The samples come from a running average of the weights, with this memory: 0.99 averages about the last 100 "
        "steps, and early in a run about the last tenth of them.",
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
        decay=decay,
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
