"""Everything that comes in passes here first: pure ASGI, outermost, over requests and websockets; what no rule lets in
stays out.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from studio.guard_access import Access, safe_next
from studio.guard_admission import admission, content
from studio.guard_body import Gone, form_fault, read_body, replayed
from studio.guard_head import RequestHead
from studio.guard_listener import uvicorn_options
from studio.guard_reply import POLICY_HEADER, Reply, rendered, secured_send
from studio.guard_rules import GuardRules, UnsafeRules
from studio.guard_socket import BUSY, FAULT, GuardedSocket

__all__ = ["POLICY_HEADER", "Guard", "GuardRules", "UnsafeRules", "safe_next", "uvicorn_options"]

logger = logging.getLogger("studio.guard")


class Guard:
    """The outermost application of a launch: ``Guard(app, rules)``.

    The order of its questions: shape, address, method, origin, token, room, type and size of the body.
    """

    def __init__(self, app: ASGIApp, rules: GuardRules, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.app = app
        self.rules = rules
        self._clock = clock
        self._access = Access(rules, clock)
        self._requests = 0
        self._websockets = 0

    def link(self, to: str = "/") -> str:
        """A path that signs in whoever opens it first; without a token, simply ``to``."""
        return self._access.link(to)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one connection in, or answer it."""
        match scope["type"]:
            case "lifespan":
                await self.app(scope, receive, send)
            case "http":
                await self._http(scope, receive, secured_send(send))
            case "websocket":
                await self._websocket(scope, receive, secured_send(send))
            case other:
                raise NotImplementedError(f"the guard knows no connection of type {other!r}")

    def _entrance(self, head: RequestHead) -> Reply | None:
        """Why this connection stays outside, or ``None``."""
        refusal = admission(head, self.rules)
        if refusal is not None or head.is_exactly(self.rules.exempt):
            return refusal
        return self._access.answer(head)

    # -- requests

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = RequestHead.of(scope)
        reply = self._entrance(head)
        if self.rules.token is not None and head.path == "/" and b"token=" in head.query:
            scope["query_string"] = b"token=..."  # a server's access log reads it from here
        if reply is None and self._requests >= self.rules.max_requests:
            reply = Reply(503, "The studio is busy. Try again in a moment.", ((b"retry-after", b"1"),))
        if reply is not None:
            await self._answer(reply, head, receive, send)
            return
        self._requests += 1
        try:
            await self._request(head, scope, receive, send)
        finally:
            self._requests -= 1

    async def _request(self, head: RequestHead, scope: Scope, receive: Receive, send: Send) -> None:
        reply = content(head, self.rules)
        if reply is None and head.has_body:
            try:
                body = await read_body(receive, self.rules)
            except Gone:
                return
            if isinstance(body, Reply):
                reply = body
            elif (fault := form_fault(head, body, self.rules)) is not None:
                await self._answer(fault, head, None, send)
                return
            else:
                receive = replayed(body, receive)
        if reply is None:
            await self._page(head, scope, receive, send)
        else:
            await self._answer(reply, head, receive, send)

    async def _page(self, head: RequestHead, scope: Scope, receive: Receive, send: Send) -> None:
        """The application's own answer, or 500 with a number that the log explains."""
        has_started = False

        async def sent(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self.app(scope, receive, sent)
        except Exception:
            if has_started:
                raise
            number = secrets.token_hex(4)
            logger.exception("failure %s: %s %r", number, head.method, head.path)
            reply = Reply(500, f"Something went wrong here. The log has it as {number}.")
            await self._answer(reply, head, None, send)

    async def _answer(self, reply: Reply, head: RequestHead, unread: Receive | None, send: Send) -> None:
        """Send the guard's own answer; a body under way is read on for a moment, so that its sender sees the answer."""
        headers, body = rendered(reply, head, self.rules.json_paths)
        closing = ((b"connection", b"close"),) if head.has_body and unread is not None else ()
        lingers = bool(closing) and head.first(b"expect") is None and reply.status != 408
        await send({"type": "http.response.start", "status": reply.status, "headers": [*headers, *closing]})
        await send({"type": "http.response.body", "body": body, "more_body": lingers})
        if unread is not None and lingers:
            await _drain(unread, self.rules.linger_seconds)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    # -- websockets

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = RequestHead.of(scope)
        reply = self._entrance(head)
        if reply is not None:
            await self._turn_away(reply, head, scope, receive, send)
            return
        socket = GuardedSocket(receive, send, self.rules, self._clock)
        if self._websockets >= self.rules.max_websockets:
            await socket.receive()
            await socket.send({"type": "websocket.accept"})  # only then can the page learn the reason
            await socket.close(BUSY)
            return
        self._websockets += 1
        try:
            await self.app(scope, socket.receive, socket.send)
        except (Gone, WebSocketDisconnect):
            pass  # a page need not notice that nobody listens any more
        except Exception:
            logger.exception("failure: websocket %r", head.path)
            await socket.close(FAULT)
        finally:
            self._websockets -= 1

    async def _turn_away(self, reply: Reply, head: RequestHead, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a handshake."""
        await receive()
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": 1008})
            return
        headers, body = rendered(reply, head, self.rules.json_paths)
        await send({"type": "websocket.http.response.start", "status": reply.status, "headers": [*headers]})
        await send({"type": "websocket.http.response.body", "body": body, "more_body": False})


async def _drain(receive: Receive, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            more = True
            while more:
                message = await receive()
                more = message["type"] == "http.request" and message.get("more_body", False)
