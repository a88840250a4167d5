"""What many sessions cost that do nothing, what they leave when they close, what one link costs that all open at once,
and whether what one of them types reaches another."""

import asyncio
import random
import string
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any

from benchmarks.memory import move, settled
from benchmarks.protocol import Session, computations, pss, rest
from explorer.lessons.scenes import Scene, scenes
from tests.browser.serving import Server

LECTURE = "45"
SEEDS = {"geometry_lab": "geo_seed", "guided_generation": "guide_seed", "conclusion_ethics": "ethics_memory_seed"}
WITHIN = 10.0  # seconds in which a class opens a link
CLASSES = 4  # that come and go
AT_ONCE = 20  # sessions that open while nothing is timed


async def opened(url: str, pages: list[str], sessions: int, stack: AsyncExitStack) -> list[Session]:
    """So many sessions, the pages in turn, which stay until the stack is left."""
    free = asyncio.Semaphore(AT_ONCE)

    async def one(page: str) -> Session:
        async with free:
            return await stack.enter_async_context(Session(url, page, patience=300))

    return list(await asyncio.gather(*map(one, islice(cycle(pages), sessions))))


@dataclass
class Idle:
    """MiB of the server (PSS) before anybody came, and with each of some classes that do nothing, and once it is gone.

    Streamlit keeps a closed session for two minutes, 128 of them at most, and the allocator what they took.
    """

    before: float
    here: list[float] = field(default_factory=list)
    gone: list[float] = field(default_factory=list)


async def idle(server: Server, pages: list[str], sessions: int) -> Idle:
    """Classes that come and go, one after the other."""
    await rest(server.process)
    found = Idle(pss(server.process))
    for _ in range(CLASSES):
        async with AsyncExitStack() as stack:
            await opened(server.url, pages, sessions, stack)
            await rest(server.process)
            found.here.append(pss(server.process))
        await rest(server.process)
        found.gone.append(pss(server.process))
    return found


async def flat(server: Server, pages: list[str], reruns: int) -> list[float]:
    """The server's own memory, MiB, before any, after half and after all of `reruns` moves, spread over the pages."""
    sizes = [await settled(server)]
    for _ in range(2):
        for page in pages:
            async with Session(server.url, page) as session:
                if session.sliders():
                    await move(session, reruns // 2 // len(pages))
        sizes.append(await settled(server))
    return sizes


@dataclass
class Link:
    """A scene that a class opens: seconds until each had it, and how often its functions computed what is kept, for one
    who opens it and for the class."""

    title: str
    seconds: list[float]
    alone: Counter[str]
    together: Counter[str]

    @property
    def more(self) -> Counter[str]:
        """What the class computed more often than one alone."""
        return self.together - self.alone


def seeded() -> list[tuple[Scene, str]]:
    """Scenes of the lecture, one a page, and the control that gives them a state that nobody has opened yet."""
    found = {scene.page: scene for scene in reversed(scenes(LECTURE)) if scene.page in SEEDS}
    return [(scene, SEEDS[page]) for page, scene in found.items()]


async def link(server: Server, scene: Scene, seed: str, sessions: int) -> Link:
    """Somebody opens the scene in one state that is new, then a class within ten seconds in another one."""
    counts = [computations(server.url)]
    async with Session(server.url, scene.page, query={**scene.query, seed: "61"}):
        counts.append(computations(server.url))
    seconds: list[float] = []

    async def student(number: int) -> None:
        await asyncio.sleep(WITHIN * number / sessions)
        async with Session(server.url, scene.page, patience=300, query={**scene.query, seed: "62"}) as session:
            seconds.append(session.opened)
            if session.errors:
                raise RuntimeError(f"{scene.page} shows {session.errors[0]}")
            await asyncio.sleep(WITHIN)

    await asyncio.gather(*map(student, range(sessions)))
    counts.append(computations(server.url))
    return Link(scene.title, seconds, counts[1] - counts[0], counts[2] - counts[1])


class Marked(Session):
    """A session that has a word of its own, and looks for the words of others in all that it is sent."""

    def __init__(self, *args: Any, mark: str, marks: list[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self.mark, self._others = mark, [other.encode() for other in marks if other != mark]
        self.own = 0  # messages that held its own word

    def _take(self, message: Any) -> None:
        content = message.SerializeToString()
        self.own += self.mark.encode() in content
        self.errors += [f"the word of another came: {other.decode()}" for other in self._others if other in content]
        super()._take(message)


async def apart(server: Server, pages: list[str], sessions: int) -> tuple[int, list[str]]:
    """Sessions that write a word of their own into whatever takes a text, and train a run of that name: how many
    messages brought somebody their own word, and what came that should not have."""
    chance = random.Random(0)
    marks = ["".join(chance.choices(string.ascii_lowercase, k=6)) for _ in range(sessions)]
    errors: list[str] = []

    async def one(number: int) -> int:
        order = random.Random(number).sample(pages, len(pages))
        async with Marked(server.url, errors=errors, mark=marks[number], marks=marks, patience=300) as session:
            by_path = {page.url_pathname: page for page in session.pages}
            for page in order:
                await session.go(by_path[page])
                if page == "training_lab" and number % 5 == 0:
                    await session.press(next(b for b in session.widgets("button") if b.proto.label == "Start"))
                for key in [widget.key for widget in session.widgets("text_input", "text_area")]:
                    for widget in session.widgets("text_input", "text_area"):
                        if widget.key == key:
                            await session.change(widget, session.mark)
            await asyncio.sleep(2)
            return session.own

    return sum(await asyncio.gather(*map(one, range(sessions)))), errors
