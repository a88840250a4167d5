"""Broken files are told where they are needed and nowhere else; and the wire that the faults are made with."""

import asyncio
import socket
import socketserver
import threading
from collections.abc import Iterator

import pytest

from benchmarks.faults import BROKEN, break_file, copied, errors_by_page, serving_copy
from benchmarks.wire import wire


def test_pages_that_need_a_broken_file_say_so_and_the_others_work() -> None:
    with copied() as folder:
        for name, (how, _) in BROKEN.items():
            break_file(folder / "assets" / name, how)
        with serving_copy(folder) as server:
            found = asyncio.run(errors_by_page(server.url))
    for name, (how, page) in BROKEN.items():
        (said,) = found.pop(page)
        assert f"assets/{name}, which is {'missing' if how == 'missing' else 'cut short or was changed'}" in said
    assert found
    assert not any(found.values()), found


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while content := self.request.recv(100):
            self.request.sendall(content)


@pytest.fixture(scope="module")
def echo() -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def says(connection: socket.socket, content: bytes) -> bytes:
    connection.sendall(content)
    return connection.recv(100)


def test_a_wire_carries_until_it_is_cut_and_again_when_it_is_mended(echo: int) -> None:
    with wire(echo) as line:
        with socket.create_connection(("127.0.0.1", line.port), 30) as connection:
            assert says(connection, b"here") == b"here"
            line.cut()
            with pytest.raises(ConnectionError):
                says(connection, b"gone") or says(connection, b"gone")
        with pytest.raises(ConnectionError), socket.create_connection(("127.0.0.1", line.port), 30) as refused:
            says(refused, b"still gone") or says(refused, b"still gone")
        line.mend()
        with socket.create_connection(("127.0.0.1", line.port), 30) as connection:
            assert says(connection, b"again") == b"again"


def test_a_silent_wire_delivers_late(echo: int) -> None:
    with wire(echo) as line, socket.create_connection(("127.0.0.1", line.port), 30) as connection:
        assert says(connection, b"here") == b"here"
        line.stall()
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            says(connection, b"late")
        line.mend()
        connection.settimeout(30)
        assert connection.recv(100) == b"late"
