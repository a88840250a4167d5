"""The visitor's cookie: who sets it, and what it allows."""

import asyncio
from http.cookies import Morsel, SimpleCookie
from typing import Any

import pytest

from explorer.ui import visitors
from explorer.ui.visitors import COOKIE, HEALTH, MOST_SESSIONS, SECONDS, Names, name_in, own

NAME = "0123456789abcdef" * 2


def cookie_of(path: str = HEALTH, cookie: str = "", scheme: str = "http", **headers: str) -> Morsel[str] | None:
    """What the answer to a request says of the cookie."""
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"set-cookie", b"other=1")]})
        await send({"type": "http.response.body", "body": b"ok"})

    async def send(message: Any) -> None:
        sent.append(message)

    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    given += [(b"cookie", cookie.encode())] if cookie else []
    scope = {"type": "http", "path": path, "scheme": scheme, "headers": given}
    asyncio.run(Names(app)(scope, None, send))  # type: ignore[arg-type]
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[0]["headers"][0] == (b"set-cookie", b"other=1")
    found = SimpleCookie()
    for _, value in sent[0]["headers"]:
        found.load(value.decode())
    return found.get(COOKIE)


def test_a_new_browser_gets_a_name_that_no_script_reads_and_no_other_site_sends() -> None:
    first, second = cookie_of(), cookie_of()
    assert first and second
    assert name_in({COOKIE: first.value}) and first.value != second.value
    assert first["httponly"] and first["samesite"] == "strict" and first["path"] == "/"
    assert int(first["max-age"]) == SECONDS
    assert not first["secure"]


def test_who_has_a_name_keeps_it_for_another_day() -> None:
    found = cookie_of(cookie=f"theme=dark; {COOKIE}={NAME}")
    assert found and found.value == NAME and found["max-age"]


@pytest.mark.parametrize("name", ["", "me", NAME.upper(), NAME + "0", NAME[:-1], f"{NAME[:-1]}\n", "../" + NAME])
def test_a_name_that_was_not_made_here_is_none(name: str) -> None:
    assert name_in({COOKIE: name}) == ""
    found = cookie_of(cookie=f"{COOKIE}={name}")
    assert found and found.value != name


def test_over_https_it_is_never_sent_without() -> None:
    for found in (cookie_of(scheme="https"), cookie_of(x_forwarded_proto="https")):
        assert found and found["secure"]


def test_no_answer_that_is_kept_on_the_way_holds_a_name() -> None:
    assert cookie_of("/") is None and cookie_of("/static/js/index.js") is None
    assert cookie_of(f"/course{HEALTH}") is not None


def asked_for(cookie: str, protocols: str) -> str:
    """The protocols of a connection, as the app gets them."""
    got: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        got.append(scope)

    given = [(b"cookie", cookie.encode()), (b"sec-websocket-protocol", protocols.encode())]
    scope = {"type": "websocket", "path": "/_stcore/stream", "scheme": "ws", "headers": given}
    asyncio.run(Names(app)(scope, None, None))  # type: ignore[arg-type]
    assert scope["headers"] == given
    (found,) = (value for name, value in got[0]["headers"] if name == b"sec-websocket-protocol")
    return found.decode()


def test_a_session_goes_on_with_its_own_cookie_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "_owners", type(visitors._owners)())
    own("mine", {COOKIE: NAME})
    own("nameless", {})
    stranger = NAME[:-1] + "0"
    assert asked_for(f"{COOKIE}={NAME}", "streamlit, token, mine") == "streamlit, token, mine"
    assert asked_for("", "streamlit, token, nameless") == "streamlit, token, nameless"
    for cookie, session in ((stranger, "mine"), ("", "mine"), ("x", "mine"), (NAME, "nameless"), (NAME, "unknown")):
        assert asked_for(f"{COOKIE}={cookie}", f"streamlit, token,{session}") == "streamlit, token"
    assert asked_for("", "streamlit, token") == "streamlit, token"


def test_no_more_sessions_are_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "_owners", type(visitors._owners)())
    for number in range(MOST_SESSIONS + 5):
        own(f"{number}", {COOKIE: NAME})
    assert len(visitors._owners) == MOST_SESSIONS and "4" not in visitors._owners
