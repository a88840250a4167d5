"""The figures of a page as files: gathered in one run of it, when somebody asks, and drawn at its end.

A chart, a sheet, a film or a player tells `keep` how it can be kept; that is called while a page is gathered only.
What is gathered lies in files without names, which are gone with the session's next run of a page or with the session.
"""

import logging
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import IO

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.charts.slides.figures import Figure, Table

COMMAND = [sys.executable, "-P", "-m", "explorer.charts.slides"]
ROOT = Path(__file__).parents[2]
LONGEST = 300  # seconds that the drawing of a page may take
_OPEN, _KEPT, _WANTED = "gathering_open", "gathering_kept", "gathering_wanted"
_drawing = Lock()  # one page at a time: each takes a process of 150 MB


@dataclass(frozen=True)
class Gathered:
    """What a page showed: how many of it are drawn, and files of the figures, pickled, and of the pictures, a ZIP."""

    count: int
    figures: IO[bytes]
    pictures: IO[bytes]


def begin(page: str) -> None:
    """A run of a page begins: gather it where that was wanted, and forget what was gathered before."""
    for name in (_OPEN, _KEPT):
        st.session_state.pop(name, None)
    if st.session_state.get(_WANTED) == page:
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
    st.session_state.pop(_WANTED, None)
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
    count = sum(not isinstance(figure, Table) for figure in figures)
    gathered = Gathered(count, tempfile.TemporaryFile(), tempfile.TemporaryFile())  # noqa: SIM115
    pickle.dump((figures, page), gathered.figures)
    place = st.empty()
    drawn = draw(gathered, place)
    st.session_state[_KEPT] = gathered
    if drawn:
        place.markdown(
            f"**{count} figure{'s' * (count != 1)}**, as the page stood when you pressed the button. After a change, "
            "gather again."
        )
    else:
        place.error(
            "The figures could not be drawn; the terminal of the app says why. Their data are here.",
            icon=":material/error:",
        )
    with st.container(horizontal=True):
        if drawn:
            st.download_button(
                "Figures, 1920 x 1080",
                lambda: content(gathered.pictures),
                f"diffusion-explorer-{name}-figures.zip",
                "application/zip",
                on_click="ignore",
                icon=":material/slideshow:",
                key=f"gather_{name}_figures",
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


def draw(gathered: Gathered, place: DeltaGenerator) -> bool:
    """Draw the pictures in a process of its own, and say at `place` how it goes; False where it fails.

    Whoever changes something on the page meanwhile ends it.
    """
    while not _drawing.acquire(timeout=0.5):
        place.caption("Waiting: another page's figures are being drawn.")
    try:
        gathered.figures.seek(0)
        process = subprocess.Popen(
            COMMAND,
            stdin=gathered.figures,
            stdout=gathered.pictures,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))},
        )
        began = time.monotonic()
        try:
            while process.poll() is None and (seconds := time.monotonic() - began) < LONGEST:
                place.caption(f"Drawing {gathered.count} figures, each in two themes: {seconds:.0f} s.")
                time.sleep(0.2)
        finally:
            process.kill()
            code = process.wait()
    finally:
        _drawing.release()
    if code:
        logging.getLogger(__name__).error("The figures could not be drawn: exit code %s", code)
    return code == 0


def content(file: IO[bytes]) -> bytes:
    """All of a file."""
    file.seek(0)
    return file.read()


def data_of(gathered: Gathered) -> bytes:
    """The data of the figures as a ZIP file."""
    from explorer.charts.slides.files import data_zip

    return data_zip(*pickle.loads(content(gathered.figures)))


def _want(page: str) -> None:
    st.session_state[_WANTED] = page
