"""One noise, many walks: what is left to chance."""

from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.lessons.sampling_showdown import walks as showdown
from explorer.lessons.sampling_showdown.walks import Method, Repeats, Start
from explorer.lessons.views import as_shown
from explorer.metrics import NotFinite
from explorer.ui.controls import SAMPLER_LABELS, choice
from explorer.ui.sampling_showdown.cache import judge_of, remembered
from explorer.ui.sampling_showdown.controls import FEW_STEPS, class_control, seed_control, steps_control
from explorer.ui.sampling_showdown.words import PIXELS, see
from explorer.ui.sheet import Row, sheet
from explorer.ui.shelf import ImageModel
from explorer.ui.spent import fragment

WALKS = 4


@fragment
def one_noise(model: ImageModel, takeaway: DeltaGenerator) -> None:
    """Many walks from one noise: what is left to chance."""
    with st.container(horizontal=True):
        classes = class_control(model, "show_noise_class", "3")
        steps = steps_control("show_noise_steps", FEW_STEPS[:3], 5)
        help = "Of the row in the middle: the share of fresh noise in each step."
        eta = st.slider(
            "eta of the middle row", 0.1, 0.9, 0.5, 0.1, key="show_noise_eta", bind="query-params", width=140, help=help
        )
        others = {"none": "None"} | {
            name: label for name, label in SAMPLER_LABELS.items() if name not in ("ddpm", "ddim", "langevin")
        }
        other = choice("Another sampler", others, "none", key="show_noise_other", width=190)
        seed = seed_control("show_noise_seed", 1)
        help = "Walk everything a second time from the same seed, and compare."
        repeat = st.toggle("Repeat with the same seed", key="show_noise_again", bind="query-params", help=help)
    methods = {
        "DDIM (eta 0)": Method("ddim", steps),
        f"eta {eta:g}": Method("ddim", steps, eta),
        "DDPM (eta 1)": Method("ddpm", steps),
    }
    if other != "none":
        methods[SAMPLER_LABELS[other]] = Method(other, steps)
    start, judge = Start(WALKS, seed, classes), judge_of(model)
    try:
        measured: dict[str, Repeats] = {
            name: remembered(
                model, ("repeats", method, start), partial(showdown.repeats, model.denoiser, method, start, judge)
            )
            for name, method in methods.items()
        }
    except NotFinite as error:
        st.error(str(error), icon=":material/error:")
        takeaway.markdown(f"- What is left to chance cannot be measured on this model. {see('one-noise')}")
        return
    again: dict[str, float] = {}
    if repeat:
        for name, method in methods.items():
            compute = partial(showdown.again, model.denoiser, method, start, measured[name].images)
            again[name] = remembered(model, ("again", method, start), compute)
    picture, table = st.columns([5, 4], gap="medium", vertical_alignment="center")
    with picture:
        rows = [
            Row(name, as_shown(found.images), [], f"{WALKS} walks of {name} from one noise")
            for name, found in measured.items()
        ]
        sheet(
            rows, [f"walk {number + 1}" for number in range(WALKS)], title=f"One starting noise, walked {WALKS} times"
        )
    with table:
        rows_of = [["sampler", *["same seed"] * repeat, "other seed", "diversity"], [":--", *["--:"] * (2 + repeat)]]
        for name, found in measured.items():
            same = [f"{again[name]:.3f}"] if repeat else []
            rows_of.append([name, *same, f"{found.apart:.3f}", diversity(found)])
        st.markdown("\n".join("|" + "|".join(cells).replace(" ", "\u00a0") + "|" for cells in rows_of))
        what = "in the features of a classifier" if judge else "over the pixels (no classifier knows this model's data)"
        repeated = "when all is repeated with the same seed, and " * repeat
        st.caption(
            f"Largest difference of a pixel ({PIXELS}), {repeated}between walks that draw other noise. Diversity: mean "
            f"distance between two of the walks, {what}. Guidance 1."
        )
    still, moving = measured["DDIM (eta 0)"], measured["DDPM (eta 1)"]
    repeats = f" With its seed each repeats to {max(again.values()):.3f}." if repeat else ""
    takeaway.markdown(
        "- **Under DDIM the starting noise fixes the image; under DDPM later draws matter too.** From one noise, "
        f"{WALKS} walks differ by at most {still.apart:.3f} in a pixel under DDIM and by {moving.apart:.3f} under "
        f"DDPM, a diversity of {diversity(still)} against {diversity(moving)}.{repeats} {see('one-noise')}"
    )


def diversity(found: Repeats) -> str:
    return f"{found.spread if found.diversity is None else found.diversity:.2f}"
