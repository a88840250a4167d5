"""Learned by heart: samples beside the nearest training image, and what makes copies fewer."""

import streamlit as st

from explorer.charts.conclusion_ethics import distances_chart, lines_chart
from explorer.lessons.conclusion_ethics.figures import figures
from explorer.lessons.conclusion_ethics.memory import COPY, MODELS
from explorer.ui.chart import chart
from explorer.ui.conclusion_ethics.computed import extracted
from explorer.ui.controls import one_of
from explorer.ui.sheet import Row, sheet

SHOWN = 10
COUNTS = {str(count): f"{count:,} images" for count in MODELS}  # of training
REMEDIES = {
    "steps": "Stopping early",
    "size": "A smaller model",
    "twice": "Removing duplicates",
    "tries": "How many tries?",
    "emoji": "Artists' pictures",
}


def show() -> None:
    """A model, its samples and their nearest on the left; distances on the right; below, what helps."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        with st.container(width="content"):
            st.markdown("The model was trained on")
            count = int(one_of("Trained on", COUNTS, key="ethics_images"))
        seed = st.slider("Seed", 0, 99, 0, key="ethics_memory_seed", bind="query-params", width=150)
    left, right = st.columns([1.35, 1], gap="large")
    found = extracted(count, SHOWN, seed)
    copies = int(found.near.copies.sum())
    shipped = 200 if count > 200 else count
    with left:
        st.markdown(f"## {copies} of these {SHOWN} samples are copies of a training image")
        known = "its training images" if shipped == count else f"{shipped} of its {count:,} training images"
        sheet(
            [
                Row("Samples", found.samples, [""] * SHOWN, f"{SHOWN} samples of the model, one of each digit"),
                Row(
                    f"The nearest of {known}",
                    found.trained,
                    [
                        f"{ratio:.2f}{' copy' if copy else ''}"
                        for ratio, copy in zip(found.near.ratio.tolist(), found.near.copies.tolist(), strict=True)
                    ],
                    f"The nearest of {known} to each sample",
                ),
                Row(
                    "The nearest of 200 that no training saw",
                    found.unseen,
                    [f"{ratio:.2f}" for ratio in found.near_unseen.ratio.tolist()],
                    "The nearest of 200 images that no training saw to each sample",
                ),
            ],
            [str(digit) for digit in range(SHOWN)],
            title=f"{copies} of these {SHOWN} samples are copies of a training image",
        )
        st.caption(
            f"Under each: its distance, divided by that of the second nearest. Below {COPY:.2f} the sample is "
            f"{1 / COPY:.0f} times nearer to this image than to any other: a copy."
        )
    with right:
        curves = figures("memory")["curves"][str(count)]
        chart(
            distances_chart(
                {
                    f"samples, to {'the' if count < 1_000 else 'all'} {count:,} training images": (
                        "model",
                        curves["trained"],
                    ),
                    f"samples, to {curves['unseen images']:,} images that no training saw": ("noise", curves["unseen"]),
                    f"real digits that no training saw, to the {count:,}": ("data", curves["real"]),
                },
                st.context.theme.type == "dark",
            ),
            alt="Distances of samples and of real digits to their nearest images.",
        )
        st.markdown(
            f"Of {curves['samples']:,} samples **{curves['copies']:.1%}** are copies. A real digit that the model "
            f"never saw lies {curves['real'][50]:.2f} from the nearest training image (median), a sample "
            f"**{curves['trained'][50]:.2f}**."
        )
    helps()


def helps() -> None:
    """What changes the share of copies, one look at a time."""
    st.header("What makes copies fewer?", anchor=False)
    chosen = one_of("What makes copies fewer?", REMEDIES, key="ethics_remedy")
    measured, dark = figures("memory"), st.context.theme.type == "dark"
    left, right = st.columns([1.2, 1], gap="large")
    if chosen in ("steps", "size"):
        names = ("memory-20", "memory-200") if chosen == "steps" else SIZES
        runs = {measured["runs"][name]["label"]: measured["runs"][name]["copies"] for name in names}
        with left:
            chart(
                lines_chart(runs, "Training steps (log scale)", "Copies among samples", dark, log=True),
                alt="Share of copies against training steps.",
            )
        with right:
            st.markdown(STEPS_TOLD if chosen == "steps" else SIZE_TOLD)
            st.markdown((steps_table if chosen == "steps" else size_table)(names))
    elif chosen == "twice":
        left.markdown(twice_told(measured["duplicates"]))
    elif chosen == "tries":
        with left:
            chart(
                lines_chart(
                    {f"{count} images": shares for count, shares in measured["back"].items()},
                    "Samples drawn (log scale)",
                    "Training images that came back",
                    dark,
                    log=True,
                ),
                alt="Share of the training images that have come back after so many samples.",
            )
        right.markdown(tries_told(measured["back"]))
    else:
        emoji_told()


SIZES = ("memory-200-small", "memory-200")
STEPS_TOLD = (
    "At first a model knows only what all images have in common, and its samples are new, if blurred. What belongs to "
    "single images comes later, and while it comes the loss on held-out images rises. If you stop where that loss is "
    "least, there are fewer copies, if not always none."
)
SIZE_TOLD = (
    "The same 200 images, and networks of two sizes. The small one has fewer weights than there are pixels to "
    "remember, and hardly any room for copies."
)


def steps_table(names: tuple[str, ...]) -> str:
    """Copies where the loss on held-out images is least, and at the end."""
    lines = ["| model | held-out loss least | copies then | copies at the end |", "|:--|--:|--:|--:|"]
    for name in names:
        run, copies = figures("memory")["runs"][name], figures("memory")["runs"][name]["copies"]
        best = min(run["losses"], key=lambda step: run["losses"][step]["held out"])
        end = list(copies.values())[-1]
        lines.append(f"| {run['label']} | step {int(best):,} | {copies[best]:.1%} | {end:.1%} |")
    return "\n".join(lines)


def size_table(names: tuple[str, ...]) -> str:
    """Weights, and copies at the end."""
    lines = ["| model | weights | pixels it saw | copies at the end |", "|:--|--:|--:|--:|"]
    for name in names:
        run = figures("memory")["runs"][name]
        end = list(run["copies"].values())[-1]
        lines.append(f"| {run['label']} | {run['parameters']:,} | {784 * run['images']:,} | {end:.1%} |")
    return "\n".join(lines)


def twice_told(duplicates: dict[str, float]) -> str:
    """The experiment with repeated images, in words."""
    return (
        f"The whole training part, 8,000 images, and {duplicates['repeated']} of them stand in it "
        f"{duplicates['times'] + 1} times each, as pictures do that the web repeats.\n\n"
        "| trained on | copies of the repeated images | copies of any other |\n|:--|--:|--:|\n"
        f"| with the duplicates | **{duplicates['copies of repeated']:.1%}** | {duplicates['copies of others']:.1%} |\n"
        f"| each image once | {duplicates['copies of repeated, once']:.1%} | "
        f"{duplicates['copies of others, once']:.1%} "
        f"|\n\nOf {duplicates['samples']:,} samples each. Removing duplicates is the cheapest remedy, and does not "
        "protect an image that is alone of its kind."
    )


def tries_told(back: dict[str, dict[str, float]]) -> str:
    """How many samples it took, in words."""
    lines = []
    for count, shares in back.items():
        last, share = list(shares.items())[-1]
        lines.append(f"- Of {count} training images **{share:.0%}** had come back after {int(last):,} samples.")
    return "\n".join(lines) + "\n\nNobody needs the training set for this: copies come back more often than chance."


def emoji_told() -> None:
    """How near the text-to-image model's pictures are to artists'."""
    of = figures("memory")["emoji"]
    st.markdown(
        f"The text-to-image model of *Guided generation* saw {of['learned']:,} pictures by {of['artists']} makers. Of "
        f"{of['samples']} pictures that it draws of things in styles that it has seen, **{of['copies']:.0%}** count as "
        f"copies of one of these. The median picture lies {of['distance']:.3f} from the nearest, mirrored or not; two "
        f"artists' drawings of one thing lie {of['artists apart']:.3f} apart. So it does not return pictures, and "
        "comes nearer to somebody's drawing than another artist would. Whose style a picture is in, and whose work it "
        "repeats, are different questions, and only the second one has a number here."
    )
