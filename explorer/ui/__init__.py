"""The only part of `explorer` that imports Streamlit: state, controls, layout, components."""

import os

# Pages share the cores with the workers and with each other: small models answer sooner on one thread
# each than on threads that wait for one another. torch reads this when it is first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
