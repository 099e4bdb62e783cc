"""The page of a run: what is asked for becomes views; what is pressed becomes actions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from engine import EngineError, Event, Run, RunResult, RunRow, UnknownRun, Workflow
from studio.hosting import EngineBlocked, Hosting
from studio.live import place_of
from studio.pages import live_parts as _live_parts  # noqa: F401 - registers what frames are made of
from studio.pages.run_actions import address, perform
from studio.pages.shell import page
from studio.rendering import Rendering
from studio.services import hosting_of, rendering_of
from studio.views import events as events_view
from studio.views import run as run_view
from studio.views.approvals import question_view
from studio.views.graph import picture
from studio.views.journal import journal
from studio.views.run import ENDED, Place
from studio.views.timeline import timeline

router = APIRouter()

Host = Annotated[Hosting, Depends(hosting_of)]
Pages = Annotated[Rendering, Depends(rendering_of)]

MOST_READ = 5_000
"""Events that are looked through for the attempts and logs of one step."""

DEAR = 0.1
"""Seconds of work from which on a page that follows a run is answered more slowly."""

PATIENCE = 2.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address of a run's page asks for; ``None`` is not chosen."""

    view: str = "graph"
    step: str | None = None
    tab: str | None = None
    before: int | None = None


def asked_of(
    view: str = "graph",
    step: str | None = None,
    tab: str | None = None,
    before: Annotated[int | None, Query(ge=1)] = None,
) -> Asked:
    """The query of a request."""
    return Asked(view, step, tab, before)


@dataclass(frozen=True, slots=True)
class Looked:
    """A run as of one moment, read once for all regions of its page."""

    run: Run
    row: RunRow
    workflow: Workflow[Any, Any] | None
    result: RunResult
    statuses: dict[str, str]
    recent: list[Event]
    story: list[Event]
    shown: list[Event]
    seq: int
    question: Any
    now: float


async def look(hosting: Hosting, run_id: str, asked: Asked) -> Looked:
    """Read a run. Raises ``UnknownRun``."""
    engine = hosting.engine
    run = await engine.get_run(run_id)
    row = await engine.store.row(run_id)
    last = await engine.store.last_seq(run_id)
    recent = await events_view.window(run, last, None)
    seq = recent[-1].seq if recent else last
    shown = recent if asked.before is None else await events_view.window(run, seq, asked.before)
    questions = await engine.suspensions(run_id, limit=1)
    return Looked(
        run,
        row,
        hosting.catalog.workflows.get(run.workflow_id),
        await run.result(),
        await run.statuses(),
        recent,
        await _story(run, seq) if asked.tab in ("attempts", "logs") and recent and recent[0].seq > 1 else recent,
        shown,
        seq,
        questions.items[0] if questions.items else None,
        time.time(),
    )


async def _story(run: Run, seq: int) -> list[Event]:
    """The last events, more of them: what one step tried and wrote may be long ago."""
    return [event async for event in run.events(max(0, seq - MOST_READ), follow=False)]


def regions(found: Looked, asked: Asked) -> dict[str, Any]:
    """What the page and its updates are made of, by the name of the template's input."""
    path = run_view.resolve(
        asked.step,
        found.statuses,
        steps=found.result.steps.keys(),
        question=found.question.path if found.question else "",
    )
    chosen = run_view.inspector(found.result, found.statuses, found.story, found.workflow, path, now=found.now)
    place = Place(
        found.run.run_id,
        asked.view if asked.view in run_view.VIEWS else "graph",
        path,
        run_view.tab_of(asked.tab, chosen),
        asked.before,
    )
    rows = timeline(found.result.steps, found.statuses, found.recent, found.now)
    return {
        "place": place,
        "header": run_view.header(
            found.run.run_id, found.run.workflow_id, found.result.status, has_begun=bool(found.result.steps)
        ),
        "facts": run_view.facts(found.row, found.now),
        "inspector": chosen,
        "timeline": rows,
        "journal": journal(rows, found.result.steps, found.workflow) if place.view == "journal" else [],
        "table": events_view.table(found.shown, found.seq),
        "question": None if found.question is None else question_view(found.question, is_now=True),
        "follow": _follow(place, found, chosen, asked),
    }


def _follow(place: Place, found: Looked, chosen: run_view.Inspector, asked: Asked) -> run_view.Follow | None:
    """Where the page asks for what has changed; what the viewer has not chosen goes with the run."""
    if found.result.status in ENDED:
        return None
    token = found.question.token if found.question else ""
    query = {"view": place.view, "step": asked.step, "tab": asked.tab, "before": place.before, "question": token}
    query["stamp"] = run_view.stamp(chosen, place, found.seq)
    return run_view.Follow(place.run_id, {name: str(value) for name, value in query.items() if value is not None})


@router.get("/runs/{run_id}")
async def show_run(
    request: Request,
    hosting: Host,
    run_id: str,
    asked: Annotated[Asked, Depends(asked_of)],
) -> HTMLResponse:
    """The debugger of a run."""
    return await _page(request, hosting, run_id, asked)


async def _page(
    request: Request,
    hosting: Hosting,
    run_id: str,
    asked: Asked,
    *,
    problem: str = "",
    status: int = 200,
) -> HTMLResponse:
    found = await look(hosting, run_id, asked)
    made = regions(found, asked)
    source = found.workflow
    if source is None and found.row.version:
        source = await hosting.engine.store.definition(found.row.version)  # type: ignore[assignment]
    is_live = found.result.status not in ENDED
    selected = place_of(made["place"].step)
    context = {
        **made,
        "graph": None if source is None else picture(source, found.statuses, selected=selected, follows=is_live),
        "is_live": is_live,
        "seq": found.seq,
        "problem": problem,
    }
    title = f"{found.run.workflow_id} run"
    return await page(request, "pages/run.html", here="runs", title=title, status=status, **context)


@router.get("/runs/{run_id}/regions")
async def show_regions(
    hosting: Host,
    rendering: Pages,
    run_id: str,
    asked: Annotated[Asked, Depends(asked_of)],
    *,
    question: str = "",
    stamp: str = "",
) -> HTMLResponse:
    """What has changed on a page that is open: the same partials, at the place where the viewer is.

    ``question`` and ``stamp`` say which question and which state of the step it shows: what is the same is left out.
    """
    began = time.perf_counter()
    found = await look(hosting, run_id, asked)
    made = regions(found, asked)
    place = made["place"]
    names = ["run_status", "run_facts", "run_actions", "journal" if place.view == "journal" else "timeline"]
    if run_view.stamp(made["inspector"], place, found.seq) != stamp:
        names.append("inspector")
    if (found.question.token if found.question else "") != question:
        names.append("run_question")
    names += ["inspector_tabs", "follow"]
    answer = HTMLResponse("".join(_partial(rendering, name, made) for name in names))
    cost = time.perf_counter() - began
    if cost > DEAR:  # the page asks again when it has this: a long run leaves the server its time for others
        await asyncio.sleep(min(PATIENCE, 3 * cost))
    return answer


def _partial(rendering: Rendering, name: str, made: dict[str, Any]) -> str:
    html = rendering.partial(f"partials/{name}.html", **made)
    return f'<hx-partial hx-target="#{name.replace("_", "-")}" hx-swap="outerMorph">{html}</hx-partial>'


@router.get("/runs/{run_id}/events.ndjson")
async def download_events(hosting: Host, run_id: str) -> StreamingResponse:
    """Every event so far, one line each."""
    run = await hosting.engine.get_run(run_id)

    async def lines() -> AsyncIterator[str]:
        async for event in run.events(follow=False):
            yield events_view.line(event)

    name = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in run_id)
    headers = {"content-disposition": f'attachment; filename="{name}.ndjson"'}
    return StreamingResponse(lines(), media_type="application/x-ndjson", headers=headers)


@router.post("/runs/{run_id}/{verb}")
async def act(request: Request, hosting: Host, run_id: str, verb: str) -> Response:
    """Press a button of the run's page."""
    form = await request.form()
    given = {name: str(form[name]) for name in ("view", "step", "tab") if name in form}
    here = Asked(given.get("view", "graph"), given.get("step"), given.get("tab"))
    run = await hosting.engine.get_run(run_id)
    try:
        where = await perform(hosting, run, verb, here.step or "")
    except UnknownRun:
        raise
    except EngineBlocked as error:
        if error.under_way:
            return RedirectResponse(address(run_id), 303)
        return await _page(request, hosting, run_id, here, problem=str(error), status=503)
    except EngineError as error:
        return await _page(request, hosting, run_id, here, problem=str(error), status=409)
    if where == address(run_id) and given:  # back to where the viewer was; the step goes with the run
        where = Place(run_id, here.view, "", "data").view_href()
    return RedirectResponse(where, 303)
