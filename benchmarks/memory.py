"""Does the server grow? `python -m benchmarks memory --reruns 1000` moves the sliders of each page that often, in turn.

The first half fills what the app keeps on purpose, which is bounded; what the second half adds is a leak.
"""

import asyncio
import sys
from argparse import Namespace
from collections.abc import Iterator
from itertools import count, islice

from benchmarks.protocol import Session, own_memory, pss, rest
from benchmarks.tables import table
from tests.browser.serving import Server, serving

HOME = "Home.py"


async def growth(server: Server, page: str, reruns: int) -> list[float]:
    """The server's own memory, MiB, before any, after half and after all of `reruns` moves of a page's sliders.

    Raises `RuntimeError` when the page shows an exception.
    """
    async with Session(server.url, page) as session:
        sizes = [await settled(server)]
        for half in (reruns // 2, reruns - reruns // 2):
            await move(session, half)
            sizes.append(await settled(server))
        if session.errors:
            raise RuntimeError(f"{page} shows {session.errors[0]}")
    return sizes


async def move(session: Session, moves: int) -> None:
    """The sliders in turn, each on to its next value, and from its last one to its first."""
    for turn in islice(count(), moves):
        sliders = session.sliders()
        slider = sliders[turn % len(sliders)]
        values = slider.values()
        await session.change(slider, values[(values.index(session.value(slider)) + 1) % len(values)])


async def settled(server: Server) -> float:
    await rest(server.process)
    return own_memory(server.process)


async def every_page(reruns: int) -> list[list[object]]:
    rows: list[list[object]] = []
    with serving(HOME) as server:
        async with Session(server.url) as session:
            pages = {page.url_pathname: page.page_name for page in session.pages}
        for path, name in pages.items():
            async with Session(server.url, path) as session:
                if not session.sliders():
                    continue
            print(f"  {name}", file=sys.stderr)
            sizes = await growth(server, path, reruns)
            each = 1024 * (sizes[2] - sizes[1]) / (reruns - reruns // 2)
            rows.append([name, *(f"{size:.0f}" for size in sizes), f"{each:.1f}", f"{pss(server.process):.0f}"])
    return rows


def run(arguments: Namespace) -> Iterator[str]:
    """Memory of the server while the sliders of each page move."""
    half = arguments.reruns // 2
    header = ["", "before", f"after {half}", f"after {arguments.reruns}", "KiB a rerun, second half", "PSS at the end"]
    title = "Memory of the server that is its own, MiB, by reruns"
    yield table(title, header, asyncio.run(every_page(arguments.reruns)))
