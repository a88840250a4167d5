"""What the reference is: its wave, spectrogram and pitch, and where its vector lies among voices."""

import streamlit as st

from explorer.audio.features import BANDS, features, parts
from explorer.audio.spectrogram import RATE, centres
from explorer.charts.voice_cloning import map_chart, pitch_chart, spectrogram_chart, wave_chart
from explorer.data.speech.phones import FRAMES
from explorer.lessons.voice_cloning.speaking import Spoken
from explorer.lessons.voice_cloning.voices import about, built_in, listener, place, reference_of
from explorer.ui.chart import chart
from explorer.ui.voice_cloning.asking import Wish


def show(wish: Wish, said: Spoken) -> None:
    """Four charts."""
    dark = st.context.theme.type == "dark"
    seen = wish.reference.features
    _, hertz, voiced = parts(seen[None])
    left, right = st.columns(2, gap="large")
    with left:
        chart(wave_chart(wish.reference.audio.numpy(), RATE, dark), alt=f"The waveform of {wish.label}'s recording.")
        chart(
            spectrogram_chart(seen[:BANDS].numpy(), centres(), seen.shape[1] / FRAMES, dark),
            alt="Its spectrogram: loudness by frequency and time.",
        )
        chart(pitch_chart(hertz[0].numpy(), voiced[0].numpy() > 0.5, FRAMES, dark), alt="Its pitch over time.")
    with right:
        known = about()["map"]
        places = [(x, y, kind, "") for (x, y), kind in zip(known["places"], known["kinds"], strict=True)]
        places += [
            (*place(reference_of(name).judged), one.kind, "")
            for name, one in built_in().items()
            if one.kind != "blend" and name != wish.key
        ]
        places.append((*place(wish.reference.judged), "reference", wish.label))
        made = listener().voices(features(said.audio)[None])[0]
        places.append((*place(made), "made", "made"))
        chart(map_chart(places, dark), alt="Voices as points, the reference and what was made among them.")
        st.caption(
            f"The judge's vectors of {len(known['places'])} voices on the two directions in which they differ most. "
            f"Blends fill what lies between known voices; those kept out are where training never was."
        )
