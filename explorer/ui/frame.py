"""What every page shares: the frame around it, and the sections below its demo."""

import gc
import inspect
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from explorer.charts import palette
from explorer.ui import trainings, work

NAME = "Diffusion Explorer"
IMAGES = Path(__file__).parents[2] / "assets" / "images"
SIDEBAR_WIDTH = 230  # CSS pixels


@dataclass(frozen=True)
class Question:
    """A multiple-choice question whose answer the demo shows; `answer` is one of `options`."""

    text: str
    options: Sequence[str]
    answer: str
    why: str


def begin_page(title: str, lead: str) -> None:
    """Set up a page that runs inside the course or alone: title, and one sentence of what you will learn."""
    _enter_course()
    work.share_cores()
    st.set_page_config(
        page_title=f"{title} · {NAME}",
        page_icon=str(IMAGES / "icon.svg"),
        layout="wide",
        initial_sidebar_state=SIDEBAR_WIDTH,
    )
    st.title(title, anchor=False)
    st.markdown(lead)
    work.attend()
    trainings.attend(page_link)


def _enter_course() -> None:
    """Streamlit takes a folder named pages for its older kind of navigation until `st.navigation` is first
    called, so the first visitor of a server who follows a link to a page would see it without the course, and keep
    the wide sidebar of that kind: their browser loads the page again."""
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.html("<script>location.reload()</script>", unsafe_allow_javascript=True)
        st.stop()


def end_page() -> None:
    """The footer: what the colours mean, versions, and what computes."""
    st.divider()
    colours = palette.DARK if st.context.theme.type == "dark" else palette.LIGHT
    dots = "".join(f'<span><b style="color:{colours[role]}">●</b> {role}</span>' for role in palette.ROLES)
    st.html(f'<div style="display:flex;gap:1rem;flex-wrap:wrap;font-size:.875rem">Colours: {dots}</div>')
    if "torch" in sys.modules:
        _settle_memory()
    st.caption(f"{NAME} · {versions()} · this page was computed on this machine's CPU.")


@st.cache_resource(show_spinner=False)
def _settle_memory() -> None:
    """Streamlit collects garbage after every rerun, which with torch loaded takes 0.1 s; what is loaded by now
    stays for good and need not be looked at again."""
    gc.collect()
    gc.freeze()


@st.cache_resource(show_spinner=False)
def versions() -> str:
    """Versions and device in a line, without importing torch."""
    from importlib.metadata import version

    from explorer.hardware.machine import available_cores

    cores = available_cores()
    return (
        f"Python {platform.python_version()} · PyTorch {version('torch').split('+')[0]} · "
        f"Streamlit {version('streamlit')} · {cores} CPU core{'s' if cores > 1 else ''}"
    )


def page_link(page: str, label: str) -> None:
    """A link to another page, or its name as plain text where there is no navigation."""
    try:
        st.page_link(page, label=label, icon=":material/arrow_forward:")
    except Exception:  # the page runs alone: Streamlit has no public way to ask
        st.markdown(f"*{label}*")


def what_to_notice(*lines: str) -> None:
    """Two or three lines under the demo."""
    st.subheader("What to notice", anchor=False)
    st.markdown("\n".join(f"- {line}" for line in lines))


def mathematics(*parts: tuple[str, str]) -> None:
    """Formulas, each with a sentence that ties its symbols to the controls: (sentence, LaTeX)."""
    with st.expander("The mathematics", icon=":material/function:"):
        for sentence, formula in parts:
            st.markdown(sentence)
            st.latex(formula)


def the_code(snippet: str, *objects: Callable[..., Any] | type) -> None:
    """A snippet that runs in a notebook, and the real source of what this page calls."""
    with st.expander("The code", icon=":material/code:"):
        st.markdown("In a notebook:")
        st.code(snippet, language="python")
        for item in objects:
            st.markdown(f"`{item.__module__}.{item.__qualname__}`")
            st.code(_source(item), language="python")


@cache
def _source(item: Callable[..., Any] | type) -> str:
    return inspect.getsource(item)


def check_yourself(prefix: str, *questions: Question) -> None:
    """Questions that answer back. `prefix` is the page's prefix of widget keys."""
    with st.expander("Check yourself", icon=":material/quiz:"):
        for number, question in enumerate(questions):
            choice = st.radio(question.text, question.options, index=None, key=f"{prefix}_question_{number}")
            if choice == question.answer:
                st.success(f"Yes. {question.why}", icon=":material/check:")
            elif choice is not None:
                st.warning(f"Not quite. {question.why}", icon=":material/close:")
