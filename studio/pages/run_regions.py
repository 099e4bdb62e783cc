"""The regions of a run's page: what is asked for is read once, and becomes the views that the templates show."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import Depends, Query

from engine import Breakpoint, Event, Run, RunResult, RunRow, Workflow
from studio.hosting import Hosting
from studio.live import place_of
from studio.rendering import Rendering
from studio.views import events as events_view
from studio.views import run as run_view
from studio.views.approvals import question_view
from studio.views.breakpoints import break_views, stop_of
from studio.views.events import ALL, EventNumber, EventTable, Filter
from studio.views.graph import Opening, asked_open, outline, picture
from studio.views.journal import journal
from studio.views.run import Place
from studio.views.run_data import run_data
from studio.views.run_head import ENDED, facts, header
from studio.views.state_change import StateChange, state_change
from studio.views.timeline import timeline

MOST_READ = 5_000
"""Events that are looked through for the attempts and logs of one step, and for the state around it."""

VIEWER = ("run_views", "inspector_tabs")
"""The partials whose links say where the viewer is."""

MOST_LISTED = 120
"""Steps that the list beside the picture may have to be kept up to date."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address of a run's page asks for; ``None`` is not chosen."""

    view: str = "graph"
    step: str | None = None
    tab: str | None = None
    before: int | None = None
    opened: frozenset[str] = frozenset()
    event: EventNumber | None = None
    filter: Filter = ALL
    frozen: int | None = None

    async def table(self, run: Run, recent: list[Event], *, counted: bool) -> EventTable:
        """The events that are listed."""
        return await events_view.table(
            run,
            recent,
            before=self.before,
            event=self.event,
            filter=self.filter,
            frozen=self.frozen,
            counted=counted,
        )


def filter_of(
    *,
    types: Annotated[list[str] | None, Query(alias="type")] = None,
    path: str = "",
    find: str = "",
) -> Filter:
    """Which events a query asks for."""
    return Filter(tuple(dict.fromkeys(types or ())), path, find.strip())


def asked_of(
    *,
    view: str = "graph",
    step: str | None = None,
    tab: str | None = None,
    before: Annotated[int | None, Query(ge=1)] = None,
    opened: Annotated[list[str] | None, Query(alias="open")] = None,
    event: EventNumber | None = None,
    frozen: Annotated[int | None, Query(ge=1)] = None,
    filter: Annotated[Filter, Depends(filter_of)],
) -> Asked:
    """The query of a request."""
    tab = tab or ("events" if event else None)
    return Asked(view, step, tab, before, asked_open(opened or ()), event, filter, frozen)


@dataclass(frozen=True, slots=True)
class Looked:
    """A run as of one moment, read once for all regions of its page."""

    hosting: Hosting
    run: Run
    row: RunRow
    workflow: Workflow[Any, Any] | None
    definition: Mapping[str, Any] | None
    result: RunResult
    statuses: dict[str, str]
    points: tuple[Breakpoint, ...]
    recent: list[Event]
    story: list[Event]
    table: EventTable
    question: Any
    now: float
    path: str
    """The chosen step, that of the chosen event if there is one; empty for the run."""

    state: StateChange | None
    """What the step did to the shared state, if that is shown."""

    @property
    def seq(self) -> int:
        """The last event of the run."""
        return self.table.total


async def look(hosting: Hosting, run_id: str, asked: Asked) -> Looked:
    """Read a run. Raises ``UnknownRun``."""
    engine = hosting.engine
    run = await engine.get_run(run_id)
    row = await engine.store.row(run_id)
    recent = await events_view.recent(run)
    table = await asked.table(run, recent, counted=asked.tab == "events")
    chosen = table.chosen
    questions = await engine.suspensions(run_id, limit=1)
    workflow = hosting.catalog.workflows.get(run.workflow_id)
    stored = row.version if workflow is None else None
    result, statuses = (await run.result()).redacted(), await run.statuses()
    question = questions.items[0] if questions.items else None
    step = asked.step if chosen is None else chosen.path or ""
    path = run_view.resolve(step, statuses, steps=result.steps.keys(), question=question.path if question else "")
    return Looked(
        hosting,
        run,
        row,
        workflow,
        await engine.store.definition(stored) if stored else None,
        result,
        statuses,
        () if row.status in ENDED else await run.breakpoints(),
        recent,
        await _story(run, table.total)
        if asked.tab in ("attempts", "logs") and recent and recent[0].seq > 1
        else recent,
        table,
        question,
        time.time(),
        path,
        await _state(run, path, result, statuses, asked),
    )


async def _state(
    run: Run, path: str, result: RunResult, statuses: Mapping[str, str], asked: Asked
) -> StateChange | None:
    """What the step did to the state, where the data of the step is shown."""
    shows_data = asked.tab == "data" or (asked.tab is None and statuses.get(path) != "failed")
    if not path or path not in statuses or not shows_data or not result.state:
        return None
    return await state_change(run, path, most=MOST_READ)


async def _story(run: Run, seq: int) -> list[Event]:
    """The last events, more of them: what one step tried and wrote may be long ago."""
    return [event.redacted() async for event in run.events(max(0, seq - MOST_READ), follow=False)]


def regions(found: Looked, asked: Asked, *, problem: str = "") -> dict[str, Any]:
    """What the page and its updates are made of, by the name of the template's input; but for the picture."""
    breaks = break_views(() if found.result.status in ENDED else found.points)
    path = found.path
    chosen = run_view.inspector(
        found.result,
        found.statuses,
        found.story,
        found.workflow,
        path,
        now=found.now,
        breaks=breaks,
        state=found.state,
    )
    place = Place(
        found.run.run_id,
        asked.view if asked.view in run_view.VIEWS else "graph",
        path,
        run_view.tab_of(asked.tab, chosen),
        asked.before,
        asked.opened,
        None if found.table.chosen is None else found.table.chosen.seq,
        asked.step is None and asked.tab is None,
        asked.filter,
        None if asked.frozen is None else min(asked.frozen, found.seq),
    )
    rows = timeline(found.result.steps, found.statuses, found.recent, found.now, breaks)
    return {
        "place": place,
        "opening": _opening(place),
        "header": header(
            found.run.run_id,
            found.run.workflow_id,
            found.result.status,
            step=path,
            has_begun=bool(found.result.steps),
            is_canceling=any(event.type == "run.cancel_requested" for event in found.recent),
        ),
        "facts": facts(found.row, found.now),
        "stop": stop_of(found.result.status, found.statuses, breaks, found.recent),
        "problem": problem,
        "has_code": found.workflow is not None,
        "trouble": found.hosting.engine_trouble(),
        "breaks": breaks,
        "inspector": chosen,
        "timeline": rows,
        "journal": journal(rows, found.result.steps, found.workflow) if place.view == "journal" else [],
        "table": found.table,
        "question": None if found.question is None else question_view(found.question, is_now=True),
        "follow": _follow(place, found, chosen, asked),
    }


def drawn(found: Looked, made: Mapping[str, Any]) -> dict[str, Any]:
    """The picture and the list beside it, of today's code, else as the run has recorded it; ``None`` if it has not."""
    source = found.workflow or found.definition
    if source is None:
        return {"graph": None, "outline": ()}
    graph = picture(
        source,
        found.statuses,
        selected=place_of(made["place"].step),
        follows=found.result.status not in ENDED,
        breaks=made["breaks"],
        opening=made["opening"],
    )
    return {"graph": graph, "outline": graph.outline}


def _opening(place: Place) -> Opening:
    return Opening(place.opened, lambda opened: replace(place, opened=opened).shows(place.view))


def listed(found: Looked, made: Mapping[str, Any]) -> dict[str, Any]:
    """The list beside the picture, if it is short enough to be sent whenever something has happened."""
    if found.workflow is None or len(found.workflow.plan.places) > MOST_LISTED:
        return {}
    return {"outline": outline(found.workflow, found.statuses, breaks=made["breaks"], opening=made["opening"])}


def _follow(place: Place, found: Looked, chosen: run_view.Inspector, asked: Asked) -> run_view.Follow | None:
    """Where the page asks for what has changed; what the viewer has not chosen goes with the run."""
    if found.result.status in ENDED:
        return None
    token = found.question.token if found.question else ""
    query = {"view": place.view, "step": asked.step, "tab": asked.tab, "before": place.before, "event": place.event}
    query |= {"frozen": place.frozen, "question": token, "stamp": run_view.stamp(chosen, place, found.seq)}
    said = {name: str(value) for name, value in query.items() if value is not None}
    return run_view.Follow(place.run_id, place.filter.query | said, place.opened, found.seq)


def told(found: Looked, asked: Asked, made: Mapping[str, Any]) -> dict[str, Any]:
    """What the page says to programs."""
    return run_data(
        found.row,
        found.result,
        found.statuses,
        events=found.table.events,
        older=made["table"].older,
        seq=found.seq,
        step=asked.step or "",
        event=found.table.chosen,
        question=made["question"],
    )


def all_names(made: Mapping[str, Any]) -> list[str]:
    """The partials of everything on the page that can change."""
    return [*always(made), "run_problem", "inspector", "run_question", *VIEWER, "follow"]


def always(made: Mapping[str, Any]) -> list[str]:
    """The partials that are sent whenever something has happened."""
    names = ["run_status", "run_facts", "run_actions", "run_banner", "run_breaks", "run_events"]
    names.append("journal" if made["place"].view == "journal" else "timeline")
    if made["place"].view == "graph":
        names.append("timeline_total")
    if "outline" in made:
        names.append("run_outline")
    return names


def updates(rendering: Rendering, names: Iterable[str], made: Mapping[str, Any]) -> str:
    """The named partials, each with where it goes."""
    return "".join(
        f'<hx-partial hx-target="#{name.replace("_", "-")}" hx-swap="outerMorph">'
        f"{rendering.partial(f'partials/{name}.html', **made)}</hx-partial>"
        for name in names
    )
