"""Fresh traces: they find what the table has, and are answered from then on."""

from dataclasses import asdict, replace

import pytest

from explorer.hardware import traces
from explorer.hardware.systems import ATTENTION, Asked, asked_by_default, denoising, phases, systems
from explorer.jobs.events import Event, JobError
from explorer.lessons.build_your_rig.task import absorb, trace_system

pytest.importorskip("diffusers")


@pytest.fixture(autouse=True)
def nothing_traced() -> None:
    traces._fresh.clear()


def traced(key: str, asked: Asked) -> list[Event]:
    return list(trace_system({"system": key, "asked": asdict(asked)}, {}, lambda: False))


@pytest.mark.parametrize("attention", ATTENTION)
def test_it_finds_what_the_table_has(attention: str) -> None:
    system = systems()["sd15"]
    asked = replace(asked_by_default(system), guided=False, attention=attention)
    before = phases(system, asked)
    for event in traced("sd15", asked):
        if event.kind.startswith("traced"):
            absorb(event)
    assert len(traces._fresh) == 2
    assert phases(system, asked) == before


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("sd15", {"height": 640, "width": 640, "batch": 3}),
        ("sd15", {"height": 1024, "width": 1024, "tiling": True}),
        ("wan21-1.3b", {"frames": 33}),
    ],
)
def test_what_was_interpolated_is_near_and_is_then_computed(key: str, change: dict[str, int]) -> None:
    system = systems()[key]
    asked = replace(asked_by_default(system), **change)  # type: ignore[arg-type]
    guess = denoising(system, asked)[0]
    events = traced(key, asked)
    for event in events:
        if event.kind.startswith("traced"):
            absorb(event)
    alive, _, computed = denoising(system, asked)
    assert computed
    assert guess == pytest.approx(alive, rel=0.02)
    assert all(phase.computed for phase in phases(system, asked))
    spent = events[-1].data
    assert spent["seconds"] > 0
    assert spent["bytes"] > 50 * 2**20


def test_a_setting_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 8"):
        traced("sd15", Asked(515, 512))


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError("no module named diffusers")

    monkeypatch.setattr("explorer.hardware.tracing.component", missing)
    with pytest.raises(JobError, match="install the app with its extra `rig`"):
        traced("sd15", asked_by_default(systems()["sd15"]))
