"""What the buttons within a form do: rows added, removed and moved, and the change of editor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

from studio.forms.nodes import Dict, List, Node, node_at
from studio.forms.paths import control, join
from studio.forms.typed import MAX_ROWS, Controls, Typed, controls, count, last, number
from studio.forms.views import ButtonView

Verb = Literal["add", "remove", "up", "down", "mode"]


@dataclass(frozen=True, slots=True)
class Action:
    """What the button that was pressed asks for; in the form ``add:path``, ``up:path:2`` or ``mode:json``."""

    verb: Verb
    path: str
    index: int = -1

    def __str__(self) -> str:
        return f"{self.verb}:{self.path}" + (f":{self.index}" if self.index >= 0 else "")


def asked_for(typed: Typed) -> Action | None:
    """The action of the button that was pressed; ``None`` if the form was sent off, or nobody knows the action."""
    verb, _, rest = last(typed, "_action").partition(":")
    if verb not in get_args(Verb):
        return None
    if verb == "mode":
        return Action("mode", rest) if rest in ("form", "json") else None
    path, _, index = rest.partition(":")
    if verb == "add":
        return Action("add", path)
    place = number(index)
    return None if place is None else Action(cast(Verb, verb), path, place)


def apply(root: Node, typed: Controls, action: Action) -> Controls:
    """The controls with a row added, removed or moved. What can't be done is not done."""
    made = {name: texts for name, texts in typed.items() if name not in ("_action", "_focus")}
    node = node_at(root, action.path)
    if not isinstance(node, List | Dict):
        return made
    mark = "" if isinstance(node, List) else "@"
    rows = count(typed, action.path)
    if action.verb == "add":
        return _added(node, made, action.path, rows) if rows < MAX_ROWS else made
    order = _ordered(list(range(rows)), action)
    target = action.index + {"up": -1, "down": 1}.get(action.verb, 0)
    # At the end of its way a row's button is disabled, and can't have the focus.
    verb = "down" if target <= 0 else "up" if target >= rows - 1 else action.verb
    focus = f"add:{action.path}" if action.verb == "remove" else f"{verb}:{action.path}:{target}"
    return {**_reordered(made, action.path, mark, order), "_focus": [focus]}


def _added(node: List | Dict, made: Controls, path: str, rows: int) -> Controls:
    if isinstance(node, List):
        row, new = join(path, rows), controls(node.item, join(path, rows))
    else:
        row = join(path, f"@{rows}.key")
        new = {control(row): [""], **controls(node.value, join(path, f"@{rows}.value"))}
    return {**made, **new, control(join(path, "@rows")): [str(rows + 1)], "_focus": [row]}


def _ordered(places: list[int], action: Action) -> list[int]:
    """The old places of the rows in their new order."""
    index = action.index
    other = index + (1 if action.verb == "down" else -1)
    if action.verb == "remove":
        return [place for place in places if place != index]
    if index in places and other in places:
        places[index], places[other] = places[other], places[index]
    return places


def _reordered(typed: Controls, path: str, mark: str, order: Sequence[int]) -> Controls:
    place = {f"{mark}{old}": f"{mark}{new}" for new, old in enumerate(order)}
    prefix = control(path) + "."
    made: Controls = {}
    for name, texts in typed.items():
        row, dot, rest = name.removeprefix(prefix).partition(".") if name.startswith(prefix) else ("", "", "")
        numbered = row.removeprefix(mark).isdigit() and row.startswith(mark)
        if not numbered:
            made[name] = texts
        elif row in place:
            made[f"{prefix}{place[row]}{dot}{rest}"] = texts
    made[control(join(path, "@rows"))] = [str(len(order))]
    return made


def row_buttons(path: str, index: int, amount: int, label: str) -> Sequence[ButtonView]:
    """The buttons of one row, for :func:`apply`."""
    row = f"{label} {index + 1}"
    return (
        ButtonView(f"up:{path}:{index}", f"Move {row} up", "up", disabled=index == 0),
        ButtonView(f"down:{path}:{index}", f"Move {row} down", "down", disabled=index == amount - 1),
        ButtonView(f"remove:{path}:{index}", f"Remove {row}", "close"),
    )
