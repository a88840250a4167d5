"""A wire between browsers and a server that can be cut, gone dead and mended: a TCP proxy on this machine."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator

CHUNK = 2**16


class Wire:
    """Carries bytes from `port` on this machine to a server's port, until told otherwise. Any thread may tell it."""

    def __init__(self, to_port: int) -> None:
        self.to_port = to_port
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._carries = asyncio.Event()  # cleared: both ends wait, and neither is told
        self._accepts = True
        self._writers: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Reset every connection and each new one, as a network that is switched off at the laptop."""
        self._loop.call_soon_threadsafe(self._cut)

    def stall(self) -> None:
        """Carry nothing and close nothing, as a network in which packets get lost."""
        self._loop.call_soon_threadsafe(self._carries.clear)

    def mend(self) -> None:
        """Carry again; what came while it stalled is delivered."""
        self._loop.call_soon_threadsafe(self._mend)

    def _cut(self) -> None:
        self._accepts = False
        for writer in self._writers:
            writer.transport.abort()

    def _mend(self) -> None:
        self._accepts = True
        self._carries.set()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._accepts:
            writer.transport.abort()
            return
        self._writers.add(writer)
        try:
            await self._carries.wait()
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.to_port)
        except OSError:
            writer.transport.abort()
            self._writers.discard(writer)
            return
        self._writers.add(far_writer)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._carry(reader, far_writer))
            group.create_task(self._carry(far_reader, writer))
        self._writers -= {writer, far_writer}

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK):
                await self._carries.wait()
                writer.write(chunk)
                await writer.drain()
        writer.transport.abort() if reader.exception() else writer.close()

    async def _serve(self, ready: threading.Event) -> None:
        self._carries.set()
        server = await asyncio.start_server(self._meet, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        async with server:
            await server.serve_forever()


@contextlib.contextmanager
def wire(to_port: int) -> Iterator[Wire]:
    """A wire to a server on this machine until the block ends."""
    line, ready = Wire(to_port), threading.Event()

    def run() -> None:
        serving = line._loop.create_task(line._serve(ready))
        line._loop.run_forever()
        serving.cancel()
        line._mend()
        line._cut()
        line._loop.run_until_complete(asyncio.gather(*asyncio.all_tasks(line._loop), return_exceptions=True))

    thread = threading.Thread(target=run, name="wire", daemon=True)
    thread.start()
    ready.wait()
    try:
        yield line
    finally:
        line._loop.call_soon_threadsafe(line._loop.stop)
        thread.join()
        line._loop.close()
