"""Stopping steps: asked to stop first, left alone if they don't. What they give after that is noted as late."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from engine.cells import DONE, Cell, Frame, ancestors
from engine.commands import Command
from engine.events import Fact
from engine.outcomes import failed, late, timeout_error
from engine.plan import Call

if TYPE_CHECKING:
    from engine.host import Attempt, Host

GRACE = 2.0
"""Seconds that a cancelled async step has before it is left alone."""


class TimeLimit:
    """How long an attempt may run; then it is stopped, and an async one that does not stop is left alone."""

    __slots__ = ("_ctx", "_run", "_seconds", "_timer")

    def __init__(self, run: Host, ctx: Attempt, seconds: float) -> None:
        self._run = run
        self._ctx = ctx
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """The attempt runs from now on."""
        if not self._ctx.closed:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._time_out)

    def end(self) -> bool:
        """The attempt has come to its end; whether that was too late, though nobody could stop it."""
        timer = self._timer
        if timer is None:
            return False
        timer.cancel()
        return timer.when() <= asyncio.get_running_loop().time()

    def _time_out(self) -> None:
        ctx = self._ctx
        if ctx.closed or ctx.reason is not None:
            return
        _ask(ctx, "timeout")
        asyncio.get_running_loop().call_later(GRACE, _give_up, self._run, ctx)


def _ask(ctx: Attempt, reason: str) -> None:
    ctx.stop(reason)
    if ctx.task is not None:
        ctx.task.cancel()


def _give_up(run: Host, ctx: Attempt) -> None:
    cell = ctx.cell
    if ctx.closed or run.running.get(cell.path) is not ctx or not isinstance(cell.node, Call):
        return
    _abandon(run, ctx)
    facts = failed(run, cell, cell.node, timeout_error(cell, cell.node))
    run.spawn(run.go(run.record_all(facts)), f"timeout {cell.path}")


def _abandon(run: Host, ctx: Attempt) -> None:
    ctx.closed = True
    run.running.pop(ctx.cell.path, None)


async def stop_steps(run: Host, below: Frame | None) -> None:
    """Cancel the steps that run (below a frame) and wait for them, 2 s at most; who is left then is left alone."""
    current = asyncio.current_task()
    stopping = []
    for ctx in list(run.running.values()):
        if ctx.task is current or (below is not None and below not in ancestors(ctx.cell)):
            continue
        if ctx.done is None:
            ctx.done = asyncio.get_running_loop().create_future()
            _ask(ctx, "cancel")
        stopping.append(ctx)
    if not stopping:
        return
    await asyncio.wait([ctx.done for ctx in stopping if ctx.done is not None], timeout=GRACE)
    for ctx in stopping:
        if not ctx.closed:
            _abandon(run, ctx)


def cancel_open(run: Host, below: Frame) -> list[Command]:
    """Write that everything open below a frame is cancelled, the inmost first."""
    todo: list[Command] = []
    for cell in reversed(list(run.state.cells.values())):
        if cell.status not in DONE and below in ancestors(cell):
            run.unwake(cell)
            todo += run.record(Fact("step.canceled", cell.path, attempt=cell.attempts or None, site=cell))
    return todo


def ended_late(run: Host, cell: Cell, ctx: Attempt, ended: Future[Any]) -> None:
    """A thread that was left behind has come to its end."""
    node = cell.node
    if run.fenced or run.home.is_closed or not isinstance(node, Call):
        return
    error = ended.exception()
    result = None if error is not None else ended.result()
    run.record(late(run, ctx, node, result, error))
    run.flush_soon()
