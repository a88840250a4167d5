"""What every page shares: the frame around it, and the sections below its demo."""

import inspect
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from explorer.charts import palette
from explorer.files import ASSETS
from explorer.lessons.notebook import Told, as_notebook
from explorer.lessons.path import page_of
from explorer.once import once
from explorer.ui import gathering, lost, path, spent, tabs, trainings, work
from explorer.ui.components import component
from explorer.ui.glossary import GLOSSARY
from explorer.ui.lecture import show_buttons, show_scene
from explorer.ui.papers import PAPERS
from explorer.ui.spent import fragment

NAME = "Diffusion Explorer"
IMAGES = ASSETS / "images"
SIDEBAR_WIDTH = 230  # CSS pixels
# What Streamlit leaves too faint: the focus on links, switches, choices and the buttons of a chart, and, in the dark
# theme, white letters on the primary colour. A title needs less room than it takes.
STYLE = """
:is(a, main):focus-visible, [data-testid="stElementToolbarButton"] button:focus-visible,
:is([data-testid="stCheckbox"], [data-testid="stRadio"]) label:has(:focus-visible) {
  outline: 2px solid currentColor !important; outline-offset: -2px !important; }
[data-testid="stElementToolbar"]:has(:focus-visible) { opacity: 1 !important; }
[data-testid="stBaseButton-primary"] { color: light-dark(#fff, #0f1114); }
.st-key-lead h1 { padding: 0 0 0.5rem; }
"""
_terms = component("terms", "mount")
_scrolling = component("scrolling", "mount")


@dataclass(frozen=True)
class Question:
    """A multiple-choice question whose answer the demo shows.

    `replies` has for every choice what is said to who chose it: why it is right, or why it is wrong; `answer` is one
    of them.
    """

    text: str
    replies: Mapping[str, str]
    answer: str

    def __post_init__(self) -> None:
        """Raises ValueError where the answer is no choice."""
        if self.answer not in self.replies:
            raise ValueError(f"the answer {self.answer!r} is none of the choices")


def this_run() -> Told:
    """What the newest run of a page in this session has told so far."""
    return st.session_state["run"]


def follow_course(pages: Sequence[StreamlitPage], current: StreamlitPage) -> None:
    """Remember which page of the course comes after the current one, for its end; None after one that is beside it."""
    following = dict(pairwise([*pages, None]))
    st.session_state["course_next"] = following.get(current)


def begin_page(title: str, lead: str, *words: str) -> None:
    """Set up a page that runs inside the course or alone: title, one sentence of what you will learn, and the names of
    words of the glossary, each of which explains itself under the pointer, to a touch and to the keyboard."""
    explained = [GLOSSARY[word] for word in words]
    told = Told(title, lead, words=[f"**{label}**: {meaning}" for label, meaning in explained])
    st.session_state["run"] = told
    spent.begin(title)
    path.opened(page_of(title))
    gathering.begin(title)
    work.share_cores()
    st.set_page_config(
        page_title=f"{title} · {NAME}",
        page_icon=str(IMAGES / "icon.svg"),
        layout="wide",
        initial_sidebar_state=SIDEBAR_WIDTH,
    )
    show_scene(page_of(title))
    with st.container(key="lead", gap="xsmall"):
        st.title(title, anchor=False)
        st.markdown(lead)
        if words:
            _terms(key="terms", data={"words": explained})
    lost.look()
    work.attend(lost.cookies)
    tabs.attend()
    trainings.attend(page_link)
    with st.sidebar:
        st.html(f"<style>{STYLE}</style>")
        show_buttons()
        _scrolling(key="scrolling")


def end_page() -> None:
    """The next step of the course, and the footer: what the colours mean, versions, and what computes."""
    title = this_run().title
    lost.tell()
    spent.end()
    page, files = page_of(title), st.container()
    path.next_stop(page)
    if following := st.session_state.get("course_next"):
        st.page_link(following, label=f"Next: {following.title}", icon=":material/arrow_forward:")
    st.divider()
    colours = palette.DARK if st.context.theme.type == "dark" else palette.LIGHT
    dots = "".join(f'<span><b style="color:{colours[role]}">●</b> {role}</span>' for role in palette.ROLES)
    st.html(f'<div style="display:flex;gap:1rem;flex-wrap:wrap;font-size:.875rem">Colours: {dots}</div>')
    st.caption(f"{NAME} · {versions()} · every model runs on this machine; what was recorded before says so.")
    if page:
        with files:  # last, for it may take seconds
            gathering.take_away(title, page.replace("_", "-"))


@st.cache_resource(show_spinner=False)
def versions() -> str:
    """Versions and device in a line, without importing torch."""
    from importlib.metadata import version

    from explorer.hardware.limits import available_cores

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
    this_run().notice.extend(lines)
    st.header("What to notice", anchor=False)
    st.markdown("\n".join(f"- {line}" for line in lines))


def mathematics(*parts: tuple[str, str]) -> None:
    """Formulas, each with a sentence that ties its symbols to the controls: (sentence, LaTeX)."""
    this_run().mathematics.extend(parts)
    with st.expander("The mathematics", icon=":material/function:"):
        st.markdown("\n\n".join(f"{sentence}\n\n$$\n{formula}\n$$" for sentence, formula in parts))


def the_code(snippet: str, *objects: Callable[..., Any] | type) -> None:
    """A snippet that runs in a notebook, the page as one, and the real source of what this page calls.

    The notebook is made when it is asked for, and so has what comes later on the page, too.
    """
    told = this_run()
    told.code = snippet
    with st.expander("The code", icon=":material/code:"):
        st.markdown("In a notebook:")
        st.code(snippet, language="python")
        st.download_button(
            "This page as a notebook",
            lambda: as_notebook(told),
            f"diffusion-explorer-{page_of(told.title).replace('_', '-') or 'page'}.ipynb",
            "application/x-ipynb+json",
            on_click="ignore",
            icon=":material/download:",
            help="Its words, its formulas and this code, for Jupyter.",
        )
        for item in objects:
            st.markdown(f"`{item.__module__}.{item.__qualname__}`")
            st.code(_source(item), language="python")


@once()
def _source(item: Callable[..., Any] | type) -> str:
    return inspect.getsource(item)


def check_yourself(prefix: str, *questions: Question) -> None:
    """Questions that answer back, made when somebody opens them. `prefix` is the page's prefix of widget keys."""
    fragment(_ask)(prefix, questions)


def _ask(prefix: str, questions: Sequence[Question]) -> None:
    asked = st.expander("Check yourself", icon=":material/quiz:", key=f"{prefix}_questions", on_change="rerun")
    if not asked.open:
        return
    with asked:
        for number, question in enumerate(questions):
            choice = st.radio(question.text, list(question.replies), index=None, key=f"{prefix}_question_{number}")
            if choice == question.answer:
                path.answered(page_of(this_run().title), number)
                st.success(f"Yes. {question.replies[choice]}", icon=":material/check:")
            elif choice is not None:
                st.warning(f"Not quite. {question.replies[choice]}", icon=":material/close:")


def references(*names: str) -> None:
    """The papers that a page draws on, by their names in `PAPERS`."""
    papers = [PAPERS[name] for name in names]
    this_run().references.extend(papers)
    with st.expander("References", icon=":material/menu_book:"):
        st.markdown("\n".join(f"- {paper}" for paper in papers))
