"""The server below the guard: what never becomes a request is bounded here."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from studio.guard_reply import secured
from studio.guard_rules import GuardRules


def uvicorn_options(rules: GuardRules) -> dict[str, Any]:
    """Arguments for ``uvicorn.Config``; host, port, loop and logging are the caller's."""
    return {
        "http": type("Listener", (Listener,), {"rules": rules}),
        "http2": False,
        "h11_max_incomplete_event_size": rules.max_head_bytes,
        "ws": type("Line", (Line,), {"rules": rules}),
        "ws_max_size": rules.max_message,
        "ws_per_message_deflate": False,
        "proxy_headers": False,
        "server_header": False,
        "access_log": False,
        "timeout_keep_alive": 5,
        "timeout_graceful_shutdown": 3,
        "backlog": 256,
    }


class Listener(H11Protocol):
    """A connection that has to send a whole head in time, and gives way to newer ones while it sends none.

    Uvicorn's own limit counts silent connections too, and then refuses requests on all others.
    """

    rules: GuardRules
    _overdue: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()
        self._make_room()

    def _make_room(self) -> None:
        most = self.rules.max_requests + self.rules.max_websockets
        if len(self.connections) <= most:
            return
        lasting = [one for one in self.connections if not one.transport.is_closing()]
        if len(lasting) > most:
            waiting = (one for one in lasting if isinstance(one, Listener) and one.is_waiting)
            min(waiting, key=Listener.due).transport.close()

    @property
    def is_waiting(self) -> bool:
        """Whether no request is under way."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is None or cycle.response_complete

    def due(self) -> float:
        """When this connection is closed if it stays silent."""
        return self._overdue.when() if self._overdue else 0.0

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand over to the websocket protocol what it can read: it is stricter than HTTP, and fails hard."""
        self._unwatch()
        longest = max(len(name) + len(value) for name, value in self.headers)
        usual = len(self.headers) <= self.rules.max_headers and longest < 8000 and len(event.target) < 8000
        if event.method == b"GET" and event.http_version == b"1.1" and usual:
            super().handle_websocket_upgrade(event)
        else:
            self.send_400_response("Invalid websocket handshake.")

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, with the headers of every response."""
        headers = secured(
            [
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", b"%d" % len(msg)),
                (b"connection", b"close"),
            ]
        )
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=msg.encode("ascii")),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event))
        self.transport.close()

    def _watch(self) -> None:
        has_handed_over = self.transport.get_protocol() is not self  # to a websocket, which may be silent
        if not self.is_waiting or self.transport.is_closing() or has_handed_over:
            self._unwatch()
        elif self._overdue is None:
            self._overdue = self.loop.call_later(self.rules.head_seconds, self.transport.close)

    def _unwatch(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None


class Line(WebSocketsSansIOProtocol):
    """A websocket that ends although its peer takes nothing more.

    Uvicorn waits for the peer to take what has been sent before it lets go; one that never does would stay for good.
    """

    rules: GuardRules

    async def run_asgi(self) -> None:
        """Serve it, and cut the line off where it does not end of itself."""
        await super().run_asgi()
        self.loop.call_later(self.rules.linger_seconds, self.transport.abort)
