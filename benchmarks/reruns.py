"""What a rerun costs: CPU of the server for each slider of each page, and for each page opened.

First: values that nobody has asked for in this process. Warm: the same values again. A slider that only some choice
brings is measured under that choice.
"""

import asyncio
import statistics
import sys
from collections import Counter
from dataclasses import dataclass, replace

from benchmarks.protocol import CHOICES, Session, Value, Widget, rest
from benchmarks.tables import table
from tests.browser.serving import Server, serving

HOME, BARE = "Home.py", "benchmarks/bare.py"
DEFAULT = "--runner.postScriptGC=true"  # for the bare app: Streamlit's own setting
QUIET = 33  # milliseconds of it on the machine, quiet, that the budgets were set on
BUDGETS = {"sliders, median": 40, "sliders, mean": 60, "sliders, worst": 250, "opening a page again, worst": 60}  # ms


Opening = tuple[str, float, float]  # a page; ms of the first in the process, mean ms of the others


@dataclass(frozen=True)
class Cost:
    """Milliseconds of CPU of each first and each warm move of a slider, and KiB sent for a first one."""

    page: str
    slider: str
    key: str
    first: list[float]
    warm: list[float]
    sent: float

    def row(self) -> list[object]:
        first, warm = (f"{statistics.mean(moves):.1f}" for moves in (self.first, self.warm))
        return [f"{self.page}: {self.slider}", first, f"{max(self.first):.1f}", warm, f"{self.sent:,.0f}"]


async def measured(values: int, visits: int, only: str | None = None) -> str:
    """The tables, of up to `values` new values of each slider, and of `visits` further visits to each page.

    `only` is one page's part of the address. Raises `LookupError` where there is no such page.
    """
    openings: list[Opening] = []
    bare, costs = [], []
    with serving(BARE, settings=[DEFAULT]) as small, serving(HOME) as server:
        home = await costs_of_opening(server, "", visits)
        async with Session(server.url) as session:
            pages = {page.url_pathname: page.page_name for page in session.pages if only in (None, page.url_pathname)}
        if not pages:
            raise LookupError(f"there is no page {only!r}")
        for path, name in pages.items():
            print(f"  {name}", file=sys.stderr)
            bare += await costs_of_page(small, "", "bare app, measured beside each page", values)
            openings.append((name, *(await costs_of_opening(server, path, visits) if path else home)))
            costs += await costs_of_page(server, path, name, values)
        print(server.errors(), end="", file=sys.stderr)
    beside = replace(
        bare[0], first=[ms for cost in bare for ms in cost.first], warm=[ms for cost in bare for ms in cost.warm]
    )
    return "\n".join(
        [of_pages(openings), of_sliders([beside, *costs], values), beside_budgets(openings, beside, costs)]
    )


async def costs_of_opening(server: Server, path: str, visits: int) -> tuple[float, float]:
    """Milliseconds of the first visit and the mean of the others, each by somebody new."""
    spent = []
    for _ in range(1 + visits):
        before = await rest(server.process)
        async with Session(server.url, path):
            spent.append(1000 * (await rest(server.process) - before))
    return spent[0], statistics.mean(spent[1:])


async def costs_of_page(server: Server, path: str, page: str, values: int) -> list[Cost]:
    """One for each slider, those that a single choice brings included."""
    costs = []
    async with Session(server.url, path) as session:
        for slider in session.sliders():
            costs.append(await cost_of(server, session, page, slider, values))
        brought = await brought_by_choices(session)
    for choice, value, sliders in brought:
        async with Session(server.url, path) as session:
            await session.change(choice, value)
            for slider in session.sliders():
                if slider.proto.id in sliders:
                    cost = await cost_of(server, session, page, slider, values)
                    costs.append(replace(cost, slider=f"{cost.slider}, {choice.proto.label}: {value}"))
        print(*session.errors, sep="\n", end="", file=sys.stderr)
    shared = {name for name, count in Counter(cost.slider for cost in costs).items() if count > 1}
    return [replace(cost, slider=f"{cost.slider} ({cost.key})") if cost.slider in shared else cost for cost in costs]


async def cost_of(server: Server, session: Session, page: str, slider: Widget, values: int) -> Cost:
    """Moves a slider over values that are spread over its range, twice, and back to where it was."""
    start = session.value(slider)
    others = [value for value in slider.values() if value != start]
    count = min(values, len(others))
    chosen = [others[(2 * index + 1) * len(others) // (2 * count)] for index in range(count)]
    received = session.received
    first = [await cost_of_move(server, session, slider, value) for value in chosen]
    sent = (session.received - received) / count / 1024
    warm = []
    for value in chosen:
        if session.value(slider) == value:
            await session.change(slider, start)
        warm.append(await cost_of_move(server, session, slider, value))
    await session.change(slider, start)
    return Cost(page, slider.proto.label, slider.key, first, warm, sent)


async def cost_of_move(server: Server, session: Session, slider: Widget, value: Value) -> float:
    before = await rest(server.process)
    await session.change(slider, value)
    return 1000 * (await rest(server.process) - before)


async def brought_by_choices(session: Session) -> list[tuple[Widget, Value, set[str]]]:
    """The sliders, by their ids, that show only when a choice of the page has some value."""
    known = {slider.proto.id for slider in session.sliders()}
    found = []
    for choice in session.widgets(*CHOICES):
        start = session.value(choice)
        for value in choice.values():
            if value != start:
                await session.change(choice, value)
                if new := {slider.proto.id for slider in session.sliders()} - known:
                    found.append((choice, value, new))
                    known |= new
        if start is not None:
            await session.change(choice, start)
    return found


def of_pages(openings: list[Opening]) -> str:
    rows = [[name, f"{first:.1f}", f"{again:.1f}"] for name, first, again in openings]
    return table("CPU of the server for a page opened, ms", ["", "first in the process", "again"], rows)


def of_sliders(costs: list[Cost], values: int) -> str:
    title = f"CPU of the server for a slider moved, ms: mean of up to {values} values"
    header = ["", "first", "first, largest", "warm", "sent for a first, KiB"]
    return table(title, header, [cost.row() for cost in costs])


def beside_budgets(openings: list[Opening], bare: Cost, costs: list[Cost]) -> str:
    means = [statistics.mean(cost.first) for cost in costs]
    found = [statistics.median(means), statistics.mean(means), max(means), max(again for _, _, again in openings)]
    speed = QUIET / statistics.mean(bare.first)
    rows = [
        [name, f"{value:.1f}", f"{speed * value:.1f}", limit]
        for (name, limit), value in zip(BUDGETS.items(), found, strict=True)
    ]
    rows.append(["bare app", f"{statistics.mean(bare.first):.1f}", f"{QUIET:.1f}", QUIET])
    header = ["", "ms", f"ms, were the bare app's {QUIET}", "budget"]
    return table(f"CPU of the server beside its budgets: first values of {len(costs)} sliders", header, rows)


def tables(quick: bool, only: str | None) -> str:
    """CPU of the server for each page opened and each slider moved, beside a bare app."""
    return asyncio.run(measured(3 if quick else 8, 1 if quick else 3, only))
