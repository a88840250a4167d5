"""A film of four strips, as two walks with their guesses."""

import numpy as np
import streamlit as st

from explorer.ui.film import Strip, film
from tests.browser.film_data import noise

st.set_page_config(layout="wide")
frames = np.stack([noise(16)] * 3).astype(np.float32)
film([Strip(f"Walk {number}", frames, ["the same"] * 3) for number in range(4)], key="film", autoplay=False)
