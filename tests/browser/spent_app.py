import time

import streamlit as st

from explorer.ui import spent
from explorer.ui.spent import fragment


def work(seconds: float) -> None:
    """Keep a core busy."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


@fragment
def inner() -> None:
    st.button("inner", key="inner")
    work(0.5)


@fragment
def outer() -> None:
    st.button("outer", key="outer")
    work(0.1)
    inner()


spent.begin("a page")
work(0.3)
outer()
spent.end()
st.button("whole", key="whole")
st.text(f"{spent.so_far()['a page']:.2f} s", help="of whole runs and of fragments")
