"""Secrets are never stored, so after a restart a person is asked for those that a step or a map needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from engine.cells import Cell
from engine.commands import Command
from engine.events import Fact
from engine.flow import Callback
from engine.ids import new_token
from engine.plan import Call, Map, PlanNode
from engine.schema import Schema
from engine.templates import Template
from engine.values import Value

if TYPE_CHECKING:
    from engine.host import Host


def lacks_secrets(node: PlanNode, given: Value) -> bool:
    """Whether secrets are gone that a step, or a map that looks at its value, would get."""
    if given.is_whole:
        return False
    if isinstance(node, Call):
        return node.input.has_secrets
    if not isinstance(node, Map) or not given.schema.has_secrets:
        return False
    sources = node.source.values() if isinstance(node.source, Mapping) else [node.source]
    return any(isinstance(source, (Callback, Template)) for source in sources)


def ask_for_secrets(run: Host, cell: Cell) -> list[Command]:
    """Ask a person before the step that has started runs."""
    missing = cell.input.holes
    data = {
        "token": new_token(),
        "engine": "secrets",
        "title": f"{cell.path} needs secrets again, which are never stored",
        "schema": Schema.holes_schema(missing),
    }
    payload = Value.of({"missing": list(missing)})
    return run.record(Fact("step.suspended", cell.path, attempt=cell.attempts, data=data, value=payload, site=cell))
