"""The only part of `explorer` that imports Streamlit: state, controls, layout, components."""
