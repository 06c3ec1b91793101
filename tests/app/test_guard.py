"""The guard lets in who opened the link, on this machine, and nobody else: pages, files and the websocket."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from riskmodel.app.guard import OPENING, Guard

PORT = 8123
HOME = f"http://127.0.0.1:{PORT}"


async def plain(scope: Any, receive: Any, send: Any) -> None:
    """An application that answers everybody."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"households"})


@pytest.fixture
def guard() -> Guard:
    return Guard(plain, PORT)


def ask(guard: Guard, *calls: tuple[str, str, dict[str, str]], base: str = HOME) -> list[httpx.Response]:
    """Make calls as one browser that keeps its cookies."""

    async def go() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(guard), base_url=base) as client:
            return [await client.request(method, path, headers=more) for method, path, more in calls]

    return asyncio.run(go())


def opened(guard: Guard) -> tuple[str, str, dict[str, str]]:
    return ("GET", f"{OPENING}?token={guard.token}", {})


@pytest.mark.parametrize("path", ["/", "/files/2021-06-30/worklist.xlsx", "/_nicegui/3/static/x.js", "/open"])
def test_without_the_link_everything_is_forbidden(guard: Guard, path: str) -> None:
    (answer,) = ask(guard, ("GET", path, {}))
    assert answer.status_code == 403
    assert "只能用启动时给出的链接打开" in answer.text
    assert "households" not in answer.text


def test_the_link_opens_the_session_once(guard: Guard) -> None:
    link = opened(guard)
    first, page = ask(guard, link, ("GET", "/", {}))
    assert (first.status_code, first.headers["location"]) == (303, "/")
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Domain" not in cookie
    assert page.status_code == 200
    assert [r.status_code for r in ask(guard, link, ("GET", "/", {}))] == [403, 403]
    assert guard.token is None


def test_a_wrong_token_opens_nothing_and_costs_nothing(guard: Guard) -> None:
    link = opened(guard)
    assert [r.status_code for r in ask(guard, ("GET", f"{OPENING}?token=x", {}), ("GET", "/", {}))] == [
        403,
        403,
    ]
    assert [r.status_code for r in ask(guard, link, ("GET", "/", {}))] == [303, 200]


@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:1", "10.0.0.7:8123"]
)
def test_another_name_of_this_machine_is_refused(guard: Guard, host: str) -> None:
    # DNS rebinding: a foreign page whose name is made to point here brings its own name along.
    assert [r.status_code for r in ask(guard, opened(guard), ("GET", "/", {"host": host}))] == [303, 403]


def test_what_changes_something_must_come_from_our_own_page(guard: Guard) -> None:
    calls = [("POST", "/upload", {"origin": origin}) for origin in (HOME, "https://evil.example", "null")]
    answers = ask(guard, opened(guard), *calls, ("POST", "/upload", {}))
    assert [r.status_code for r in answers] == [303, 200, 403, 403, 403]


def test_the_page_may_fetch_nothing_from_outside_and_is_not_kept(guard: Guard) -> None:
    _, page = ask(guard, opened(guard), ("GET", "/", {}))
    policy = page.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http://" not in policy
    assert "https:" not in policy
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"


def socket_answer(guard: Guard, headers: dict[str, str]) -> str:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    scope = {"type": "websocket", "path": "/_nicegui_ws/socket.io/", "query_string": b"",
             "headers": [(k.encode(), v.encode()) for k, v in headers.items()]}  # fmt: skip
    asyncio.run(guard(scope, receive, send))
    return str(sent[0]["type"])


def test_the_websocket_asks_for_session_name_and_origin_too(guard: Guard) -> None:
    first, *_ = ask(guard, opened(guard))
    session = {"host": f"127.0.0.1:{PORT}", "cookie": first.headers["set-cookie"].partition(";")[0]}
    assert socket_answer(guard, {**session, "origin": HOME}) == "websocket.accept"
    assert socket_answer(guard, {**session, "origin": "https://evil.example"}) == "websocket.close"
    assert socket_answer(guard, {"host": session["host"], "origin": HOME}) == "websocket.close"
    assert socket_answer(guard, {**session, "host": f"evil.example:{PORT}"}) == "websocket.close"
