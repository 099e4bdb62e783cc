"""The page of a run, what is sent when something has happened, and what its buttons do."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import Depends, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from engine import EngineError, Run, UnknownRun, WorkflowMissing
from studio.hosting import EngineBlocked, Hosting
from studio.packing import packed
from studio.pages import live_parts as _live_parts  # noqa: F401 - registers what frames are made of
from studio.pages.run_actions import address, perform
from studio.pages.run_regions import (
    VIEWER,
    Asked,
    all_names,
    always,
    asked_of,
    drawn,
    filter_of,
    listed,
    look,
    regions,
    told,
    updates,
)
from studio.pages.shell import PageRouter, page
from studio.painter import painted
from studio.rendering import Rendering
from studio.services import hosting_of, rendering_of
from studio.views import events as events_view
from studio.views import run as run_view
from studio.views.events import Filter
from studio.views.graph import asked_open
from studio.views.run import KEPT, Place
from studio.views.run_head import DELETE_DIALOG, ENDED, facts

router = PageRouter()

AT_ONCE = 100
"""Lines of a download that are sent together: others are answered between."""

Host = Annotated[Hosting, Depends(hosting_of)]
Pages = Annotated[Rendering, Depends(rendering_of)]

DEAR = 0.1
"""Seconds of work from which on a page that follows a run is answered more slowly."""

PATIENCE = 2.0


@router.page("/runs/{run_id}")
async def show_run(
    request: Request,
    hosting: Host,
    run_id: str,
    asked: Annotated[Asked, Depends(asked_of)],
) -> Response:
    """The debugger of a run."""
    try:
        if asked.event == "last" and not request.url.path.endswith(".json"):
            place = regions(await look(hosting, run_id, asked), asked)["place"]
            if place.event is not None:  # from now on the address says the same, whatever comes
                return RedirectResponse(place.event_href(place.event), 303)
        return await run_page(request, hosting, run_id, asked)
    except WorkflowMissing as error:
        return await _lost_page(request, hosting, run_id, asked, str(error))


async def _lost_page(request: Request, hosting: Hosting, run_id: str, asked: Asked, why: str) -> Response:
    """A run that neither code nor definition is left of: there are only its events."""
    run, now = await hosting.engine.get_run(run_id), time.time()
    row, recent = await hosting.engine.store.row(run_id), await events_view.recent(run)
    table = await asked.table(run, recent, counted=True)
    chosen, frozen = table.chosen, None if asked.frozen is None else min(asked.frozen, table.total)
    return await page(
        request,
        "pages/run_lost.html",
        here="runs",
        title=f"{run.workflow_id} run",
        data=lambda: {"run": row, "why": why, "events": table.events},
        run=run,
        row=row,
        why=why,
        facts=facts(row, now),
        place=Place(
            run_id,
            tab="events",
            before=asked.before,
            event=chosen.seq if chosen else None,
            filter=asked.filter,
            frozen=frozen,
        ),
        table=table,
        follow=None,
    )


async def run_page(
    request: Request,
    hosting: Hosting,
    run_id: str,
    asked: Asked,
    *,
    problem: str = "",
    status: int = 200,
) -> Response:
    """The whole page, with what went wrong on top."""
    found = await look(hosting, run_id, asked)
    made = regions(found, asked, problem=problem)
    context = {
        **made,
        **await painted(drawn, found, made),  # a large picture takes seconds
        "is_live": found.result.status not in ENDED,
        "seq": found.seq,
        "delete_dialog": DELETE_DIALOG,
    }
    title = f"{found.run.workflow_id} run"
    return await page(
        request,
        "pages/run.html",
        here="runs",
        title=title,
        status=status,
        data=lambda: told(found, asked, made),
        **context,
    )


@router.get("/runs/{run_id}/regions")
async def show_regions(
    request: Request,
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
    Without a stamp the viewer waits for what was chosen.
    """
    began = time.perf_counter()
    found = await look(hosting, run_id, asked)
    made = regions(found, asked)
    made |= listed(found, made)
    names = always(made)
    if run_view.stamp(made["inspector"], made["place"], found.seq) != stamp:
        names.append("inspector")
    if (found.question.token if found.question else "") != question:
        names.append("run_question")
    answer = HTMLResponse(updates(rendering, [*names, *VIEWER, "follow"], made))
    if asked.event == "last" and found.table.chosen:
        answer.headers["HX-Replace-Url"] = made["place"].href()
    cost = time.perf_counter() - began
    if stamp and cost > DEAR:  # the page asks again when it has this: a long run leaves the server its time for others
        await asyncio.sleep(min(PATIENCE, 3 * cost))
    return packed(request, answer)


@router.get("/runs/{run_id}/events.ndjson")
async def download_events(
    hosting: Host, run_id: str, filter: Annotated[Filter, Depends(filter_of)]
) -> StreamingResponse:
    """Every event so far that is asked for, one line each."""
    run = await hosting.engine.get_run(run_id)

    async def lines() -> AsyncIterator[str]:
        made: list[str] = []
        async for event in events_view.listed(run, filter):
            made.append(events_view.line(event))
            if len(made) == AT_ONCE:
                yield "".join(made)
                made.clear()
        yield "".join(made)

    name = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in run_id)
    headers = {"content-disposition": f'attachment; filename="{name}.ndjson"'}
    return StreamingResponse(lines(), media_type="application/x-ndjson", headers=headers)


@router.get("/runs/{run_id}/delete")
async def ask_to_delete(request: Request, hosting: Host, run_id: str) -> Response:
    """Asks before a run is deleted, for those without a script."""
    run = await hosting.engine.get_run(run_id)
    here = address(run_id)
    return await page(request, "pages/delete.html", here="runs", title="Delete run", run=run, back=here)


@router.post("/runs/{run_id}/{verb}")
async def act(request: Request, hosting: Host, run_id: str, verb: str) -> Response:
    """Press a button of the run's page."""
    run = await hosting.engine.get_run(run_id)
    return await answered(request, hosting, run, lambda: perform(hosting, run, verb))


async def answered(
    request: Request,
    hosting: Hosting,
    run: Run,
    do: Callable[[], Awaitable[Any]],
    *,
    stays: bool = False,
) -> Response:
    """Do what a button says and show what came of it: to a script the parts of its page, else the page again.

    ``do`` gives where to go, if not back to the run; there the step goes with the run, unless it ``stays``.
    """
    here = await _here(request)
    home, where, problem, status = address(run.run_id), None, "", 200
    try:
        where = await do()
    except UnknownRun:
        raise
    except EngineError as error:
        if not (isinstance(error, EngineBlocked) and error.under_way):
            problem, status = str(error), 503 if isinstance(error, EngineBlocked) else 409
    there = here
    if not (stays or problem):
        there = replace(here, step=None, event=None, tab=here.tab if here.tab in KEPT else None)
    if (where or home) == home and request.headers.get("hx-request"):
        return await _live(request, hosting, run, there, problem=problem, status=status)
    if problem:
        return await run_page(request, hosting, run.run_id, there, problem=problem, status=status)
    if (where or home) == home and "view" in await request.form():  # pressed on the run's page, not in a list
        place = Place(
            run.run_id,
            there.view,
            there.step or "",
            there.tab or "",
            None,
            there.opened,
            None if there.event == "last" else there.event,
            filter=there.filter,
            frozen=there.frozen,
        )
        where = place.href() if stays else place.view_href(there.tab or "")
    return RedirectResponse(where or home, 303)


async def _here(request: Request) -> Asked:
    """Where the viewer was who pressed a button: what the form says, and which parts of the picture were open."""
    form = await request.form()
    page = request.headers.get("hx-current-url") or request.headers.get("referer") or ""
    query = parse_qs(page.partition("#")[0].partition("?")[2], keep_blank_values=True)
    step, tab = (str(form[name]) if name in form else query.get(name, [None])[-1] for name in ("step", "tab"))
    event, frozen = (_number(query.get(name, [""])[-1]) for name in ("event", "frozen"))
    path, find = (query.get(name, [""])[-1] for name in ("path", "find"))
    filter = filter_of(types=query.get("type"), path=path, find=find)
    return Asked(
        str(form.get("view", "graph")), step, tab, None, asked_open(query.get("open", ())), event, filter, frozen
    )


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[1-9][0-9]{0,14}", text) else None


async def _live(
    request: Request, hosting: Hosting, run: Run, asked: Asked, *, problem: str, status: int
) -> HTMLResponse:
    """All parts of the page that is open; its address goes along."""
    found = await look(hosting, run.run_id, asked)
    made = regions(found, asked, problem=problem)
    made |= listed(found, made)
    place: Place = made["place"]
    now = place.view_href(place.tab if asked.tab else "") if asked.step is None else place.href()
    # What was refused changes nothing: what was typed beside the button stays.
    names = [*always(made), "run_problem"] if problem else all_names(made)
    html = updates(rendering_of(request), names, made)
    return packed(request, HTMLResponse(html, status, headers={"hx-replace-url": now}))
