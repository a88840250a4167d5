"""The benchmarks' client on an app that holds one of everything; tests/browser holds it against Chromium."""

import asyncio
from collections.abc import Iterator

import pytest

from benchmarks.protocol import Session, Widget, cpu_seconds, rest
from tests.browser.serving import Server, serving


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving("tests/benchmarks/every_app.py") as server:
        yield server


def named(session: Session, kind: str, label: str) -> Widget:
    (widget,) = (widget for widget in session.widgets(kind) if widget.proto.label == label)
    return widget


def labels(session: Session) -> list[str]:
    return [slider.proto.label for slider in session.sliders()]


def test_a_fragment_brings_its_sliders_and_takes_them_away(server: Server) -> None:
    async def visit() -> None:
        async with Session(server.url) as session:
            count = named(session, "slider", "Count")
            assert count.fragment
            assert (count.key, count.values(), session.value(count)) == ("count", [0, 1, 2, 3], 1)
            assert labels(session) == ["Count", "Part 0"]
            await session.change(count, 3)
            assert labels(session) == ["Count", "Part 0", "Part 1", "Part 2"]
            last = named(session, "slider", "Part 2")
            await session.change(last, "high")
            await session.change(count, 0)
            assert labels(session) == ["Count"]
            await session.change(count, 3)
            assert session.value(last) == "low"

    asyncio.run(visit())


def test_what_the_script_sets_is_what_the_client_sends_next(server: Server) -> None:
    async def visit() -> None:
        async with Session(server.url) as session:
            await session.press(named(session, "button", "Three"))
            assert session.value(named(session, "slider", "Count")) == 3
            assert len(labels(session)) == 4
            choice = named(session, "selectbox", "Set")
            assert session.value(choice) is None
            await session.change(choice, "two")
            assert session.value(choice) == "two"
            assert len(labels(session)) == 4

    asyncio.run(visit())


def test_a_fragment_that_runs_every_so_often_does_so_until_it_is_gone(server: Server) -> None:
    async def visit() -> None:
        async with Session(server.url) as session:
            await session.change(named(session, "checkbox", "Clock"), True)
            ((interval, _),) = session.auto_reruns.values()
            assert interval == pytest.approx(0.2)
            received = session.received
            await asyncio.sleep(1)
            assert session.received > received
            await session.change(named(session, "checkbox", "Clock"), False)
            assert session.auto_reruns == {}

    asyncio.run(visit())


def test_what_the_client_has_is_not_sent_again(server: Server) -> None:
    async def visit() -> None:
        async with Session(server.url) as session:
            first = session.received
            await session.change(named(session, "slider", "Count"), 2)
            await session.rerun()
            assert first > 25_000 > session.received - first

    asyncio.run(visit())


def test_an_exception_on_the_page_is_an_error(server: Server) -> None:
    async def visit() -> None:
        async with Session(server.url) as session:
            assert session.errors == []
            await session.press(named(session, "button", "Raise"))
            assert len(session.errors) == 1

    asyncio.run(visit())


def test_a_server_that_ends_is_an_error() -> None:
    async def visit() -> None:
        with serving("benchmarks/bare.py") as server:
            async with Session(server.url) as session:
                server.process.kill()
                with pytest.raises(ConnectionError):
                    await session.rerun()

    asyncio.run(visit())


def test_cpu_is_that_of_the_server(server: Server) -> None:
    async def visit() -> None:
        before = await rest(server.process)
        async with Session(server.url):
            assert await rest(server.process) > before
        times = server.process.cpu_times()
        assert cpu_seconds(server.process) == pytest.approx(times.user + times.system, abs=0.1)

    asyncio.run(visit())
