"""What a server does before anybody comes."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import streamlit as st
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartParser

from explorer.ui.server import loading


async def rolled(megabytes: int) -> bool:
    """Whether an upload of so many megabytes went to a disk on its way."""

    async def body() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        for _ in range(megabytes):
            yield bytes(10**6)
        yield b"\r\n--x--\r\n"

    form = await MultiPartParser(Headers({"content-type": "multipart/form-data; boundary=x"}), body()).parse()
    upload = form["file"]
    assert not isinstance(upload, str)
    assert upload.size == megabytes * 10**6
    return bool(upload.file._rolled)  # type: ignore[attr-defined]


def test_an_upload_never_goes_to_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve() -> tuple[bool, bool]:
        before = await rolled(3)
        async with loading()(None):
            return before, await rolled(st.get_option("server.maxUploadSize"))

    monkeypatch.setattr(MultiPartParser, "spool_max_size", MultiPartParser.spool_max_size)
    assert asyncio.run(serve()) == (True, False)
