"""The figures of a page as files: they are gathered in one run of it, when somebody asks, and made when downloaded.

A chart, a sheet, a film or a player tells `keep` how it can be kept; that is called while a page is gathered only.
What is gathered lies in a file without a name, which is gone with the session's next run or with the session.
"""

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import IO

import streamlit as st

from explorer.charts.slides.figures import Figure, Table

ROOT = Path(__file__).parents[2]
LONGEST = 300  # seconds that the drawing of a page may take
_OPEN, _KEPT, _WANTED = "gathering_open", "gathering_kept", "gathering_wanted"
_drawing = Lock()  # one page at a time: each takes a process of 130 MB


@dataclass(frozen=True)
class Gathered:
    """What a page showed: how many figures and tables, and the figures themselves in a file, pickled."""

    page: str
    figures: int
    tables: int
    file: IO[bytes]

    def content(self) -> bytes:
        self.file.seek(0)
        return self.file.read()


def begin(page: str) -> None:
    """A run of a page begins: gather it where that was wanted, and forget what was gathered before."""
    for name in (_OPEN, _KEPT):
        st.session_state.pop(name, None)
    if st.session_state.get(_WANTED) == page:
        st.session_state[_OPEN] = []


def keep(make: Callable[[], Figure]) -> None:
    """Keep a figure where the page is being gathered; otherwise `make` is not called."""
    figures: list[Figure] | None = st.session_state.get(_OPEN)
    if figures is not None:
        figures.append(make())


def end(page: str) -> Gathered | None:
    """The page is whole: what was gathered, where it was wanted."""
    figures: list[Figure] | None = st.session_state.pop(_OPEN, None)
    st.session_state.pop(_WANTED, None)
    if figures is None:
        return None
    file = tempfile.TemporaryFile()  # noqa: SIM115  (the session keeps it)
    pickle.dump((figures, page), file)
    tables = sum(isinstance(figure, Table) for figure in figures)
    gathered = Gathered(page, len(figures) - tables, tables, file)
    st.session_state[_KEPT] = gathered
    return gathered


def figures_of(gathered: Gathered) -> bytes:
    """The figures as a ZIP file, drawn in a process of their own. Raises RuntimeError where it fails."""
    content = gathered.content()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    with _drawing:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "explorer.charts.slides"],
            input=content,
            capture_output=True,
            env=environment,
            timeout=LONGEST,
        )
    if done.returncode:
        raise RuntimeError(f"the figures of {gathered.page} could not be drawn: {done.stderr.decode()[-2000:]}")
    return done.stdout


def data_of(gathered: Gathered) -> bytes:
    """The data of the figures as a ZIP file."""
    from explorer.charts.slides.files import data_zip

    return data_zip(*pickle.loads(gathered.content()))


def _want(page: str) -> None:
    st.session_state[_WANTED] = page


def take_away(page: str, name: str) -> None:
    """The end of a page: its figures and their data as files, as soon as they are gathered. `name` is the page's, for
    the files."""
    gathered = end(page)
    with st.expander("Figures and data of this page", icon=":material/slideshow:", expanded=gathered is not None):
        if gathered is None:
            st.markdown(
                "Every chart, picture and film that the page shows now, at 1920 x 1080 in the light and in the dark "
                "theme, for slides; and the numbers behind them."
            )
            st.button("Gather them", on_click=_want, args=(page,), icon=":material/inventory_2:", key=f"gather_{name}")
            return
        if not gathered.figures:
            st.markdown("The page shows no figure now.")
            return
        st.markdown(
            f"**{gathered.figures} figure{'s' * (gathered.figures > 1)}**, as the page stood when you pressed the "
            "button. After a change, gather again."
        )
        with st.container(horizontal=True):
            st.download_button(
                "Figures, 1920 x 1080",
                lambda: figures_of(gathered),
                f"diffusion-explorer-{name}-figures.zip",
                "application/zip",
                on_click="ignore",
                icon=":material/slideshow:",
                key=f"gather_{name}_figures",
                help="Drawn when you press it, which takes a few seconds.",
            )
            st.download_button(
                "Data",
                lambda: data_of(gathered),
                f"diffusion-explorer-{name}-data.zip",
                "application/zip",
                on_click="ignore",
                icon=":material/table:",
                key=f"gather_{name}_data",
                help="Tables as CSV, images as PNG, films and paths as NPZ, and a list of what each file is.",
            )
            st.button("Gather again", on_click=_want, args=(page,), icon=":material/refresh:", key=f"gather_{name}")
