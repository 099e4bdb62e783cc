"""What a container gives when all in it is done: it follows from what its children gave."""

from __future__ import annotations

from engine.cells import Cell, Frame, without_traces
from engine.plan import Branch, Call, Foreach, Parallel, PlanNode, Sequence, Wait
from engine.schema import ANY, Schema
from engine.values import Value, null


def derived_output(frame: Frame) -> Value:
    """What a container gives when all in it is done."""
    node = frame.node
    children = frame.children
    match node:
        case Parallel():
            return Value.group({cell.node.id: cell.output or null() for _, cell in sorted(children.items())})
        case Branch():
            ran = [children[slot] for slot in frame.chosen or () if slot in children]
            return Value.group({cell.node.id: cell.output or null() for cell in ran})
        case Foreach():
            return Value.group([_item_output(node, children[slot]) for slot in range(frame.total)])
        case _:
            return frame.flow


def _item_output(node: Foreach, cell: Cell) -> Value:
    output = cell.output or null()
    if not node.collect_errors:
        return output
    if cell.status == "failed":
        return Value.group({"error": Value.of(without_traces(cell.error or {}))})
    return Value.group({"ok": output})


def forgives(node: PlanNode) -> bool:
    """Whether a failed child is part of the output instead of a failure."""
    return (isinstance(node, Parallel) and node.allow_failure) or (isinstance(node, Foreach) and node.collect_errors)


def output_schema(node: PlanNode) -> Schema:
    if isinstance(node, (Call, Sequence)):
        return node.output
    return node.schema if isinstance(node, Wait) else ANY
