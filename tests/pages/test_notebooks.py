"""Every page's notebook: it has all that the page tells, and runs where nothing but `explorer` is."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from streamlit.testing.v1 import AppTest

from explorer.lessons.notebook import as_notebook
from explorer.lessons.path import MODULES

ROOT = Path(__file__).parents[2]
Open = Callable[..., AppTest]


@pytest.mark.parametrize("page", MODULES)
def test_the_notebook_of_a_page_has_all_of_it_and_runs(
    open_page: Open, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page(f"pages/{page}.py")
    told = app.session_state["run"]
    assert {"This page as a notebook"} <= {button.label for button in app.get("download_button")}
    notebook = nbformat.reads(as_notebook(told), as_version=4)
    nbformat.validate(notebook)
    texts = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    shown = "\n".join(element.value for element in app.markdown)
    assert app.title[0].value in texts
    for line in (*told.notice, *(sentence for sentence, _ in told.mathematics), *told.references):
        assert line in texts and line in shown
    assert told.words and told.notice and told.mathematics
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert "\n".join(code).split() == app.code[0].value.split()
    assert len(code) > 1
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    run(notebook, tmp_path)


def run(notebook: Any, folder: Path) -> None:
    """Raises CellExecutionError, with the cell and what went wrong."""
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": folder}}).execute()
