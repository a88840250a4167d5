"""The way through the course: its modules, three ways through them, and how far somebody has come.

How far somebody has come is a short text, so that a link can carry it: for each page that was opened its name, and the
numbers of the questions that were answered right, "core_concepts.0.2,unet".
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

VERSION = 1
LARGEST_FILE = 16 * 1024  # bytes; a full one has about 300
MODULES = {  # name of the page: the title in the menu, and how many questions it asks
    "core_concepts": ("Core concepts", 3),
    "geometry_lab": ("Geometry lab", 3),
    "unet": ("The engine: U-Net", 3),
    "training_lab": ("Training lab", 2),
    "sampling_showdown": ("Sampling showdown", 3),
    "guided_generation": ("Guided generation", 3),
    "voice_cloning": ("Voice cloning", 3),
    "build_your_rig": ("Build your rig", 2),
    "conclusion_ethics": ("Conclusion and ethics", 3),
}
QUESTIONS = sum(count for _, count in MODULES.values())


def page_of(title: str) -> str:
    """The page whose title begins with that of a module; "" for any other."""
    return next((page for page, (name, _) in MODULES.items() if title.startswith(name)), "")


@dataclass(frozen=True)
class Stop:
    """A page, and what to do there."""

    page: str
    do: str


@dataclass(frozen=True)
class Way:
    """A way through the course, in so many minutes."""

    label: str
    minutes: int
    stops: tuple[Stop, ...]


WAYS = {
    "five": Way(
        "Five minutes",
        5,
        (
            Stop("geometry_lab", "Watch noise become a shape, and pull the time back."),
            Stop("core_concepts", "Dissolve a digit, and walk back from noise."),
            Stop("guided_generation", "Type a prompt, and watch a model draw it."),
        ),
    ),
    "lecture": Way(
        "One lecture",
        45,
        (
            Stop("core_concepts", "Forward and back: what a denoiser is."),
            Stop("geometry_lab", "The same in the plane: train a model in three seconds."),
            Stop("unet", "Inside the network: cut a skip connection."),
            Stop("sampling_showdown", "DDPM beside DDIM, from one noise."),
            Stop("guided_generation", "Words: turn the guidance up until it breaks."),
            Stop("conclusion_ethics", "Training images that come back."),
        ),
    ),
    "course": Way(
        "The whole course",
        300,
        tuple(Stop(page, f"All of {title}.") for page, (title, _) in MODULES.items()),
    ),
}


@dataclass(frozen=True)
class Progress:
    """The pages that were opened, and which of their questions, counted from 0, were answered right."""

    pages: Mapping[str, frozenset[int]]

    @property
    def answered(self) -> int:
        return sum(map(len, self.pages.values()))

    @property
    def complete(self) -> bool:
        """Whether every question of the course was answered right."""
        return self.answered == QUESTIONS

    def opened(self, page: str) -> "Progress":
        """With this page opened, if it is one of the course."""
        return self.with_answers(page, frozenset())

    def with_answers(self, page: str, numbers: frozenset[int]) -> "Progress":
        """With these questions of a page answered right, too."""
        if page not in MODULES:
            return self
        known = frozenset(number for number in numbers if 0 <= number < MODULES[page][1])
        return Progress({**self.pages, page: self.pages.get(page, frozenset()) | known})

    def and_(self, other: "Progress") -> "Progress":
        """What either of the two has."""
        both = self
        for page, numbers in other.pages.items():
            both = both.with_answers(page, numbers)
        return both

    def text(self) -> str:
        """As a link carries it."""
        return ",".join(".".join([page, *map(str, sorted(self.pages[page]))]) for page in MODULES if page in self.pages)


def progress_in(text: str) -> Progress:
    """What a text says; what it says of pages and questions that are not there is left out."""
    found = Progress({})
    for part in text[:2_000].split(","):
        page, *numbers = part.split(".")
        found = found.with_answers(
            page, frozenset(int(one) for one in numbers if one.isascii() and one.isdigit() and len(one) < 3)
        )
    return found


def as_file(progress: Progress) -> str:
    """A small file for the student to keep."""
    return json.dumps({"diffusion-explorer": "progress", "version": VERSION, "done": progress.text()}) + "\n"


def from_file(content: bytes) -> Progress:
    """What such a file says. Raises ValueError, with a sentence, for any other file."""
    if len(content) > LARGEST_FILE:
        raise ValueError(f"This file has {len(content):,} bytes; one of progress has {LARGEST_FILE:,} at most.")
    try:
        said = json.loads(content)
        kind, version, text = (said[part] for part in ("diffusion-explorer", "version", "done"))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError("This is not a file of progress from this course; choose one that it saved.") from error
    if kind != "progress" or type(version) is not int or not isinstance(text, str):
        raise ValueError("This is not a file of progress from this course; choose one that it saved.")
    if version != VERSION:
        raise ValueError(f"This file of progress is of version {version}; this app reads version {VERSION}.")
    return progress_in(text)
