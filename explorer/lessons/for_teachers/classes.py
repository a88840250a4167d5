"""What a class answered before and after: kept in memory for hours, without names, and analysed.

The effect is the mean of the paired differences of right answers, with Student's interval; nobody claims one before a
class has run it.
"""

import csv
import io
import re
import secrets
import statistics
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from explorer.lessons.for_teachers.questions import TEST

WHEN = ("before", "after")
LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # none that looks like another
CODE_LENGTH = 6
HOURS = 12.0
MOST_CLASSES, MOST_STUDENTS = 200, 500


@dataclass
class Class:
    """The answers of a class: "before" or "after" -> a random name of each browser -> the number of the choice taken in
    each question, 0 for the right one, None for none."""

    code: str
    opened: float
    answers: dict[str, dict[str, tuple[int | None, ...]]] = field(default_factory=lambda: {when: {} for when in WHEN})


class Classes:
    """The classes of this process; safe for threads."""

    def __init__(self) -> None:
        self._classes: dict[str, Class] = {}
        self._lock = threading.Lock()

    def open(self) -> str:
        """The code of a new class. Raises ValueError, with a sentence, where there are too many."""
        with self._lock:
            self._drop_old()
            if len(self._classes) >= MOST_CLASSES:
                raise ValueError(f"{MOST_CLASSES} classes are open on this server; try again in some hours.")
            code = "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH))
            self._classes[code] = Class(code, time.monotonic())
            return code

    def hand_in(self, code: str, when: str, who: str, answers: tuple[int | None, ...]) -> None:
        """What one browser answered; again replaces it. Raises ValueError, with a sentence, for a class that is not
        there, or full, and for answers that are none."""
        fits = len(answers) == len(TEST) and when in WHEN
        if not fits or not all(
            one is None or one in range(len(asked.choices)) for one, asked in zip(answers, TEST, strict=True)
        ):
            raise ValueError("These are no answers to this test.")
        with self._lock:
            given = self._find(code).answers[when]
            if who not in given and len(given) >= MOST_STUDENTS:
                raise ValueError(f"This class has {MOST_STUDENTS} answers, which is the most that it can have.")
            given[who] = answers

    def answers(self, code: str) -> dict[str, dict[str, tuple[int | None, ...]]]:
        """A copy of what the class answered. Raises ValueError for one that is not there."""
        with self._lock:
            return {when: dict(given) for when, given in self._find(code).answers.items()}

    def _find(self, code: str) -> Class:
        self._drop_old()
        found = self._classes.get(code.strip().upper())
        if found is None:
            raise ValueError(f"There is no class “{code:.12}” here; its answers are kept for {HOURS:.0f} hours.")
        return found

    def _drop_old(self) -> None:
        end = time.monotonic() - 3600 * HOURS
        self._classes = {code: one for code, one in self._classes.items() if one.opened > end}


@dataclass(frozen=True)
class Effect:
    """Right answers before and after of those who took both: how many, their means, the mean difference, and the half
    width of its 95 % interval, None for fewer than two."""

    pairs: int
    before: float
    after: float
    difference: float
    half: float | None


def right(answers: tuple[int | None, ...]) -> int:
    return sum(one == 0 for one in answers)


def effect(answers: Mapping[str, Mapping[str, tuple[int | None, ...]]]) -> Effect | None:
    """The paired effect; None where nobody took both."""
    both = sorted(answers["before"].keys() & answers["after"].keys())
    if not both:
        return None
    before, after = ([right(answers[when][who]) for who in both] for when in WHEN)
    differences = [late - early for early, late in zip(before, after, strict=True)]
    half = None
    if len(both) > 1:
        from scipy.stats import t

        half = float(t.ppf(0.975, len(both) - 1)) * statistics.stdev(differences) / len(both) ** 0.5
    return Effect(len(both), statistics.mean(before), statistics.mean(after), statistics.mean(differences), half)


def by_question(answers: Mapping[str, Mapping[str, tuple[int | None, ...]]]) -> list[tuple[float | None, float | None]]:
    """For each question the share that was right before and after, None where nobody answered."""

    def share(when: str, number: int) -> float | None:
        given = list(answers[when].values())
        return sum(one[number] == 0 for one in given) / len(given) if given else None

    return [(share("before", number), share("after", number)) for number in range(len(TEST))]


def as_csv(answers: Mapping[str, Mapping[str, tuple[int | None, ...]]]) -> str:
    """A row for each browser and time: a number for who, when, 1 for right and 0 for wrong, empty for not answered."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["who", "when", *(f"question {number}" for number in range(1, len(TEST) + 1)), "right"])
    everybody = sorted({who for given in answers.values() for who in given})
    for number, who in enumerate(everybody, start=1):
        for when in WHEN:
            if (given := answers[when].get(who)) is not None:
                writer.writerow([number, when, *("" if one is None else int(one == 0) for one in given), right(given)])
    return file.getvalue()


def is_code(text: str) -> bool:
    """Whether a text can be the code of a class."""
    return re.fullmatch(f"[{LETTERS}]{{{CODE_LENGTH}}}", text.strip().upper()) is not None
