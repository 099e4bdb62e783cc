"""A websocket that was let in: the studio only speaks on it, so what it hears is little, and text."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from starlette.types import Message, Receive, Send

from studio.guard_body import Gone
from studio.guard_rules import GuardRules

POLICY = 1008
NO_BINARY = 1003
TOO_BIG = 1009
FAULT = 1011
BUSY = 1013


class GuardedSocket:
    """Receives and sends for a page, and hangs up on a flood."""

    def __init__(self, receive: Receive, send: Send, rules: GuardRules, clock: Callable[[], float]) -> None:
        self._receive = receive
        self._send = send
        self._rules = rules
        self._clock = clock
        self._heard: deque[float] = deque(maxlen=rules.messages_per_second)
        self._is_closed = False

    async def receive(self) -> Message:
        """The next message; a disconnect when the guard hung up."""
        message = await self._receive()
        if message["type"] != "websocket.receive":
            self._is_closed |= message["type"] == "websocket.disconnect"
            return message
        code = self._fault(message)
        if code is None:
            return message
        await self.close(code)
        return {"type": "websocket.disconnect", "code": code}

    async def send(self, message: Message) -> None:
        """Send a page's message. Raises ``Gone`` when nobody listens any more."""
        if self._is_closed:
            raise Gone
        self._is_closed |= message["type"] == "websocket.close"
        try:
            await self._send(message)
        except OSError as error:
            self._is_closed = True
            raise Gone from error

    async def close(self, code: int) -> None:
        """Hang up, if that has not happened yet; before the handshake's end that is a refusal."""
        if not self._is_closed:
            self._is_closed = True
            await self._send({"type": "websocket.close", "code": code})

    def _fault(self, message: Message) -> int | None:
        now = self._clock()
        is_flood = len(self._heard) == self._heard.maxlen and now - self._heard[0] < 1.0
        self._heard.append(now)
        text = message.get("text")
        if is_flood:
            return POLICY
        if text is None:
            return NO_BINARY
        return TOO_BIG if len(text) > self._rules.max_message else None
