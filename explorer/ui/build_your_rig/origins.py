"""Where the numbers of a look come from, and of when they are."""

import streamlit as st

from explorer.hardware.catalogue import CHECKED
from explorer.hardware.traces import made

ICONS = {"computed": "calculate", "measured": "speed", "quoted": "format_quote", "assumed": "psychology_alt"}


def origins(*, computed: str = "", measured: str = "", quoted: str = "", assumed: str = "") -> None:
    """A line that says what was computed here, measured, quoted from others, or assumed."""
    dates = {"computed": f", traces of {made()['date']}", "quoted": f", as of {CHECKED}"}
    told = {"computed": computed, "measured": measured, "quoted": quoted, "assumed": assumed}
    st.caption(
        " ".join(
            f":material/{ICONS[kind]}: **{kind.capitalize()}**{dates.get(kind, '')}: {what}."
            for kind, what in told.items()
            if what
        )
    )
