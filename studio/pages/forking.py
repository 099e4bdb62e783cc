"""A fork of a run from one of its steps on: with the input that the step got, with another, or with a given output."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from engine import (
    DataError,
    EngineError,
    InvalidInput,
    InvalidOutput,
    Run,
    RunResult,
    UnknownRun,
    Workflow,
    without_secrets,
)
from studio.forms import MISSING, build, errors_from, parse, read
from studio.forms.typed import secrets
from studio.forms.views import MarkView
from studio.hosting import EngineBlocked, Hosting
from studio.live import place_of
from studio.pages.run_actions import address
from studio.pages.shell import page, typed_items
from studio.painter import painted
from studio.services import hosting_of
from studio.views.forks import fork_view
from studio.views.graph import picture
from studio.views.run import resolve
from studio.views.run_head import fork_href

router = APIRouter()

Host = Annotated[Hosting, Depends(hosting_of)]
FORM = "fork"
WAYS = (("input", "Run it again"), ("output", "Go on after it"))
NULL = "A fork can't give null; leave the input as it was, or give something else."


@dataclass(frozen=True, slots=True)
class Origin:
    """The run that is forked, and the step at which; ``path`` is empty if nobody has said it.

    ``gives`` is what the form is about: the ``input`` that the step gets, or the ``output`` that takes its place.
    """

    run: Run
    workflow: Workflow[Any, Any] | None
    result: RunResult
    statuses: dict[str, str]
    path: str
    gives: str

    @property
    def schema(self) -> dict[str, Any] | None:
        """The JSON Schema of the form; ``None``: anything."""
        schema = self._schema
        return None if schema is None or schema.is_any else schema.json_schema()

    @property
    def _schema(self) -> Any:
        node = None if self.workflow is None or not self.path else self.workflow.plan.at(self.path)
        return getattr(node, self.gives, None)

    @property
    def has_data(self) -> bool:
        """Whether it is known what the step got."""
        return self.path in self.result.steps

    @property
    def can_give_output(self) -> bool:
        """Whether an output can take its place: it must have begun."""
        return self.has_data and self.result.steps[self.path].attempts > 0

    @property
    def was(self) -> Any:
        """What the form is about, as it was in the run."""
        found = self.result.steps[self.path]
        return found.input if self.gives == "input" else found.output

    @property
    def value(self) -> Any:
        """What the form begins with; secrets are asked for anew."""
        is_known = self.path and self.has_data and not (self.gives == "output" and self.was is None)
        return without_secrets(self.was) if is_known else MISSING

    @property
    def leaves_out(self) -> bool:
        """Whether the form can't begin with all of what was: with secrets, or with what nobody recorded."""
        return not self.has_data or self.value != self.was or any(secrets(read(self.schema)))

    def check(self, value: Any) -> None:
        """Raises ``InvalidInput`` or ``InvalidOutput`` for what does not fit."""
        if self._schema is not None:
            wrong = InvalidInput if self.gives == "input" else InvalidOutput
            self._schema.validate(value, wrong, f"{self.gives} of step {self.path!r}")


async def origin(hosting: Hosting, run_id: str, step: str, gives: str = "input") -> Origin:
    """The run and the step, by path or by place. Raises ``UnknownRun``."""
    run = await hosting.engine.get_run(run_id)
    result, statuses = await run.result(), await run.statuses()
    path = resolve(step or "", statuses, steps=result.steps.keys())
    workflow = hosting.catalog.workflows.get(run.workflow_id)
    found = Origin(run, workflow, result, statuses, path, "input")
    return replace(found, gives="output") if gives == "output" and found.can_give_output else found


@router.get("/runs/{run_id}/fork")
async def show_fork(request: Request, hosting: Host, run_id: str, step: str = "", give: str = "input") -> Response:
    """The form: what the step gets or gives, what the fork keeps, what runs again."""
    return await fork_page(request, hosting, await origin(hosting, run_id, step, give))


async def fork_page(
    request: Request,
    hosting: Hosting,
    found: Origin,
    *,
    typed: dict[str, list[str]] | None = None,
    errors: dict[str, str] | None = None,
    problem: str = "",
    status: int = 200,
) -> Response:
    """The page of a fork, with what was typed and what is wrong with it."""
    run, path = found.run, found.path
    kept: tuple[str, ...] = ()
    try:
        kept = await hosting.act(lambda: run.fork_keeps(found.path)) if path else ()
    except UnknownRun:
        raise
    except EngineError as error:
        problem, path = problem or str(error), ""
    if found.gives == "output" and path:
        kept = (*kept, path)
    view = fork_view(found.result, found.statuses, path, kept)
    source, shown = found.workflow, {one: found.statuses[one] for one in kept if place_of(one) not in view.again_places}
    form = build(
        found.schema,
        found.value,
        typed=typed,
        errors=errors,
        id=FORM,
        action=f"{address(run.run_id)}/fork",
        submit=f"Fork with this {found.gives}",
    )
    marks = (*form.marks, MarkView("step", path), MarkView("give", found.gives))
    return await page(
        request,
        "pages/fork.html",
        here="runs",
        title=f"Fork of {run.workflow_id}",
        status=status,
        fork=view,
        problem=problem,
        graph=None if source is None else await painted(picture, source, shown, selected=place_of(path)),
        form=replace(form, marks=marks) if path and found.has_data else None,
        gives=found.gives,
        as_it_was=found.gives == "input" and (typed is not None or found.leaves_out),
        ways=[(way, label, f"{fork_href(run.run_id, path)}&give={way}", None, "") for way, label in WAYS]
        if path and found.can_give_output
        else [],
        post=f"{address(run.run_id)}/fork",
        back=address(run.run_id),
    )


@router.post("/runs/{run_id}/fork")
async def fork(request: Request, hosting: Host, run_id: str) -> Response:
    """Make it: with the input or output of the form, or (without one) as it was."""
    items = await typed_items(request)
    sent = dict(items)
    found = await origin(hosting, run_id, sent.get("step", ""), sent.get("give", ""))
    if "_mode" not in sent:
        return await _made(request, hosting, found, {})
    parsed = parse(found.schema, items)
    errors, value = parsed.errors, None if parsed.value is MISSING else parsed.value
    if parsed.submitted:
        try:
            found.check(value)
        except DataError as error:
            errors = errors_from(error)
        if found.gives == "input" and value is None and found.was is not None:
            errors = {"": NULL}
        if not errors:
            return await _made(request, hosting, found, _changes(found, value), typed=parsed.typed)
    status = 422 if parsed.action is None else 200
    return await fork_page(request, hosting, found, typed=parsed.typed, errors=errors, status=status)


def _changes(found: Origin, value: Any) -> dict[str, Any]:
    """What is different in the fork."""
    value = _filled(value, found.was)
    if found.gives == "output":
        return {"outputs": {found.path: value}}
    return {} if _is_same(value, found.was) else {"input": value}


def _filled(value: Any, was: Any) -> Any:
    """With what the form hid, and nobody has typed anew, as it was."""
    match value, was:
        case dict(), dict():
            shown = without_secrets(was)
            hidden = {name: one for name, one in was.items() if name not in shown and name not in value}
            return {name: _filled(one, was.get(name)) for name, one in value.items()} | hidden
        case list(), list() if len(value) == len(was):
            return [_filled(*pair) for pair in zip(value, was, strict=True)]
        case _:
            return value


def _is_same(value: Any, was: Any) -> bool:
    """Whether two pieces of JSON say the same: to Python, ``true`` equals 1."""
    return value == was and json.dumps(value, sort_keys=True) == json.dumps(was, sort_keys=True)


async def _made(
    request: Request,
    hosting: Hosting,
    found: Origin,
    changes: dict[str, Any],
    *,
    typed: dict[str, list[str]] | None = None,
) -> Response:
    made: list[Run] = []

    async def act() -> None:
        made.append(await found.run.fork(found.path, **changes))

    try:
        await hosting.act(act)
    except UnknownRun:
        raise
    except EngineError as error:
        if not (isinstance(error, EngineBlocked) and error.under_way):
            status = 503 if isinstance(error, EngineBlocked) else 409
            return await fork_page(request, hosting, found, typed=typed, problem=str(error), status=status)
    return RedirectResponse(address(made[0].run_id if made else found.run.run_id), 303)
