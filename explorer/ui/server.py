"""What a server does before anybody comes, and where a page fails."""

import asyncio
import logging
import sys
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module
from typing import Any

import streamlit as st
from starlette.formparsers import MultiPartParser
from streamlit import config
from streamlit.runtime.pages_manager import PagesManager

from explorer import logs, settings
from explorer.files import AssetError
from explorer.jobs import Job
from explorer.ui import tabs, work

DOWNLOADS = 250  # at once: each holds a thread while its file is made, and one of figures waits for its turn first


def say(error: Exception) -> bool:
    """Where a file of the app is missing or damaged, its sentence stands in the page, in place of what needed it;
    whether this was such an error. The server's log has every error."""
    tabs.failed(error)
    if isinstance(error, AssetError):
        st.error(str(error), icon=":material/broken_image:")
        return True
    return False


def loading(*modules: str) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """The lifespan of an app that imports `modules` in the background, those that the first visitor would wait for.

    A setting that cannot be ends the server, with its sentence.
    """
    try:
        chosen = settings.read()
    except settings.SettingError as error:
        sys.exit(str(error))
    if chosen.logs == "json":
        logs.begin()
        config.set_option("logger.messageFormat", logs.FORMAT)
        config.set_option("logger.enableRich", False)  # it prints errors with what they quote, and in colours
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # below, it tells the addresses of visitors
        work.WATCHERS.append(tell_of_job)
        tabs.WATCHERS.append(logs.tell)
    if chosen.metrics:
        from explorer.ui import metrics

        try:
            metrics.begin(*chosen.metrics)
        except (ImportError, OSError) as error:
            sys.exit(f"{settings.PREFIX}METRICS: {error}.")

    def load() -> None:
        work.share_cores()
        for name in modules:
            import_module(name)

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        # Streamlit takes a folder named pages for its older kind of navigation until `st.navigation` is first called,
        # and would show the first visitor a page without the course, and a wide sidebar.
        PagesManager.uses_pages_directory = False
        # asyncio's own pool has six threads on two cores: six who wait would keep everybody from every download.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(DOWNLOADS, "download"))
        # Starlette writes uploads above 1 MB to a disk on their way into memory; the pages say that none goes there.
        MultiPartParser.spool_max_size = 2**20 * (st.get_option("server.maxUploadSize") + 1)
        threading.Thread(target=load, name="loading", daemon=True).start()
        yield

    return lifespan


def tell_of_job(job: Job) -> None:
    """One line of the log."""
    logs.tell("job ended", task=job.task, state=job.state, seconds=round(job.seconds, 2))
