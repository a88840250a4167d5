"""How near the voice comes, and what of its words is understood."""

import streamlit as st

from explorer.audio.features import features
from explorer.lessons.voice_cloning.near import pitch_and_brightness
from explorer.lessons.voice_cloning.speaking import Spoken
from explorer.lessons.voice_cloning.voices import NAME, about, built_in
from explorer.ui.markdown import plain
from explorer.ui.voice_cloning.asking import Wish
from explorer.ui.voice_cloning.reference import KINDS
from explorer.ui.voice_cloning.speaking import measured
from explorer.zoo import model_card


def show(wish: Wish, said: Spoken) -> None:
    """Likeness to the reference, to each built-in voice; the words one by one; pitch and brightness beside it."""
    alike, heard = measured(wish, said)
    pairs = about()["likeness"]
    left, right = st.columns([1, 1.2], gap="large")
    with left:
        st.markdown("**What is understood**")
        words = " ".join(plain(word) if right else f":red[~~{plain(word)}~~]" for word, right in heard.words)
        st.markdown(words)
        of_real = model_card(f"listener-{NAME}")["metrics"]["sounds heard"]
        st.caption(
            f"At the moment when a sound is due, the judge hears that very sound in {heard.sounds:.0%} of cases (in "
            f"the speech that the model learned from, {of_real:.0%}). A word is understood with two thirds of its "
            f"sounds. Without being told the text, the judge hears {plain(' '.join(heard.heard)) or 'nothing'}."
        )
        st.markdown("**Pitch and brightness**")
        st.markdown("\n".join(_compared(wish, said)))
        st.caption("Brightness is the centre of gravity of the bands, 0 to 63: higher for a shorter throat.")
    with right:
        st.markdown("**Whose voice the judge takes it for**")
        rows = sorted(alike.to_others.items(), key=lambda one: -one[1])
        lines = ["| voice | kind | likeness |", "|:--|:--|--:|"]
        lines.append(f"| **{wish.label}, the reference** | | **{alike.to_reference:.2f}** |")
        lines += [
            f"| {built_in()[name].label} | {KINDS[built_in()[name].kind]} | {value:.2f} |"
            for name, value in rows[:8]
            if name != wish.key
        ]
        st.markdown("\n".join(lines))
        st.caption(
            f"Likeness is the cosine of the angle between the judge's vectors of two recordings: 1 is the same, 0 "
            f"has nothing in common, below 0 is opposite. Two recordings of one voice are {pairs['same'][50]:.2f} "
            f"alike in the median, of two voices {pairs['different'][50]:.2f} ({pairs['voices']} voices that neither "
            f"it nor the model was trained on). This one is more alike than {alike.above_different:.0%} of pairs of "
            f"two voices, and than {alike.above_same:.0%} of pairs of one."
        )


def _compared(wish: Wish, said: Spoken) -> list[str]:
    lines = ["| voice | pitch, median | brightness |", "|:--|--:|--:|"]
    for name, seen in (("reference", wish.reference.features), ("made", features(said.audio))):
        pitch, brightness = pitch_and_brightness(seen)
        lines.append(f"| {name} | {pitch:.0f} Hz | {brightness:.1f} |")
    return lines
