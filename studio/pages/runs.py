"""The list of runs, and the page of one: what is asked for becomes views; what is pressed becomes actions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qsl, quote

from fastapi import APIRouter, Depends, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from engine import EngineError, Event, Run, RunResult, RunRow, StoreError, UnknownRun, Workflow
from studio.hosting import EngineBlocked, Hosting
from studio.live import place_of
from studio.pages import live_parts as _live_parts  # noqa: F401 - registers what frames are made of
from studio.pages.shell import page
from studio.rendering import Rendering
from studio.services import hosting_of, rendering_of
from studio.views import events as events_view
from studio.views import run as run_view
from studio.views import runs as runs_view
from studio.views.approvals import question_view
from studio.views.graph import picture
from studio.views.journal import journal
from studio.views.run import ENDED, Place
from studio.views.timeline import timeline

router = APIRouter()

Host = Annotated[Hosting, Depends(hosting_of)]
Pages = Annotated[Rendering, Depends(rendering_of)]

MOST_AT_ONCE = 200
"""Runs that one bulk action takes."""

MOST_READ = 5_000
"""Events that are looked through for the attempts and logs of one step."""

DEAR = 0.1
"""Seconds of work from which on a page that follows a run is answered more slowly."""

PATIENCE = 2.0

BULK = ("cancel", "rerun", "delete")


# -- the list


@router.get("/runs")
async def show_runs(
    request: Request,
    hosting: Host,
    *,
    status: str = "",
    workflow: str = "",
    tag: str = "",
    text: str = "",
    since: str = "",
    until: str = "",
    after: str = "",
    notice: str = "",
) -> HTMLResponse:
    """Runs, newest first, by what the address asks for."""
    filters = runs_view.Filters(status, workflow, tag, text.strip(), since, until, after)
    return await _list(request, hosting, filters, notice)


async def _list(
    request: Request,
    hosting: Hosting,
    filters: runs_view.Filters,
    notice: str = "",
    problem: str = "",
) -> HTMLResponse:
    try:
        found = await hosting.engine.list_runs(limit=runs_view.PAGE, **filters.arguments())
    except ValueError as error:
        raise HTTPException(400, str(error)) from None
    except StoreError as error:
        if not filters.after:
            raise
        raise HTTPException(400, f"There is no such page: {error}") from None
    counts = await hosting.engine.counts(filters.workflow or None)
    context = {
        "filters": filters,
        "chips": runs_view.chips(counts, filters),
        "rows": runs_view.lines(found.items, time.time()),
        "older": filters.href(after=found.next) if found.next else "",
        "workflows": sorted({*hosting.catalog.workflows, *([filters.workflow] if filters.workflow else [])}),
        "notice": notice,
        "problem": problem,
    }
    status = 409 if problem else 200
    return await page(request, "pages/runs.html", here="runs", title="Runs", status=status, **context)


@router.post("/runs/bulk")
async def act_on_many(request: Request, hosting: Host) -> Response:
    """Cancel, re-run or delete the chosen runs; what did not work is said, the rest is done."""
    form = await request.form()
    verb = str(form.get("do", ""))
    if verb not in BULK:
        raise HTTPException(400, f"{verb!r} is nothing that can be done with several runs")
    query = dict(parse_qsl(str(form.get("query", ""))))
    filters = runs_view.Filters(**{name: query[name] for name in runs_view.Filters.__slots__ if name in query})
    chosen = [str(id) for id in form.getlist("run")][:MOST_AT_ONCE]
    refused = []
    for run_id in chosen:
        try:
            await _do(hosting, await hosting.engine.get_run(run_id), verb)
        except EngineError as error:
            refused.append(str(error))
    if refused:
        problem = f"{len(refused)} of {len(chosen)} could not be done: " + "; ".join(refused[:5])
        return await _list(request, hosting, filters, problem=problem)
    return RedirectResponse(filters.href(after=filters.after), 303)


# -- one run


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


# -- actions


async def _do(hosting: Hosting, run: Run, verb: str, at: str = "") -> str:
    """Do what a button says; where to go after that."""
    match verb:
        case "pause":
            await hosting.act(run.pause)
        case "step":
            await hosting.act(run.step)
        case "continue":
            await hosting.act(run.proceed)
        case "cancel":
            if not await hosting.act(lambda: run.cancel("canceled in the studio")):
                raise EngineError(f"run {run.run_id!r} has ended; there is nothing to cancel")
        case "rerun":
            return _address((await hosting.act(run.rerun)).run_id)
        case "fork":
            return _address((await hosting.act(lambda: run.fork(at))).run_id)
        case "delete":
            await hosting.act(lambda: hosting.engine.delete_run(run.run_id))
            return "/runs"
        case _:
            raise HTTPException(404, f"There is no action {verb!r}.")
    return _address(run.run_id)


def _address(run_id: str) -> str:
    return f"/runs/{quote(run_id, safe='')}"


@router.post("/runs/{run_id}/{verb}")
async def act(request: Request, hosting: Host, run_id: str, verb: str) -> Response:
    """Press a button of the run's page."""
    form = await request.form()
    given = {name: str(form[name]) for name in ("view", "step", "tab") if name in form}
    here = Asked(given.get("view", "graph"), given.get("step"), given.get("tab"))
    run = await hosting.engine.get_run(run_id)
    try:
        where = await _do(hosting, run, verb, here.step or "")
    except UnknownRun:
        raise
    except EngineBlocked as error:
        if error.under_way:
            return RedirectResponse(_address(run_id), 303)
        return await _page(request, hosting, run_id, here, problem=str(error), status=503)
    except EngineError as error:
        return await _page(request, hosting, run_id, here, problem=str(error), status=409)
    if where == _address(run_id) and given:  # back to where the viewer was; the step goes with the run
        where = Place(run_id, here.view, "", "data").view_href()
    return RedirectResponse(where, 303)
