"""The forward process of a digit and a film of two strips; `--still` does not start them, `--coloured` shows the film
alone, in colours."""

import sys

import numpy as np
import streamlit as st

from explorer.ui.film import Strip, film, noising
from tests.browser.film_data import SCHEDULES, colours, digit, noise

autoplay = "--still" not in sys.argv
if "--coloured" in sys.argv:
    film([Strip("Colours", colours())], key="film", autoplay=False)
    st.stop()
noising(
    digit(),
    SCHEDULES,
    key="noising",
    schedule=st.selectbox("Schedule", list(SCHEDULES)),
    autoplay=autoplay,
)

n = st.select_slider("Images", [1, 4, 16], value=16)
share = np.linspace(0, 1, 31)[:, None, None, None]
x = (share * digit() + (1 - share) * noise(n)).astype(np.float32)
guess = np.broadcast_to(digit() * np.sqrt(share[:-1]), (30, n, 8, 8)).astype(np.float32)
captions = [f"noise {1 - part:.2f}" for part in share.ravel()]
film(
    [
        Strip("Noisy images", x, captions, role="noise"),
        Strip("What the model guesses", guess, captions[:-1], role="model"),
    ],
    key="film",
    autoplay=autoplay,
)
