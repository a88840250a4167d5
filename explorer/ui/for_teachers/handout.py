"""The scenes on paper, with codes for the students' phones."""

import io
import socket
from contextlib import closing
from functools import partial
from urllib.parse import quote, urlsplit

import streamlit as st

from explorer.lessons.for_teachers import handout
from explorer.ui.markdown import plain


def show(which: str) -> None:
    """An address that the phones can reach, the pages as a PDF, and a look at the first."""
    paper = st.expander(
        "On paper, with codes for the students' phones",
        icon=":material/qr_code_2:",
        key="teach_paper",
        on_change="rerun",
    )
    if not paper.open:
        return
    with paper:
        here = (st.context.url or "http://localhost:8501").rstrip("/").removesuffix("/for_teachers")
        address = st.text_input(
            "Address of this app, as the phones reach it",
            here,
            max_chars=handout.LONGEST_ADDRESS,
            key="teach_address",
            help="The codes on the page lead there. A phone needs a network that reaches this machine.",
        )
        try:
            address = handout.checked_address(address)
        except ValueError as error:
            st.error(plain(f"{error}"), icon=":material/link_off:")
            return
        if handout.is_local(address) and handout.is_local(here):  # no other visitor is told where this machine is
            st.warning(local(address), icon=":material/wifi_off:")
        st.download_button(
            "Download the pages (PDF)",
            partial(handout.made, which, address),
            f"diffusion-explorer-scenes-{which}.pdf",
            "application/pdf",
            on_click="ignore",
            icon=":material/print:",
        )
        st.image(first_page(which, address), width=420, alt="The first page: a code, a title and a sentence a scene")


@st.cache_data(max_entries=8, show_spinner=False)
def first_page(which: str, address: str) -> bytes:
    """The first page as a small PNG."""
    page = handout.draw(which, address)[0]
    page.thumbnail((840, 1_200))
    file = io.BytesIO()
    page.save(file, "PNG")
    return file.getvalue()


def local(address: str) -> str:
    """That a phone cannot open this address, and which one it might."""
    told = "This address leads a phone to itself, not here."
    if name := own_address():
        parts = urlsplit(address)
        port = f":{parts.port}" if parts.port else ""
        there = f"{parts.scheme}://{name}{port}{quote(parts.path)}"
        told += f" In its own network this machine is `{there}`, if its firewall lets phones in."
    return told


def own_address() -> str | None:
    """This machine's address in its own network; None where it has none. Nothing is sent."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address that belongs to nobody (RFC 5737)
        except OSError:
            return None
        found = str(probe.getsockname()[0])
    return None if found.startswith(("127.", "0.")) else found
