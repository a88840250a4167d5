"""Waiting for what a job does."""

import time
from collections.abc import Callable
from typing import Any

from streamlit.testing.v1 import AppTest


def until(app: AppTest, condition: Callable[[], Any], seconds: float = 240) -> AppTest:
    """Rerun as the page's own clock does until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        said = [element.value for element in (*app.error, *app.warning)]
        assert time.monotonic() < end, f"it did not happen in time; the page says {said}"
        time.sleep(0.1)
        app.run()
        assert not app.exception
    return app
