"""A run for programs: what its page shows, as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from engine import Event, RunResult, RunRow
from studio.views.approvals import QuestionView

MOST_STEPS = 500
"""Steps whose input and output are told; the statuses of all are."""


def run_data(
    row: RunRow,
    result: RunResult,
    statuses: Mapping[str, str],
    *,
    events: Iterable[Event],
    older: int | None,
    seq: int,
    step: str,
    event: Event | None,
    question: QuestionView | None,
) -> dict[str, Any]:
    """``result``, ``events`` and ``question`` are as they are shown: without secrets. ``older``: see ``EventTable``."""
    paths = list(islice(result.steps, MOST_STEPS))
    return {
        "run": row,
        "seq": seq,
        "status": result.status,
        "input": result.input,
        "result": result.result,
        "error": result.error,
        "state": result.state,
        "statuses": statuses,
        "steps": {path: result.steps[path] for path in paths},
        "steps_left_out": len(result.steps) - len(paths),
        "step": {"path": step, "record": result.steps.get(step)} if step else None,
        "event": event,
        "question": question,
        "events": list(events),
        "older": older,
    }
