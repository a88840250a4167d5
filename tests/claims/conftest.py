"""What the tests of claims share: a page opened once for all claims on it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def open_page() -> Iterator[Callable[..., AppTest]]:
    """`open_page(script, **query)` has run once, without an error; its workers end with the tests."""
    from explorer.ui import work

    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    def opened(script: str, **query: str) -> AppTest:
        app = AppTest.from_file(ROOT / script, default_timeout=240)
        app.query_params.update(query)
        app.run()
        assert not app.exception
        return app

    yield opened
    torch.set_num_threads(threads)
    work.manager().close()
    work.manager.clear()
