"""Answering a question of a run: which one is meant, whether the answer fits, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.cells import Cell
from engine.errors import (
    AlreadyResumed,
    AmbiguousResume,
    DataError,
    InvalidResume,
    NotSuspended,
    SchemaError,
    UnknownLabel,
    UnknownStep,
)
from engine.events import Fact
from engine.holes import secret_places, with_holes
from engine.ids import template
from engine.lost_secrets import lost_value
from engine.plan import Call, known_places
from engine.schema import ANY, Schema, compile_schema
from engine.sources import encode_free
from engine.values import Value, null

if TYPE_CHECKING:
    from engine.commands import Command
    from engine.host import Host


async def resume(
    run: Host,
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


def _targets(run: Host, *, step: Any, label: str | None, token: str | None, index: int | None) -> list[Cell]:
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


def _at_path(run: Host, asking: list[Cell], path: str) -> list[Cell]:
    """Questions at a path, at an id, or inside a container of that name; the exact one wins."""
    exact = [cell for cell in asking if cell.path == path]
    if exact:
        return exact
    found = [cell for cell in asking if _matches(cell.path, path)]
    if not found and not any(_matches(place.replace("[]", ""), _bare(path)) for place in run.state.plan.places):
        raise UnknownStep(f"workflow {run.state.plan.id!r} has no step {path!r}; it has {known_places(run.state.plan)}")
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


def _with_label(run: Host, asking: list[Cell], label: str) -> list[Cell]:
    found = [cell for cell in asking if cell.question is not None and cell.question.label == label]
    if not found:
        labels = sorted({cell.question.label for cell in asking if cell.question is not None and cell.question.label})
        known = ", ".join(labels) or "none"
        if not asking:
            return []
        raise UnknownLabel(f"run {run.run_id!r} has no open question labelled {label!r}; open labels: {known}")
    return found


def _nothing_open(run: Host, path: str | None) -> Exception:
    state = run.state
    if path is not None:
        answered = any(_matches(cell.path, path) and cell.resumed for cell in state.cells.values())
        if answered:
            return AlreadyResumed(f"the question of {path!r} in run {run.run_id!r} was answered before")
    elif state.status != "canceled" and any(cell.resumed for cell in state.cells.values()):
        what = f"run {run.run_id!r} has no open question any more; it was answered before"
        return AlreadyResumed(what + (_way_on(run) if state.status == "failed" else ""))
    open_paths = ", ".join(cell.path for cell in state.questions.values()) or "none"
    what = f"{path!r} in run" if path is not None else "run"
    return NotSuspended(
        f"{what} {run.run_id!r} is not suspended (status {state.status}; open questions: {open_paths}){_way_on(run)}"
    )


def _way_on(run: Host) -> str:
    """What to do with a run that can't be answered."""
    if run.state.ended:
        return "; it has ended: use fork(step) or rerun()"
    return "" if run.state.started else "; start it first"


def _answer(run: Host, cell: Cell, data: Any) -> Value:
    """The answer, checked by the question's schema. Raises ``InvalidResume``."""
    question = cell.question
    if question is None:
        raise NotSuspended(f"{cell.path!r} is not suspended")
    schema = _schema_of(run, cell)
    what = f"answer to {cell.path!r}"
    try:
        typed = schema.validate(data, InvalidResume, what)
        value = _stored(typed, schema, question.schema)
    except DataError as error:
        said = str(error) if isinstance(error, InvalidResume) else f"{what}: {error}"
        raise InvalidResume(f"{said}; the question is still open", path=error.path) from error
    if isinstance(typed, Mapping):
        try:
            _check_for_engine(run, cell, typed)
        except DataError as error:
            raise InvalidResume(f"{what}: {error}; the question is still open", path=error.path) from error
    return value


def _stored(typed: Any, schema: Schema, asked: Mapping[str, Any] | None) -> Value:
    """What is kept of an answer: no secrets, also where only the JSON Schema of the question says what is one."""
    is_plain = schema.is_any or isinstance(schema.source, dict)
    places = secret_places(typed, asked) if asked and is_plain else ()
    if places:
        return Value(ANY.encode(with_holes(typed, places)), holes=places, whole=ANY.encode(typed))
    return Value(encode_free(typed)) if schema.is_any else Value.kept(typed, schema)


def _check_for_engine(run: Host, cell: Cell, said: Mapping[str, Any]) -> None:
    """What only the step's own schemas can tell of an answer to the engine. Raises ``DataError``."""
    asked = cell.question.engine if cell.question is not None else None
    node = cell.node
    if asked == "crash" and isinstance(node, Call) and said.get("action") == "done":
        node.output.validate(said.get("output"), InvalidResume, f"output of {cell.path!r}")
    elif asked == "secrets":
        value, schema = lost_value(run.state, cell)
        if schema.has_secrets:
            schema.fill(value.raw, said)


def _schema_of(run: Host, cell: Cell) -> Schema:
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


def _accept(run: Host, cell: Cell, answer: Value, by: str | None) -> list[Command]:
    question = cell.question
    if question is None:
        raise AlreadyResumed(f"the question of {cell.path!r} was answered before")
    data: dict[str, Any] = {"token": question.token}
    if by is not None:
        data["by"] = by
    run.answer_schemas.pop(question.token, None)
    run.unwake(cell)
    if question.engine == "secrets":
        return _fill(run, cell, answer, data)
    if question.engine == "crash":
        return _decide(run, cell, answer, data)
    if answer.holes:
        run.holds_secrets = True
    return run.record(Fact("step.resumed", cell.path, data=data, value=answer, site=cell))


def _fill(run: Host, cell: Cell, answer: Value, data: dict[str, Any]) -> list[Command]:
    """Secrets go into the live value only: the log notes which came, not what they are."""
    given = ANY.decode(answer.whole)
    value, schema = lost_value(run.state, cell)
    if not isinstance(given, dict):
        raise AssertionError("the schema of the question asks for named texts")
    value.revive(given, schema)
    run.holds_secrets = True
    shown = Value(ANY.encode({"filled": sorted(given)}))
    return run.record(Fact("step.resumed", cell.path, data=data, value=shown, site=cell))


def _decide(run: Host, cell: Cell, answer: Value, data: dict[str, Any]) -> list[Command]:
    """A person says what became of a step that a crash cut."""
    said = ANY.decode(answer.raw)
    action = said.get("action") if isinstance(said, dict) else "retry"
    node = cell.node
    value = null()
    if action == "done" and isinstance(node, Call) and isinstance(said, dict):
        value = Value.of(node.output.validate(said.get("output")), node.output)
        if value.holes:
            run.holds_secrets = True
            answer = Value.of({**said, "output": value.plain()})
    todo = run.record(Fact("step.resumed", cell.path, data=data, value=answer, site=cell))
    if action == "retry" or not isinstance(node, Call) or not isinstance(said, dict):
        return todo
    if action == "done":
        return run.record(Fact("step.succeeded", cell.path, attempt=cell.attempts, value=value, site=cell))
    message = f"a person said that step {cell.path!r} has failed, after a crash had cut it"
    error = {"type": "Interrupted", "message": message, "step": cell.path}
    return run.record(Fact("step.failed", cell.path, attempt=cell.attempts, data={"error": error}, site=cell))
