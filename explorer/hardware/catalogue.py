"""Graphics cards, machines to build from them, and what renting costs: tables in `assets/hardware`, checked as they are
read.

A row that is wrong is left out and named in a sentence of `problems`; the rest lives on.
"""

import difflib
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from explorer.files import ASSETS
from explorer.once import once

FOLDER = ASSETS / "hardware"
VENDORS = ("NVIDIA", "AMD", "Intel", "Apple")
KINDS = ("consumer", "workstation", "datacentre", "board", "whole machine")
MIB, GIB, GB, TERA = 2**20, 2**30, 10**9, 10**12
CHECKED = "2026-11-26"  # when the figures and prices of the catalogue were looked up
CONTEXT = round(0.6 * GIB)
SIXTEEN_BITS = ("bf16", "fp16")
COMPUTED_BY = {  # of each precision, the units that compute it, the preferred first
    "fp32": ("fp32",),
    "bf16": ("bf16",),
    "fp16": ("fp16",),
    "mixed": SIXTEEN_BITS,
    "fp8": ("fp8",),
    "int8": SIXTEEN_BITS,
    "nf4": SIXTEEN_BITS,
}
MOST = 1e9
Made = TypeVar("Made")


@dataclass(frozen=True)
class Card:
    """A graphics card, a module, or a machine whose processor has a GPU; None where no figure was found.

    `memory` is what is sold and `reported` what the driver says is there, in bytes; of a machine with `unified` memory
    the GPU may take the share `gpu_share`. `bandwidth` in bytes a second; `fp32` to `fp8` in dense floating-point
    operations a second, False without such units, True with units of unknown rate. `power` in W, `launch_price` in
    USD of the `year`. All of these are the whole card's, which a program may see as several `devices`.

    `sources` are keys of `Catalogue.sources`; `unverified` names the figures that are left out, `assumed` those that
    are given without a source; `aliases` are names that drivers give the card.
    """

    name: str
    vendor: str
    kind: str
    memory: int | None
    reported: int | None
    memory_kind: str | None
    unified: bool
    gpu_share: float
    devices: int
    bandwidth: float | None
    fp32: float | bool
    fp16: float | bool
    bf16: float | bool
    fp8: float | bool
    power: float | None
    year: int
    launch_price: float | None
    sources: tuple[str, ...]
    unverified: tuple[str, ...]
    assumed: tuple[str, ...]
    aliases: tuple[str, ...]
    note: str

    @property
    def usable(self) -> int | None:
        """Bytes that a model may take on one device; None where the memory is not known.

        What the driver reports or else what is sold, times the GPU's share, less 0.6 GiB for the context that CUDA or
        HIP makes and its kernels. That figure is assumed; a desktop on the same card takes about as much again.
        """
        memory = self.reported or self.memory
        return memory and max(0, round(memory * self.gpu_share / self.devices) - CONTEXT)

    def rate(self, precision: str) -> float | None:
        """Dense floating-point operations a second of one device, at best; None without such units or a figure.

        `precision` is one of `COMPUTED_BY`. Weights kept as "int8", "nf4" or "mixed" are computed in bf16, or in fp16
        where there is none. Real models reach a half or less of it. Raises ValueError for another precision.
        """
        rates = [rate for rate in self._units(precision) if not isinstance(rate, bool)]
        return rates[0] / self.devices if rates else None

    def runs(self, precision: str) -> bool:
        """Whether the card has units that compute a precision, as `rate` takes them; others may still emulate it."""
        return any(self._units(precision))

    def _units(self, precision: str) -> list[float | bool]:
        if precision not in COMPUTED_BY:
            raise ValueError(f"precision must be one of {', '.join(COMPUTED_BY)}, not {precision!r}")
        return [getattr(self, units) for units in COMPUTED_BY[precision]]


@dataclass(frozen=True)
class Part:
    """A part of a machine, what it costs from `low` to `high` USD, and what it decides."""

    name: str
    what: str
    low: float
    high: float
    decides: str


@dataclass(frozen=True)
class Build:
    """A machine around `count` cards. `ram` and `storage` in bytes; `rest` (what draws beside the cards) and
    `power_supply` in W; `headroom` a share of what is drawn. Where `assumed`, prices are guesses of the month `date`.
    """

    name: str
    label: str
    card: Card
    count: int
    cpu: str
    ram: int
    storage: int
    rest: float
    headroom: float
    power_supply: float
    parts: tuple[Part, ...]
    assumed: bool
    date: str

    @property
    def draw(self) -> float:
        """W under load: the cards and the rest."""
        return self.count * (self.card.power or 0) + self.rest

    @property
    def needed(self) -> float:
        """W that the power supply must give: what is drawn, and the headroom."""
        return self.draw * (1 + self.headroom)

    @property
    def price(self) -> tuple[float, float]:
        """USD of all parts, from and to."""
        return sum(part.low for part in self.parts), sum(part.high for part in self.parts)


@dataclass(frozen=True)
class Rent:
    """What an hour of a card costs in USD; a guess of the month `date` where `assumed`."""

    card: Card
    hourly: float
    assumed: bool
    date: str


@dataclass(frozen=True)
class Catalogue:
    """All tables; `problems` says in sentences what of them is wrong, and left out."""

    sources: Mapping[str, str]
    cards: tuple[Card, ...]
    builds: tuple[Build, ...]
    rents: tuple[Rent, ...]
    problems: tuple[str, ...]


class Limit(NamedTuple):
    """What a field may be, the same in words, and whether a row may lack it."""

    fits: Callable[[Any], bool]
    words: str
    needed: bool = True


class Wrong(ValueError):
    """A row that cannot be taken; the text says why, of a row."""


def _number(least: float = 0, most: float = MOST, needed: bool = True) -> Limit:
    words = f"a number above {least:g} and at most {most:,.0f}"
    return Limit(lambda value: type(value) in (int, float) and least < value <= most, words, needed)


def _whole(least: int, most: int, needed: bool = True) -> Limit:
    return Limit(
        lambda value: type(value) is int and least <= value <= most, f"a whole number from {least} to {most:,}", needed
    )


def _one_of(*names: str, needed: bool = True) -> Limit:
    return Limit(lambda value: isinstance(value, str) and value in names, f"one of {', '.join(names)}", needed)


def _texts(needed: bool) -> Limit:
    return Limit(lambda value: isinstance(value, list) and all(map(TEXT.fits, value)), "a list of texts", needed)


TEXT = Limit(lambda value: isinstance(value, str) and bool(value.strip()), "a text")
BOOLEAN = Limit(lambda value: isinstance(value, bool), "true or false")
RATE = Limit(lambda value: isinstance(value, bool) or _number().fits(value), "true, false, or a number above 0")
CARD = {
    "name": TEXT,
    "vendor": _one_of(*VENDORS),
    "kind": _one_of(*KINDS),
    "memory": _number(needed=False),
    "memory_unit": _one_of("GiB", "GB", needed=False),
    "reported": _whole(1, 10**9, needed=False),
    "memory_kind": TEXT._replace(needed=False),
    "unified": BOOLEAN,
    "gpu_share": _number(most=1, needed=False),
    "devices": _whole(1, 16, needed=False),
    "bandwidth": _number(needed=False),
    **dict.fromkeys(("fp32", "fp16", "bf16", "fp8"), RATE),
    "power": _number(needed=False),
    "year": _whole(2000, 2100),
    "launch_price": _number(needed=False),
    "sources": _texts(needed=True),
    "unverified": _texts(needed=False),
    "assumed": _texts(needed=False),
    "aliases": _texts(needed=False),
    "note": TEXT._replace(needed=False),
}
FIGURES = ("memory", "memory_kind", "bandwidth", "fp32", "fp16", "bf16", "fp8", "power", "launch_price")
PART = {"name": TEXT, "what": TEXT, "low": _number(), "high": _number(), "decides": TEXT}
MONTH = Limit(lambda value: TEXT.fits(value) and len(value) == len("2026-11") and value[4] == "-", "a month as 2026-11")
PRICED = {"card": TEXT, "assumed": BOOLEAN, "date": MONTH}
RENT = PRICED | {"hourly": _number()}
BUILD = PRICED | {
    "name": TEXT,
    "label": TEXT,
    "count": _whole(1, 64),
    "cpu": TEXT,
    "ram": _number(),
    "storage": _number(),
    "rest": _number(),
    "headroom": _number(most=2),
    "power_supply": _number(),
    "part": Limit(lambda value: isinstance(value, list) and bool(value), "a list of parts"),
}


@once()
def catalogue() -> Catalogue:
    """The shipped tables, read once a process."""
    return read_catalogue()


def cards() -> tuple[Card, ...]:
    """All cards, in the order of the table."""
    return catalogue().cards


def card(name: str) -> Card:
    """One card by its name. Raises ValueError for a name that is not there, with those that are near."""
    return _card(name, cards())


def builds() -> tuple[Build, ...]:
    """Machines to build, the cheapest first."""
    return catalogue().builds


def rents() -> tuple[Rent, ...]:
    """Cards to rent."""
    return catalogue().rents


def problems() -> tuple[str, ...]:
    """What of the shipped tables is wrong and left out, in sentences; empty when all is well."""
    return catalogue().problems


def read_catalogue(folder: Path = FOLDER) -> Catalogue:
    """The tables `sources.toml`, `cards.toml` and `builds.toml` of a folder; what cannot be read is empty."""
    sources, problems = read_sources(folder / "sources.toml")
    cards: tuple[Card, ...] = ()
    builds: tuple[Build, ...] = ()
    rents: tuple[Rent, ...] = ()
    if sources:
        cards, more = read_cards(folder / "cards.toml", sources)
        problems += more
    if cards:
        builds, rents, more = read_builds(folder / "builds.toml", cards)
        problems += more
    return Catalogue(sources, cards, builds, rents, problems)


def read_sources(source: str | Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """From text or a file: what each key stands for, and problems. Never raises."""
    tables, problems = _tables(source, "sources.toml", ("sources",))
    found = tables.get("sources", {})
    if not isinstance(found, dict):
        return {}, (*problems, "sources.toml: sources must be a table of keys and texts.")
    wrong = [f"sources.toml: the source {key} must be a text." for key, value in found.items() if not TEXT.fits(value)]
    return {key: value for key, value in found.items() if TEXT.fits(value)}, (*problems, *wrong)


def read_cards(source: str | Path, sources: Collection[str]) -> tuple[tuple[Card, ...], tuple[str, ...]]:
    """From text or a file: the cards, whose sources must be among `sources`, and problems. Never raises."""
    tables, problems = _tables(source, "cards.toml", ("card",))
    owners: dict[str, str] = {}

    def make(row: dict[str, Any]) -> Card:
        made = _make_card(row, sources)
        names = [name.casefold() for name in (made.name, *made.aliases)]
        if shared := [name for name in names if name in owners]:
            raise Wrong(f"has a name that belongs to {owners[shared[0]]}")
        owners.update(dict.fromkeys(names, made.name))
        return made

    cards, wrong = _rows(tables, "card", "cards.toml", make)
    return cards, problems + wrong


def read_builds(
    source: str | Path, cards: Sequence[Card]
) -> tuple[tuple[Build, ...], tuple[Rent, ...], tuple[str, ...]]:
    """From text or a file: machines to build from `cards`, those to rent, and problems. Never raises."""
    tables, problems = _tables(source, "builds.toml", ("build", "rent"))
    builds, wrong_builds = _rows(tables, "build", "builds.toml", lambda row: _make_build(row, cards))
    rents, wrong_rents = _rows(tables, "rent", "builds.toml", lambda row: _make_rent(row, cards))
    return builds, rents, problems + wrong_builds + wrong_rents


def _tables(source: str | Path, file: str, known: Sequence[str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    try:
        text = source.read_text(encoding="utf-8") if isinstance(source, Path) else source
        tables = tomllib.loads(text)
    except OSError as error:
        return {}, (f"{file} could not be read, so that its table is empty: {error.strerror or error}.",)
    except (ValueError, RecursionError) as error:
        return {}, (f"{file} is no TOML, so that its table is empty: {f'{error}':.200}.",)
    strange = [f"{file} has a table that is not known, {name:.80}." for name in tables if name not in known]
    absent = [f"{file} has no table {name}." for name in known if name not in tables]
    return tables, tuple(strange + absent)


def _rows(
    tables: dict[str, Any], name: str, file: str, make: Callable[[dict[str, Any]], Made]
) -> tuple[tuple[Made, ...], tuple[str, ...]]:
    """What `make` makes of each row, and a sentence for each of which it makes nothing."""
    rows = tables.get(name, [])
    if not isinstance(rows, list):
        return (), (f"{file}: {name} must be a list of tables, each headed [[{name}]].",)
    made: dict[str, Made] = {}
    problems = []
    for place, row in enumerate(rows, start=1):
        called = _called(row) or f"number {place}"
        try:
            if called in made:
                raise Wrong("is there twice")
            made[called] = make(row)
        except Wrong as error:
            problems.append(f"{file}: the {name} {called:.80} {error}; it is left out.")
    return tuple(made.values()), tuple(problems)


def _called(row: Any) -> str | None:
    """What a row goes by: its name, or the card that it is about."""
    values = [row.get(key) for key in ("name", "card")] if isinstance(row, dict) else []
    return next(filter(TEXT.fits, values), None)


def _check(row: Any, limits: Mapping[str, Limit]) -> None:
    """Raises Wrong for the first field that is missing, unknown or not what it may be."""
    if not isinstance(row, dict):
        raise Wrong("is no table")
    if missing := [key for key, limit in limits.items() if limit.needed and key not in row]:
        raise Wrong(f"lacks {', '.join(missing)}")
    for key, value in row.items():
        if key not in limits:
            raise Wrong(f"has a field that is not known, {key:.80}")
        if not limits[key].fits(value):
            raise Wrong(f"has {_short(value)} for {key}, which must be {limits[key].words}")


def _short(value: Any) -> str:
    """A value in few characters, whatever it is."""
    try:
        return f"{value!r:.40}"
    except ValueError:
        return "a number of thousands of digits"


def _make_card(row: dict[str, Any], sources: Collection[str]) -> Card:
    _check(row, CARD)
    if ("memory" in row) != ("memory_unit" in row):
        raise Wrong("must have both memory and memory_unit, or neither")
    if row["unified"] != ("gpu_share" in row):
        raise Wrong("must have gpu_share if its memory is unified, and only then")
    if unknown := [key for key in row["sources"] if key not in sources]:
        raise Wrong(f"names a source that is not known, {unknown[0]:.80}")
    if not row["sources"]:
        raise Wrong("names no source")
    lacking = {key for key in FIGURES if row.get(key, True) is True}
    if silent := lacking - {*row.get("unverified", ())}:
        raise Wrong(f"has no figure for {', '.join(sorted(silent))}, which unverified must then name")
    if given := {*row.get("unverified", ())} - lacking:
        raise Wrong(f"names {', '.join(sorted(given)):.80} as unverified, but that is given or no figure")
    if lost := [key for key in row.get("assumed", ()) if key not in row or row[key] is True]:
        raise Wrong(f"names {lost[0]:.80} as assumed, which it does not give")

    def rate(key: str) -> float | bool:
        return row[key] if isinstance(row[key], bool) else float(row[key] * TERA)

    return Card(
        name=row["name"],
        vendor=row["vendor"],
        kind=row["kind"],
        memory=round(row["memory"] * (GIB if row["memory_unit"] == "GiB" else GB)) if "memory" in row else None,
        reported=row["reported"] * MIB if "reported" in row else None,
        memory_kind=row.get("memory_kind"),
        unified=row["unified"],
        gpu_share=float(row.get("gpu_share", 1)),
        devices=row.get("devices", 1),
        bandwidth=float(row["bandwidth"] * GB) if "bandwidth" in row else None,
        fp32=rate("fp32"),
        fp16=rate("fp16"),
        bf16=rate("bf16"),
        fp8=rate("fp8"),
        power=float(row["power"]) if "power" in row else None,
        year=row["year"],
        launch_price=float(row["launch_price"]) if "launch_price" in row else None,
        sources=tuple(row["sources"]),
        unverified=tuple(row.get("unverified", ())),
        assumed=tuple(row.get("assumed", ())),
        aliases=tuple(row.get("aliases", ())),
        note=row.get("note", ""),
    )


def _make_build(row: dict[str, Any], cards: Sequence[Card]) -> Build:
    _check(row, BUILD)
    for part in row["part"]:
        try:
            _check(part, PART)
        except Wrong as error:
            raise Wrong(f"has a part that {error}") from None
        if part["low"] > part["high"]:
            raise Wrong(f"has a part, {part['name']:.80}, whose low price is above its high one")
    card = _known_card(row["card"], cards)
    if card.power is None:
        raise Wrong(f"has a card, {card.name}, whose power is not known")
    made = Build(
        name=row["name"],
        label=row["label"],
        card=card,
        count=row["count"],
        cpu=row["cpu"],
        ram=round(row["ram"] * GIB),
        storage=round(row["storage"] * TERA),
        rest=float(row["rest"]),
        headroom=float(row["headroom"]),
        power_supply=float(row["power_supply"]),
        parts=tuple(Part(**part) for part in row["part"]),
        assumed=row["assumed"],
        date=row["date"],
    )
    if made.power_supply < made.needed:
        raise Wrong(f"has a power supply of {made.power_supply:.0f} W, and needs {made.needed:.0f}")
    return made


def _make_rent(row: dict[str, Any], cards: Sequence[Card]) -> Rent:
    _check(row, RENT)
    return Rent(_known_card(row["card"], cards), float(row["hourly"]), row["assumed"], row["date"])


def _known_card(name: str, cards: Sequence[Card]) -> Card:
    try:
        return _card(name, cards)
    except ValueError:
        raise Wrong(f"has a card that is not there, {name:.80}") from None


def _card(name: str, cards: Sequence[Card]) -> Card:
    named = {card.name: card for card in cards}
    if name in named:
        return named[name]
    lower = {known.casefold(): known for known in named}
    within = [found for found in lower if name.casefold() in found]
    alike = difflib.get_close_matches(name.casefold(), lower, cutoff=0.4)
    near = [lower[found] for found in dict.fromkeys(within + alike)][:3]
    hint = f"near it are {', '.join(near)}" if near else "`cards()` lists them"
    raise ValueError(f"the catalogue has no card {name!r:.80}; {hint}")
