"""What happens when a time has come: a sleep ends, a retry is due, a question or a wait has expired."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.cells import DONE, Cell
from engine.clock import Clock, Timer
from engine.commands import Wake
from engine.error_records import error_record
from engine.errors import StepTimeout, SuspensionExpired
from engine.events import Fact
from engine.plan import Call, Sleep, Wait
from engine.sources import encode_free
from engine.values import Value

if TYPE_CHECKING:
    from engine.host import Host


class Timers:
    """The times at which cells of a run are to be looked at again: one a cell, since a later one replaces it."""

    def __init__(self, clock: Clock, due: Callable[[Wake], None]) -> None:
        self._clock = clock
        self._due = due
        self._set: dict[str, Timer] = {}

    def __len__(self) -> int:
        return len(self._set)

    def set(self, wake: Wake) -> None:
        """Call ``due`` when the time has come."""
        self.drop(wake.cell)
        self._set[wake.cell.path] = self._clock.call_at(wake.at, lambda: self._fire(wake))

    def _fire(self, wake: Wake) -> None:
        self._set.pop(wake.cell.path, None)
        if self._clock.now() < wake.at - 0.001:  # the clock was set back
            self.set(wake)
        else:
            self._due(wake)

    def drop(self, cell: Cell) -> None:
        """Nothing is due for a cell any more."""
        timer = self._set.pop(cell.path, None)
        if timer is not None:
            timer.cancel()

    def clear(self) -> None:
        """Nothing is due at all."""
        for timer in self._set.values():
            timer.cancel()
        self._set.clear()


def woken(run: Host, cell: Cell, mark: str | int) -> list[Fact] | None:
    """The facts that a time makes for a cell; ``[]``: start it again; ``None``: nothing, things have moved on."""
    if cell.status in DONE or run.state.canceling or run.state.ended:
        return None
    if cell.question is not None and cell.question.token == mark:
        return _expired(run, cell)
    if mark != cell.attempts:
        return None
    node = cell.node
    if isinstance(node, Sleep) and cell.status == "waiting":
        fired = Fact("timer.fired", cell.path, attempt=cell.attempts, site=cell)
        return [fired, Fact("step.succeeded", cell.path, attempt=cell.attempts, value=cell.input, site=cell)]
    if isinstance(node, Wait) and cell.status == "waiting":
        message = f"no event {node.event!r} came to {cell.path!r} within {node.timeout:g} s"
        return [_failed(run, cell, StepTimeout(message))]
    if isinstance(node, Call) and cell.due is not None and cell.status == "running" and cell.path not in run.running:
        return []
    return None


def _expired(run: Host, cell: Cell) -> list[Fact]:
    question = cell.question
    if question is None:
        return []
    run.answer_schemas.pop(question.token, None)
    expired = Fact("suspension.expired", cell.path, data={"token": question.token}, site=cell)
    if question.has_default:
        data = {"token": question.token, "by": "expiry"}
        answer = Value(encode_free(question.default))
        return [expired, Fact("step.resumed", cell.path, data=data, value=answer, site=cell)]
    too_late = _failed(run, cell, SuspensionExpired(f"nobody answered the question of step {cell.path!r} in time"))
    try:
        undone = run.shared.take_back(cell)
    except Exception as error:  # noqa: BLE001 - a reducer of the user's may raise anything
        return [expired, _failed(run, cell, error)]
    return [expired, too_late] if undone is None else [expired, undone, too_late]


def _failed(run: Host, cell: Cell, error: Exception) -> Fact:
    data = {"error": error_record(run, error, cell)}
    return Fact("step.failed", cell.path, attempt=cell.attempts, data=data, site=cell)
