"""A class at once: `python -m benchmarks load --sessions 50 --seconds 120 --training 4`.

Each session visits the pages in an order of its own and moves some slider to some value every 2 to 6 seconds, while
further sessions train in the Geometry lab and in the Training lab. A move lasts from its message to the end of the
rerun that answers it. All is on this machine: the clients take part of its CPU, and the table says how much.
"""

import asyncio
import random
import statistics
import time
from argparse import Namespace
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from itertools import cycle, islice

from benchmarks import sessions
from benchmarks.protocol import Session, cpu_seconds, pss
from benchmarks.tables import percentile_95, table
from tests.browser.serving import Server, serving

HOME = "Home.py"
TRAINING = {"geometry_lab": "Train", "training_lab": "Start"}  # page, and what its button says
PAUSE = (2.0, 6.0)  # seconds between two moves
LENGTH = "Seconds"  # of a training, where its page has such a slider
WATCHES = 4.0  # seconds between two looks of a page at its training, or at the queue, at most
SHOWN = 5  # errors
BUDGET = 1  # second, for 95 % of moves
IDLE_BUDGET = 3  # MiB
MARKED = 20  # sessions that look for each other's words


@dataclass
class Seen:
    """Seconds of each move and each page opened, errors, and trainings started; MiB of the server before and after,
    seconds that all lasted, and CPU seconds of the server and of these clients."""

    moves: list[float] = field(default_factory=list)
    openings: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    trainings: int = 0
    memory: tuple[float, float] = (0.0, 0.0)
    lasted: float = 0.0
    cpu: tuple[float, float] = (0.0, 0.0)


async def drive(server: Server, students: int, seconds: float, training: int) -> Seen:
    """Every session for `seconds`, once somebody has opened every page."""
    async with Session(server.url) as first:
        for page in first.pages:
            await first.go(page)
    before, spent, own = pss(server.process), cpu_seconds(server.process), time.process_time()
    seen, start = Seen(), time.monotonic()
    until = start + seconds
    trainers = [train(server.url, page, until, seen) for page in islice(cycle(TRAINING), training)]
    visitors = [visit(server.url, random.Random(number), until, seen) for number in range(students)]
    async with asyncio.TaskGroup() as group:
        for visitor in (*trainers, *visitors):
            group.create_task(noting(visitor, seen))
        await asyncio.sleep(seconds)
        seen.memory = before, pss(server.process)
    seen.lasted = time.monotonic() - start
    seen.cpu = cpu_seconds(server.process) - spent, time.process_time() - own
    seen.errors += filter(None, [server.errors()])
    return seen


async def noting(visitor: Coroutine[None, None, None], seen: Seen) -> None:
    """Whatever breaks a session is an error of it, and stops no other."""
    try:
        await visitor
    except Exception as error:
        seen.errors.append(f"{type(error).__name__}: {error}")


async def visit(url: str, chance: random.Random, until: float, seen: Seen) -> None:
    """One session: pages and sliders by chance."""
    await asyncio.sleep(chance.uniform(0, min(PAUSE[1], (until - time.monotonic()) / 4)))
    async with Session(url, errors=seen.errors) as session:
        seen.openings.append(session.opened)
        pages = chance.sample(session.pages, len(session.pages))
        moves = max(1, round((until - time.monotonic()) / statistics.mean(PAUSE) / len(pages)))
        for page in cycle(pages):
            seen.openings.append(await session.go(page))
            for _ in range(moves):
                await asyncio.sleep(chance.uniform(*PAUSE))
                if not (sliders := session.sliders()):
                    continue
                slider = chance.choice(sliders)
                value = chance.choice([value for value in slider.values() if value != session.value(slider)])
                seen.moves.append(await session.change(slider, value))
                if time.monotonic() > until:
                    return


async def train(url: str, page: str, until: float, seen: Seen) -> None:
    """One session that trains again and again, as long at once as the page lets it."""
    async with Session(url, page, seen.errors) as session:
        for slider in session.sliders():
            if slider.proto.label == LENGTH:
                await session.change(slider, slider.values()[-1])
        while time.monotonic() < until:
            buttons = {button.proto.label: button for button in session.widgets("button")}
            watched = any(interval <= WATCHES for interval, _ in session.auto_reruns.values())
            if watched or TRAINING[page] not in buttons:  # nothing is watched while the page runs anew
                await asyncio.sleep(0.5)
                continue
            await session.press(buttons[TRAINING[page]])
            seen.trainings += 1


def run(arguments: Namespace) -> Iterator[str]:
    """Seconds of a move and of a page opened, errors, and what the server took."""
    with serving(HOME) as server:
        seen = asyncio.run(drive(server, arguments.sessions, arguments.seconds, arguments.training))
    rows = [
        [name, len(found), *(f"{value:.2f}" for value in (statistics.median(found), percentile_95(found), max(found)))]
        for name, found in {"slider moved": seen.moves, "page opened": seen.openings}.items()
        if found
    ]
    trained = f", and {arguments.training} that started {seen.trainings} trainings" * bool(arguments.training)
    title = f"{arguments.sessions} sessions for {arguments.seconds} s{trained}; 95 % of moves may take {BUDGET} s"
    yield table(title, ["", "times", "median, s", "95 %, s", "worst, s"], rows)
    rows = [
        ["errors", len(seen.errors)],
        ["memory (PSS) once every page was opened, MiB", f"{seen.memory[0]:.0f}"],
        ["memory (PSS) with all sessions, MiB", f"{seen.memory[1]:.0f}"],
        ["CPU of the server a move or opening, ms", f"{1000 * seen.cpu[0] / len(seen.moves + seen.openings):.0f}"],
        ["cores that the server had", f"{seen.cpu[0] / seen.lasted:.2f}"],
        ["cores that the clients had", f"{seen.cpu[1] / seen.lasted:.2f}"],
    ]
    yield table("What the server took", ["", ""], rows)
    yield "\n".join(list(dict.fromkeys(seen.errors))[:SHOWN])
    with serving(HOME) as server:
        yield asyncio.run(of_sessions(server, arguments.idle, arguments.reruns))


def whole(size: float) -> str:
    return f"{size:.0f}"


async def of_sessions(server: Server, many: int, reruns: int) -> str:
    """What many sessions cost, keep apart and leave behind, on a server where somebody has opened every page."""
    async with Session(server.url) as first:
        for page in first.pages:
            await first.go(page)
        pages = [page.url_pathname for page in first.pages if page.url_pathname]
    reached = await sessions.idle(server, pages, many)
    rows: list[list[object]] = [
        ["server (PSS) before, MiB", whole(reached.before)],
        [
            f"each of {many} idle sessions, MiB; budget {IDLE_BUDGET}",
            f"{(reached.here[0] - reached.before) / many:.2f}",
        ],
        [
            f"server when such a class had come and gone, {len(reached.gone)} times, MiB",
            ", ".join(map(whole, reached.gone)),
        ],
    ]
    links = [await sessions.link(server, scene, seed, many) for scene, seed in sessions.seeded()]
    own, errors = await sessions.apart(server, pages, MARKED)
    sizes = await sessions.flat(server, pages, reruns)
    rows += [
        [f"own memory before {reruns} moves over all pages, MiB", whole(sizes[0])],
        ["after half of them", whole(sizes[1])],
        ["after all", whole(sizes[2])],
    ]
    opened = [
        [
            one.title,
            sum(one.alone.values()),
            sum(one.together.values()),
            ", ".join(one.more) or "nothing",
            *(f"{found(one.seconds):.2f}" for found in (statistics.median, percentile_95)),
        ]
        for one in links
    ]
    title = f"A scene's link opened by {many} sessions within {sessions.WITHIN:g} s, in a state that is new"
    header = ["scene", "computed for one", "for all", "more often than for one", "median, s", "95 %, s"]
    return "\n".join(
        [
            table("Sessions that do nothing, and those that are gone", ["", ""], rows),
            table(title, header, opened),
            table(
                f"{MARKED} sessions that write a word of their own everywhere, some of them as the name of a training",
                ["", ""],
                [["messages with a session's own word", own], ["with another's, or errors", len(errors)]],
            ),
            *list(dict.fromkeys(errors))[:SHOWN],
        ]
    )
