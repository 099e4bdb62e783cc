"""The workflows, and one of them: its picture, its runs, its code, and the form that starts it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from engine import UnknownWorkflow, Workflow
from studio.forms import build
from studio.hosting import Hosting
from studio.pages.shell import page, segment
from studio.services import hosting_of
from studio.views.graph import picture
from studio.views.workflows import CardView, card_view, parts, problem_view, run_line, sources, workflow_href

router = APIRouter()

STRIP = 20
RECENT = 25
FORM = "launch"
PAUSED = "_paused"
TABS = ("graph", "runs", "code")


@router.get("/")
async def show_all(request: Request, hosting: Annotated[Hosting, Depends(hosting_of)], q: str = "") -> Response:
    """Every workflow as a card, and what could not be loaded."""
    catalog = hosting.catalog
    wanted = [one for one in catalog.workflows.values() if _fits(one, q)]
    within = parts(catalog.workflows)
    wanted.sort(key=lambda one: one.id in within)  # what is only a part of others comes after them
    cards = await asyncio.gather(*(_card(hosting, one, within.get(one.id, [])) for one in wanted))
    return await page(
        request,
        "pages/workflows.html",
        here="workflows",
        title="Workflows",
        cards=cards,
        problems=[problem_view(one, number) for number, one in enumerate(catalog.problems)],
        total=len(catalog.workflows),
        loads=catalog.version,
        q=q,
    )


def _fits(workflow: Workflow[Any, Any], text: str) -> bool:
    return text.strip().lower() in f"{workflow.id} {workflow.description}".lower()


async def _card(hosting: Hosting, workflow: Workflow[Any, Any], used_in: list[str]) -> CardView:
    engine = hosting.engine
    newest = await engine.list_runs(workflow.id, limit=STRIP)
    counts = await engine.counts(workflow.id)
    questions = await engine.open_questions(workflow.id)
    return card_view(workflow, newest.items, counts, questions, used_in)


@router.get("/workflows/{id}")
async def show(
    request: Request, id: str, hosting: Annotated[Hosting, Depends(hosting_of)], tab: str = "graph", step: str = ""
) -> Response:
    """One workflow."""
    return await workflow_page(request, hosting, workflow_of(hosting, id), tab=tab, step=step)


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


def schema_of(workflow: Workflow[Any, Any]) -> dict[str, Any] | None:
    """The JSON Schema of the input; ``None`` if it takes anything."""
    schema = workflow.plan.root.input
    return None if schema.is_any else schema.json_schema()


async def workflow_page(
    request: Request,
    hosting: Hosting,
    workflow: Workflow[Any, Any],
    *,
    tab: str = "graph",
    step: str = "",
    typed: dict[str, list[str]] | None = None,
    errors: dict[str, str] | None = None,
    is_paused: bool = False,
    status: int = 200,
) -> Response:
    """The page of a workflow, with what was typed and what is wrong with it."""
    tab = tab if tab in TABS else TABS[0]
    engine = hosting.engine
    counts = await engine.counts(workflow.id)
    rows = (await engine.list_runs(workflow.id, limit=RECENT)).items if tab == "runs" else []
    graph = picture(workflow, selected=step) if tab == "graph" else None
    code = sources(workflow) if tab == "code" or step else ()
    form = build(
        schema_of(workflow),
        typed=typed,
        errors=errors,
        id=FORM,
        action=f"/workflows/{segment(workflow.id)}/runs",
        submit="Run",
    )
    return await page(
        request,
        "pages/workflow.html",
        here="workflows",
        title=workflow.id,
        status=status,
        workflow=workflow,
        version=workflow.plan.version,
        home=hosting.catalog.loaded.homes.get(workflow.id, ""),
        tab=tab,
        tabs=[
            ("graph", "Graph", workflow_href(workflow.id, tab="graph"), None, "1"),
            ("runs", "Runs", workflow_href(workflow.id, tab="runs"), sum(counts.values()), "2"),
            ("code", "Code", workflow_href(workflow.id, tab="code"), None, "3"),
        ],
        graph=graph,
        outline=[(item, workflow_href(workflow.id, step=item.place)) for item in graph.outline] if graph else [],
        selected=next((one for one in code if step and step in one.places), None),
        runs=[run_line(row) for row in rows],
        runs_href=f"/runs?workflow={segment(workflow.id)}",
        code=code,
        questions=await engine.open_questions(workflow.id),
        questions_href=f"/approvals?workflow={segment(workflow.id)}",
        form=form,
        paused_name=PAUSED,
        is_paused=is_paused,
    )
