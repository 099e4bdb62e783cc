"""``studio run ID``: one workflow, on the terminal."""

from __future__ import annotations

import argparse
import json
from typing import Any

from engine import InvalidInput, RunResult, Workflow
from studio.ending import CODES, screen_of, see_through
from studio.flags import Commands, WrongCall, add_store, add_target, read_json, target_of
from studio.following import follow
from studio.loader import BUNDLED, pick, usual_target
from studio.questions import fields_of
from studio.store_of_runs import open_engine
from studio.terminal import Terminal


def add(commands: Commands) -> None:
    """Declare it."""
    parser = commands.add(
        "run",
        run_one,
        "run a workflow and show its steps; its questions are asked here",
        example="""studio run order --input '{"item": "cup", "card": "slow"}'""",
    )
    parser.add_argument("id", metavar="ID", help="the workflow's id")
    add_target(parser, word=True)
    parser.add_argument("--input", metavar="JSON|@FILE", help="the input as JSON, or the file that has it")
    add_store(parser)
    parser.tell(CODES)


def run_one(chosen: argparse.Namespace) -> int:
    """Run one workflow; the exit code says how it ended."""
    workflows, screen = pick(target_of(chosen), chosen.id), screen_of()
    workflow = workflows[chosen.id]
    given = _sample(chosen) if chosen.input is None else read_json("--input", chosen.input)

    async def work(begun: list[str]) -> RunResult:
        input = await _asked(workflow, screen) if given is None and chosen.input is None else given
        workflow.check_input(input)
        async with open_engine(chosen.store, workflows.values(), is_new=True) as engine:
            run = await engine.create_run(workflow)
            await run.start_soon(input)
            begun.append(run.run_id)
            screen.line(f"  run   {run.run_id}")
            shown = (await run.result()).redacted().input  # as it is kept: a secret by its type is not in it
            screen.line(f"  input {json.dumps(shown, ensure_ascii=False)}")
            return await follow(engine, run, screen)

    try:
        return see_through(chosen, screen, work)
    except InvalidInput as error:
        hint = _wanted(workflow) if chosen.input is None else ""
        raise WrongCall(f"{error}{hint}") from error


async def _asked(workflow: Workflow[Any, Any], screen: Terminal) -> Any:
    """The input of a run that was given none: a person's, else the defaults of its fields."""
    schema = workflow.input_json_schema()
    if schema is None:
        return None
    if screen.has_person:
        screen.line(f"  {workflow.id} takes an input")
        try:
            return await screen.ask(schema)
        except EOFError as error:
            raise WrongCall("no input was given, and nothing was run") from error
    return {} if any(field.name for field in fields_of(schema)) else None


def _wanted(workflow: Workflow[Any, Any]) -> str:
    """How to give an input, with the names of its fields."""
    names = [field.name for field in fields_of(workflow.input_json_schema()) if field.name]
    example = "{" + ", ".join(f'"{name}": ...' for name in names) + "}" if names else "JSON"
    return f"; give one: --input '{example}'"


def _sample(chosen: argparse.Namespace) -> Any:
    """The input of a bundled example that was given none."""
    if (target_of(chosen) or usual_target()) != BUNDLED:
        return None
    from studio.examples import EXAMPLES  # noqa: PLC0415 only these commands need them

    return next((example.input for example in EXAMPLES if example.workflow.id == chosen.id), None)
