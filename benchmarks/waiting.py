"""A class that presses Train at once: `python -m benchmarks waiting --students 12`.

So many sessions open the Geometry lab and start its default training together; each waits until its page shows the
result. What larger classes wait follows from what one training costs on a free core. Only CPU time enters that, so it
hardly depends on what else the machine does.
"""

import asyncio
import heapq
import math
import re
import statistics
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import psutil

import explorer as ex
from benchmarks.load import HOME, LENGTH, TRAINING
from benchmarks.protocol import Session, cpu_seconds
from benchmarks.tables import table
from explorer.jobs import JobManager
from explorer.lessons.geometry_lab.runs import Source, points_of
from explorer.lessons.tasks import TASKS
from tests.browser.serving import Server, serving

PAGE = "geometry_lab"
CLASSES = (12, 50, 200)
WORKERS = (2, 4, 8, 16)
PATIENCE = 60.0  # seconds that a class may wait
RUNS, STEPS = 5, 100  # of which the cost of a step is the median
LONGEST = 900.0  # seconds until this gives up
MOMENT = re.compile(r"step ([\d,]+) · [\d.]+ s · distance ([\d.]+)")


@dataclass
class Seen:
    """Of each student the seconds waited, the steps trained and the distance reached; the seconds that the page gives
    a training; CPU seconds of the server, its workers and these clients, from the first press to the last result."""

    waits: list[float] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    distances: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0
    server: float = 0.0
    workers: float = 0.0
    clients: float = 0.0


async def drive(server: Server, students: int) -> Seen:
    """All of them, once each has the page open."""
    seen, ready = Seen(), asyncio.Barrier(students + 1)
    async with asyncio.TaskGroup() as group:
        for _ in range(students):
            group.create_task(train(server.url, ready, seen))
        await ready.wait()
        before, own = cpu_seconds(server.process), time.process_time()
        await ready.wait()
    seen.server, seen.clients = cpu_seconds(server.process) - before, time.process_time() - own
    seen.workers = sum(cpu_seconds(worker) for worker in server.process.children())
    seen.errors += filter(None, [server.errors()])
    return seen


async def train(url: str, ready: asyncio.Barrier, seen: Seen) -> None:
    """One student: waits for the others, presses Train, and looks until the history of the training is there."""
    async with Session(url, PAGE, seen.errors, patience=LONGEST) as session:
        (button,) = (one for one in session.widgets("button") if one.proto.label == TRAINING[PAGE])
        seen.seconds = next(session.value(one) for one in session.sliders() if one.proto.label == LENGTH)
        await ready.wait()
        await ready.wait()
        start = time.perf_counter()
        await session.press(button)
        async with asyncio.timeout(LONGEST):
            while not (found := trained(session)):
                await asyncio.sleep(0.05)
        seen.waits.append(time.perf_counter() - start)
        seen.steps.append(found[0])
        seen.distances.append(found[1])


def trained(session: Session) -> tuple[int, float] | None:
    """The steps and the distance of the newest moment in the history of a training that has ended; else None."""
    ended = any(button.proto.label == "Resume" for button in session.widgets("button"))
    histories = [slider for slider in session.widgets("slider") if slider.proto.label == "Training history"]
    if not ended or not histories or not (moment := MOMENT.search(histories[0].proto.options[-1])):
        return None
    return int(moment[1].replace(",", "")), float(moment[2])


def step_cost() -> float:
    """CPU seconds of a training step of the lab's network; the first of the runs loads code and does not count."""
    points = ex.toy2d("swiss_roll", 2000, seed=0)
    costs = []
    for _ in range(RUNS + 1):
        start = time.process_time()
        for _event in ex.train(ex.make_denoiser_2d(0), points, ex.TrainConfig(steps=STEPS)):
            pass
        costs.append((time.process_time() - start) / STEPS)
    return statistics.median(costs[1:])


def start_cost() -> float:
    """CPU seconds of a worker that starts and takes a training of no steps."""
    training, fresh = points_of(Source("swiss_roll"))
    params = {"schedule": "flow", "prediction": "velocity", "seed": 0, "size": {}, "config": {"steps": 0}}
    manager = JobManager(TASKS, workers=1)
    try:
        job = manager.submit("alone", "train_2d", params, {"points": training.numpy(), "fresh": fresh.numpy()})
        while not job.finished:
            time.sleep(0.05)
        return sum(cpu_seconds(worker) for worker in psutil.Process().children())
    finally:
        manager.close()


def waits(students: int, workers: int, seconds: float, start: float = 0.0, within: float = 0.0) -> list[float]:
    """What each waits for the end of a training that holds a worker for `seconds`, when their presses are spread evenly
    over `within` seconds and a worker takes `start` seconds to start."""
    free, waited = [start] * workers, []
    for number in range(students):
        pressed = within * number / students
        end = max(pressed, free[0]) + seconds
        heapq.heapreplace(free, end)
        waited.append(end - pressed)
    return waited


def most_students(workers: int, seconds: float, start: float = 0.0, patience: float = PATIENCE) -> int:
    """The largest class of which nobody waits longer than `patience` when all press at once."""
    return workers * max(0, math.floor((patience - start) / seconds))


def run(arguments: Namespace) -> Iterator[str]:
    """What a class waited, what it cost, and what follows for others."""
    students, workers = arguments.students, JobManager({}).workers
    step, start = step_cost(), start_cost()
    with serving(HOME) as server:
        seen = asyncio.run(drive(server, students))
    beside = (seen.workers - workers * start - step * sum(seen.steps)) / students
    seconds = seen.seconds + beside
    rows: list[list[object]] = [
        ["seconds waited, median", statistics.median(seen.waits)],
        ["seconds waited, the last", max(seen.waits)],
        ["steps trained, median", f"{statistics.median(seen.steps):,.0f}"],
        ["distance reached, median", statistics.median(seen.distances)],
        ["CPU of a step, ms", 1000 * step],
        ["CPU of a worker's start, s", start],
        ["CPU of a training beside its steps (its history), s", beside],
        ["CPU of the server a student, s", seen.server / students],
        ["CPU of the server for a second that a student waits, ms", 1000 * seen.server / sum(seen.waits)],
        ["CPU of these clients a student, s", seen.clients / students],
        ["errors", len(seen.errors)],
    ]
    yield table(f"{students} students press Train at once, {workers} workers", ["", ""], rows)
    header = ["workers", *(f"{size} at once" for size in CLASSES), *(f"{size} in a minute" for size in CLASSES)]
    rows = [
        [
            count,
            *(_summary(waits(size, count, seconds, start, within)) for within in (0, 60) for size in CLASSES),
            most_students(count, seconds, start),
        ]
        for count in WORKERS
    ]
    title = f"Seconds waited, median and longest, where a training takes {seconds:.2f} s and every worker has a core"
    yield table(title, [*header, f"most students, at once, of whom none waits over {PATIENCE:g} s"], rows)
    yield "\n".join(seen.errors[:5])


def _summary(waited: Sequence[float]) -> str:
    return f"{statistics.median(waited):.0f}, {max(waited):.0f}"
