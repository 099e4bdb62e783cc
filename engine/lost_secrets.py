"""Secrets are never stored, so after a restart a person is asked for those that a step or a function needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.cells import Cell
from engine.commands import Command
from engine.errors import StoreCorrupt
from engine.events import Fact
from engine.failures import describe
from engine.ids import new_token
from engine.plan import Call, PlanNode, Sequence
from engine.schema import Schema
from engine.values import SecretsLost, Value

if TYPE_CHECKING:
    from engine.host import Host
    from engine.state import RunState


def lacks_secrets(node: PlanNode, given: Value) -> bool:
    """Whether secrets are gone that a step would get."""
    return isinstance(node, Call) and node.input.has_secrets and not given.is_whole


def ask_for_secrets(run: Host, cell: Cell, value: Value) -> list[Command]:
    """Ask a person, before what has started goes on, for the secrets that a value of this run has lost."""
    return run.record(secrets_question(run.state, cell, value))


def secrets_question(state: RunState, cell: Cell, value: Value) -> Fact:
    """The fact that asks; of a failure if the value belongs to no step, so that nobody could put them back."""
    data: dict[str, Any] = {"token": new_token(), "engine": "secrets"}
    whose = ""
    if value is not cell.input:
        place = _place_of(state, value)
        if place is None:
            data = {"error": describe(SecretsLost(value), step=cell.path)}
            return Fact("step.failed", cell.path, attempt=cell.attempts, data=data, site=cell)
        path, part = data["lost"] = place
        whose = f" of the {part} of {path or 'the run'}"
    data["title"] = f"{cell.path} needs secrets{whose} again, which are never stored"
    data["schema"] = Schema.holes_schema(value.holes)
    payload = Value.of({"missing": list(value.holes)})
    return Fact("step.suspended", cell.path, attempt=cell.attempts, data=data, value=payload, site=cell)


def _place_of(state: RunState, value: Value) -> list[str] | None:
    """Where a value stands: the path of a step, and whether it is its input, its output or an answer that it got."""
    for cell in (state.frame, *state.cells.values()):
        if cell.input is value:
            return [cell.path, "input"]
        if cell.output is value:
            return [cell.path, "output"]
        if cell.resumed is not None and cell.resumed[0] is value:
            return [cell.path, "answer"]
    return None


def lost_value(state: RunState, cell: Cell) -> tuple[Value, Schema]:
    """The value whose secrets a cell asks for, and the schema that they have to fit."""
    question = cell.question
    path, part = (cell.path, "input") if question is None or question.lost is None else question.lost
    owner = state.cells[path] if path else state.frame
    value = {"input": owner.input, "output": owner.output, "answer": owner.resumed and owner.resumed[0]}[part]
    if value is None:
        raise StoreCorrupt(f"run {state.run_id!r}: {cell.path!r} asks for secrets of {path!r}, which has no {part}")
    node = owner.node
    wanted: Schema | None = None
    if part == "input" and isinstance(node, (Call, Sequence)):
        wanted = node.input
    elif part == "answer" and isinstance(node, Call):
        wanted = node.resume
    return value, value.schema if wanted is None or not wanted.has_secrets else wanted
