"""What a visitor loses when the server is restarted, told to those who had something.

All that the server keeps of a visitor is in its memory. A cookie holds how much that is and which process keeps it; a
new session that finds the name of another process there knows what is gone.
"""

import re
import secrets
from collections.abc import Callable
from typing import NamedTuple, Self

import streamlit as st

from explorer.ui import made, path, shelf, trainings, work

COOKIE = "explorer_held"
SERVER = secrets.token_hex(4)  # of this process, with whose memory all goes
_WRITTEN = re.compile(r"([0-9a-f]{8})\.(\d{1,4})\.(\d{1,4})\.(\d{1,4})\.(\d{1,4})")
_BEFORE, _TOLD, _PLACE = "lost_before", "lost_told", "lost_place"  # in the session


_counts: list[Callable[[], int]] = []


def count_models(count: Callable[[], int]) -> None:
    """Let `count` tell how many models a page keeps for this visitor beside the shelf."""
    _counts.append(count)


class Held(NamedTuple):
    """How many models and trainings a visitor has, things drawn or uploaded, and questions answered right."""

    models: int
    trainings: int
    own: int
    answers: int

    @classmethod
    def now(cls) -> Self:
        """What this process keeps of this visitor; a training that goes on counts as one."""
        going_on = [job for job in work.renewed() if not job.finished and job.task != trainings.TASK]
        return cls(
            len(shelf.models()) + sum(count() for count in _counts),
            len(trainings.known()) + len(going_on),
            made.count(but=path.DONE),
            sum(map(len, path.progress().pages.values())),
        )

    def without(self, other: "Held") -> "Held":
        """What is not there any more in `other`."""
        return Held(*(max(0, before - now) for before, now in zip(self, other, strict=True)))

    def words(self) -> str:
        """What it is, as a list; "" for nothing."""
        parts = [
            _counted(self.models, "trained model"),
            _counted(self.trainings, "training"),
            "what you had drawn or uploaded" if self.own else "",
            _counted(self.answers, "right answer"),
        ]
        return ", ".join(filter(None, parts))


def cookies() -> dict[str, str]:
    """What the browser should remember now."""
    return {COOKIE: ".".join([SERVER, *map(str, Held.now())])}


def look() -> None:
    """At the beginning of a page: notice, once a session, that another process kept something of this visitor."""
    if _BEFORE not in st.session_state:
        found = _WRITTEN.fullmatch(_cookie())
        elsewhere = found is not None and found[1] != SERVER
        st.session_state[_BEFORE] = Held(*map(int, found.groups()[1:])) if found and elsewhere else None
    if st.session_state[_BEFORE] or st.session_state.get(_TOLD):
        st.session_state[_PLACE] = st.empty()


def tell() -> None:
    """At the end of a page, which may have brought back what the browser still had: say at its beginning what is gone,
    until the visitor has read it."""
    if before := st.session_state[_BEFORE]:
        st.session_state[_BEFORE] = None
        st.session_state[_TOLD] = before.without(Held.now()).words()
    place = st.session_state.pop(_PLACE, None)
    if not (gone := st.session_state.get(_TOLD)):
        return
    with place.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            f":material/restart_alt: The server was restarted since you were here last, and its memory of you is gone: "
            f"{gone}. The settings in the address hold, and files that you saved can be loaded again.",
            width="stretch",
        )
        st.button("Dismiss", on_click=_dismiss, type="tertiary", icon=":material/close:", key="lost_dismiss")


def _dismiss() -> None:
    st.session_state[_TOLD] = ""


def _cookie() -> str:
    return str(st.context.cookies.get(COOKIE, ""))


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count > 1)}" if count else ""
