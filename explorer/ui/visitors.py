"""Who a visitor is: a random name in a cookie that the server sets and no script can read."""

import re
import secrets
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "explorer_visitor"
SECONDS = 86_400  # as long as what they made is kept
HEALTH = "/_stcore/health"  # the browser asks for it before each connection, and nothing on the way keeps the answer


def name_in(cookies: Mapping[str, str]) -> str:
    """The visitor's name; "" where there is none, or none that was made here."""
    kept = str(cookies.get(COOKIE, ""))
    return kept if re.fullmatch(r"[0-9a-f]{32}", kept) else ""


def new_name() -> str:
    """128 random bits: whoever has them is that visitor."""
    return secrets.token_hex(16)


class Names:
    """ASGI middleware: gives each browser the cookie before it connects, and renews it when it connects again.

    It is sent over HTTPS alone where the page came so, and with no request that another site makes.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].endswith(HEALTH):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        name = name_in(cookie_parser(headers.get("cookie", ""))) or new_name()
        secure = headers.get("x-forwarded-proto", scope["scheme"]).startswith("https")
        cookie = Response()
        cookie.set_cookie(COOKIE, name, SECONDS, secure=secure, httponly=True, samesite="strict")

        async def naming(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("set-cookie", cookie.headers["set-cookie"])
            await send(message)

        await self.app(scope, receive, naming)
