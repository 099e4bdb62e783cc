"""One run, live: it performs the commands that ``advance`` gives, and writes down what comes of them.

Decisions are made elsewhere (``apply``, ``advance``); here things are done. A sequential step costs one direct await
in its worker's task; only what really runs side by side gets a task of its own. All of it happens on the engine's
event loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from engine.advance import advance, is_due
from engine.apply import apply
from engine.asking import answer, must_be_awaited
from engine.cells import Cell, Site
from engine.commands import Again, Begin, Command, Drop, Invoke, Wake
from engine.commits import Commits, give_way
from engine.debugger import stop_after, stop_before
from engine.errors import EngineError, Fenced, UnknownRun
from engine.events import Fact
from engine.host import Attempt, Home
from engine.invoke import Closing, call
from engine.perform import perform, start
from engine.plan import Call, Foreach
from engine.schema import ANY, Schema
from engine.shared import SharedState
from engine.state import RunState
from engine.timers import Timers, woken
from engine.values import Value

if TYPE_CHECKING:
    from concurrent.futures import Executor as Threads


log = logging.getLogger("engine")

BREATH = 500
"""Commands in a row after which what they wrote is committed, and others have a turn."""

TURNS = 16
"""Steps in a row after which others get the event loop, even if none of these steps waited for anything."""

_STATUS_FACT = {
    "running": "run.resumed",
    "paused": "run.paused",
    "suspended": "run.suspended",
    "waiting": "run.waiting",
}


Due = Cell | Command | list[Command]


class Executor(Commits):
    """The live side of one run. ``state`` is ahead of the log by what is ``pending``; nobody is told of that yet."""

    def __init__(self, home: Home, state: RunState, *, epoch: int) -> None:
        super().__init__(home, state, epoch=epoch)
        self.shared = SharedState(state)
        self.running: dict[str, Attempt] = {}
        self.answer_schemas: dict[str, Schema] = {}
        self.requests: dict[asyncio.Task[Any] | None, str] = {}
        """Calls from other processes that are being acted on, by the task that does it, until it has written."""
        self.serial: list[Cell] | None = None
        """Steps that a crash cut, waiting to be taken up one at a time (``None``: all at once)."""
        self.closing = False
        self.holds_secrets = False
        """Whether live values hold what the store does not."""
        self.starting = False
        self.queued = False
        """Started, but waiting for one of ``max_running`` places, with something to do."""
        self.asking = 0
        """Functions of the user's that are awaited, or will be in a moment: the run is running meanwhile."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers = Timers(self.clock, self._look)

    @property
    def threads(self) -> Threads:
        return self.home.threads

    @property
    def is_idle(self) -> bool:
        """Whether nothing happens here and nothing is waited for, so that the store alone is enough to go on from."""
        busy = (
            self._tasks
            or self._timers
            or self._pending
            or self._waiters
            or self.running
            or self._writing
            or self.queued
            or self.starting
        )
        return not (busy or self.holds_secrets)

    # -- writing down

    def record(self, fact: Fact) -> list[Command]:
        """Number a fact, fold it, and say what follows. It is written with the next commit."""
        state = self.state
        if state.breakpoints and fact.type == "step.succeeded" and not state.hold and stop_after(self, fact):
            self.record(Fact("run.breakpoints_set", data={"hold": True, "at": fact.path}))
        if self.requests:
            self._sign(fact)
        fact.seq = state.seq + 1
        fact.at = self.clock.now()
        try:
            apply(state, fact)
            self._pending.append(fact)
            return advance(state, fact)
        except Exception as error:
            self.let_go(error)  # half folded: whoever goes on with this run has to fold it again
            raise

    def _sign(self, fact: Fact) -> None:
        """Note in the first fact of an act which call it answers."""
        request = self.requests.pop(asyncio.current_task(), None)
        if request is not None:
            fact.data = {**(fact.data or {}), "request": request}

    def adopt_fact(self, fact: Fact, *, at: float) -> None:
        """Take over a fact from another run's log, with its own time; what follows from it is the caller's to say."""
        fact.seq = self.state.seq + 1
        fact.at = at
        apply(self.state, fact)
        self._pending.append(fact)

    def record_all(self, facts: Iterable[Fact]) -> list[Command]:
        """Record several facts; what follows from all of them."""
        todo: list[Command] = []
        for fact in facts:
            todo += self.record(fact)
        return todo

    async def settle(self, todo: list[Command]) -> list[Due]:
        """Do everything that follows at once, until only code of the user's is left to be awaited.

        That is returned: steps, commands that ask a function, and what is left of a long list. ``todo`` grows while it
        is walked.
        """
        calls: list[Due] = []
        drops: list[Drop] = []
        for done, command in enumerate(todo):
            if done == BREATH:  # much that follows from itself, such as a loop of maps: others have a turn first
                calls.append([*todo[done:], *drops])
                return calls
            # The two commands of a plain step first: they are nearly all of them, and need no waiting.
            if isinstance(command, Invoke) and type(command.cell.node) is Call:
                calls.append(command.cell)
            elif isinstance(command, Begin) and type(command.site.node) is not Foreach:
                todo += self.begin(command.site)
            elif isinstance(command, Drop):
                drops.append(command)
            elif must_be_awaited(command):
                self.asking += 1
                calls.append(command)
            else:
                todo += await perform(self, command)
        for drop in drops:  # last of all: what is still to begin would run there
            calls += await self.settle(await perform(self, drop))
        return calls

    def begin(self, site: Site) -> list[Command]:
        """Begin a node, unless the debugger holds the run before it."""
        state = self.state
        if not is_due(state, site):
            return []
        if (state.hold or state.breakpoints) and (held := stop_before(self, site)) is not None:
            return self.record(Fact("step.held", site.path, data=held or None, site=site))
        return start(self, site, 1)

    def mark(self) -> None:
        """If the run's status is no longer what was last written, write it."""
        state = self.state
        if state.ended or not state.started or self.queued:
            return
        now = "running" if self.asking else state.open_status()
        if now != state.status:
            self.record(Fact(_STATUS_FACT[now]))

    # -- doing

    async def go(self, todo: list[Command]) -> None:
        """Settle, write down, and call the steps that are next: the way from any outside call into the run."""
        try:
            if todo and not self._may_go_on():
                self._wait_for_a_place(todo)
                todo = []
            calls = await self._settle_serial(await self.settle(todo))
            self.mark()
            await self.commit()
        except Exception as error:
            self.let_go(error)  # what follows from the log is not done here: whoever goes on has to fold it again
            raise
        self.launch(calls)
        self._after_commit()

    def _may_go_on(self) -> bool:
        """Whether the run is one of ``max_running``, or may become one now."""
        state = self.state
        if state.status == "running" or state.canceling or state.ended:
            return True
        return not self.queued and self.home.admit(self)

    def _wait_for_a_place(self, todo: list[Command]) -> None:
        self.home.enqueue(self, todo)
        self.queued = True
        if self.state.status != "pending":
            self.record(Fact("run.resumed", data={"status": "pending"}))

    async def _settle_serial(self, calls: list[Due]) -> list[Due]:
        """Take up the next step that a crash cut, if they are taken up one at a time and none is under way."""
        while self.serial and not calls and not self.running:
            cell = self.serial.pop(0)
            if cell.status == "running":  # an earlier one may have ended the block that it is in
                calls = await self.settle([Again(cell)])
        return calls

    def launch(self, calls: Iterable[Due]) -> None:
        """Call steps and functions, each in a task of its own."""
        for due in calls:
            if isinstance(due, Cell):
                self.spawn(self._work(due), due.path)
            elif isinstance(due, list):
                self.spawn(self.go(due), "go on")
            else:
                self.spawn(answer(self, due), type(due).__name__)

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Do something in a task of this run."""
        task = asyncio.get_running_loop().create_task(work, name=f"{self.run_id}:{name}")
        self._tasks.add(task)
        self.home.busy += 1
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.home.busy -= 1
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not isinstance(error, (Closing, Fenced, UnknownRun)):
            log.error(
                "run %s: an internal error; the run stops here until it is recovered", self.run_id, exc_info=error
            )
            self.let_go(error)

    async def _work(self, cell: Cell) -> None:
        """Call a step, then whatever follows from it, one after another; what runs beside it gets a task of its own."""
        task = asyncio.current_task()
        if task is None:
            raise AssertionError("a worker is a task")
        turns = 0
        is_heavy = cell.input.is_heavy
        while True:
            turns += 1
            if turns % TURNS == 0 or is_heavy:
                await give_way()
            node = cell.node
            if not isinstance(node, Call) or cell.status != "running" or self.closing or cell.path in self.running:
                return
            facts = await call(self, cell, node, task)
            if self.fenced:
                return
            todo = self.record_all(facts)
            calls = await self.settle(todo) if todo else []
            if self.serial:
                calls = await self._settle_serial(calls)
            self.mark()
            is_heavy = cell.output is not None and cell.output.is_heavy
            if is_heavy:
                await give_way()  # encoding it took long, writing and reading it will, too
            await self.commit()
            if self.state.ended or not calls:
                self._after_commit()
                return
            first, *others = calls
            self.launch(others)
            if not isinstance(first, Cell):
                self.launch([first])
                return
            cell = first

    def _after_commit(self) -> None:
        if self.state.ended and not self.closing:
            self.closing = True
            self._timers.clear()
            self.home.run_ended(self)

    # -- time

    def wake(self, command: Wake) -> None:
        """Look at a cell again at a time."""
        self._timers.set(command)

    def unwake(self, cell: Cell) -> None:
        """What a cell waited for has come: its time means nothing any more."""
        self._timers.drop(cell)

    def _look(self, command: Wake) -> None:
        if not (self.closing or self.fenced):
            self.spawn(self._woken(command.cell, command.mark), f"wake {command.cell.path}")

    async def _woken(self, cell: Cell, mark: str | int) -> None:
        facts = woken(self, cell, mark)
        if facts is None:
            return
        await self.go(self.record_all(facts) if facts else [Again(cell)])

    # -- stopping

    def let_go(self, why: BaseException) -> None:
        """The run can't be written here any more: stop everything, write nothing, tell whoever waits why."""
        if self.fenced:
            return
        self.fenced = True
        self.closing = True
        self._pending.clear()
        self._timers.clear()
        for ctx in list(self.running.values()):
            ctx.stop("close")
            if ctx.task is not None and ctx.task is not asyncio.current_task():
                ctx.task.cancel()
        self._gone = why
        self._waiters.fail(why)
        self.home.forget(self.run_id, why, run=self)

    async def close(self, grace: float) -> None:
        """The engine closes: interrupt what runs, keep everything that is written."""
        self.closing = True
        self._timers.clear()
        cut = list(self.running.values())
        for ctx in cut:
            ctx.stop("close")
            if ctx.task is not None:
                ctx.task.cancel()
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        if tasks:
            await asyncio.wait(tasks, timeout=grace)
        if self.fenced:
            return
        for ctx in cut:
            cell = ctx.cell
            if cell.status == "running" and isinstance(cell.node, Call):
                self.record(Fact("step.interrupted", cell.path, attempt=cell.attempts, site=cell))
        await self._commit_quietly()
        self._gone = EngineError(f"the engine was closed; run {self.run_id!r} goes on when it is opened again")
        self._waiters.fail(self._gone)

    # -- what contexts ask for

    def write(self, attempt: Attempt, chunk: Any) -> None:
        """A step streams a value. Nothing is written for an attempt that has ended."""
        if attempt.closed or self.fenced:
            return
        path = attempt.cell.path
        self.record(Fact("step.output", path, attempt=attempt.attempt, value=Value.of(chunk, ANY)))
        self.flush_soon()

    def note(self, path: str, level: str, message: str) -> None:
        """A line of the run's log."""
        if not self.fenced and not self.home.is_closed and not self.state.ended:
            self.record(Fact("log", path or None, data={"level": level, "message": message}))
            self.flush_soon()
