"""The form that starts a run, as a page shows it: what is asked for in its address, and what was typed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from engine import Run, UnknownRun, Workflow, without_secrets
from studio.forms import MISSING, FormView, build, parse, read
from studio.forms.typed import secrets
from studio.hosting import Hosting
from studio.views.breakpoints import Breaks, chosen
from studio.views.launching import BREAK, Launch, OldInput, launch_href, left_out, old_input, preset_view

FORM = "launch"
PAUSED = "_paused"
ORIGIN = "_from"
ADD, REMOVE = "_break_add", "_break_remove"
MOST_PAST = 10
MOST_LOOKED_AT = 40
"""Runs that are looked through for inputs that differ."""


@dataclass(frozen=True, slots=True)
class Filled:
    """The state of the form: what was typed (or what a run began with), what is wrong, and how the run is to start."""

    typed: dict[str, list[str]] | None = None
    errors: dict[str, str] | None = None
    is_paused: bool = False
    breaks: tuple[str, ...] = ()
    origin: str = ""
    preset: str = ""
    preset_said: str = ""
    preset_lacks: str = ""
    preset_going: str = ""
    preset_problem: str = ""


def sent(items: Sequence[tuple[str, str]], *, typed: dict[str, list[str]], errors: dict[str, str] | None) -> Filled:
    """What the form was sent with."""
    breaks = [text for name, text in items if name in (BREAK, ADD)]
    gone = {text for name, text in items if name == REMOVE}
    return Filled(
        typed,
        errors,
        any(name == PAUSED for name, _ in items),
        tuple(dict.fromkeys(path for path in breaks if path not in gone)),
        next((text for name, text in items if name == ORIGIN), ""),
    )


def kept(workflow: Workflow[Any, Any], items: Sequence[tuple[str, str]]) -> Filled:
    """The same, for showing it again without a word on what is still missing."""
    return sent(items, typed=parse(workflow.input_json_schema(), items).typed, errors=None)


def known(workflow: Workflow[Any, Any], texts: Iterable[str]) -> Breaks:
    """Those of the breakpoints that are at a step of the workflow."""
    return chosen(texts, workflow.plan.places)


async def launch_form(
    hosting: Hosting,
    workflow: Workflow[Any, Any],
    filled: Filled,
    *,
    presets: Mapping[str, Any],
    tab: str,
    step: str,
    opened: frozenset[str],
) -> tuple[FormView, Launch]:
    """The form, and what stands around it. Raises ``UnknownRun`` if there is none whose input it is to show.

    ``presets`` are the inputs with a name.
    """
    origin, was = await _origin(hosting, workflow, filled.origin)
    value = presets.get(filled.preset, without_secrets(was))
    schema = workflow.input_json_schema()
    asked = [path for path, _ in secrets(read(schema))]
    form = build(
        schema,
        value,
        typed=filled.typed,
        errors=filled.errors,
        id=FORM,
        action=f"{launch_href(workflow.id)}/runs",
        submit="Run",
    )
    launch = Launch(
        workflow.id,
        tab,
        step,
        opened,
        filled.is_paused,
        filled.typed is not None,
        known(workflow, filled.breaks),
        origin,
        bool(asked),
        left_out(was, value, asked=asked) if origin and not filled.preset else "",
        tuple(preset_view(workflow.id, *one) for one in sorted(presets.items())),
        filled.preset if filled.preset in presets else "",
        filled.preset_said,
        filled.preset_lacks,
        filled.preset_going,
        filled.preset_problem or _lost(filled.preset, presets),
    )
    return form, launch


def _lost(preset: str, presets: Mapping[str, Any]) -> str:
    return f"There is no preset {preset!r} any more." if preset and preset not in presets else ""


async def _origin(hosting: Hosting, workflow: Workflow[Any, Any], run_id: str) -> tuple[OldInput | None, Any]:
    if not run_id:
        return None, MISSING
    row = await hosting.engine.store.row(run_id)
    if row.workflow_id != workflow.id:
        raise UnknownRun(f"Run {run_id!r} is one of {row.workflow_id!r}; it has no input for {workflow.id!r}.")
    run = await hosting.engine.get_run(run_id)
    return old_input(row), (await run.result()).input


async def past_inputs(hosting: Hosting, workflow: Workflow[Any, Any]) -> list[OldInput]:
    """What the last runs began with, each input once, the newest first."""
    made: dict[str, OldInput] = {}
    for row in (await hosting.engine.list_runs(workflow.id, limit=MOST_LOOKED_AT)).items:
        if row.status != "pending" and len(made) < MOST_PAST:
            value = await _input_of(await hosting.engine.get_run(row.run_id))
            made.setdefault(json.dumps(value, sort_keys=True), old_input(row, value))
    return list(made.values())


async def _input_of(run: Run) -> Any:
    async with aclosing(run.events(follow=False)) as events:  # type: ignore[type-var]
        async for event in events:
            if event.type == "run.started":
                return event.data.get("input")
    return None
