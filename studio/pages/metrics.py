"""Reads the last runs of a workflow for its tab of figures; what that costs has a bound."""

from __future__ import annotations

import asyncio
from typing import Any

from engine import UnknownRun, Workflow
from studio.hosting import Hosting
from studio.views.metrics import MetricsView, Tally, metrics_view, tally

RUNS = 50
"""Runs that are looked at."""

EVENTS = 5_000
"""Events of them that are read at most: about a tenth of a second."""


async def metrics_of(hosting: Hosting, workflow: Workflow[Any, Any], measure: str) -> MetricsView:
    """Figures of the newest runs, as many as there is time for."""
    store = hosting.engine.store
    rows = (await hosting.engine.list_runs(workflow.id, limit=RUNS)).items
    tallies: dict[str, Tally] = {}
    runs = events = 0
    for row in rows:
        if events >= EVENTS:
            break
        try:
            facts = await store.read(row.run_id, limit=EVENTS - events)
        except UnknownRun:  # deleted meanwhile
            continue
        tally(row.run_id, ((fact.at, fact.type, fact.path) for fact in facts if fact.path is not None), tallies)
        runs, events = runs + 1, events + len(facts)
        await asyncio.sleep(0)
    return metrics_view(workflow, tallies, runs=runs, events=events, is_cut=events >= EVENTS, measure=measure)
