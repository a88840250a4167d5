"""What a server prepares before anybody comes."""

import asyncio
import threading

from explorer.ui.server import loading


def test_who_waits_for_a_file_keeps_nobody_from_another() -> None:
    """A download whose file is still to be made holds a thread of asyncio's pool, as `asyncio.to_thread` does."""
    drawn = threading.Event()

    async def a_class() -> str:
        async with loading()(None):
            waiting = [asyncio.create_task(asyncio.to_thread(drawn.wait, 60)) for _ in range(100)]
            await asyncio.sleep(0)
            quick = await asyncio.wait_for(asyncio.to_thread(lambda: "a small file"), 30)
            assert not any(task.done() for task in waiting)
            drawn.set()
            assert all(await asyncio.gather(*waiting))
            return quick

    assert asyncio.run(a_class()) == "a small file"
