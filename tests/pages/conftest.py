"""What the page tests share: a page opened as a person with some URL opens it, and what the player was sent."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]
Buffer = tuple[dict[str, Any], dict[str, np.ndarray]]


@pytest.fixture(scope="session")
def open_page() -> Iterator[Callable[..., AppTest]]:
    """`open_page(script, visitor=None, **query)` has run once, without an error; its workers end with the tests.

    `visitor` is the name in the person's cookie, for a reload and for a second tab.
    """
    from explorer.ui import work

    def opened(script: str, visitor: str | None = None, **query: str | list[str]) -> AppTest:
        app = AppTest.from_file(ROOT / script, default_timeout=120)
        app.query_params.update(query)
        if visitor:
            app.session_state["visitor"] = visitor
        app.run()
        assert not app.exception
        return app

    yield opened
    work.manager().close()
    work.manager.clear()


@pytest.fixture(scope="session")
def sent() -> Callable[[AppTest, str], Buffer]:
    """`sent(app, "player")` is what the component was given: meta and arrays, as buffer.js reads them."""

    def read(app: AppTest, component: str) -> Buffer:
        protos = [element.proto for element in app.get("bidi_component")]
        content = next(proto.bytes for proto in protos if proto.component_name == f"explorer_{component}")
        start = 4 + int.from_bytes(content[:4], "little")
        header = json.loads(content[4:start])
        arrays = {
            name: np.frombuffer(
                content, f"<{about['dtype']}", int(np.prod(about["shape"])), start + about["offset"]
            ).reshape(about["shape"])
            for name, about in header["arrays"].items()
        }
        return header["meta"], arrays

    return read
