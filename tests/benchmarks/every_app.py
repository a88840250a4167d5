"""One of everything that the benchmarks' client must follow."""

import streamlit as st


@st.fragment(run_every=0.2)
def clock() -> None:
    st.session_state["ticks"] = st.session_state.get("ticks", 0) + 1
    st.text(st.session_state["ticks"])


def three() -> None:
    st.session_state["count"] = 3


@st.fragment
def parts() -> None:
    for part in range(st.slider("Count", 0, 3, 1, key="count", bind="query-params")):
        st.select_slider(f"Part {part}", ["low", "high"], key=f"part_{part}")


if st.toggle("Clock", key="clock"):
    clock()
st.button("Three", on_click=three)
parts()
st.selectbox("Set", ["one", "two"], index=None, key="set")
st.code("long " * 5000)  # a message worth caching
if st.button("Raise"):
    raise ValueError("as asked")
