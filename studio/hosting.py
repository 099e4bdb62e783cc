"""The engine on a loop and thread of its own, so that a user's step can't freeze a page."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import wait
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Generic, TypeVar

import engine as package
from engine import Engine, EngineError, Store, Workflow
from studio.catalog import Catalog

log = logging.getLogger("studio")
T = TypeVar("T")

BEAT = 0.25
"""Seconds between two signs of life of the engine's loop."""

PATIENCE = 1.0
"""Seconds without one after which somebody must have blocked the loop; and what an action waits then."""

CALL_LIMIT = 15.0
"""Seconds that an action may take at most; the engine itself gives up on another process after ten."""

OPEN_LIMIT = 1.0
"""Seconds after which the studio starts although the engine is still taking up runs."""

CLOSE_LIMIT = 6.0
"""Seconds that the engine gets to close."""

BLOCKED_LIMIT = 2.0
"""Seconds after which a blocked engine is left as it is when it is to close."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Code that holds the engine's loop. ``step`` is the path, ``None`` if it is no step's code."""

    seconds: float
    run_id: str | None
    workflow_id: str | None
    step: str | None
    file: str
    line: int
    function: str

    @property
    def message(self) -> str:
        """What happens, where, and what to do about it."""
        who = f"step {self.step!r} of workflow {self.workflow_id!r}" if self.step else "something"
        return (
            f"{who} has blocked the engine for {self.seconds:.1f} s at {self.file}, line {self.line}, in "
            f"{self.function}; other runs wait for it. Make it a plain function (it gets a thread), or await there"
        )


class EngineBlocked(EngineError):
    """An action could not be done because a step blocks the engine. ``under_way``: it had begun, and goes on later."""

    def __init__(self, trouble: Trouble | None, *, under_way: bool) -> None:
        self.trouble = trouble
        self.under_way = under_way
        done = "It had begun and goes on after that" if under_way else "Nothing was changed; try again after that"
        why = trouble.message if trouble else f"the engine has not answered for {CALL_LIMIT:.0f} s"
        super().__init__(f"{why}. {done}.")


class Hosting:
    """Runs an engine beside the web server.

    Read through ``hosting.engine`` directly, from any loop: ``list_runs``, ``get_run(...).result()`` and the like go to
    the store. Whatever changes something goes through :meth:`act`, so that it answers although a step blocks the loop.
    """

    def __init__(
        self,
        workflows: Iterable[Workflow[Any, Any]] = (),
        *,
        store: str | Store = ":memory:",
        catalog: Catalog | None = None,
        **options: Any,
    ) -> None:
        self.catalog = catalog or Catalog.of(workflows)
        self.engine = Engine(self.catalog.workflows.values(), store=store, **options)
        self.loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, name="engine", daemon=True)
        self._watchdog = threading.Thread(target=self._watch, name="engine-watchdog", daemon=True)
        self._opened = threading.Event()
        self._stopping = threading.Event()
        self._closed = threading.Event()
        self._failure: BaseException | None = None
        self._is_left_alone = False
        self._beaten = time.monotonic()
        self._asked = False
        self._trouble: Trouble | None = None

    def __enter__(self) -> Hosting:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # -- the engine's thread

    def start(self) -> None:
        """Open the engine. Raises what opening raises: ``DefinitionError``, ``StoreError``.

        It returns before that is done if it takes long, so that there is a page which says so.
        """
        self._thread.start()
        self._opened.wait(OPEN_LIMIT)
        if self._failure is not None:
            raise self._failure
        self._is_left_alone = True
        self._watchdog.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        main = self.loop.create_task(self._main(), name="engine")
        try:
            self.loop.run_until_complete(main)
        except BaseException as error:
            self._failure = error
            if self._is_left_alone:
                log.exception("the engine could not be opened")
        finally:
            self._opened.set()
            self._end_loop()
            self._closed.set()

    def _end_loop(self) -> None:
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()

    async def _main(self) -> None:
        async with self.engine:
            self._beaten = time.monotonic()
            self._opened.set()
            await self._stop.wait()

    def begin_stop(self) -> None:
        """Let the engine interrupt what runs and close; returns at once. May be called again, and in any thread."""
        if not self._stopping.is_set():
            self._stopping.set()
            with contextlib.suppress(RuntimeError):  # it is closed already
                self.loop.call_soon_threadsafe(self._stop.set)

    def stop(self, limit: float = CLOSE_LIMIT) -> bool:
        """Close the engine; ``False`` if it did not come to that in time, for instance because a step blocks it."""
        self.begin_stop()
        began = time.monotonic()
        while not self._closed.wait(min(BEAT, limit)):
            waited = time.monotonic() - began
            if waited >= limit or (self._trouble is not None and waited >= BLOCKED_LIMIT):
                why = self._trouble.message if self._trouble else "it takes too long to close"
                log.warning("the engine was left as it is, its runs are taken up at the next start: %s", why)
                return False
        self._thread.join()
        return True

    @property
    def is_open(self) -> bool:
        """Whether the engine takes calls."""
        return self._opened.is_set() and not self._stopping.is_set() and not self._closed.is_set()

    def register(self, workflows: Iterable[Workflow[Any, Any]]) -> None:
        """Add workflows, or put them in the place of those of the same id; from any thread but the engine's.

        Raises ``DefinitionError``. Runs that are under way go on; while a step blocks the engine, this waits.
        """
        ready = list(workflows)
        for workflow in ready:
            workflow.commit()

        async def register() -> None:
            self.engine.register(ready)

        if not self.is_open:
            raise EngineError("the engine is not open")
        done = asyncio.run_coroutine_threadsafe(register(), self.loop)
        while not (done.done() or self._closed.is_set()):
            wait([done], BEAT)

    # -- blocked?

    def _watch(self) -> None:
        """The watchdog: ask the loop for a sign of life, and look at what it does when none comes."""
        while True:
            began = time.monotonic()
            if self._closed.wait(BEAT):
                return
            if time.monotonic() - began > BEAT + PATIENCE / 2:
                self._beaten = time.monotonic()  # the whole process stood still, or the machine slept
            silent = self.silent_for()
            told = self._trouble
            self._trouble = None if silent < PATIENCE else self._look(silent)
            if told is None and self._trouble is not None:
                log.warning("%s", self._trouble.message)
            if not self._asked:
                self._asked = True
                with contextlib.suppress(RuntimeError):  # the loop has just been closed
                    self.loop.call_soon_threadsafe(self._beat)

    def _beat(self) -> None:
        self._beaten = time.monotonic()
        self._asked = False

    def silent_for(self) -> float:
        """Seconds since the engine's loop gave its last sign of life, beyond what is usual."""
        return max(0.0, time.monotonic() - self._beaten - BEAT)

    def engine_trouble(self) -> Trouble | None:
        """Which code blocks the engine's loop right now, if any does for more than a second."""
        return self._trouble

    def _look(self, silent: float) -> Trouble | None:
        """What the engine's thread is doing."""
        frame = sys._current_frames().get(self._thread.ident or 0)
        if frame is None:
            return None
        step = self.engine.busy_step()
        user = _user_frame(frame)
        if step is None and user is None:
            return None
        run_id, workflow_id, path = step or (None, None, None)
        where = user or frame
        code = where.f_code
        return Trouble(silent, run_id, workflow_id, path, code.co_filename, where.f_lineno, code.co_qualname)

    # -- doing something

    async def act(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Await something on the engine's loop: ``await hosting.act(lambda: run.cancel())``.

        Raises what it raises, and ``EngineBlocked`` within about a second if a step blocks the loop.
        """
        if not self.is_open:
            state = "is still starting" if not self._opened.is_set() else "is stopping"
            raise EngineError(f"the engine {state}; nothing was changed, try again in a moment")
        call = _Call(work)
        future = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call.run(), self.loop))
        deadline = time.monotonic() + CALL_LIMIT
        try:
            while time.monotonic() < deadline:
                done, _ = await asyncio.wait([future], timeout=PATIENCE)
                if done:
                    return future.result()
                silent = self.silent_for()
                trouble = self._trouble or (self._look(silent) if silent > PATIENCE / 2 else None)
                if trouble is not None:
                    raise EngineBlocked(trouble, under_way=call.give_up())
            raise EngineBlocked(None, under_way=call.give_up())
        finally:
            call.give_up()
            future.cancel()


class _Call(Generic[T]):
    """One action. When its caller gives up it has either begun, and goes on, or never does."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._has_begun = False
        self._is_given_up = False

    async def run(self) -> T:
        with self._lock:
            if self._is_given_up:
                raise asyncio.CancelledError
            self._has_begun = True
        # A task of its own: it goes on although its caller has given up.
        return await asyncio.shield(asyncio.get_running_loop().create_task(self._work()))

    def give_up(self) -> bool:
        """Begin no more; whether it has begun already."""
        with self._lock:
            self._is_given_up = True
            return self._has_begun


_OURS = tuple(
    str(form) + os.sep
    for place in (str(Path(package.__file__).parent), sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"))
    for form in (Path(place), Path(place).resolve())
)


def _user_frame(innermost: FrameType) -> FrameType | None:
    """The innermost frame of code that is neither the engine's nor a library's."""
    frame: FrameType | None = innermost
    while frame is not None and frame.f_code.co_filename.startswith((*_OURS, "<")):
        frame = frame.f_back
    return None if frame is None or frame.f_code.co_filename == __file__ else frame
