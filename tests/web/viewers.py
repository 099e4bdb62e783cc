"""Viewers of live frames, as the application meets them: over plain ASGI, as fast or as slow as a test wants."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.types import Message
from starlette.websockets import WebSocket

from studio.hub import Hub

Take = Callable[[], Awaitable[None]]


async def at_once() -> None:
    """Takes each frame as it comes."""


class Viewer:
    """One connection to a hub. ``take`` is awaited with each frame: it sets the pace."""

    def __init__(self, take: Take = at_once) -> None:
        self.frames: list[dict[str, Any]] = []
        self.code: int | None = None
        self._take = take
        self._leaves = asyncio.Event()
        self._came = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._said: list[Message] = [{"type": "websocket.connect"}]

    def follow(self, hub: Hub, run_id: str, after: int = 0) -> Viewer:
        """Follow a run from now on."""
        self._task = asyncio.create_task(hub.watch_run(self._socket(), run_id, after))
        return self

    def follow_lists(self, hub: Hub) -> Viewer:
        """Follow the lists from now on."""
        self._task = asyncio.create_task(hub.watch_lists(self._socket()))
        return self

    def _socket(self) -> WebSocket:
        return WebSocket({"type": "websocket"}, self._receive, self._send)

    async def _receive(self) -> Message:
        if self._said:
            return self._said.pop()
        await self._leaves.wait()
        return {"type": "websocket.disconnect", "code": 1001}

    async def _send(self, message: Message) -> None:
        if message["type"] == "websocket.send":
            await self._take()
            self.frames.append(json.loads(message["text"]))
        elif message["type"] == "websocket.close":
            self.code = message["code"]
        self._came.set()

    async def until(self, found: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first frame that is so, of those that came and those to come."""
        async with asyncio.timeout(10):
            while True:
                for frame in self.frames:
                    if found(frame):
                        return frame
                self._came.clear()
                await self._came.wait()

    async def leave(self) -> None:
        """Close the tab."""
        self._leaves.set()
        await self.end()

    async def end(self) -> int | None:
        """Wait until the connection is over; the code with which the server closed it, if it did."""
        if self._task is not None:
            async with asyncio.timeout(20):
                await self._task
        return self.code

    @property
    def last(self) -> int:
        """The seq up to which everything has been seen."""
        return int(self.frames[-1]["seq"]) if self.frames else 0

    @property
    def seqs(self) -> list[int]:
        """The events that were seen, as the part in the tests' ``LIVE_PARTS`` writes them."""
        return [int(seq) for frame in self.frames for seq in frame.get("content", "").split()]
