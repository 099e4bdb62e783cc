"""Workflow -> plan. Everything that is wrong in a definition is found here, and told at once."""

from __future__ import annotations

from typing import Any

from engine.compiler.blocks import Compiler
from engine.compiler.shapes import Scope, Spot
from engine.errors import DefinitionError
from engine.plan import Hooks, Plan
from engine.schema import ANY
from engine.workflow import Workflow

__all__ = ["compile_workflow"]


def compile_workflow(workflow: Workflow[Any, Any]) -> Plan:
    """Raises ``DefinitionError`` with every problem of the definition."""
    compiler = Compiler()
    draft = compiler.draft
    root = compiler.workflow(workflow, Spot(Scope("", None), -1, 0), place="", id=workflow.id)
    context = draft.open(workflow.request_context_schema, "request_context_schema") or ANY
    hooks = Hooks(workflow.on_start, workflow.on_finish, workflow.on_error)
    for name in ("on_start", "on_finish", "on_error"):
        hook: Any = getattr(hooks, name)
        if hook is not None and not callable(hook):
            draft.fault("hooks", f"{name} is of type {type(hook).__name__}", "give a function of one argument")
    if draft.problems:
        raise DefinitionError(f"workflow {workflow.id!r}", draft.problems)
    nodes = tuple(node for node in draft.nodes if node is not None)
    places = {node.place: node for node in nodes if node is not root}
    return Plan(workflow.id, root, nodes, places, hooks, context)
