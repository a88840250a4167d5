"""Bias: a set whose truth is known, and emoji of people, whose truth has to be judged."""

import math
from typing import Any

import streamlit as st

from explorer.charts.conclusion_ethics import lines_chart, shares_chart
from explorer.data.tinted import SHAPES, TINTS
from explorer.lessons.conclusion_ethics.bias import MODELS, corrected, expected, margin
from explorer.lessons.conclusion_ethics.figures import figures
from explorer.ui.chart import chart
from explorer.ui.conclusion_ethics.computed import returned
from explorer.ui.controls import one_of
from explorer.ui.sheet import Row, sheet

ASKED = 24
SHOWN = 12
SHARES = {str(share): f"{share} %" for share in reversed(MODELS)}
SETS = {"known": "A set whose truth is known", "people": "Emoji of people"}


def show() -> None:
    """One of the two sets at a time."""
    if one_of("Bias in", SETS, key="ethics_bias") == "people":
        people()
    else:
        known()


def known() -> None:
    """Circles and stars, whose usual colours were decided by us."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        with st.container(width="content"):
            share = int(one_of("Share", SHARES, key="ethics_share"))
        scale = st.slider("Guidance scale", 1.0, 6.0, 1.0, 0.5, key="ethics_scale", bind="query-params", width=180)
        seed = st.slider("Seed", 0, 99, 0, key="ethics_bias_seed", bind="query-params", width=130)
    left, right = st.columns([1.2, 1], gap="large")
    with left:
        st.markdown(
            f"Half of the training pictures are {SHAPES[0]}s, half are {SHAPES[1]}s. **{share} %** of the {SHAPES[0]}s "
            f"are {TINTS[0]} and of the {SHAPES[1]}s {TINTS[1]}; the others have the other's colour."
        )
        found = returned(share, ASKED, scale, seed)
        told = expected(share / 100, scale)
        st.markdown(
            f"## {found.usual:.0%} of {int(found.readable.sum())} pictures have the usual colour; in the set {share} %"
        )
        rows = [
            Row(
                f"“{name}”",
                found.pictures[number::2][:SHOWN],
                [""] * SHOWN,
                f"{SHOWN} pictures that the model returns for {name}",
            )
            for number, name in enumerate(SHAPES)
        ]
        sheet(rows, [""] * SHOWN, title="What the model returns for each word")
        half = margin(found.usual, int(found.readable.sum()))
        st.caption(
            f"The prompt says the shape alone. Measured {found.usual:.1%} ± {half:.1%}; what guidance should return: "
            f"{told:.1%}. Of all pictures {found.right:.0%} show the shape asked for."
        )
    with right:
        measured = figures("bias")
        lines = {
            f"{name} % usual in the set": {float(at): usual for at, usual in measured["usual"][name].items()}
            for name in reversed(measured["usual"])
        }
        theory = {
            f"{name} % usual in the set": {1 + k / 4: expected(int(name) / 100, 1 + k / 4) for k in range(21)}
            for name in reversed(measured["usual"])
        }
        lowest = min(found.usual, *(share for line in lines.values() for share in line.values()))
        chart(
            lines_chart(
                lines,
                "Guidance scale",
                "Usual colours that come back",
                st.context.theme.type == "dark",
                dashed=theory,
                point=(scale, found.usual),
                least=math.floor(10 * lowest) / 10,
            ),
            alt="Share of usual colours against the guidance scale, for three sets.",
        )
        st.markdown(
            f"Solid: measured on {measured['samples']:,} pictures each; dashed: $p^w / (p^w + (1-p)^w)$. Guidance "
            "makes a model surer of what it is asked, and of what usually comes with it. The **balanced** set has no "
            "bias to turn up, only what chance left in the model: "
            f"{measured['usual']['50']['1']:.0%} at guidance 1, {measured['usual']['50']['6']:.0%} at 6."
        )


def people() -> None:
    """What makers draw when nobody says man or woman, and what the model returns."""
    of = figures("people")
    judge = of["judge"]
    left, right = st.columns([1.2, 1], gap="large")
    scales = list(of["returned"])
    with left:
        scale = one_of("Guidance scale", {name: f"Guidance {name}" for name in scales}, key="ethics_people_scale")
        rows = []
        for trade, returned_share in of["returned"][scale].items():
            data = of["data"][trade]
            rows.append((trade, "the data", data["woman"], margin(data["woman"], data["pictures"])))
            rows.append((trade, "the model", returned_share, margin(returned_share, of["samples"])))
        chart(
            shares_chart(rows, "Judged to be the woman", st.context.theme.type == "dark"),
            alt="Share of pictures judged to show the woman, by trade, in the data and in what the model returns.",
        )
        st.caption(
            f"{of['samples']} pictures of each trade, as the judge answers; lines hold the share with 95 %, the "
            "judge's own errors not counted. It learned from the data's men and women, and answers for them too well."
        )
    with right:
        st.markdown(people_told(of, scale))
        lines = [
            "| maker | the judge right, roles kept out | its unmarked pictures look like the woman |",
            "|:--|--:|--:|",
        ]
        for style, unmarked in of["unmarked"].items():
            mine = judge["by style"].get(style, {"right": 0.0})
            lines.append(f"| {style} | {mine['right']:.0%} | {unmarked['woman']} of {unmarked['pictures']} |")
        st.markdown("\n".join(lines))


def people_told(of: dict[str, Any], scale: str) -> str:
    """The finding in words, with the judge's error."""
    judge = of["judge"]
    hit, false = judge["right of women"], 1 - judge["right of men"]
    overall = sum(of["returned"][scale].values()) / len(of["returned"][scale])
    data = of["all data"]
    return (
        f"Makers draw each trade three times: as a man, as a woman, and **unmarked**. The set holds {data['men']} men, "
        f"{data['women']} women and {data['unmarked']} unmarked pictures of these trades, so it is balanced, but for "
        "the third kind: which of the two the unmarked one resembles differs by maker.\n\n"
        f"The judge learned {judge['pictures']} emoji of {judge['roles']} roles, the men and women of these trades "
        f"among them, and is right in **{judge['right']:.0%}** of roles that it has not seen ({hit:.0%} of women, "
        f"{judge['right of men']:.0%} of men), on these trades in {judge['right of the trades']:.0%}. It answers "
        f"“woman” for **{overall:.0%}** of what the model returns at guidance {scale}; corrected for its errors that "
        f"is {corrected(overall, hit, false):.0%}. It sees hair and shoulders at 32 x 32 pixels, as the model does: "
        "what is measured is how makers draw men and women, not who anybody is."
    )
