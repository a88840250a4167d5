"""This machine: what it has, and what it could make."""

import streamlit as st

from explorer.hardware import gpus
from explorer.hardware.catalogue import GIB
from explorer.hardware.limits import allowed_memory, available_cores
from explorer.hardware.systems import asked_by_default, systems
from explorer.lessons.build_your_rig.fits import making
from explorer.ui.build_your_rig.origins import origins
from explorer.ui.markdown import plain


@st.cache_data(ttl=600, show_spinner="Asking for GPUs…")
def found() -> gpus.Found:
    """Asked once in ten minutes, for all sessions: it is the server's machine."""
    return gpus.found()


def show() -> None:
    """Cores, memory and GPUs of the machine that serves this page."""
    seen, memory = found(), allowed_memory()
    held = f", {memory / GIB:.1f} GiB of memory" if memory else ""
    st.markdown(f"The machine that serves this page has **{available_cores()} cores{held}**.")
    origins(measured="cores, memory and GPUs of this machine, now", computed="what a GPU could make")
    for problem in seen.problems:
        st.caption(f":material/info: {plain(problem)}")
    if not seen.gpus:
        st.info(
            "No GPU was found. The models of this course are sized for such a machine; what published systems would "
            "need stands above.",
            icon=":material/developer_board_off:",
        )
        return
    for gpu in seen.gpus:
        size = "" if gpu.memory is None else f", {gpu.memory / GIB:.1f} GiB"
        st.markdown(f"**{plain(gpu.name)}**{size}")
        card = gpu.card
        if card is None or not card.usable:
            st.caption("It is not in the catalogue, so nothing is said of what it could make.")
            continue
        fitting = [
            f"{system.name} ({verdict.how})"
            for system in systems().values()
            if (verdict := making(system, asked_by_default(system), card)).fits
        ]
        st.markdown("It could make, at default sizes: " + "; ".join(fitting) + ".")
