"""The run as a program would be read: one line for each thing that was called, with what it was given and gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine import StepRecord, Workflow
from studio.views.timeline import Bar, Timeline

LONGEST = 48
MOST_NAMES = 2


@dataclass(frozen=True, slots=True)
class Line:
    """``call`` was made with ``given`` and ``gave`` something."""

    path: str
    depth: int
    status: str
    call: str
    given: str
    gave: str
    bars: tuple[Bar, ...]
    took: str
    mark: str = ""


def journal(found: Timeline, records: Mapping[str, StepRecord], workflow: Workflow[Any, Any] | None) -> list[Line]:
    """A line for each row of the timeline."""
    return [
        Line(
            row.path,
            row.depth,
            row.status,
            row.name,
            given(records[row.path].input),
            gave(records[row.path], row.attempts, _output_name(workflow, row.path)),
            row.bars,
            row.took,
            row.mark,
        )
        for row in found.rows
    ]


def _output_name(workflow: Workflow[Any, Any] | None, path: str) -> str:
    node = None if workflow is None else workflow.plan.at(path)
    schema = getattr(getattr(node, "step", None), "output_schema", None)
    return schema.__name__ if isinstance(schema, type) and schema.__module__ != "builtins" else ""


def given(value: Any) -> str:
    """An input as arguments: the names of an object, else the value."""
    match value:
        case None:
            return ""
        case dict():
            names = [str(name) for name in value][:MOST_NAMES]
            return _cut(", ".join(names) + (", …" if len(value) > MOST_NAMES else ""))
        case _:
            return short(value)


def gave(record: StepRecord, attempts: int, name: str = "") -> str:
    """What came of it."""
    tries = f" after {attempts} attempts" if attempts > 1 else ""
    match record.status:
        case "success" | "bailed":
            return (name or short(record.output)) + tries
        case "failed":
            error = record.error or {}
            return _cut(f"{error.get('type', 'error')}: {error.get('message', '')}") + tries
        case "suspended":
            return "waits for an answer"
        case status:
            return f"{status}{tries}"


def short(value: Any) -> str:
    """A value in few characters."""
    match value:
        case dict():
            names = ", ".join(str(name) for name in list(value)[:MOST_NAMES])
            return _cut("{" + names + (", …}" if len(value) > MOST_NAMES else "}"))
        case list():
            return f"[{len(value)} item{'' if len(value) == 1 else 's'}]"
        case str():
            return f'"{_cut(value)}"'
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case _:
            return _cut(str(value))


def _cut(text: str) -> str:
    flat = " ".join(text[: 4 * LONGEST].split())
    return flat if len(flat) <= LONGEST else flat[: LONGEST - 1] + "…"
