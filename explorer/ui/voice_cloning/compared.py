"""The same words in all voices, on the way from one to another, and at many scales of guidance."""

import streamlit as st

from explorer.audio.spectrogram import RATE
from explorer.charts.voice_cloning import curves_chart
from explorer.lessons.voice_cloning import comparing
from explorer.lessons.voice_cloning.voices import built_in, model, reference_of
from explorer.ui.chart import chart
from explorer.ui.controls import choice
from explorer.ui.voice_cloning.asking import Wish
from explorer.ui.voice_cloning.computed import SPEAKING, as_int16, found
from explorer.ui.voice_cloning.reference import KINDS

SCALES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0)
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


def all_voices(wish: Wish) -> None:
    """One text in every built-in voice, each judged among all."""
    if not st.toggle("Speak in all voices", key="voice_all", bind="query-params", help="Some seconds of work."):
        st.caption(f"The same text in all {len(built_in())} built-in voices, to be heard beside each other.")
        return
    with st.spinner(SPEAKING):
        heard = found(
            "all", "all", None, wish.text, wish.speed, wish.asked,
            lambda: comparing.in_all_voices(model(), wish.text, wish.speed, wish.asked),
        )  # fmt: skip
    kinds = list(KINDS)
    names = sorted(heard, key=lambda name: kinds.index(built_in()[name].kind))
    right = dict.fromkeys(KINDS, 0)
    rows = []
    for name in names:
        alike = {other: float(heard[name].judged @ reference_of(other).judged) for other in names}
        nearest = max(alike, key=alike.__getitem__)
        right[built_in()[name].kind] += nearest == name
        rows.append((name, alike[name], nearest))
    counts = {kind: sum(one.kind == kind for one in built_in().values()) for kind in KINDS}
    st.markdown(
        "Nearest to its own reference, among all of them: "
        + ", ".join(f"**{right[kind]} of {counts[kind]}** {told}" for kind, told in KINDS.items())
        + ". *Selecting* a voice that training knows, *interpolating* between such voices, and *cloning* one that it "
        "never heard are three things."
    )
    columns = st.columns(3)
    for k, (name, value, nearest) in enumerate(rows):
        one = heard[name]
        with columns[k % 3], st.container(border=True):
            mine = "its own is nearest" if nearest == name else f"nearest: {built_in()[nearest].label}"
            st.markdown(f"**{built_in()[name].label}** ({KINDS[built_in()[name].kind]})")
            st.audio(as_int16(one.audio), sample_rate=RATE)
            st.caption(
                f"likeness {value:.2f}, {mine}; {one.pitch:.0f} Hz, brightness {one.brightness:.1f}; "
                f"{one.understood:.0%} of the words"
            )


def between(wish: Wish) -> None:
    """Voices on the way from the reference to another."""
    labels = {one.name: one.label for one in built_in().values() if one.name != wish.key}
    default = next(name for name in ("bm_george", "af_heart") if name in labels)
    other = choice("The other voice", labels, default, key="voice_other", width=220)
    heard = found(
        f"between {other}", wish.key, wish.mine, wish.text, wish.speed, wish.asked,
        lambda: comparing.on_the_way(
            model(), wish.text, wish.speed, wish.reference.voice, reference_of(other).voice, wish.asked, SHARES
        ),
    )  # fmt: skip
    points = [
        {
            "share": share,
            "first": float(one.judged @ wish.reference.judged),
            "second": float(one.judged @ reference_of(other).judged),
        }
        for share, one in zip(SHARES, heard, strict=True)
    ]
    left, right = st.columns([1, 1.3], gap="large")
    with left:
        for share, one in zip(SHARES, heard, strict=True):
            st.audio(as_int16(one.audio), sample_rate=RATE)
            st.caption(f"{share:.0%} of the way, {one.pitch:.0f} Hz, brightness {one.brightness:.1f}")
    with right:
        lines = {
            "first": (f"likeness to {wish.label}", "data"),
            "second": (f"likeness to {labels[other]}", "exact"),
        }
        chart(
            curves_chart(points, ("share", f"Share of the way to {labels[other]}"), lines, _dark()),
            alt="Likeness to both voices on the way from one to the other.",
        )
        st.caption("The model's two vectors are mixed on their sphere; the judge, which has its own, compares.")


def scales(wish: Wish) -> None:
    """One voice at many scales of its guidance."""
    heard = found(
        "scales", wish.key, wish.mine, wish.text, wish.speed, wish.asked,
        lambda: comparing.at_scales(model(), wish.text, wish.speed, wish.reference.voice, wish.asked, SCALES),
    )  # fmt: skip
    points = [
        {"scale": scale, "alike": float(one.judged @ wish.reference.judged), "words": one.understood}
        for scale, one in zip(SCALES, heard, strict=True)
    ]
    left, right = st.columns([1.3, 1], gap="large")
    with left:
        lines = {"alike": ("likeness to the reference", "model"), "words": ("words understood", "data")}
        chart(
            curves_chart(points, ("scale", "Guidance scale of the voice"), lines, _dark()),
            alt="Likeness and understood words against the scale of the voice's guidance.",
        )
        best = max(points, key=lambda point: point["alike"])
        st.caption(
            f"At scale 0 the reference is not heard. Most alike here: scale {best['scale']:g}, {best['alike']:.2f}."
        )
    with right:
        for at in (0, 2, 4, 7):
            st.audio(as_int16(heard[at].audio), sample_rate=RATE)
            st.caption(f"scale {SCALES[at]:g}: {heard[at].pitch:.0f} Hz, brightness {heard[at].brightness:.1f}")


def _dark() -> bool:
    return st.context.theme.type == "dark"
