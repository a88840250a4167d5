"""The visitor's way through the course: which page comes next, and what they have done, kept as long as the "
"shelf is."""

import datetime
from collections.abc import Mapping
from functools import partial

import streamlit as st

from explorer.lessons.path import MODULES, WAYS, Progress, as_file, from_file, progress_in
from explorer.ui import made
from explorer.ui.markdown import plain

DONE, WAY = "course_done", "way"  # in the session, and the query parameter


def progress() -> Progress:
    """What this visitor has done, in any tab, or as the link says that opened this one."""
    if (linked := st.query_params.get("done")) and st.session_state.get("course_linked") != linked:
        st.session_state["course_linked"] = linked
        keep(progress_in(linked).and_(progress_in(made.recall(DONE) or "")))
    return progress_in(made.recall(DONE) or "")


def keep(done: Progress) -> None:
    """Remember it where it is new."""
    if done.text() != (made.recall(DONE) or ""):
        made.remember(DONE, done.text())


def opened(page: str) -> None:
    """A page was opened; and which way the visitor is on, if the link says it."""
    if (way := st.query_params.get(WAY)) in WAYS:
        st.session_state[WAY] = way
    keep(progress().opened(page))


def answered(page: str, number: int) -> None:
    """A question of a page was answered right."""
    keep(progress().with_answers(page, frozenset({number})))


def next_stop(page: str) -> None:
    """Where the visitor is on their way, and a link that leads on; nothing for who is on none."""
    way = WAYS.get(st.session_state.get(WAY, ""))
    places = [place for place, stop in enumerate(way.stops) if stop.page == page] if way else []
    if not way or not places:
        return
    place = places[0]
    with st.container(border=True):
        st.markdown(f"**{way.label}: step {place + 1} of {len(way.stops)}**")
        if place + 1 == len(way.stops):
            st.markdown("This was the last step. *Welcome* shows what you have done.")
            return
        after = way.stops[place + 1]
        st.markdown(after.do)
        link(after.page, f"Step {place + 2}: {MODULES[after.page][0]}")


def link(page: str, label: str, query: Mapping[str, str] | None = None) -> None:
    """A link to a page of the course in a given state, or its name as plain text where there is no navigation."""
    try:
        st.page_link(f"pages/{page}.py", label=label, icon=":material/arrow_forward:", query_params=dict(query or {}))
    except Exception:  # the page runs alone: Streamlit has no public way to ask
        st.markdown(f"*{label}*")


def ways() -> None:
    """Three ways through the course, each with its steps."""
    st.header("Three ways through it", anchor=False)
    for tab, (name, way) in zip(st.tabs([way.label for way in WAYS.values()]), WAYS.items(), strict=True):
        with tab:
            st.caption(f"About {way.minutes} minutes, {len(way.stops)} steps.")
            for number, stop in enumerate(way.stops, start=1):
                told, to = st.columns([1.6, 1], vertical_alignment="center")
                told.markdown(f"{number}. {stop.do}")
                with to:
                    link(stop.page, MODULES[stop.page][0], {WAY: name})


def show_progress() -> None:
    """What this visitor has done, a file and a link of it, and the certificate."""
    done = progress()
    right = sum(len(numbers) for numbers in done.pages.values())
    total = sum(count for _, count in MODULES.values())
    st.header("What you have done", anchor=False)
    st.progress(
        right / total, text=f"{len(done.pages)} of {len(MODULES)} pages opened, {right} of {total} questions right"
    )
    with st.expander("Keep it, take it elsewhere, or have a certificate", icon=":material/workspace_premium:"):
        st.caption(
            "Nothing is stored but what the server remembers of this browser for a few hours. The file and the link "
            "say which pages you opened and which questions you answered right, and nothing else."
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.download_button(
                "Save as a file",
                as_file(done),
                "diffusion-explorer-progress.json",
                "application/json",
                on_click="ignore",
                icon=":material/save:",
                key="home_save",
            )
            st.code(f"?done={done.text()}" if done.pages else "Open a page first.", language=None, width=420)
        st.file_uploader("A file of progress", ["json"], key="home_progress", max_upload_size=1, on_change=_take)
        if problem := st.session_state.get("home_progress_problem"):
            st.error(plain(problem), icon=":material/error:")
        certificate(done)


def _take() -> None:
    """Read an uploaded file once."""
    st.session_state.pop("home_progress_problem", None)
    if (upload := st.session_state["home_progress"]) is None:
        return
    try:
        keep(from_file(upload.getvalue()).and_(progress()))
    except ValueError as error:
        st.session_state["home_progress_problem"] = f"{error}"


def certificate(done: Progress) -> None:
    """A name, and the certificate as a picture and as a PDF."""
    from explorer.lessons import certificate as paper

    name = st.text_input("Name on the certificate", max_chars=200, key="home_name", placeholder="Or leave it empty")
    try:
        name = paper.checked(name)
    except ValueError as error:
        st.error(plain(f"{error}"), icon=":material/badge:")
        return
    today = datetime.date.today()
    with st.container(horizontal=True):
        for kind, mime in (("PNG", "image/png"), ("PDF", "application/pdf")):
            st.download_button(
                f"Certificate as {kind}",
                partial(paper.made, name, done, today, kind),
                f"diffusion-explorer-certificate.{kind.lower()}",
                mime,
                on_click="ignore",
                icon=":material/workspace_premium:",
                key=f"home_certificate_{kind.lower()}",
            )
