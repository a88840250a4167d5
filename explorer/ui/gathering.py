"""The figures of a page as files: gathered in one run of it, when somebody asks, and drawn when they are downloaded.

A chart, a sheet, a film or a player tells `keep` how it can be kept; that is called while a page is gathered only.
What is gathered lies in memory, until the session's next run of a page.
"""

import subprocess
import sys
from collections.abc import Callable
from threading import Lock, Semaphore

import streamlit as st

from explorer.charts.slides.figures import Figure, Table
from explorer.charts.slides.message import packed, unpacked
from explorer.hardware.limits import allowed_memory, available_cores
from explorer.jobs.process import with_explorer
from explorer.once import once

COMMAND = [sys.executable, "-P", "-m", "explorer.charts.slides"]
LONGEST = 120  # seconds that the drawing of a page may take
PATIENCE = 180  # seconds until a browser gives a download up
KEPT = 8  # drawn pages, of 1 to 2 MB each
MEMORY = 2 * 2**30  # bytes of a machine for each drawing at once: it takes 150 MB, and pages and workers the rest
_OPEN, _KEPT, _WANTED = "gathering_open", "gathering_kept", "gathering_wanted"


def at_once() -> int:
    """How many pages are drawn at the same time, each by a process of its own: as the cores and the memory allow."""
    return max(1, min(available_cores(), (allowed_memory() or 0) // MEMORY))


_drawers = Semaphore(at_once())
_counting, _asked = Lock(), 0  # pages that are being drawn, or wait for that


def begin(page: str) -> None:
    """A run of a page begins: gather it where that was wanted, and forget what was gathered before."""
    for name in (_OPEN, _KEPT):
        st.session_state.pop(name, None)
    if st.session_state.pop(_WANTED, None) == page:
        st.session_state[_OPEN] = {}


def keep(make: Callable[[], Figure]) -> None:
    """Keep a figure where the page is being gathered; otherwise `make` is not called.

    One of the same kind and title takes the place of the earlier one, as on a page that draws it as it grows.
    """
    figures: dict[tuple[type, str], Figure] | None = st.session_state.get(_OPEN)
    if figures is not None:
        figure = make()
        figures[type(figure), figure.title] = figure


def take_away(page: str, name: str) -> None:
    """The end of a page: its figures and their data as files, as soon as they are gathered. `name` is the page's, for
    the files."""
    figures: dict[tuple[type, str], Figure] | None = st.session_state.pop(_OPEN, None)
    with st.expander("Figures and data of this page", icon=":material/slideshow:", expanded=figures is not None):
        if figures is None:
            st.markdown(
                "Every chart, picture and film that the page shows now, at 1920 x 1080 in the light and in the dark "
                "theme, for slides; and the numbers behind them."
            )
            st.button("Gather them", on_click=_want, args=(page,), icon=":material/inventory_2:", key=f"gather_{name}")
        elif figures:
            _offer(list(figures.values()), page, name)
        else:
            st.markdown("The page shows no figure now.")


def _offer(figures: list[Figure], page: str, name: str) -> None:
    kept = packed(figures, page)
    st.session_state[_KEPT] = kept  # for scripts/lecture_figures.py
    count = sum(not isinstance(figure, Table) for figure in figures)
    st.markdown(
        f"**{count} figure{'s' * (count != 1)}**, as the page stood when you pressed the button. After a change, "
        f"gather again. The pictures are drawn when you download them, which takes some seconds{_behind()}. The same "
        "figures are drawn once for everybody who asks. Should the button give up, which it does after "
        f"{PATIENCE // 60} minutes, press it again: what is drawn meanwhile is kept for a while."
    )
    with st.container(horizontal=True):
        if count:
            st.download_button(
                "Figures, 1920 x 1080",
                lambda: draw(kept),
                f"diffusion-explorer-{name}-figures.zip",
                "application/zip",
                on_click="ignore",
                icon=":material/slideshow:",
                key=f"gather_{name}_figures",
            )
        st.download_button(
            "Data",
            lambda: data_of(kept),
            f"diffusion-explorer-{name}-data.zip",
            "application/zip",
            on_click="ignore",
            icon=":material/table:",
            key=f"gather_{name}_data",
            help="Tables as CSV, images as PNG, films and paths as NPZ, and a list of what each file is.",
        )
        st.button("Gather again", on_click=_want, args=(page,), icon=":material/refresh:", key=f"gather_{name}")


def _behind() -> str:
    """How many are before one who asks now, in words; nothing where there is nobody."""
    before = _asked
    return f", and {before} other page{' is' if before == 1 else 's are'} being drawn before yours" if before else ""


@once(KEPT)
def draw(figures: bytes) -> bytes:
    """The pictures of packed figures as a ZIP file, drawn by a process of its own: once for all who ask for the same,
    `at_once` at a time. Raises RuntimeError where that fails."""
    global _asked
    with _counting:
        _asked += 1
    try:
        with _drawers:
            return _drawn(figures)
    finally:
        with _counting:
            _asked -= 1


def _drawn(figures: bytes) -> bytes:
    try:
        done = subprocess.run(COMMAND, input=figures, stdout=subprocess.PIPE, timeout=LONGEST, env=with_explorer())
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"The figures were not drawn within {LONGEST} s.") from error
    if done.returncode:
        raise RuntimeError(f"The figures could not be drawn: exit code {done.returncode}.")
    return done.stdout


def data_of(figures: bytes) -> bytes:
    """The data of packed figures as a ZIP file."""
    from explorer.charts.slides.files import data_zip

    return data_zip(*unpacked(figures))


def _want(page: str) -> None:
    st.session_state[_WANTED] = page
