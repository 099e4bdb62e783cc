"""What is done to a run from outside: start, answer, cancel, hold. Each call is one commit, and one of several callers wins.

These functions run on the loop of the engine that owns the run; calls from other processes come here, too, as plain JSON.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from engine.cells import Cell
from engine.errors import (
    AlreadyEnded,
    AlreadyResumed,
    AlreadyStarted,
    AmbiguousResume,
    DataError,
    InvalidInput,
    InvalidResume,
    NotSerializable,
    NotStarted,
    NotSuspended,
    SchemaError,
    UnknownLabel,
    UnknownStep,
)
from engine.events import Fact
from engine.expressions import parse
from engine.hooks import call_hook
from engine.ids import template
from engine.perform import checked, received
from engine.plan import Call, Wait
from engine.schema import ANY, Schema, compile_schema
from engine.shared import initial
from engine.sources import encode_free
from engine.state import Breakpoint
from engine.values import Value

if TYPE_CHECKING:
    from engine.commands import Command
    from engine.executor import Executor


# -- start


async def start(
    run: Executor,
    input: Any = None,
    *,
    state: Any = None,
    request_context: Mapping[str, Any] | None = None,
    breakpoints: Iterable[Any] = (),
    paused: bool = False,
) -> None:
    """Start a run. Raises ``InvalidInput``, ``InvalidState``, ``AlreadyStarted``, what ``on_start`` raises; nothing ran then."""
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
        value = Value.of(typed, schema)
    except NotSerializable as error:
        raise InvalidInput(f"{what}: {error}", path=error.path) from error
    if not value.holes:
        value = Value(value.raw, schema)  # the object stays its caller's, whatever a step does to its input
    data: dict[str, Any] = {}
    shared = initial(plan, state)
    if shared:
        data["state"] = shared
    context = _context(run, request_context)
    if context:
        data["request_context"] = context
    points = as_breakpoints(run, breakpoints)
    if points:
        data["breakpoints"] = [dataclasses.asdict(point) for point in points]
    if paused:
        data["paused"] = True
    await begin(run, value, data)


async def begin(run: Executor, value: Value, data: dict[str, Any]) -> None:
    """Call the hook, write the start, and go; or wait for one of ``max_running`` places."""
    run.starting = True
    try:
        on_start = run.state.plan.hooks.on_start
        if on_start is not None:
            # It sees what the run would start with; the run itself has no input before its start is committed.
            await call_hook(on_start, dataclasses.replace(run.info(), input=value.plain()))
        if not run.state.ended:  # cancelled meanwhile
            await _go(run, value, data)
    finally:
        run.starting = False


async def _go(run: Executor, value: Value, data: dict[str, Any]) -> None:
    run.queued = not run.engine.admit(run)
    if run.queued:
        data["status"] = "pending"
    todo = run.record(Fact("run.started", data=data or None, value=value))
    if run.queued:
        await run.commit()
        run.engine.enqueue(run, todo)
    else:
        await run.go(todo)


def _context(run: Executor, given: Mapping[str, Any] | None) -> Any:
    schema = run.state.plan.context
    what = f"request context of workflow {run.state.plan.id!r}"
    typed = schema.validate({} if given is None else given, InvalidInput, what)
    return ANY.decode(schema.encode(typed))


def as_breakpoints(run: Executor, given: Iterable[Any]) -> tuple[Breakpoint, ...]:
    """Breakpoints from paths, ``Breakpoint`` objects or dicts. Raises ``UnknownStep``, ``ExpressionError``, ``ValueError``."""
    made = []
    for one in given:
        point = (
            one if isinstance(one, Breakpoint) else Breakpoint(**one) if isinstance(one, Mapping) else Breakpoint(one)
        )
        if not any(_names(place, point.path) for place in run.state.plan.places):
            raise UnknownStep(f"breakpoint: workflow {run.state.plan.id!r} has no {point.path!r}; it has {_known(run)}")
        if point.when not in ("before", "after"):
            raise ValueError(f"breakpoint at {point.path!r}: when={point.when!r}; use 'before' or 'after'")
        if point.condition is not None:
            parse(point.condition)
        made.append(point)
    return tuple(made)


def _names(place: str, path: str) -> bool:
    return place == template(path) or place.replace("[]", "") == path


def _known(run: Executor) -> str:
    places = sorted(run.state.plan.places)
    return ", ".join(places[:20]) + (", ..." if len(places) > 20 else "")


# -- resume


async def resume(
    run: Executor,
    data: Any = None,
    *,
    step: Any = None,
    label: str | None = None,
    suspension: str | None = None,
    index: int | None = None,
    all: bool = False,
    by: str | None = None,
) -> None:
    """Answer a question, exactly once. Raises as ``Run.resume`` says; the question stays open then."""
    asking = _targets(run, step=step, label=label, token=suspension, index=index)
    if len(asking) > 1 and not all:
        listed = ", ".join(f"[{cell.path}]" for cell in asking)
        raise AmbiguousResume(
            f"run {run.run_id!r} has several open questions: {listed}; name one with step=, or all=True"
        )
    answers = [_answer(run, cell, data) for cell in asking]
    todo: list[Command] = []
    for cell, answer in zip(asking, answers, strict=True):
        todo += _accept(run, cell, answer, by)
    await run.go(todo)


def _targets(run: Executor, *, step: Any, label: str | None, token: str | None, index: int | None) -> list[Cell]:
    state = run.state
    if token is not None:
        cell = state.questions.get(token)
        if cell is not None:
            return [cell]
        if token in state.answered:
            raise AlreadyResumed(f"the question {token!r} of run {run.run_id!r} was answered before")
        raise NotSuspended(f"run {run.run_id!r} has no open question {token!r}")
    path = _path(step)
    found = list(state.questions.values())
    if path is not None:
        found = _at_path(run, found, path)
    if index is not None:
        found = [cell for cell in found if f"[{index}]" in cell.path]
    if label is not None:
        found = _with_label(run, found, label)
    if not found:
        raise _nothing_open(run, path)
    return found


def _path(step: Any) -> str | None:
    if step is None or isinstance(step, str):
        return step
    if isinstance(step, (list, tuple)):
        return "/".join(part if isinstance(part, str) else part.id for part in step)
    return str(step.id)


def _at_path(run: Executor, asking: list[Cell], path: str) -> list[Cell]:
    """Questions at a path, at an id, or inside a container of that name; the exact one wins."""
    exact = [cell for cell in asking if cell.path == path]
    if exact:
        return exact
    found = [cell for cell in asking if _matches(cell.path, path)]
    if not found and not any(_matches(place.replace("[]", ""), _bare(path)) for place in run.state.plan.places):
        raise UnknownStep(f"workflow {run.state.plan.id!r} has no step {path!r}; it has {_known(run)}")
    return found


def _bare(path: str) -> str:
    return template(path).replace("[]", "")


def _matches(path: str, wanted: str) -> bool:
    """Whether ``wanted`` is a run of segments of ``path``; a segment without an index stands for every index."""
    have, want = path.split("/"), wanted.split("/")
    for start_at in range(len(have) - len(want) + 1):
        part = have[start_at : start_at + len(want)]
        if all(a == b or _bare(a) == b for a, b in zip(part, want, strict=True)):
            return True
    return False


def _with_label(run: Executor, asking: list[Cell], label: str) -> list[Cell]:
    found = [cell for cell in asking if cell.question is not None and cell.question.label == label]
    if not found:
        labels = sorted({cell.question.label for cell in asking if cell.question is not None and cell.question.label})
        known = ", ".join(labels) or "none"
        if not asking:
            return []
        raise UnknownLabel(f"run {run.run_id!r} has no open question labelled {label!r}; open labels: {known}")
    return found


def _nothing_open(run: Executor, path: str | None) -> Exception:
    state = run.state
    if path is not None:
        answered = any(_matches(cell.path, path) and cell.resumed for cell in state.cells.values())
        if answered:
            return AlreadyResumed(f"the question of {path!r} in run {run.run_id!r} was answered before")
    elif state.status != "canceled" and any(cell.resumed for cell in state.cells.values()):
        return AlreadyResumed(f"run {run.run_id!r} has no open question any more; it was answered before")
    open_paths = ", ".join(cell.path for cell in state.questions.values()) or "none"
    what = f"{path!r} in run" if path is not None else "run"
    return NotSuspended(f"{what} {run.run_id!r} is not suspended (status {state.status}; open questions: {open_paths})")


def _answer(run: Executor, cell: Cell, data: Any) -> Value:
    """The answer, checked by the question's schema. Raises ``InvalidResume``."""
    question = cell.question
    if question is None:
        raise NotSuspended(f"{cell.path!r} is not suspended")
    schema = _schema_of(run, cell)
    what = f"answer to {cell.path!r}"
    try:
        typed = schema.validate(data, InvalidResume, what)
        value = Value(encode_free(typed) if schema.is_any else schema.encode(typed), schema)
    except DataError as error:
        if isinstance(error, InvalidResume):
            raise
        raise InvalidResume(f"{what}: {error}", path=error.path) from error
    if question.engine == "crash" and isinstance(typed, Mapping) and typed.get("action") == "done":
        node = cell.node
        if isinstance(node, Call):
            node.output.validate(typed.get("output"), InvalidResume, f"output of {cell.path!r}")
    return value


def _schema_of(run: Executor, cell: Cell) -> Schema:
    question = cell.question
    node = cell.node
    if question is None:
        return ANY
    live = run.answer_schemas.get(question.token)
    if live is not None:
        return live
    if question.ordinal is None and question.engine is None and isinstance(node, Call):
        return node.resume or ANY
    try:
        return compile_schema(question.schema) if question.schema else ANY
    except SchemaError:  # a JSON Schema beyond what is understood: the step itself checks the answer when it asks again
        return ANY


def _accept(run: Executor, cell: Cell, answer: Value, by: str | None) -> list[Command]:
    question = cell.question
    if question is None:
        raise AlreadyResumed(f"the question of {cell.path!r} was answered before")
    data: dict[str, Any] = {"token": question.token}
    if by is not None:
        data["by"] = by
    run.answer_schemas.pop(question.token, None)
    if question.engine == "secrets":
        return _fill(run, cell, answer, data)
    if question.engine == "crash":
        return _decide(run, cell, answer, data)
    return run.record(Fact("step.resumed", cell.path, data=data, value=answer, site=cell))


def _fill(run: Executor, cell: Cell, answer: Value, data: dict[str, Any]) -> list[Command]:
    """Secrets go into the live value only: the log notes which came, not what they are."""
    given = answer.typed()
    node = cell.node
    if isinstance(given, dict) and hasattr(node, "input"):
        cell.input.revive(node.input.fill(cell.input.raw, given))
        shown = Value(ANY.encode({"filled": sorted(given)}))
    else:
        shown = Value(b"null")
    return run.record(Fact("step.resumed", cell.path, data=data, value=shown, site=cell))


def _decide(run: Executor, cell: Cell, answer: Value, data: dict[str, Any]) -> list[Command]:
    """A person says what became of a step that a crash cut."""
    said = ANY.decode(answer.raw)
    action = said.get("action") if isinstance(said, dict) else "retry"
    todo = run.record(Fact("step.resumed", cell.path, data=data, value=answer, site=cell))
    node = cell.node
    if action == "retry" or not isinstance(node, Call) or not isinstance(said, dict):
        return todo
    if action == "done":
        typed = node.output.validate(said.get("output"))
        value = Value.of(typed, node.output)
        return run.record(Fact("step.succeeded", cell.path, attempt=cell.attempts, value=value, site=cell))
    message = f"a person said that step {cell.path!r} has failed, after a crash had cut it"
    error = {"type": "Interrupted", "message": message, "step": cell.path}
    return run.record(Fact("step.failed", cell.path, attempt=cell.attempts, data={"error": error}, site=cell))


# -- cancel


async def cancel(run: Executor, reason: str | None = None) -> bool:
    """Cancel the run. ``False`` and no change if it has ended."""
    state = run.state
    if state.ended:
        return False
    if state.canceling:
        await run.rest()
        return state.status == "canceled"
    run.queued = False
    todo = run.record(Fact("run.cancel_requested", data={"reason": reason}))
    await run.commit()
    await run.go(todo)
    return state.status == "canceled"


# -- the debugger


async def pause(run: Executor) -> None:
    """Hold the run before its next step."""
    _must_be_open(run)
    await run.go(run.record(Fact("run.breakpoints_set", data={"hold": True})))


async def step(run: Executor) -> None:
    """Let one step through, and hold again."""
    _must_be_open(run)
    held = run.state.tally["held"]
    data = {"status": "running" if held else run.state.status}
    await run.go(run.record(Fact("run.stepped", data=data)))


async def proceed(run: Executor) -> None:
    """Let the run go on."""
    _must_be_open(run)
    held = run.state.tally["held"]
    data = {"status": "running" if held else run.state.status}
    await run.go(run.record(Fact("run.continued", data=data)))


async def set_breakpoints(run: Executor, breakpoints: Iterable[Any]) -> None:
    """Replace the run's breakpoints."""
    if run.state.ended:
        raise AlreadyEnded(f"run {run.run_id!r} has ended ({run.state.status})")
    points = as_breakpoints(run, breakpoints)
    data = {"breakpoints": [dataclasses.asdict(point) for point in points]}
    await run.go(run.record(Fact("run.breakpoints_set", data=data)))


def _must_be_open(run: Executor) -> None:
    state = run.state
    if state.ended:
        raise AlreadyEnded(f"run {run.run_id!r} has ended ({state.status})")
    if not state.started:
        raise NotStarted(f"run {run.run_id!r} has not been started; start it with paused=True to hold it at once")


# -- events


async def send_event(run: Executor, name: str, data: Any = None) -> None:
    """Deliver an event to the step that waits for it, else keep it. Raises ``InvalidInput``, ``AlreadyEnded``."""
    state = run.state
    if state.ended:
        raise AlreadyEnded(f"run {run.run_id!r} has ended ({state.status}); nothing can be sent to it")
    try:
        value = Value(encode_free(data))
    except DataError as error:
        raise InvalidInput(f"event {name!r}: {error}", path=error.path) from error
    for cell in state.cells.values():
        node = cell.node
        if isinstance(node, Wait) and node.event == name and cell.status == "waiting":
            fitting = value
            if not node.schema.is_any:
                typed = node.schema.validate(data, InvalidInput, f"event {name!r} for {cell.path!r}")
                fitting = checked(Value(node.schema.encode(typed)), node.schema)
            await run.go(received(run, cell, name, fitting))
            return
    await run.go(run.record(Fact("event.received", data={"name": name}, value=value)))
