"""The workflows, and one of them: its picture, its runs, its code, and the form that starts it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from starlette.responses import RedirectResponse, Response

from engine import UnknownWorkflow, Workflow
from studio.hosting import Hosting
from studio.live import named, watching
from studio.loader import BUNDLED
from studio.pages.launch_form import ORIGIN, PAUSED, Filled, kept, known, launch_form, past_inputs
from studio.pages.metrics import metrics_of
from studio.pages.shell import PageRouter, page, segment, source_of, typed_items
from studio.painter import painted
from studio.services import hosting_of, presets_of, settings_of
from studio.views.graph import Opening, asked_open, picture
from studio.views.launching import BREAK, FROM, PRESET, launch_href
from studio.views.runs import lines, may_change
from studio.views.workflows import (
    CardView,
    ProblemView,
    card_view,
    parts,
    problem_view,
    sources,
    texts,
    workflow_data,
    workflow_href,
)

router = PageRouter()

STRIP = 20
RECENT = 25
TABS = ("graph", "runs", "code", "metrics")


@router.page("/", "/workflows.json", "/index.json")
async def show_all(request: Request, hosting: Annotated[Hosting, Depends(hosting_of)], q: str = "") -> Response:
    """Every workflow as a card, and what could not be loaded."""
    catalog, now = hosting.catalog, time.time()
    cards, problems = await cards_of(hosting, q), problems_of(hosting)
    return await page(
        request,
        "pages/workflows.html",
        here="workflows",
        title="Workflows",
        socket=watching("workflows", q=q, version=catalog.version, at=now, editor=settings_of(request).near_editor),
        data=lambda: {"workflows": cards, "problems": problems},
        cards=cards,
        problems=problems,
        total=len(catalog.workflows),
        loads=catalog.version,
        is_examples=source_of(settings_of(request)).partition(":")[0] == BUNDLED,
        q=q,
    )


async def cards_of(hosting: Hosting, text: str) -> list[CardView]:
    """The workflows that have a text in their name or description; what is only a part of others comes after them."""
    workflows = hosting.catalog.workflows
    within = parts(workflows)
    wanted = sorted((one for one in workflows.values() if _fits(one, text)), key=lambda one: one.id in within)
    return await asyncio.gather(*(card_of(hosting, one, within.get(one.id, [])) for one in wanted))


def problems_of(hosting: Hosting) -> list[ProblemView]:
    """What could not be loaded."""
    return [problem_view(one, number) for number, one in enumerate(hosting.catalog.problems)]


def _fits(workflow: Workflow[Any, Any], text: str) -> bool:
    return text.strip().lower() in f"{workflow.id} {workflow.description}".lower()


async def card_of(hosting: Hosting, workflow: Workflow[Any, Any], used_in: Sequence[str] = ()) -> CardView:
    """A workflow with its newest runs."""
    engine = hosting.engine
    newest = await engine.list_runs(workflow.id, limit=STRIP)
    counts = await engine.counts(workflow.id)
    questions = await engine.open_questions(workflow.id)
    return await painted(card_view, workflow, newest.items, counts, questions, used_in)


@router.page("/workflows/{id}")
async def show(
    request: Request,
    id: str,
    hosting: Annotated[Hosting, Depends(hosting_of)],
    *,
    tab: str = "graph",
    step: str = "",
    by: str = "",
    opened: Annotated[list[str] | None, Query(alias="open")] = None,
    breaks: Annotated[list[str] | None, Query(alias=BREAK)] = None,
    origin: Annotated[str, Query(alias=FROM)] = "",
    preset: Annotated[str, Query(alias=PRESET)] = "",
) -> Response:
    """One workflow. The form may begin with what another run began with, and with breakpoints."""
    shown, filled = asked_open(opened or ()), Filled(breaks=tuple(breaks or ()), origin=origin, preset=preset)
    return await workflow_page(
        request, hosting, workflow_of(hosting, id), tab=tab, step=step, by=by, opened=shown, filled=filled
    )


@router.post("/workflows/{id}")
async def show_again(
    request: Request,
    id: str,
    hosting: Annotated[Hosting, Depends(hosting_of)],
    *,
    tab: str = "graph",
    step: str = "",
    opened: Annotated[list[str] | None, Query(alias="open")] = None,
) -> Response:
    """The same with what was typed: another step or tab was chosen, a breakpoint set or taken away."""
    workflow, shown = workflow_of(hosting, id), asked_open(opened or ())
    filled = kept(workflow, await typed_items(request))
    answer = await workflow_page(request, hosting, workflow, tab=tab, step=step, opened=shown, filled=filled)
    breaks = known(workflow, filled.breaks)
    where = launch_href(id, tab=tab, step=step, breaks=breaks, origin=filled.origin, opened=shown)
    answer.headers["hx-replace-url"] = where  # a script swaps parts of it
    return answer


@router.get("/workflows/{id}/inputs")
async def show_inputs(request: Request, id: str, hosting: Annotated[Hosting, Depends(hosting_of)]) -> Response:
    """What the last runs began with, to begin another with."""
    workflow = workflow_of(hosting, id)
    found = await past_inputs(hosting, workflow)
    title = f"Past inputs of {id}"
    return await page(
        request, "pages/inputs.html", here="workflows", title=title, workflow=workflow, past=found, back=launch_href(id)
    )


@router.get("/workflows/{id}/runs")
async def show_runs(id: str) -> Response:
    """Where the address of a refused form leads when it is opened again."""
    return RedirectResponse(workflow_href(id, tab="runs"))


def workflow_of(hosting: Hosting, id: str) -> Workflow[Any, Any]:
    """The workflow as it is loaded now. Raises ``UnknownWorkflow``."""
    workflow = hosting.catalog.workflows.get(id)
    if workflow is None:
        raise UnknownWorkflow(f"There is no workflow {id!r} in what is served.")
    return workflow


EMPTY = Filled()


async def workflow_page(
    request: Request,
    hosting: Hosting,
    workflow: Workflow[Any, Any],
    *,
    tab: str = "graph",
    step: str = "",
    by: str = "",
    opened: frozenset[str] = frozenset(),
    filled: Filled = EMPTY,
    status: int = 200,
) -> Response:
    """The page of a workflow, with what was typed and what is wrong with it."""
    tab = tab if tab in TABS else TABS[0]
    engine = hosting.engine
    counts, now = await engine.counts(workflow.id), time.time()
    rows = lines((await engine.list_runs(workflow.id, limit=RECENT)).items, now) if tab == "runs" else ()
    presets = presets_of(request).of(workflow.id)
    form, launch = await launch_form(hosting, workflow, filled, presets=presets, tab=tab, step=step, opened=opened)
    opening = Opening(opened, lambda others: launch.at(step=step, opened=others))
    graph = None
    if tab == "graph":  # a large one takes seconds, in which others want their pages
        graph = await painted(picture, workflow, selected=step, opening=opening, breaks=launch.breaks)
    metrics = await metrics_of(hosting, workflow, by) if tab == "metrics" else None
    measured = Opening(opened, lambda others: launch.at(tab="metrics", step=step, opened=others))
    heat = metrics.heat if metrics and metrics.runs else None
    heated = None
    if heat is not None:
        heated = await painted(picture, workflow, selected=step, heat=heat, opening=measured)
    code = sources(workflow) if tab == "code" or step else ()
    return await page(
        request,
        "pages/workflow.html",
        here="workflows",
        title=workflow.id,
        status=status,
        socket=watching("workflow", workflow=workflow.id, at=now, open=named(may_change(rows))),
        data=lambda: workflow_data(
            workflow,
            counts,
            runs=rows,
            code=code,
            metrics=metrics,
            steps=graph and graph.outline,
            presets=launch.presets,
        ),
        workflow=workflow,
        version=workflow.plan.version,
        home=hosting.catalog.loaded.homes.get(workflow.id, ""),
        tab=tab,
        tabs=[
            ("graph", "Graph", launch.at(tab="graph"), None, "1"),
            ("runs", "Runs", launch.at(tab="runs"), sum(counts.values()), "2"),
            ("code", "Code", launch.at(tab="code"), None, "3"),
            ("metrics", "Metrics", launch.at(tab="metrics"), None, "4"),
        ],
        graph=graph or heated,
        metrics=metrics,
        outline=[(item, launch.at(step=item.place)) for item in graph.outline] if graph else [],
        texts=texts(workflow),
        selected=next((one for one in code if step and step in one.places), None),
        runs=rows,
        runs_href=f"/runs?workflow={segment(workflow.id)}",
        code=code,
        questions=await engine.open_questions(workflow.id),
        questions_href=f"/approvals?workflow={segment(workflow.id)}",
        form=form,
        launch=launch,
        step=step,
        can_break=bool(known(workflow, [step]).points),
        paused_name=PAUSED,
        origin_name=ORIGIN,
    )
