"""What a server does before anybody comes."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from streamlit.runtime.pages_manager import PagesManager

from explorer.ui import work


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """Load in the background what the first visitor would wait for; pages are served meanwhile.

    Streamlit takes a folder named pages for its older kind of navigation until `st.navigation` is first called, and
    would show the first visitor a page without the course, and a wide sidebar: it is told now.
    """
    PagesManager.uses_pages_directory = False
    threading.Thread(target=load, name="load", daemon=True).start()
    yield


def load() -> None:
    """Import torch, and what the welcome page computes with."""
    work.share_cores()
    from explorer.lessons.geometry_lab.runs import Source, points_of

    points_of(Source("swiss_roll"))
    import explorer.ui.geometry_lab.models
    import explorer.ui.player  # noqa: F401
