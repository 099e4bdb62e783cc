"""Viewers: each follows a run, or the lists, over a websocket, at its own pace and at nobody else's cost.

What happens in a run is read and rendered once for all its viewers. A viewer is a number: the seq up to which it has
seen everything. So one that is slow, or comes back, needs nothing kept for it: what it lacks is in the store.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from engine import EngineError, Event, Run, RunResult, UnknownRun
from studio.hosting import Hosting
from studio.lists import Lists
from studio.live import Frame, Moment, run_frame
from studio.picture import Picture
from studio.waking import Signal

log = logging.getLogger("studio")

PACE = 0.05
"""Seconds between two frames for one viewer."""

REST = 4
"""How many times as long as a frame took to make nothing is made after it: a huge run leaves the pages their time."""

FULL = 500
"""Events in one frame at most."""

SKIP = 2000
"""Events that a viewer may be behind; beyond that it skips to the present."""

KEPT = 2
"""Frames of a run that are kept: who is further behind gets one frame for all that it lacks."""

SEND_LIMIT = 5.0
"""Seconds in which a viewer must take a frame."""

VIEWERS = 1024
"""How many there may be at once."""

ENDED, RESTART, BUSY, UNKNOWN = 1000, 1012, 1013, 4404


class Channel:
    """What happens in one run, made into frames while anybody looks."""

    def __init__(self, hosting: Hosting, run: Run, after: int) -> None:
        self._hosting = hosting
        self.run = run
        self.head = after
        self.viewers = 0
        self.is_over = False
        self._frames: deque[Frame] = deque(maxlen=KEPT)
        self._catching_up: dict[int, asyncio.Task[Frame]] = {}
        """Frames up to the present for those further behind, by where they are."""
        self._pending: list[Event] = []
        self._newest = after
        self._present: tuple[int, RunResult, dict[str, str]] | None = None
        """The run as last looked at, and up to which event that is at least."""
        self._picture = Picture()
        self._looking = asyncio.Lock()
        """One look after the other: what is said of the picture builds upon the look before."""
        self._cost = 0.0
        self._arrived = asyncio.Event()
        self._moved = Signal()
        self._tasks: set[asyncio.Task[Any]] = {
            asyncio.create_task(self._read(), name=f"read {run.run_id}"),
            asyncio.create_task(self._compose(), name=f"compose {run.run_id}"),
        }

    def close(self) -> None:
        """Nobody looks any more."""
        for task in self._tasks:
            task.cancel()

    async def _read(self) -> None:
        try:
            while await self._follow():
                pass
        except EngineError as error:
            log.debug("following run %s ends: %s", self.run.run_id, error)
        finally:
            self.is_over = True
            self._arrived.set()

    async def _follow(self) -> bool:
        """Read what happens, to the end; ``True`` if it is more than can be shown, and the rest so far was skipped."""
        async for event in self.run.events(self._newest):
            self._pending.append(event)
            self._newest = event.seq
            self._arrived.set()
            if len(self._pending) > SKIP:
                self._pending.clear()
                self._newest = await self._hosting.engine.store.last_seq(self.run.run_id)
                return True
            if event.seq % 64 == 0:
                await asyncio.sleep(0)  # a long log is read without a pause
        return False

    async def _compose(self) -> None:
        while not (self.is_over and self.head >= self._newest):
            await self._arrived.wait()
            self._arrived.clear()
            if self.head < self._newest:
                await self._advance()
                await asyncio.sleep(max(PACE, self._cost * REST))
        self._moved.wake()

    async def _advance(self) -> None:
        """Make the next frame."""
        is_gap = not self._pending or self._pending[0].seq != self.head + 1
        if is_gap:
            self._pending.clear()
        events, self._pending = tuple(self._pending[:FULL]), self._pending[FULL:]
        try:
            frame = await self._frame(self.head, events[-1].seq if events else self._newest, events)
        except Exception as error:  # noqa: BLE001 - deleted meanwhile, the engine closes, or a fault of ours
            shown = log.debug if isinstance(error, EngineError) else log.error
            shown("run %s can't be shown: %s", self.run.run_id, error, exc_info=error)
            self.head = self._newest
            self._moved.wake()
            return
        self._frames.append(frame)
        self._catching_up.clear()
        self.head = frame.seq
        if self.head < self._newest:
            self._arrived.set()
        self._moved.wake()

    async def _frame(self, after: int, seq: int, events: tuple[Event, ...]) -> Frame:
        async with self._looking:
            began = time.thread_time()  # not the clock: on a busy machine it would say that everything is dear
            workflow = self._hosting.catalog.workflows.get(self.run.workflow_id)
            if self._present is None or self._present[0] < seq:
                self._present = (self._newest, await self.run.result(), await self.run.statuses())
                last = await self._hosting.engine.store.last_seq(self.run.run_id)
                self._picture.see(workflow, self._present[2], last)
            _, result, statuses = self._present
            moment = Moment(
                hosting=self._hosting,
                run=self.run,
                workflow=workflow,
                result=result,
                statuses=statuses,
                events=events,
                seq=seq,
                gap=not events,
                drawn=self._picture.since(after),
            )
            frame = run_frame(moment, after)
            self._cost = time.thread_time() - began
            return frame

    async def next(self, cursor: int, *, first: bool = False) -> Frame | None:
        """The frame for a viewer who has seen everything up to ``cursor``; ``None`` once there will be none.

        The ``first`` has the whole picture: the page may show it as it was at a moment that nobody looked at here.
        """
        while cursor >= self.head:
            if self.is_over and self.head >= self._newest:
                return None
            await self._moved.wait()
        frame = await self._frame_after(cursor)
        return frame.also(self._picture.whole()) if first else frame

    async def _frame_after(self, cursor: int) -> Frame:
        for frame in self._frames:
            if frame.after == cursor:
                return frame
        made = self._catching_up.get(cursor)
        if made is None:  # viewers at one point share it
            made = asyncio.create_task(self._catch_up(cursor, self.head), name=f"catch up {self.run.run_id}")
            self._catching_up[cursor] = made
            self._tasks.add(made)
            made.add_done_callback(self._tasks.discard)
        return await asyncio.shield(made)

    async def _catch_up(self, cursor: int, head: int) -> Frame:
        if head - cursor > SKIP:
            return await self._frame(cursor, head, ())
        events = await _some(self.run, cursor, min(head, cursor + FULL))
        return await self._frame(cursor, events[-1].seq if events else head, events)

    def viewer(self) -> Callable[[int], Awaitable[Frame | None]]:
        """What gives the frames of one viewer."""
        is_new = True

        async def give(cursor: int) -> Frame | None:
            nonlocal is_new
            first, is_new = is_new, False
            return await self.next(cursor, first=first)

        return give


async def _some(run: Run, after: int, last: int) -> tuple[Event, ...]:
    """The events of a run with ``after < seq <= last``."""
    found = []
    async with contextlib.aclosing(_log(run, after)) as log_of_run:
        async for event in log_of_run:
            if event.seq > last:
                break
            found.append(event)
            if event.seq == last:
                break
    return tuple(found)


async def _log(run: Run, after: int) -> AsyncGenerator[Event]:
    async for event in run.events(after, follow=False):
        yield event


class Hub:
    """All viewers of an application. ``send_limit``: seconds in which a viewer must take a frame."""

    def __init__(self, hosting: Hosting, *, send_limit: float = SEND_LIMIT) -> None:
        self._hosting = hosting
        self._send_limit = send_limit
        self._channels: dict[str, Channel] = {}
        self._lists: Lists | None = None
        self._viewers: set[asyncio.Task[int]] = set()
        self._is_closing = False

    @property
    def viewers(self) -> int:
        """How many there are."""
        return len(self._viewers)

    async def watch_run(self, websocket: WebSocket, run_id: str, after: int) -> None:
        """Serve one viewer of a run until it leaves, the run has ended, or the studio stops."""
        await websocket.accept()
        try:
            run = await self._hosting.engine.get_run(run_id)
            after = await _known(run, after)
        except UnknownRun:
            await _close(websocket, UNKNOWN, "there is no such run")
            return
        channel = self._channels.get(run_id)
        if channel is None or channel.is_over:
            channel = self._channels[run_id] = Channel(self._hosting, run, after)
        channel.viewers += 1
        try:
            await self._serve(websocket, channel.viewer(), after)
        finally:
            channel.viewers -= 1
            if not channel.viewers:
                channel.close()
                if self._channels.get(run_id) is channel:
                    del self._channels[run_id]

    async def watch_lists(self, websocket: WebSocket, query: str = "") -> None:
        """Serve one viewer of lists and counters until it leaves, or the studio stops.

        ``query`` says which list its page shows: see ``LIST_VIEWS``.
        """
        await websocket.accept()
        lists = self._lists = self._lists or Lists(self._hosting)
        lists.enter(query)
        try:
            await self._serve(websocket, partial(lists.next, query=query), -1)
        finally:
            lists.leave(query)
            if not lists.viewers:
                lists.close()
                self._lists = None

    async def _serve(self, websocket: WebSocket, next: Callable[[int], Awaitable[Frame | None]], cursor: int) -> None:
        if self._is_closing or len(self._viewers) >= VIEWERS:
            await _close(websocket, RESTART if self._is_closing else BUSY, "try again in a moment")
            return
        sending = asyncio.create_task(_send(websocket, next, cursor, self._send_limit), name="viewer")
        hearing = asyncio.create_task(_hear(websocket), name="viewer leaves")
        self._viewers.add(sending)
        try:
            await asyncio.wait([sending, hearing], return_when=asyncio.FIRST_COMPLETED)
            if hearing.done():
                return
            is_stopping = sending.cancelled() or not self._hosting.is_open
            code = RESTART if is_stopping else sending.result()
            await _close(websocket, code, "")
        finally:
            self._viewers.discard(sending)
            for task in (sending, hearing):
                task.cancel()
            await asyncio.wait([sending, hearing])

    async def close(self) -> None:
        """The studio stops: everybody is told to come back soon."""
        self._is_closing = True
        for viewer in list(self._viewers):
            viewer.cancel()


async def _known(run: Run, after: int) -> int:
    """``after`` if the run has come that far, else 0: it is from another store."""
    return after if after <= 0 or await _some(run, after - 1, after) else 0


async def _send(websocket: WebSocket, next: Callable[[int], Awaitable[Frame | None]], cursor: int, limit: float) -> int:
    """Send frames; the code to close with."""
    while True:
        try:
            frame = await next(cursor)
        except EngineError as error:
            log.debug("a viewer's frame can't be made: %s", error)
            return ENDED
        if frame is None:
            return ENDED
        try:
            async with asyncio.timeout(limit):
                await websocket.send_text(frame.text)
        except TimeoutError:
            return BUSY
        except (WebSocketDisconnect, RuntimeError, OSError):
            return ENDED
        cursor = frame.seq
        await asyncio.sleep(PACE)


async def _hear(websocket: WebSocket) -> None:
    """Until the viewer leaves; what it says is not listened to."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


async def _close(websocket: WebSocket, code: int, reason: str) -> None:
    with contextlib.suppress(TimeoutError, WebSocketDisconnect, RuntimeError, OSError):
        async with asyncio.timeout(1.0):
            await websocket.close(code, reason)
