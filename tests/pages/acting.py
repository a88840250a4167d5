"""What a person does on a page and reads there, and waiting for what a job does."""

import time
from collections.abc import Callable
from typing import Any

from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Radio


def labels(app: AppTest) -> set[str]:
    """Of the buttons of a page, but for the one that every page has at its end."""
    return {button.label for button in app.button} - {"Gather them"}


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception
    return app


def ask(app: AppTest, prefix: str) -> list[Radio]:
    """Open the questions of a page; `prefix` is that of its widget keys."""
    app.session_state[f"{prefix}_questions"] = True
    app.run()
    assert not app.exception
    return [radio for radio in app.radio if "_question_" in (radio.key or "")]


def said(app: AppTest) -> list[str]:
    return [element.value for element in (*app.error, *app.warning)]


def until(app: AppTest, condition: Callable[[], Any], seconds: float = 240) -> AppTest:
    """Rerun as the page's own clock does until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"it did not happen in time; the page says {said(app)}"
        time.sleep(0.1)
        app.run()
        assert not app.exception
    return app
