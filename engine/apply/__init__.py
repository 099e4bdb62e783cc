"""``apply``: fold one fact into a run's state. The only code that changes a :class:`~engine.state.RunState`, in place.

Plain functions of the log: no clock, no randomness, no store, no user code.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.apply import others, runs, steps
from engine.events import Fact
from engine.state import RunState

Apply = Callable[[RunState, Fact], None]


def apply(state: RunState, fact: Fact) -> None:
    """Fold one fact into the state. Facts come in order of ``seq``."""
    seq = state.seq = fact.seq
    value = fact.value
    if value is not None and not value.seq and value.parts is None:
        value.seq = seq
    data = fact.data
    if data is not None and "request" in data:
        state.requests.add(data["request"])
    handler = _APPLY.get(fact.type)
    if handler is not None:
        handler(state, fact)


_APPLY: dict[str, Apply] = {
    "run.created": runs.created,
    "run.started": runs.started,
    "run.suspended": runs.status,
    "run.resumed": runs.status,
    "run.paused": runs.status,
    "run.waiting": runs.status,
    "run.succeeded": runs.ended,
    "run.failed": runs.ended,
    "run.canceled": runs.ended,
    "run.forked": runs.status,
    "run.recovered": runs.recovered,
    "run.cancel_requested": runs.cancel_requested,
    "run.continued": runs.continued,
    "run.stepped": runs.stepped,
    "run.breakpoints_set": runs.breakpoints_set,
    "run.definition_changed": runs.definition_changed,
    "step.started": steps.started,
    "step.held": steps.held,
    "step.suspended": steps.suspended,
    "step.resumed": steps.resumed,
    "step.succeeded": steps.succeeded,
    "step.failed": steps.failed,
    "step.retrying": steps.retrying,
    "step.skipped": steps.skipped,
    "step.canceled": steps.canceled,
    "step.bailed": steps.bailed,
    "step.interrupted": steps.interrupted,
    "branch.chosen": others.chosen,
    "loop.checked": others.checked,
    "timer.started": others.timer_started,
    "timer.fired": others.timer_fired,
    "event.received": others.received,
    "suspension.expired": steps.expired,
    "state.changed": others.state_changed,
}
