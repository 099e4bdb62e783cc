"""Where a run is held: before the next step while it is paused, and at breakpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.cells import Cell, Frame, Site
from engine.errors import EngineError
from engine.events import Fact
from engine.expressions import parse
from engine.plan import Branch, Foreach, Loop, Parallel, Sequence
from engine.sources import Scope
from engine.state import Breakpoint
from engine.values import Value

if TYPE_CHECKING:
    from engine.host import Host

_CONTAINERS = (Sequence, Parallel, Branch, Loop, Foreach)


def stop_before(run: Host, site: Site) -> dict[str, Any] | None:
    """Whether a node is held before it begins: ``None`` if not, else what the ``step.held`` event says."""
    state = run.state
    is_leaf = not isinstance(site.node, _CONTAINERS)
    if state.credits and is_leaf:
        return None
    for breakpoint in state.breakpoints:
        is_meant = breakpoint.when == "before" and _stands(breakpoint, site)
        if is_meant and _holds(run, site.parent, breakpoint, site.input):
            return {"breakpoint": breakpoint.path}
    return {} if state.hold and is_leaf else None


def stop_after(run: Host, fact: Fact) -> bool:
    """Whether a breakpoint holds the run after the step that has just succeeded."""
    cell = fact.site
    if not isinstance(cell, Cell) or fact.value is None:
        return False
    return any(
        breakpoint.when == "after" and _stands(breakpoint, cell) and _holds(run, cell, breakpoint, fact.value)
        for breakpoint in run.state.breakpoints
    )


def _stands(breakpoint: Breakpoint, at: Cell | Site) -> bool:
    """Whether a breakpoint is meant here. The path of a loop or foreach means its iterations, not the block as well."""
    return breakpoint.stands_at(at.path) and not isinstance(at.node, (Loop, Foreach))


def _holds(run: Host, cell: Cell | Frame, breakpoint: Breakpoint, value: Value) -> bool:
    """Whether a breakpoint's condition holds; one that can't be asked holds: better one stop too many."""
    if breakpoint.condition is None:
        return True
    try:
        return bool(parse(breakpoint.condition).evaluate(Scope(run, cell, value.typed()).lookup))
    except EngineError as error:
        run.note(cell.path, "warning", f"the condition of the breakpoint at {breakpoint.path!r} failed: {error}")
        return True
