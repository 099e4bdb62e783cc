"""Facts of the run: its start, its status, its end, and what the debugger says."""

from __future__ import annotations

from engine.cells import Frame
from engine.events import Fact, status_after
from engine.state import RunState, breakpoints_from
from engine.values import null


def created(state: RunState, fact: Fact) -> None:
    data = fact.data or {}
    state.created_at = state.updated_at = fact.at
    state.resource_id = data.get("resource_id")
    state.tags = tuple(data.get("tags") or ())
    state.parent_run_id = data.get("parent")
    state.version = data.get("version")


def started(state: RunState, fact: Fact) -> None:
    data = fact.data or {}
    state.started = True
    state.input = fact.value if fact.value is not None else null()
    if state.input.schema.is_any:
        state.input.schema = state.plan.root.input
    state.context = dict(data.get("request_context") or {})
    state.hold = bool(data.get("paused", state.hold))
    if "breakpoints" in data:
        state.breakpoints = breakpoints_from(data["breakpoints"])
    shared = data.get("state")
    state.shared = dict(shared) if isinstance(shared, dict) else {}
    state.root = Frame(state.plan.root, "", None, 0, state.input, fact.at)
    state.root.status = "running"
    status(state, fact)


def status(state: RunState, fact: Fact) -> None:
    state.status = status_after(fact, state.status)
    state.updated_at = fact.at


def ended(state: RunState, fact: Fact) -> None:
    status(state, fact)
    root = state.root
    if root is not None:
        root.status = state.status
        root.ended_at = fact.at
    if fact.type == "run.succeeded":
        state.result = fact.value if fact.value is not None else (root.flow if root is not None else null())
    elif fact.type == "run.failed":
        state.error = (fact.data or {}).get("error")
    else:
        state.cancel_reason = (fact.data or {}).get("reason")


def cancel_requested(state: RunState, fact: Fact) -> None:
    state.canceling = True
    state.cancel_reason = (fact.data or {}).get("reason")


def continued(state: RunState, fact: Fact) -> None:
    status(state, fact)
    state.hold = False
    state.credits = 0


def stepped(state: RunState, fact: Fact) -> None:
    status(state, fact)
    state.hold = True
    state.credits = 1


def breakpoints_set(state: RunState, fact: Fact) -> None:
    data = fact.data or {}
    if "breakpoints" in data:
        state.breakpoints = breakpoints_from(data["breakpoints"])
    state.hold = bool(data.get("hold", state.hold))


def recovered(state: RunState, fact: Fact) -> None:
    if (fact.data or {}).get("unclean"):
        state.deaths += 1
    status(state, fact)


def definition_changed(state: RunState, fact: Fact) -> None:
    state.version = (fact.data or {}).get("version")
