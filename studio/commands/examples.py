"""``studio examples``: all bundled examples, one by one, on the terminal."""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
from pathlib import Path

from engine import Engine, RunResult
from studio import __file__ as package
from studio.ending import exit_code, screen_of
from studio.flags import Commands
from studio.following import follow
from studio.terminal import Terminal, show_end

NEXT = """\
Where to go next
  open the studio     {studio}
  read an example     {folder}
  run one yourself    {studio} run weather --input '{{"day": "2015-01-04"}}'
  draw one            {studio} graph order -o order.svg
  write your own      {studio} new my-flows"""


def add(commands: Commands) -> None:
    """Declare it."""
    commands.add("examples", run_examples, "run the bundled examples here, one by one", example="studio examples")


def run_examples(_: argparse.Namespace) -> int:
    """Run all bundled examples; 0 if all ended as they should, which is a failure for one of them."""
    from studio.examples import EXAMPLES  # noqa: PLC0415 only this command and a target need them

    screen = screen_of()
    results = asyncio.run(_show(screen))
    screen.line()
    for line in NEXT.format(folder=_shown(Path(package).parent / "examples"), studio=_program()).splitlines():
        screen.line(line)
    odd = [result for example, result in zip(EXAMPLES, results, strict=False) if result.status != example.ends]
    return exit_code(odd[0]) or 1 if odd else 0


async def _show(screen: Terminal) -> list[RunResult]:
    from studio.examples import EXAMPLES  # noqa: PLC0415 only this command and a target need them

    screen.line("Six small workflows, run here and now, in memory. No network, no account.", "1")
    results: list[RunResult] = []
    async with Engine([example.workflow for example in EXAMPLES]) as engine:
        for example in EXAMPLES:
            screen.line()
            screen.line(f"{example.workflow.id}: {example.summary}", "1;36")
            screen.line(f"  input {json.dumps(example.input, ensure_ascii=False)}")
            run = await engine.create_run(example.workflow)
            await run.start_soon(example.input)
            results.append(await follow(engine, run, screen, answers=example.answers))
            show_end(screen, results[-1])
            if exit_code(results[-1]) == 3:
                break
    return results


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _program() -> str:
    """How this command was called, so that its hints can be typed as they are."""
    called = Path(sys.argv[0])
    is_known = called.stem != "studio" or shutil.which("studio") == str(called)
    return "studio" if is_known else str(_shown(called.absolute()))
