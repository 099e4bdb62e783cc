"""Whether a run that was recorded with one definition can go on with another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.cells import DONE, Cell
from engine.errors import DataError
from engine.ids import template
from engine.plan import Call, Plan, Sequence, Wait
from engine.schema import ANY, Schema
from engine.state import RunState


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node stands in a definition: in what, as which child, of which kind."""

    parent: str
    position: str
    kind: str
    schemas: tuple[str | None, str | None]


def places_of(definition: Mapping[str, Any]) -> dict[str, Place]:
    """All places of a stored definition."""
    found: dict[str, Place] = {}
    root = definition["root"]
    _walk(root, "", "", found)
    return found


def _walk(node: Mapping[str, Any], prefix: str, parent: str, found: dict[str, Place]) -> None:
    """Note the children of a node. ``prefix`` starts their places."""
    indexed = node["kind"] in ("do_while", "do_until", "foreach")
    for position, child in enumerate(node.get("children", ())):
        # The body of a loop has the loop's own id, with an index.
        place = f"{parent}[]" if indexed else f"{prefix}{child['id']}"
        _note(child, place, found, prefix=prefix, stands=(parent, str(position)))


def _note(
    node: Mapping[str, Any], place: str, found: dict[str, Place], *, prefix: str, stands: tuple[str, str]
) -> None:
    """Note a node and what is in it. ``stands``: in what, and as which child."""
    parent, position = stands
    found[place] = Place(parent, position, node["kind"], (node.get("input"), node.get("output")))
    inner = f"{place}/" if node["kind"] in ("workflow", "chain") else prefix
    _walk(node, inner, place, found)
    if "catch" in node:
        caught = node["catch"]
        _note(caught, f"{prefix}{caught['id']}", found, prefix=prefix, stands=(parent, f"catch {position}"))


def misfits(old: Mapping[str, Any], new: Mapping[str, Any], recorded: Iterable[str]) -> list[str]:
    """Why the recorded paths of a run don't stand where they stood: what was removed, moved, or has another kind."""
    before, after = places_of(old), places_of(new)
    problems = []
    for place in sorted({template(path) for path in recorded}):
        was, now = before.get(place), after.get(place)
        if was is None:
            continue
        if now is None:
            problems.append(f"{place!r} was removed or renamed{_hint(was, before, after)}")
        elif now.kind != was.kind:
            problems.append(f"{place!r} was a {was.kind} and is a {now.kind}")
        elif (now.parent, now.position) != (was.parent, was.position):
            problems.append(f"{place!r} has moved (from position {was.position} to {now.position})")
    return problems


def _hint(was: Place, before: Mapping[str, Place], after: Mapping[str, Place]) -> str:
    there = [
        place
        for place, now in after.items()
        if (now.parent, now.position) == (was.parent, was.position) and place not in before
    ]
    return f" (to {there[0]!r}?)" if there else ""


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What differs between two definitions, for people."""
    before, after = places_of(old), places_of(new)
    lines = [f"{place!r} was removed" for place in before if place not in after]
    lines += [f"{place!r} was added" for place in after if place not in before]
    for place, was in before.items():
        now = after.get(place)
        if now is None or now == was:
            continue
        if now.kind != was.kind:
            lines.append(f"{place!r} was a {was.kind} and is a {now.kind}")
        elif now.schemas != was.schemas:
            lines.append(f"the schemas of {place!r} changed")
        else:
            lines.append(f"{place!r} has moved")
    return lines or ["conditions or options changed"]


def data_misfits(state: RunState, plan: Plan) -> list[str]:
    """Which stored values the schemas no longer take."""
    problems = []
    if state.input is not None and not _takes(plan.root.input, state.input.raw):
        problems.append("the workflow's input schema no longer takes the stored input")
    if plan.root.state is not None and state.started and not _takes(plan.root.state, ANY.encode(state.shared)):
        problems.append("the workflow's state schema no longer takes the stored state")
    for cell in state.cells.values():
        problems += _cell_misfits(cell)
    return problems


def _cell_misfits(cell: Cell) -> list[str]:
    node = cell.node
    problems = []
    if isinstance(node, (Call, Sequence)) and cell.status not in DONE and not _takes(node.input, cell.input.raw):
        problems.append(f"the input schema of {cell.path!r} no longer takes the stored input")
    if cell.output is not None and cell.status in ("success", "bailed"):
        schema = node.output if isinstance(node, (Call, Sequence)) else node.schema if isinstance(node, Wait) else None
        if schema is not None and not _takes(schema, cell.output.raw):
            problems.append(f"the output schema of {cell.path!r} no longer takes the stored output")
    return problems


def _takes(schema: Schema, raw: bytes) -> bool:
    if schema.is_any:
        return True
    try:
        schema.decode(raw)
    except DataError:
        return False
    return True
