"""Starting a run from the form of a workflow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from engine import Breakpoint, DataError, EngineError, Workflow
from studio.forms import MISSING, errors_from, parse
from studio.hosting import EngineBlocked, Hosting
from studio.pages.launch_form import known, sent
from studio.pages.presets import keep, named
from studio.pages.shell import segment, typed_items
from studio.pages.workflows import workflow_of, workflow_page
from studio.services import hosting_of

router = APIRouter()


@router.post("/workflows/{id}/runs")
async def launch(request: Request, id: str, hosting: Annotated[Hosting, Depends(hosting_of)]) -> Response:
    """Start a run with what was filled in; or do what a button of the form says, or ask again with what is wrong."""
    workflow = workflow_of(hosting, id)
    items = await typed_items(request)
    if named(items):  # Enter beside the name presses the form's own button: nobody wants a run by that
        return await keep(request, hosting, workflow, items)
    parsed = parse(workflow.input_json_schema(), items)
    filled = sent(items, typed=parsed.typed, errors=parsed.errors)
    if not parsed.submitted:
        status = 422 if parsed.action is None else 200
        return await workflow_page(request, hosting, workflow, filled=filled, status=status)
    value = None if parsed.value is MISSING else parsed.value
    launching = Launching(hosting, workflow)
    stops = [Breakpoint(point.path, point.when) for point in known(workflow, filled.breaks).points]
    try:
        await hosting.act(lambda: launching.launch(value, paused=filled.is_paused, stops=stops))
    except EngineError as error:
        under_way = isinstance(error, EngineBlocked) and error.under_way and launching.run_id
        if not under_way:
            status = 422 if isinstance(error, DataError) else 503 if isinstance(error, EngineBlocked) else 409
            errors = errors_from(error) if isinstance(error, DataError) else {"": str(error)}
            filled = sent(items, typed=parsed.typed, errors=errors)
            return await workflow_page(request, hosting, workflow, filled=filled, status=status)
    return RedirectResponse(f"/runs/{segment(launching.run_id)}", 303)


class Launching:
    """Makes a run and starts it, as one action. A run whose input does not fit leaves nothing behind."""

    def __init__(self, hosting: Hosting, workflow: Workflow[Any, Any]) -> None:
        self._engine = hosting.engine
        self._workflow = workflow
        self.run_id = ""

    async def launch(self, value: Any, *, paused: bool, stops: Sequence[Breakpoint]) -> None:
        """Raises ``InvalidInput`` and what else ``Run.start_soon`` does."""
        self._workflow.check_input(value)
        run = await self._engine.create_run(self._workflow)
        self.run_id = run.run_id
        try:
            await run.start_soon(value, paused=paused, breakpoints=stops)
        except DataError:
            await self._engine.delete_run(run.run_id)
            raise
