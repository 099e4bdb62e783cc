"""Beginning, moving and ending cells, and the counts that go with it."""

from __future__ import annotations

from engine.cells import Cell, Frame, Site
from engine.errors import StoreCorrupt
from engine.events import Fact
from engine.state import RunState

_OF_CONTAINERS = frozenset({"held", "suspended"})
"""Open statuses that a container has itself, not by what is in it."""


def cell_of(state: RunState, fact: Fact) -> Cell:
    """The cell that a fact is about, which has begun before."""
    site = fact.site
    if site is not None and not isinstance(site, Site):
        return site
    found = state.cells.get(fact.path or "")
    if found is None:
        raise StoreCorrupt(f"run {state.run_id!r}: {fact.type} of {fact.path!r}, which has not begun (seq {fact.seq})")
    return found


def count(state: RunState, cell: Cell, status: str, by: int) -> None:
    """Note that a leaf enters or leaves an open status, here and in everything it is in."""
    state.tally[status] += by
    frame = cell.parent
    if status in ("running", "held"):
        while frame is not None:
            frame.live += by
            frame = frame.parent
    else:
        while frame is not None:
            frame.parked += by
            frame = frame.parent


def move(state: RunState, cell: Cell, status: str) -> None:
    """Change a cell's status, and the counts with it.

    Containers are counted only while they wait for a person, or their condition is asked.
    """
    before = cell.status
    if before == status:
        return
    cell.status = status
    if cell.node.is_container:
        for counted, by in ((before, -1), (status, 1)):
            if counted in _OF_CONTAINERS:
                count(state, cell, counted, by)
        return
    tally = state.tally
    if before in tally:
        count(state, cell, before, -1)
    if status in tally:
        count(state, cell, status, 1)


def set_checking(state: RunState, frame: Frame, on: bool) -> None:
    """A condition that is being asked counts as running: nobody may think that nothing happens there."""
    if frame.checking is not on:
        frame.checking = on
        step = 1 if on else -1
        frame.live += step
        count(state, frame, "running", step)


def begin(state: RunState, fact: Fact) -> Cell:
    """The cell of a path that begins (or is held before it begins)."""
    found = state.cells.get(fact.path or "")
    if found is not None:
        return found
    site = fact.site
    if type(site) is not Site:
        site = state.site(fact.path or "")
    node, frame, slot = site.node, site.parent, site.slot
    make = Frame if node.is_container else Cell
    cell = make(node, site.path, frame, slot, site.input, fact.at)
    state.cells[site.path] = cell
    if site.catches is None:
        frame.children[slot] = cell
    else:
        cell.catches = site.catches
    frame.open += 1
    if slot >= frame.begun:
        frame.begun = slot + 1
    return cell


def answer_question(state: RunState, token: str) -> None:
    state.questions.pop(token, None)
    state.answered.add(token)


def progress(state: RunState, cell: Cell) -> None:
    """A step has had an outcome: it is not what kills the process."""
    cell.crashes = 0
    state.deaths = 0


def close(state: RunState, cell: Cell, status: str, fact: Fact) -> None:
    """A cell ends; its parent is told."""
    if isinstance(cell, Frame) and cell.checking:
        set_checking(state, cell, False)
    if cell.question is not None:
        state.questions.pop(cell.question.token, None)
        cell.question = None
    move(state, cell, status)
    cell.ended_at = fact.at
    cell.due = None
    frame = cell.parent
    if frame is not None:
        frame.open -= 1
