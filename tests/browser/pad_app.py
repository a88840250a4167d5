"""The two pads, and what Python received from them; `pad_app.py N` starts with N points on a circle."""

import json
import sys

import numpy as np
import streamlit as st

from explorer.ui.pad import draw_image, draw_points

page = st.radio("Page", ["Pads", "Elsewhere"])
st.button("Rerun")

if page == "Pads":
    angles = np.linspace(0, 2 * np.pi, int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    initial = 2 * np.stack([np.cos(angles), np.sin(angles)], axis=1) if angles.size else None
    points = draw_points(key="points", initial=initial)
    image = draw_image(key="image", size=28)
    received = {
        "points": None if points is None else points.astype(float).round(4).tolist(),
        "image": None if image is None else image.tolist(),
    }
    st.html(f'<pre id="received" hidden>{json.dumps(received)}</pre>')
