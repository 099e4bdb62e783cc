"""The guard as an application: what it hands on, and what it says when things below it fail."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from studio.guard import Guard, GuardRules

RULES = GuardRules(port=80)
HOST = (b"host", b"localhost")
ORIGIN = (b"origin", b"http://localhost")


def scope(kind: str, *headers: tuple[bytes, bytes], **more: Any) -> Scope:
    """The least that a server tells."""
    return {"type": kind, "path": "/", "headers": [HOST, *headers], "query_string": b"", **more}


async def run(app: Any, scope: Scope, *events: Message, fails: bool = False) -> list[Message]:
    """What the guard sends when these events come in."""
    waiting, sent = list(events), []

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        if fails and sent:
            raise ConnectionResetError
        sent.append(message)

    await Guard(app, RULES)(scope, receive, send)
    return sent


async def test_the_life_of_the_server_is_the_applications_own() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": (await receive())["type"] + ".complete"})

    sent = await run(app, {"type": "lifespan"}, {"type": "lifespan.startup"})
    assert sent == [{"type": "lifespan.startup.complete"}]


async def test_an_unknown_kind_of_connection_is_not_handed_on() -> None:
    with pytest.raises(NotImplementedError, match="'webtransport'"):
        await run(None, scope("webtransport"))


async def test_a_server_that_can_not_refuse_with_a_page_closes() -> None:
    sent = await run(None, scope("websocket"), {"type": "websocket.connect"})
    assert sent == [{"type": "websocket.close", "code": 1008}]


async def test_a_response_that_breaks_off_is_the_servers_to_end() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError("halfway")

    with pytest.raises(ValueError, match="halfway"):
        await run(app, scope("http", method="GET"))


@pytest.mark.parametrize("error", [None, WebSocketDisconnect(1006)])
async def test_a_page_that_speaks_to_nobody_is_no_failure(
    caplog: pytest.LogCaptureFixture, error: Exception | None
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        if error is not None:
            raise error
        await send({"type": "websocket.send", "text": "a"})

    caplog.set_level(logging.DEBUG)
    sent = await run(app, scope("websocket", ORIGIN), fails=True)
    assert sent == [{"type": "websocket.accept", "headers": []}]
    assert caplog.records == []


async def test_after_the_guard_hung_up_a_page_says_nothing_more() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        assert await receive() == {"type": "websocket.disconnect", "code": 1003}
        await send({"type": "websocket.send", "text": "a"})

    sent = await run(app, scope("websocket", ORIGIN), {"type": "websocket.receive", "bytes": b"a"})
    assert sent == [{"type": "websocket.accept", "headers": []}, {"type": "websocket.close", "code": 1003}]


async def test_a_large_message_is_too_big_whatever_the_server_lets_through() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()

    large = {"type": "websocket.receive", "text": "a" * (RULES.max_message + 1)}
    assert await run(app, scope("websocket", ORIGIN), large) == [{"type": "websocket.close", "code": 1009}]


async def test_requests_leave_nothing_behind_in_the_guard() -> None:
    """Places are given back however a request ends: after any number of failures there is still room."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError

    guard = Guard(app, GuardRules(port=80, max_requests=1, max_websockets=1))
    sent: list[Any] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message.get("status") or message.get("code"))

    for _ in range(3):
        await guard(scope("http", method="GET"), receive, send)
        await guard(scope("websocket", ORIGIN), receive, send)
    assert sent == [500, None, 1011] * 3


def test_without_a_token_a_link_is_the_page_itself() -> None:
    guard = Guard(None, RULES)  # type: ignore[arg-type]
    assert [guard.link(), guard.link("/runs/7"), guard.link("//evil.test")] == ["/", "/runs/7", "/"]
