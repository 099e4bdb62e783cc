"""Facts of branches, loops, timers, events and the shared state."""

from __future__ import annotations

from engine.apply.cells import cell_of, move, set_checking
from engine.cells import Frame
from engine.clock import from_iso
from engine.events import Fact
from engine.plan import Branch
from engine.schema import ANY
from engine.state import RunState
from engine.values import null


def chosen(state: RunState, fact: Fact) -> None:
    frame = cell_of(state, fact)
    data = fact.data or {}
    if isinstance(frame, Frame) and isinstance(frame.node, Branch):
        slots = {child.id: child.slot for child in frame.node.children}
        frame.chosen = tuple(slots[arm] for arm in data.get("arms", ()) if arm in slots)
        set_checking(state, frame, False)


def checked(state: RunState, fact: Fact) -> None:
    frame = cell_of(state, fact)
    if isinstance(frame, Frame):
        set_checking(state, frame, False)


def timer_started(state: RunState, fact: Fact) -> None:
    cell = cell_of(state, fact)
    due = (fact.data or {}).get("due")
    cell.due = None if due is None else from_iso(due)
    move(state, cell, "waiting")


def timer_fired(state: RunState, fact: Fact) -> None:
    cell = cell_of(state, fact)
    move(state, cell, "running")


def received(state: RunState, fact: Fact) -> None:
    data = fact.data or {}
    value = fact.value if fact.value is not None else null()
    if fact.path is None:
        state.inbox.append((data["name"], value))
        return
    cell = cell_of(state, fact)
    _take_early(state, data["name"], int(data.get("early") or data.get("dropped") or 0))
    if "dropped" in data:
        return
    cell.output = value
    move(state, cell, "running")


def _take_early(state: RunState, name: str, count: int) -> None:
    """The first ``count`` events of a name are gone: the last of them was waited for, or none of them fitted."""
    for entry in [entry for entry in state.inbox if entry[0] == name][:count]:
        state.inbox.remove(entry)


def state_changed(state: RunState, fact: Fact) -> None:
    changes = ANY.decode(fact.value.raw) if fact.value is not None else {}
    if not isinstance(changes, dict):
        return
    data = fact.data or {}
    before = state.shared
    for key, kept in data.get("appended", {}).items():
        changes[key] = [*before[key][:kept], *changes[key]]
    removed = data.get("removed", ())
    state.shared = {key: value for key, value in (before | changes).items() if key not in removed}
    if data.get("undo"):
        _taken_back(state, data.get("paths") or [fact.path or ""])
        return
    for key in changes:
        state.versions[key] = fact.seq
    path, journal = fact.path or "", state.journal
    if data.get("overlay"):
        cell = state.cells[path]
        journal.suspended += not cell.overlay
        cell.overlay = True
    if journal.suspended:
        if not journal.writes:
            journal.base = before
        args = data.get("args", changes.items())
        journal.writes.setdefault(path, []).extend((key, value) for key, value in args)


def _taken_back(state: RunState, paths: list[str]) -> None:
    """What some steps had written is not in the state any more."""
    journal = state.journal
    for path in paths:
        journal.writes.pop(path, None)
        journal.returning.pop(path, None)
        cell = state.cells.get(path)
        if cell is not None and cell.overlay:
            cell.overlay = False
            journal.suspended -= 1
    if not journal.suspended:
        journal.writes = {}
