"""``studio check TARGET``: everything that is wrong with workflows, before any of them runs."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys

from engine import redacted
from studio.catalog import Problem
from studio.flags import Commands, add_json, add_target, target_of
from studio.loader import discover, usual_target
from studio.log_lines import escaped_json, printable

FOUND = 1


def add(commands: Commands) -> None:
    """Declare it."""
    parser = commands.add(
        "check", check, "find what is wrong with workflows, without running any", example="studio check workflows.py"
    )
    add_target(parser, word=True)
    add_json(parser, "what was found")
    parser.tell("exit codes: 0 nothing wrong, 1 something is, 2 no such target")


def check(chosen: argparse.Namespace) -> int:
    """Name all problems; 1 if there are any."""
    target = target_of(chosen) or usual_target()
    loaded = discover(target)
    problems = list(loaded.problems)
    if not loaded.workflows and not problems:
        problems.append(Problem(target, "it has no workflow; make one with create_workflow(...) at its top level"))
    if chosen.json:
        found = {"workflows": sorted(loaded.workflows), "problems": [dataclasses.asdict(one) for one in problems]}
        sys.stdout.write(escaped_json(json.dumps(found, indent=2, ensure_ascii=False)) + "\n")
    else:
        _say(problems, sorted(loaded.workflows))
    return FOUND if problems else 0


def _say(problems: list[Problem], ids: list[str]) -> None:
    for problem in problems:
        place = f"{problem.file or problem.module}{f':{problem.line}' if problem.line else ''}"
        # A definition's error names the workflow and the step; how the call came there says nothing more.
        is_definition = problem.message.startswith("DefinitionError: ")
        said = problem.message if is_definition or not problem.traceback else problem.traceback.rstrip()
        sys.stderr.write(f"{printable(redacted(f'{place}: {said}'))}\n\n")
    if problems:
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        sys.stderr.write(f"{count}; {len(ids)} workflow{'' if len(ids) == 1 else 's'} could be loaded\n")
    else:
        sys.stdout.write(f"nothing wrong with {', '.join(ids)}\n")
