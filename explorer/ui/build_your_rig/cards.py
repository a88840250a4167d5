"""All cards beside each other, for the task that is asked for."""

import csv
import io

import streamlit as st

from explorer.hardware.catalogue import GIB, Card, catalogue
from explorer.lessons.build_your_rig.fits import fit, held, known_cards, time_on, training_time_on
from explorer.ui import tables
from explorer.ui.build_your_rig.asking import Wish
from explorer.ui.build_your_rig.origins import origins

Cell = str | float | None


def show(wish: Wish) -> None:
    """The table, those that hold it first, by launch price; and the same as a file."""
    rows = [row(wish, card) for card in known_cards().values()]
    rows.sort(key=lambda one: (one["fits"] == "no", one["launch price, USD"] is None, one["launch price, USD"] or 0))
    tables.figures(
        rows,
        title=f"Cards for {wish.system.name}",
        height=480,
        column_config={"card": st.column_config.TextColumn(pinned=True)},
    )
    st.download_button(
        "Comparison as CSV",
        lambda: as_csv(rows),
        f"{wish.system.key}-{wish.task}.csv",
        "text/csv",
        on_click="ignore",
        icon=":material/table:",
        key="rig_csv",
    )
    origins(
        computed="what fits (“just”: with less to spare than should be planned for) and what is spare; a step, from "
        "counted operations and the share of the maker's figure that published speeds reach (empty where the "
        "catalogue has no rate)",
        quoted="memory, price, year and power, with sources in the last column and `assets/hardware/cards.toml` (an "
        "empty one was not verified)",
        assumed="0.6 GiB of each card for the driver's context",
    )


def row(wish: Wish, card: Card) -> dict[str, Cell]:
    """One card."""
    verdict = fit(wish.system, wish.asked, card, wish.task)
    band = (
        time_on(wish.system, wish.asked, card, 1)
        if wish.task == "make"
        else training_time_on(wish.system, wish.asked, card)
    )
    return {
        "card": card.name,
        "fits": "yes" if verdict.safe else "just" if verdict.fits else "no",
        "spare, GiB": round(verdict.spare / GIB, 1),
        "holds, GiB": round(held(card) / GIB, 1),
        "launch price, USD": card.launch_price,
        "year": card.year,
        "power, W": card.power,
        "a step from, s": None if band is None else round(band.fast, 3),
        "to, s": None if band is None else round(band.slow, 3),
        "not verified": ", ".join(card.unverified),
        "sources": "; ".join(catalogue().sources[key] for key in card.sources),
    }


def as_csv(rows: list[dict[str, Cell]]) -> str:
    """The rows with a head, as a spreadsheet takes them."""
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
