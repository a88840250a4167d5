"""The mark in every sound: found again in a file, how often, and how loud it is."""

import streamlit as st
import torch

from explorer.audio.loudness import critical_bands, levels
from explorer.audio.recordings import ENDINGS, whole
from explorer.audio.watermark import FOUND, STRENGTH, detect, marked
from explorer.charts.voice_cloning import loudness_chart
from explorer.lessons.voice_cloning.speaking import Spoken, heard
from explorer.lessons.voice_cloning.voices import model, watermark
from explorer.ui.chart import chart
from explorer.ui.controls import one_of, sentence
from explorer.ui.markdown import plain
from explorer.ui.voice_cloning.asking import Wish

WHAT = {"made": "The sound above", "reference": "The reference", "file": "A file"}


def show(wish: Wish, said: Spoken) -> None:
    """Detection on the left, what was measured on the right."""
    left, right = st.columns([1, 1.2], gap="large")
    with left:
        what = one_of("Look for the mark in", WHAT, key="voice_marked")
        audio = said.audio if what == "made" else wish.reference.audio if what == "reference" else given()
        if audio is not None:
            verdict(audio)
        bare = heard(model(), said.speech.features)
        with_mark = marked(bare)[0]
        mark = with_mark - bare[0]
        speech, of_mark = levels(bare[0]), levels(mark)
        below = [one - other for one, other in zip(speech, of_mark, strict=True)]
        chart(
            loudness_chart(critical_bands(), speech, of_mark, st.context.theme.type == "dark"),
            alt="Level of the speech and of the mark in each critical band.",
        )
        st.caption(
            f"The mark makes patches of {1000 * 512 / 8000:.0f} ms louder or softer by {8.686 * STRENGTH:.1f} dB. What "
            f"that adds lies {min(below):.0f} to {max(below):.0f} dB below the speech of the same critical band; noise "
            "so far below a sound in its own band is mostly masked by it, yet who compares closely may hear it."
        )
    with right:
        measured()


def given() -> torch.Tensor | None:
    """A file to look into: any that can be read, at its whole length."""
    file = st.file_uploader("A sound file", ENDINGS, key="voice_marked_file", max_upload_size=20)
    if file is None:
        return None
    try:
        return whole(file.getvalue())
    except ValueError as error:
        st.error(plain(sentence(error)), icon=":material/music_off:")
        return None


def verdict(audio: torch.Tensor) -> None:
    """Whether the mark is there."""
    found = detect(audio)
    speed = "" if abs(found.speed - 1) < 1e-6 or not found.marked else f", at {found.speed:.1%} of its speed"
    if found.marked:
        st.success(f"The mark is there: score {found.score:.1f}{speed}.", icon=":material/verified:")
    else:
        st.info(
            f"No mark is found: score {found.score:.1f}, and {FOUND:.1f} is the least. That does not mean that nobody "
            "made this sound with a model: others leave no mark, or another one, and noise can cover this one.",
            icon=":material/question_mark:",
        )


def measured() -> None:
    """How often it is found after what happens to sounds, and how often where it is not."""
    figures = watermark()
    lines = ["| after | found |", "|:--|--:|"]
    lines += [f"| {name} | {share:.0%} |" for name, share in figures["found"].items()]
    st.markdown("\n".join(lines))
    st.caption(
        f"Of {figures['clips']} clips of {figures['seconds']:g} s. Without a mark {figures['false']} of "
        f"{figures['unmarked']} clips reach the score {FOUND:.1f} (false alarms). Loud noise covers it, and who knows "
        "the key can take it out: a mark helps the honest, and does not stop those who want to deceive."
    )
