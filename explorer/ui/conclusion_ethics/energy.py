"""What this session has computed, in joules."""

import streamlit as st

from explorer.lessons.conclusion_ethics.energy import PUBLISHED, told, watt_hours
from explorer.ui import spent, work


def show() -> None:
    """A table of this session's pages and jobs beside published figures, at a wattage that the reader assumes."""
    left, right = st.columns([1.2, 1], gap="large")
    with left:
        watts = st.slider(
            "Watts of one busy core",
            1,
            40,
            10,
            key="ethics_watts",
            bind="query-params",
            help="A laptop's processor draws 15 to 45 W when its 4 to 8 cores all work; a server's about 5 W a core. "
            "Memory, screen and losses are not in it.",
        )
        pages = spent.so_far()
        trained = sum(
            job.latest["progress"].data.get("seconds", 0.0) for job in work.renewed() if "progress" in job.latest
        )
        lines = ["| this session | CPU seconds | energy |", "|:--|--:|--:|"]
        for title, seconds in (
            *sorted(pages.items(), key=lambda pair: -pair[1]),
            ("its jobs in the background", trained),
        ):
            lines.append(f"| {title} | {seconds:,.2f} | {told(watt_hours(seconds, watts))} |")
        total = sum(pages.values()) + trained
        lines.append(f"| **together** | **{total:,.2f}** | **{told(watt_hours(total, watts))}** |")
        st.markdown("\n".join(lines))
        st.caption(
            "Pages: the CPU time of their runs. Not in it: what others had asked for before you, runs that you broke "
            "off, and files that you downloaded. Jobs: their seconds of training, those that the server still "
            "remembers."
        )
    with right:
        lines = ["| others | energy | as often as this session |", "|:--|--:|--:|"]
        mine = watt_hours(total, watts)
        for other in PUBLISHED:
            times = f"{other.watt_hours / mine:,.0f} x" if mine else "–"
            lines.append(f"| {other.what}; {other.source} | {told(other.watt_hours)} | {times} |")
        st.markdown("\n".join(lines))
        st.markdown(
            "A training is paid once, and shared by all pictures that are ever drawn with it; each picture is paid "
            "every time."
        )
