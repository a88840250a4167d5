"""The least that Streamlit can do: a title, a slider and its value. The app is measured beside it."""

import streamlit as st

st.title("One slider")
st.write(f"Value: {st.slider('Value', 0, 1000, 500)}")
