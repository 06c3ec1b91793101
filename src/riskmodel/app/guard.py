"""Who may talk to the local page: this machine's browser, opened by the link with the one-time token.

The guard stands before everything the server answers: pages, files, downloads, uploads and the websocket.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from riskmodel.i18n import both

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = "127.0.0.1"
OPENING = "/open"
_NAMES = (LOOPBACK, "localhost")  # what the browser may call us; another name is DNS rebinding
_SAFE = ("GET", "HEAD", "OPTIONS")
_STATIC = "/_nicegui/"  # code and fonts, the same for everybody; all else may name households


class Guard:
    """An ASGI application before another one: 403 to whoever has not opened the page by its link.

    Parameters
    ----------
    application
        What answers those who may ask.
    port
        The server's; it is part of the names that it goes by, and of the cookie's.
    """

    def __init__(self, application: Application, port: int) -> None:
        self.application = application
        self.port = port
        self.token: str | None = secrets.token_urlsafe(32)
        self.cookie = f"riskmodel-{port}"  # a cookie is shared by all ports of a machine
        self._session = secrets.token_urlsafe(32)
        self._hosts = {f"{name}:{port}" for name in _NAMES}

    @property
    def link(self) -> str:
        """The link that opens the page; it works once."""
        return f"http://{LOOPBACK}:{self.port}{OPENING}?token={self.token}"

    @property
    def policy(self) -> str:
        """What the browser may fetch for the page: nothing that is not ours."""
        sockets = " ".join(f"ws://{host}" for host in sorted(self._hosts))
        return (
            "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
            "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
            f"connect-src 'self' {sockets}; frame-ancestors 'none'; form-action 'self'; base-uri 'self'"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] == "lifespan":
            await self.application(scope, receive, send)
        elif not self._is_ours(scope):
            await _refuse(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] == OPENING:
            await self._open(scope, receive, send)
        elif not self._has_opened(scope):
            await _refuse(scope, receive, send)
        else:
            await self.application(scope, receive, self._with_headers(scope, send))

    def _is_ours(self, scope: Scope) -> bool:
        """Say whether a request is for this machine's name and, where it says so, from our own page."""
        host, origin = _header(scope, b"host"), _header(scope, b"origin")
        if host not in self._hosts:
            return False
        changes = scope["type"] == "websocket" or scope.get("method") not in _SAFE
        # Another site's page cannot read our answers, but it could send; its browser says where it is from.
        return origin == f"http://{host}" if origin else not changes or scope["type"] == "websocket"

    def _has_opened(self, scope: Scope) -> bool:
        try:
            given = SimpleCookie(_header(scope, b"cookie")).get(self.cookie)
        except CookieError:
            return False
        return given is not None and hmac.compare_digest(given.value.encode(), self._session.encode())

    async def _open(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take the token, once, and give the browser its session."""
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if self.token is None or not hmac.compare_digest(given.encode(), self.token.encode()):
            # Who opens the link a second time in the same browser has a session already.
            if not self._has_opened(scope):
                await _refuse(scope, receive, send)
                return
        else:
            self.token = None
        cookie = f"{self.cookie}={self._session}; Path=/; HttpOnly; SameSite=Strict"
        headers = [(b"location", b"/"), (b"set-cookie", cookie.encode()), (b"cache-control", b"no-store"),
                   (b"referrer-policy", b"no-referrer")]  # fmt: skip
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        added = [
            (b"content-security-policy", self.policy.encode()),
            (b"referrer-policy", b"no-referrer"),
            (b"x-content-type-options", b"nosniff"),
            (b"x-frame-options", b"DENY"),
        ]
        if not scope.get("path", "").startswith(_STATIC):
            added.append((b"cache-control", b"no-store"))
        names = {name for name, _ in added}

        async def answer(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                own = [(k, v) for k, v in message.get("headers", []) if bytes(k).lower() not in names]
                message = {**message, "headers": [*own, *added]}
            await send(message)

        return answer


def _header(scope: Scope, name: bytes) -> str:
    values = [value for key, value in scope.get("headers", []) if key.lower() == name]
    # A header given twice is a trick: two readers would take different ones.
    return values[0].decode("latin-1") if len(values) == 1 else ""


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    body = "\n".join(both("local_page.forbidden").values()).encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
