"""``advance``: what now? A plain function of the state and the fact that changed it last.

It reads the state and never changes it; ``apply`` has done that before. One module a kind of container.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.advance import arms, foreach, loop, sequence
from engine.cells import DONE, Cell, Frame, Site, ancestors, error_input, workflow_of
from engine.commands import Again, Begin, CancelRun, Check, Choose, Command, Drop, Invoke, Leave, Wake
from engine.events import TERMINAL, Fact
from engine.plan import Branch, Call, Foreach, Loop, Parallel, Sequence, Sleep, Wait
from engine.state import RunState

Commands = list[Command]


def advance(state: RunState, fact: Fact) -> Commands:
    """The commands that follow from a fact which has just been applied."""
    handler = _ADVANCE.get(fact.type)
    if handler is None or state.status in TERMINAL:
        return []
    if state.canceling and fact.type != "run.cancel_requested":
        return []
    return handler(state, fact)


def _cancel(_state: RunState, _fact: Fact) -> Commands:
    return [CancelRun()]


def _cell(state: RunState, fact: Fact) -> Cell:
    site = fact.site
    return site if isinstance(site, Cell) else state.cells[fact.path or ""]


def _run_started(state: RunState, _fact: Fact) -> Commands:
    return sequence.enter(state.frame)


def _released(state: RunState, fact: Fact) -> Commands:
    """The debugger lets go: of everything that is held, or of the one that was held first."""
    held = [cell for cell in state.cells.values() if cell.status == "held"]
    if fact.type == "run.stepped":
        held = held[:1]
    return [Again(cell) for cell in held]


def _step_started(state: RunState, fact: Fact) -> Commands:
    cell = state.cells[fact.path or ""]
    node = cell.node
    if not isinstance(cell, Frame):
        if type(node) is Call:
            return [Invoke(cell)]
        if isinstance(node, Wait) and cell.due is not None:
            return [Invoke(cell), Wake(cell, cell.due, cell.attempts)]
        return [Invoke(cell)]
    match node:
        case Sequence():
            return sequence.enter(cell)
        case Parallel():
            return arms.enter(cell)
        case Branch():
            return [Choose(cell)]
        case Loop():
            return loop.enter(cell)
        case _:
            return foreach.enter(state, cell)


def _chosen(state: RunState, fact: Fact) -> Commands:
    frame = _cell(state, fact)
    return arms.enter(frame) if isinstance(frame, Frame) else []


def _checked(state: RunState, fact: Fact) -> Commands:
    frame = _cell(state, fact)
    return loop.checked(frame, bool((fact.data or {}).get("again"))) if isinstance(frame, Frame) else []


def _ended(state: RunState, fact: Fact) -> Commands:
    """A cell has ended: its parent says what follows; where nothing does, a failing block may have come to rest."""
    cell = _cell(state, fact)
    if fact.type == "step.failed" and cell.node.catch is not None and cell.parent is not None:
        return [catch(cell, cell.parent)]
    return after(state, cell) or unblock(cell)


def catch(cell: Cell, frame: Frame) -> Command:
    """The command that runs the arm which catches a block's failure."""
    arm = cell.node.catch
    if arm is None:
        raise AssertionError("only a node with a catch arm is caught")
    return Begin(Site(arm, frame.inside + arm.id, frame, cell.slot, error_input(cell), cell))


def is_due(state: RunState, site: Site) -> bool:
    """Whether what is to begin still is: it has not begun meanwhile, nor has its block ended or failed."""
    frame = site.parent
    if site.path in state.cells or frame.status in DONE:
        return False
    return frame.failed is None or not frame.is_limited or site.catches is not None


def after(state: RunState, cell: Cell) -> Commands:
    """What a container does when a child has ended."""
    frame = cell.parent
    if frame is None or frame.closing:
        return []
    kind = type(frame.node)
    if kind is Sequence:
        return sequence.after(frame, cell)
    if kind is Foreach:
        return foreach.after(state, frame, cell)
    return loop.after(frame, cell) if kind is Loop else arms.after(frame, cell)


def unblock(cell: Cell) -> Commands:
    """A block with a failed arm waits for the others while they run; those that only wait themselves are dropped."""
    for frame in ancestors(cell):
        if frame.failed is not None and frame.open and not frame.live and not frame.closing:
            return [Drop(frame)]
    return []


def _suspended(state: RunState, fact: Fact) -> Commands:
    cell = _cell(state, fact)
    question = cell.question
    wakes: Commands = []
    if question is not None and question.expires_at is not None:
        wakes = [Wake(cell, question.expires_at, question.token)]
    return wakes + unblock(cell)


def _timer_started(state: RunState, fact: Fact) -> Commands:
    cell = _cell(state, fact)
    return [Wake(cell, cell.due or 0.0, cell.attempts), *unblock(cell)] if isinstance(cell.node, Sleep) else []


def _retrying(state: RunState, fact: Fact) -> Commands:
    cell = _cell(state, fact)
    return [Wake(cell, cell.due or 0.0, cell.attempts)]


def _again(state: RunState, fact: Fact) -> Commands:
    return [Again(_cell(state, fact))]


def _resumed(state: RunState, fact: Fact) -> Commands:
    """A step starts again; of a branch or loop, which has begun, the conditions are asked again."""
    cell = _cell(state, fact)
    if isinstance(cell, Frame):
        match cell.node:
            case Branch():
                return [Choose(cell)]
            case Loop():
                return [Check(cell)]
            case _:
                pass
    return [Again(cell)]


def _bailed(state: RunState, fact: Fact) -> Commands:
    cell = _cell(state, fact)
    if cell.output is None:
        return []
    return [Leave(workflow_of(cell), cell.output)]


_ADVANCE: dict[str, Callable[[RunState, Fact], Commands]] = {
    "run.cancel_requested": _cancel,
    "run.started": _run_started,
    "run.continued": _released,
    "run.stepped": _released,
    "step.started": _step_started,
    "step.suspended": _suspended,
    "step.resumed": _resumed,
    "step.succeeded": _ended,
    "step.failed": _ended,
    "step.retrying": _retrying,
    "step.canceled": _ended,
    "step.bailed": _bailed,
    "step.interrupted": _again,
    "branch.chosen": _chosen,
    "loop.checked": _checked,
    "timer.started": _timer_started,
}
