"""What is done to a run from outside: start, answer, cancel, hold. Each call is one commit, and one of several callers
wins.

These functions run on the loop of the engine that owns the run; calls from other processes come here, too, as plain
JSON.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from engine.commands import CancelRun
from engine.errors import (
    AlreadyEnded,
    AlreadyStarted,
    DataError,
    InvalidInput,
    NotSerializable,
    NotStarted,
    UnknownStep,
)
from engine.events import Fact
from engine.expressions import parse
from engine.hooks import call_hook
from engine.ids import template
from engine.leaves import received
from engine.plan import Wait, known_places
from engine.result import build_info
from engine.schema import ANY
from engine.shared import initial
from engine.sources import encode_free
from engine.state import breakpoints_from
from engine.values import Value

if TYPE_CHECKING:
    from engine.host import Host


# -- start


async def start(
    run: Host,
    input: Any = None,
    *,
    state: Any = None,
    request_context: Mapping[str, Any] | None = None,
    breakpoints: Iterable[Any] = (),
    paused: bool = False,
) -> None:
    """Start a run.

    Raises ``InvalidInput``, ``InvalidState``, ``AlreadyStarted``, what ``on_start`` raises; nothing ran then.
    """
    current = run.state
    if current.started or run.starting:
        raise AlreadyStarted(f"run {run.run_id!r} was started before; make a new one with create_run, or use rerun()")
    if current.ended:
        return
    plan = current.plan
    schema = plan.root.input
    what = f"input of workflow {plan.id!r}"
    typed = schema.validate(input, InvalidInput, what)
    try:
        value = Value.handed_on(typed, schema, written=run.home.store.durable)
    except NotSerializable as error:
        raise InvalidInput(f"{what}: {error}", path=error.path) from error
    if not value.holes and value.proof is None:
        value = Value(value.raw, schema)  # the object stays its caller's, whatever a step does to its input
    data: dict[str, Any] = {}
    shared = initial(plan, state)
    if shared:
        data["state"] = shared
    context = _context(run, request_context)
    if context:
        data["request_context"] = context
    points = _breakpoints(run, breakpoints)
    if points:
        data["breakpoints"] = points
    if paused:
        data["paused"] = True
    await begin(run, value, data)


async def begin(run: Host, value: Value, data: dict[str, Any]) -> None:
    """Call the hook, write the start, and go; or wait for one of ``max_running`` places."""
    run.starting = True
    try:
        on_start = run.state.plan.hooks.on_start
        if on_start is not None:
            # It sees what the run would start with; the run itself has no input before its start is committed.
            await call_hook(on_start, dataclasses.replace(build_info(run.state), input=value.plain()))
        if not run.state.ended:  # cancelled meanwhile
            await _go(run, value, data)
    finally:
        run.starting = False


async def _go(run: Host, value: Value, data: dict[str, Any]) -> None:
    if not run.home.admit(run):
        data["status"] = "pending"
    await run.go(run.record(Fact("run.started", data=data or None, value=value)))


def _context(run: Host, given: Mapping[str, Any] | None) -> Any:
    schema = run.state.plan.context
    what = f"request context of workflow {run.state.plan.id!r}"
    typed = schema.validate({} if given is None else given, InvalidInput, what)
    try:
        context = ANY.decode(schema.encode(typed))
    except NotSerializable as error:
        raise InvalidInput(f"{what}: {error}", path=error.path) from error
    if not isinstance(context, dict):
        raise InvalidInput(f"{what}: it has named keys; give a dict, not {type(given).__name__}")
    return context


def _breakpoints(run: Host, given: Iterable[Any]) -> list[dict[str, Any]]:
    """Breakpoints of this run's workflow, in their stored form.

    Raises ``UnknownStep``, ``ExpressionError``, ``ValueError``.
    """
    points = breakpoints_from(given)
    for point in points:
        if not any(_names(place, point.path) for place in run.state.plan.places):
            raise UnknownStep(
                f"breakpoint: workflow {run.state.plan.id!r} has no {point.path!r}; "
                f"it has {known_places(run.state.plan)}"
            )
        if point.condition is not None:
            parse(point.condition)
    return [dataclasses.asdict(point) for point in points]


def _names(place: str, path: str) -> bool:
    return place == template(path) or place.replace("[]", "") == path


# -- cancel


async def cancel(run: Host, reason: str | None = None) -> bool:
    """Cancel the run. ``False`` and no change if it has ended."""
    state = run.state
    if state.ended:
        return False
    if state.canceling:  # perhaps by an owner that has died since
        await run.go([CancelRun()])
        return state.status == "canceled"
    run.queued = False
    todo = run.record(Fact("run.cancel_requested", data={"reason": reason}))
    await run.commit()
    await run.go(todo)
    return state.status == "canceled"


# -- the debugger


async def pause(run: Host) -> None:
    """Hold the run before its next step."""
    _must_be_open(run)
    await run.go(run.record(Fact("run.breakpoints_set", data={"hold": True})))


async def step(run: Host) -> None:
    """Let one step through, and hold again."""
    _must_be_open(run)
    await run.go(run.record(Fact("run.stepped", data={"status": _released(run)})))


async def proceed(run: Host) -> None:
    """Let the run go on."""
    _must_be_open(run)
    await run.go(run.record(Fact("run.continued", data={"status": _released(run)})))


def _released(run: Host) -> str:
    """The status of a run that is let go."""
    runs = run.state.tally["held"] and not run.queued and run.home.admit(run)
    return "running" if runs else run.state.status


async def set_breakpoints(run: Host, breakpoints: Iterable[Any]) -> None:
    """Replace the run's breakpoints."""
    if run.state.ended:
        raise AlreadyEnded(f"run {run.run_id!r} has ended ({run.state.status})")
    data = {"breakpoints": _breakpoints(run, breakpoints)}
    await run.go(run.record(Fact("run.breakpoints_set", data=data)))


def _must_be_open(run: Host) -> None:
    state = run.state
    if state.ended:
        raise AlreadyEnded(f"run {run.run_id!r} has ended ({state.status})")
    if not state.started:
        raise NotStarted(f"run {run.run_id!r} has not been started; start it with paused=True to hold it at once")


# -- events


async def send_event(run: Host, name: str, data: Any = None) -> None:
    """Deliver an event to the step that waits for it, else keep it. Raises ``InvalidInput``, ``AlreadyEnded``."""
    state = run.state
    if state.ended:
        raise AlreadyEnded(f"run {run.run_id!r} has ended ({state.status}); nothing can be sent to it")
    try:
        value = _arrived(run, name, data)
    except DataError as error:
        raise InvalidInput(f"event {name!r}: {error}", path=error.path) from error
    for cell in state.cells.values():
        node = cell.node
        if isinstance(node, Wait) and node.event == name and cell.status == "waiting":
            fitting = value
            if fitting is None or not node.schema.is_any:
                typed = node.schema.validate(data, InvalidInput, f"event {name!r} for {cell.path!r}")
                fitting = Value.kept(typed, node.schema)
                run.holds_secrets |= bool(fitting.holes)
            await run.go(received(run, cell, name, fitting))
            return
    if value is None:
        run.note("", "warning", f"event {name!r} came early and does not fit, so it was dropped")
    else:
        await run.go(run.record(Fact("event.received", data={"name": name}, value=value)))


def _arrived(run: Host, name: str, data: Any) -> Value | None:
    """What is kept of an event that nobody may wait for yet: without its secrets, if some step would know of any.

    ``None`` if it fits none of those: nobody knows then where they are.
    """
    schemas = [node.schema for node in run.state.plan.nodes if isinstance(node, Wait) and node.event == name]
    if not any(schema.has_secrets for schema in schemas):
        return Value(encode_free(data))
    for schema in sorted(schemas, key=lambda schema: not schema.has_secrets):
        with contextlib.suppress(DataError):
            run.holds_secrets = True
            return Value.kept(schema.validate(data), schema)
    return None
