"""Who a visitor is: a random name in a cookie that the server sets and no script can read."""

import re
import secrets
from collections import OrderedDict
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "explorer_visitor"
SECONDS = 86_400  # as long as what they made is kept
MOST_SESSIONS = 10_000
PROTOCOLS = "sec-websocket-protocol"  # Streamlit's browser sends "streamlit", a token, and the session to go on with
HEALTH = "/_stcore/health"  # the browser asks for it before each connection, and nothing on the way keeps the answer


def name_in(cookies: Mapping[str, str]) -> str:
    """The visitor's name; "" where there is none, or none that was made here."""
    kept = str(cookies.get(COOKIE, ""))
    return kept if re.fullmatch(r"[0-9a-f]{32}", kept) else ""


def new_name() -> str:
    """128 random bits: whoever has them is that visitor."""
    return secrets.token_hex(16)


_owners: OrderedDict[str, str] = OrderedDict()  # the cookie with which each session began


def own(session: str, cookies: Mapping[str, str]) -> None:
    """A session of Streamlit's began with these cookies: only who has the same one can go on with it."""
    _owners[session] = name_in(cookies)
    while len(_owners) > MOST_SESSIONS:
        _owners.popitem(last=False)


class Names:
    """ASGI middleware: gives each browser the cookie before it connects, and renews it when it connects again.

    It is sent over HTTPS alone where the page came so, and with no request that another site makes. Who asks to go on
    with a session, as after a pause of the network, gets a new one where the cookie is another: Streamlit itself gives
    a session to whoever knows its name, which stands in the addresses of uploads.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self.app(_with_own_session(scope), receive, send)
            return
        if scope["type"] != "http" or not scope["path"].endswith(HEALTH):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        secure = headers.get("x-forwarded-proto", scope["scheme"]).startswith("https")
        cookie = Response()
        cookie.set_cookie(
            COOKIE, _name_of(headers) or new_name(), SECONDS, secure=secure, httponly=True, samesite="strict"
        )

        async def naming(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("set-cookie", cookie.headers["set-cookie"])
            await send(message)

        await self.app(scope, receive, naming)


def _name_of(headers: Headers) -> str:
    return name_in(cookie_parser(headers.get("cookie", "")))


def _with_own_session(scope: Scope) -> Scope:
    """A connection as it is, but without the name of a session that began with another cookie."""
    headers = MutableHeaders(raw=list(scope["headers"]))
    asked = [part.strip() for part in headers.get(PROTOCOLS, "").split(",")]
    if len(asked) > 2 and _owners.get(asked[2]) != _name_of(headers):
        headers[PROTOCOLS] = ", ".join(asked[:2])
    return {**scope, "headers": headers.raw}
