"""When a page looks at its jobs again, and what it runs for that."""

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import pytest
from streamlit.proto.Element_pb2 import Element

from benchmarks.protocol import Session, shown_in
from explorer.jobs import Event, Job, JobRefused
from explorer.jobs.cluster import Cluster
from explorer.jobs.process import Processes
from explorer.ui import work
from tests.browser.serving import serving


def jobs(**states: str) -> list[Job]:
    return [
        cast(
            Job,
            SimpleNamespace(
                id=name, state=state, pending=state in ("queued", "waiting"), finished=state in ("done", "failed")
            ),
        )
        for name, state in states.items()
    ]


def test_a_page_runs_again_when_a_job_begins_and_when_it_ends() -> None:
    waits, runs, ended = (work.standing(jobs(a=state, b="queued")) for state in ("queued", "running", "done"))
    assert waits == (("a", True), ("b", True))
    assert runs == (("a", False), ("b", True))
    assert ended == (("b", True),)


def test_only_a_job_with_a_worker_makes_a_page_look() -> None:
    assert work.pace(()) is None
    assert work.pace(work.standing(jobs(a="queued", b="done"))) is None
    assert work.pace(work.standing(jobs(a="queued", b="stopping"))) == 1.0
    assert work.pace(work.standing(jobs(a="running")), 2.0) == 2.0


def test_a_class_that_waits_asks_for_a_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFUSION_EXPLORER_WORKERS", "1")

    async def press(session: Session, label: str) -> None:
        await session.press(next(button for button in session.widgets("button") if button.proto.label == label))

    async def waiting(page: str, label: str) -> list[Element]:
        """What the looks of somebody draw who waits on that page."""
        async with Session(server.url, page) as session:
            await press(session, label)
            looks = [name for name, (seconds, _) in session.auto_reruns.items() if seconds < 30]
            assert looks and session.errors == []
            return [element for look in looks for element in shown_in(session, look)]

    async def behind_another() -> list[Element]:
        async with Session(server.url, "geometry_lab") as first:
            seconds = next(slider for slider in first.sliders() if slider.proto.label == "Seconds")
            await first.change(seconds, 30.0)
            await press(first, "Train")
            async with asyncio.timeout(60):
                while not any(len(shown_in(first, look)) > 5 for look in first.auto_reruns):  # the whole stage
                    await asyncio.sleep(0.1)
            return [*await waiting("geometry_lab", "Train"), *await waiting("training_lab", "Start")]

    with serving("Home.py") as server:
        drawn = asyncio.run(behind_another())
    assert len(drawn) == 3  # the second one's, the third one's, and that in the sidebar, which is on every page
    for element in drawn:
        assert element.WhichOneof("type") == "progress"
        assert "in the queue" in element.progress.text


class Timed:
    """A job that times steps, as `work.time_factor` sees it."""

    def __init__(self, seconds: float | None, finished: bool = True) -> None:
        self.finished = finished
        self.latest = {} if seconds is None else {"pace": Event("pace", {"seconds": seconds})}

    def renew(self) -> None:
        """Somebody waits for it."""


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Timed | JobRefused]]:
    """What the manager of a cluster returns, or raises, where a job is submitted."""
    answers: list[Timed | JobRefused] = []

    def submit(session: str, task: str, params: dict[str, object]) -> Timed:
        if isinstance(answer := answers.pop(0), JobRefused):
            raise answer
        return answer

    engine = object.__new__(Cluster)
    monkeypatch.setattr(work, "manager", lambda: SimpleNamespace(engine=engine, submit=submit))
    work._timed.clear()
    yield answers
    work._timed.clear()


def test_a_training_takes_as_much_longer_as_its_steps_do_there(timed: list[Timed | JobRefused]) -> None:
    timed += [Timed(0.1), there := Timed(None, finished=False)]
    assert work.time_factor() == 1.0
    there.latest["pace"] = Event("pace", {"seconds": 0.05})
    assert work.time_factor() == 0.5
    assert timed == []


def test_where_nothing_could_be_timed_the_next_who_asks_tries_again(timed: list[Timed | JobRefused]) -> None:
    timed += [JobRefused("The server has too many jobs waiting."), Timed(0.1), Timed(None), Timed(0.1), Timed(0.3)]
    assert [work.time_factor() for _ in range(2)] == [1.0, 1.0]
    assert work.time_factor() == pytest.approx(3)


def test_on_this_machine_a_training_takes_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "manager", lambda: SimpleNamespace(engine=Processes(1)))
    assert work.time_factor() == 1.0
