"""Performing commands: everything but calling a step. Each gives the commands that follow from what it wrote down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from engine.advance import is_due
from engine.cells import DONE, Cell, Frame, Site
from engine.commands import (
    Again,
    Begin,
    CancelRun,
    Check,
    Choose,
    Command,
    Drop,
    Fail,
    Finish,
    Invoke,
    Leave,
    OnFrame,
    Wake,
)
from engine.debugger import stop_before
from engine.error_records import error_record
from engine.errors import ConditionFailed, DataError, EngineError, InvalidInput, InvalidOutput
from engine.events import Fact
from engine.flow import Callback
from engine.ids import new_token
from engine.leaves import do
from engine.lost_secrets import ask_for_secrets, lacks_secrets
from engine.outputs import derived_output
from engine.plan import Branch, Call, Foreach, Loop, Sequence
from engine.schema import ANY
from engine.sources import ask, call
from engine.stopping import cancel_open, stop_steps
from engine.values import SecretsLost, Value, checked

if TYPE_CHECKING:
    from engine.host import Host

MAX_CRASHES = 3
"""Deaths in a row with the same step in flight, after which a person is asked."""


async def perform(run: Host, command: Command) -> list[Command]:
    """Do what a command says; what follows from it."""
    match command:
        case Begin(site=site):
            return await _begin_foreach(run, site)
        case Again(cell=cell):
            return await again(run, cell)
        case Invoke(cell=cell):
            return await do(run, cell)
        case Wake():
            run.wake(command)
            return []
        case CancelRun():
            return await _cancel_run(run)
        case _:
            return await _perform_on_frame(run, command)


async def _perform_on_frame(run: Host, command: OnFrame) -> list[Command]:
    match command:
        case Choose(frame=frame):
            return await _choose(run, frame)
        case Check(frame=frame):
            return await _check(run, frame)
        case Finish(frame=frame, output=output):
            return _finish(run, frame, output)
        case Fail(frame=frame, error=error):
            return _fail(run, frame, error)
        case Drop(frame=frame):
            # What has begun since is waited for, as all that runs.
            return [] if frame.live else cancel_open(run, frame)
        case Leave(frame=frame, output=output):
            await stop_steps(run, frame)
            cancel_open(run, frame)
            return _finish(run, frame, output, given=True)
        case _:
            assert_never(command)


# -- beginning


def start(run: Host, site: Site, attempt: int) -> list[Command]:
    """Check the input of a node and write that it has started."""
    node = site.node
    data = {"given": True} if site.given else None
    if isinstance(node, (Call, Sequence)):
        wanted = node.input
        given = site.input
        is_asked = wanted.has_secrets and not given.is_whole
        if not (wanted is given.schema or wanted.is_any or is_asked):
            try:
                given = checked(given, wanted)
            except EngineError as error:
                return refuse(run, site, attempt, InvalidInput(f"input of {site.path!r}: {error}"))
        if given.holes:
            run.holds_secrets = True
            if is_asked and isinstance(node, Call):
                return _ask_first(run, site, attempt)
        return run.record(Fact("step.started", site.path, attempt=attempt, data=data, value=given, site=site))
    if site.input.holes:
        run.holds_secrets = True
    return run.record(Fact("step.started", site.path, attempt=attempt, data=data, value=site.input, site=site))


def refuse(run: Host, site: Site, attempt: int, error: Exception) -> list[Command]:
    """A node can't begin: it has started, and failed."""
    run.record(Fact("step.started", site.path, attempt=attempt, value=site.input, site=site))
    cell = run.state.cells[site.path]
    data = {"error": error_record(run, error, site)}
    return run.record(Fact("step.failed", site.path, attempt=attempt, data=data, site=cell))


def _ask_first(run: Host, site: Site, attempt: int, lost: Value | None = None) -> list[Command]:
    """Secrets are gone that it needs: it has started, and asks for them before it runs. ``lost``: not its input's."""
    run.record(Fact("step.started", site.path, attempt=attempt, value=site.input, site=site))
    cell = run.state.cells[site.path]
    return ask_for_secrets(run, cell, lost or cell.input)


async def _begin_foreach(run: Host, site: Site) -> list[Command]:
    node = site.node
    if not isinstance(node, Foreach):
        return run.begin(site)
    state = run.state
    if not is_due(state, site):
        return []
    if (state.hold or state.breakpoints) and (held := stop_before(run, site)) is not None:
        return run.record(Fact("step.held", site.path, data=held or None, site=site))
    return await start_foreach(run, site, node, 1)


async def start_foreach(run: Host, site: Site, node: Foreach, attempt: int) -> list[Command]:
    """A foreach needs a list; how many items run at once may depend on it."""
    parts = site.input.parts
    listed = parts if isinstance(parts, (list, tuple)) else ANY.decode(site.input.raw)
    if not isinstance(listed, (list, tuple)):
        message = f"foreach {site.path!r} needs a list and got {type(listed).__name__}; add a .map() that makes a list"
        return refuse(run, site, attempt, InvalidInput(message))
    at_once: Any = node.concurrency
    if isinstance(at_once, Callback):
        frame = Frame(node, site.path, site.parent, site.slot, site.input, 0.0)
        try:
            at_once = await call(run, frame, at_once, site.input)
        except SecretsLost as lost:
            return _ask_first(run, site, attempt, None if lost.value is site.input else lost.value)
        except Exception as error:  # noqa: BLE001 - a user's code may raise anything
            failed = ConditionFailed(f"concurrency of foreach {site.path!r} raised {type(error).__name__}: {error}")
            failed.__cause__ = error
            return refuse(run, site, attempt, failed)
        if not isinstance(at_once, int) or isinstance(at_once, bool) or at_once < 1:
            message = f"concurrency of foreach {site.path!r} is {at_once!r}; give a whole number of at least 1"
            return refuse(run, site, attempt, ConditionFailed(message))
    is_open = is_due(run.state, site) if attempt == 1 else run.state.cells[site.path].status not in DONE
    if not is_open:  # something has ended the block meanwhile
        return []
    data: dict[str, Any] = {"total": len(listed), "at_once": at_once}
    if site.given:
        data["given"] = True
    return run.record(Fact("step.started", site.path, attempt=attempt, data=data, value=site.input, site=site))


async def again(run: Host, cell: Cell) -> list[Command]:
    """Start a cell once more."""
    node = cell.node
    parent = cell.parent
    if parent is None or cell.status in DONE:  # something has ended the block that it is in
        return []
    if run.state.hold and not run.state.credits and not isinstance(cell, Frame):
        return [] if cell.status == "held" else run.record(Fact("step.held", cell.path, site=cell))
    if cell.crashes and isinstance(node, Call) and cell.status == "running":
        crashed = _after_crash(run, cell, node)
        if crashed is not None:
            return crashed
    attempt = cell.attempts + 1
    site = Site(node, cell.path, parent, cell.slot, cell.input, cell.catches)
    if isinstance(node, Foreach):
        return await start_foreach(run, site, node, attempt)
    if cell.attempts:
        try:
            undone = run.shared.take_back(cell)
        except Exception as error:  # noqa: BLE001 - a reducer of the user's may raise anything
            return _refuse_again(run, cell, error)
        if undone is not None:
            run.record(undone)
        if lacks_secrets(node, cell.input):
            return _ask_first(run, site, attempt)
        return run.record(Fact("step.started", cell.path, attempt=attempt, value=cell.input, site=site))
    return start(run, site, attempt)


def _refuse_again(run: Host, cell: Cell, error: Exception) -> list[Command]:
    """What a suspended step wrote can't be taken back, so it can't have another pass."""
    data = {"error": error_record(run, error, cell)}
    return run.record(Fact("step.failed", cell.path, attempt=cell.attempts, data=data, site=cell))


def _after_crash(run: Host, cell: Cell, node: Call) -> list[Command] | None:
    """A step that a crash cut in the middle: ``None`` to run it again."""
    if node.on_crash == "fail":
        message = f"the process died while step {cell.path!r} ran; it may have taken effect (on_crash='fail')"
        data = {"error": {"type": "Interrupted", "message": message, "step": cell.path}}
        return run.record(Fact("step.failed", cell.path, attempt=cell.attempts, data=data, site=cell))
    if node.on_crash == "retry" and cell.crashes < MAX_CRASHES:
        return None
    question: dict[str, Any] = {
        "token": new_token(),
        "engine": "crash",
        "title": f"Did {cell.path} take effect?",
        "schema": CRASH_ANSWER,
    }
    payload = Value.of({"step": cell.path, "attempts": cell.attempts, "crashes": cell.crashes})
    return run.record(Fact("step.suspended", cell.path, attempt=cell.attempts, data=question, value=payload, site=cell))


CRASH_ANSWER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "action": {
            "enum": ["done", "retry", "fail"],
            "title": "What now",
            "description": "done: it took effect, with this output; retry: run it again; fail: it has failed",
        },
        "output": {"title": "Output of the step, if it is done"},
    },
    "required": ["action"],
}
"""The JSON Schema of the answer to the engine's question after a crash."""


# -- containers


async def _choose(run: Host, frame: Frame) -> list[Command]:
    node = frame.node
    if not isinstance(node, Branch):
        return []
    holds = []
    try:
        for arm, condition in zip(node.children, node.conditions, strict=False):
            what = f"the condition of arm {arm.id!r} in branch {frame.path!r}"
            holds.append(await ask(run, frame, condition, frame.input, what))
    except Exception as error:  # noqa: BLE001 - a user's code may raise anything
        return _not_answered(run, frame, error)
    if frame.status in DONE:  # cancelled meanwhile
        return []
    chosen = [arm for arm, hold in zip(node.children, holds, strict=False) if hold]
    if node.mode == "first":
        chosen = chosen[:1]
    if not chosen and node.otherwise is not None:
        chosen = [node.otherwise]
    data = {"arms": [arm.id for arm in chosen], "values": holds}
    todo = run.record(Fact("branch.chosen", frame.path, data=data, site=frame))
    for arm in node.children:
        if arm not in chosen:
            path = frame.inside + arm.id
            run.record(Fact("step.skipped", path, site=Site(arm, path, frame, arm.slot, frame.input)))
    return todo


async def _check(run: Host, frame: Frame) -> list[Command]:
    node = frame.node
    if not isinstance(node, Loop):
        return []
    what = f"the condition of loop {node.name!r} ({frame.path})"
    try:
        holds = await ask(run, frame, node.condition, frame.flow, what)
    except Exception as error:  # noqa: BLE001 - a user's code may raise anything
        return _not_answered(run, frame, error)
    if frame.status in DONE:
        return []
    data = {"iteration": frame.iterations - 1, "value": holds, "again": holds is not node.until}
    return run.record(Fact("loop.checked", frame.path, data=data, site=frame))


def _not_answered(run: Host, frame: Frame, error: Exception) -> list[Command]:
    """A condition has not said whether it holds."""
    if frame.status in DONE:  # cancelled meanwhile
        return []
    return ask_for_secrets(run, frame, error.value) if isinstance(error, SecretsLost) else _failed(run, frame, error)


def _failed(run: Host, frame: Frame, error: Exception) -> list[Command]:
    return _fail(run, frame, error_record(run, error, frame))


def _finish(run: Host, frame: Frame, output: Value | None, *, given: bool = False) -> list[Command]:
    """A container is done.

    A workflow's output is checked by its schema. ``given``: it does not follow from the children.
    """
    value = derived_output(frame) if output is None else output
    node = frame.node
    if isinstance(node, Sequence) and not (node.output.is_any or node.output is value.schema):
        try:
            value = checked(value, node.output)
        except SecretsLost:
            pass  # nobody needs them here: who gets the value next is asked
        except (DataError, EngineError) as error:
            what = f"workflow {node.id!r}" if node.workflow is not None else f"chain {frame.path!r}"
            return _failed(run, frame, InvalidOutput(f"output of {what}: {error}"))
    data = {"given": True} if given else None
    if frame.parent is None:
        return run.record(Fact("run.succeeded", data=data, value=value))
    return run.record(Fact("step.succeeded", frame.path, attempt=frame.attempts, data=data, value=value, site=frame))


def _fail(run: Host, frame: Frame, error: dict[str, Any]) -> list[Command]:
    if frame.parent is None:
        return run.record(Fact("run.failed", data={"error": error}))
    data = {"error": error}
    return run.record(Fact("step.failed", frame.path, attempt=frame.attempts, data=data, site=frame))


async def _cancel_run(run: Host) -> list[Command]:
    state = run.state
    await stop_steps(run, None)
    if state.ended:
        return []
    if state.root is not None:
        cancel_open(run, state.root)
    return run.record(Fact("run.canceled", data={"reason": state.cancel_reason}))
