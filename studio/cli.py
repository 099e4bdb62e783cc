"""The command ``studio``."""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from engine import Engine, EngineError, RunResult, Workflow
from studio import __version__
from studio.loader import TargetError, load
from studio.terminal import Terminal, follow, show_end

EXIT = {"success": 0, "failed": 1, "canceled": 4}
WAITS = 3  # suspended or paused
WRONG_CALL = 2
INTERRUPTED = 130
BUNDLED = "studio.examples"
CODES = "exit codes: 0 success, 1 failed, 2 wrong call, 3 waits for an answer, 4 canceled"
NEXT = """\
Where to go next
  read an example     {folder}
  run one yourself    {studio} run weather --input '{{"day": "2015-01-04"}}'
  draw one            {studio} graph order -o order.svg
  write your own      README.md has a workflow in 25 lines; then: {studio} run ID file.py"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and do what it asks; the exit code."""
    chosen = _parser().parse_args(arguments)
    action: Callable[[argparse.Namespace], int] = chosen.action
    try:
        return action(chosen)
    except (TargetError, EngineError, OSError) as error:
        print(error, file=sys.stderr)
        return WRONG_CALL
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="studio", description="Run and draw workflows. Without a command: run the bundled examples, one by one."
    )
    parser.add_argument("--version", action="version", version=f"studio {__version__}")
    parser.set_defaults(action=run_examples)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    run = commands.add_parser("run", help="run a workflow and show its steps", epilog=CODES)
    _add_workflow(run)
    run.add_argument("--input", metavar="JSON|@FILE", help="the input as JSON, or the file that has it")
    run.add_argument(
        "--store", default=":memory:", metavar="URL", help="sqlite:///FILE keeps the run (default: memory)"
    )
    run.set_defaults(action=run_one)

    graph = commands.add_parser("graph", help="draw a workflow")
    _add_workflow(graph)
    graph.add_argument("--format", choices=["svg", "dot", "mermaid", "json"], default="svg")
    graph.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: standard output")
    graph.set_defaults(action=draw)

    verify = commands.add_parser("verify", help="check a database of runs, reading only")
    verify.add_argument("database", metavar="DB")
    verify.set_defaults(action=check)
    return parser


def _add_workflow(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the workflow's id")
    parser.add_argument(
        "target",
        nargs="?",
        default=BUNDLED,
        metavar="TARGET",
        help="file.py, package.module or module:name (default: the examples)",
    )


def _find(chosen: argparse.Namespace) -> Workflow[Any, Any]:
    workflows = load(chosen.target)
    if chosen.id not in workflows:
        raise TargetError(f"{chosen.target} has no workflow {chosen.id!r}; it has {', '.join(workflows)}")
    return workflows[chosen.id]


def _screen() -> Terminal:
    return Terminal(sys.stdout, sys.stdin if sys.stdin.isatty() and sys.stdout.isatty() else None)


# -- the examples


def run_examples(_: argparse.Namespace) -> int:
    """Run all bundled examples; 0 if all ended well."""
    from studio.examples import EXAMPLES  # noqa: PLC0415 only this command and a target need them

    screen = _screen()

    async def show() -> list[RunResult]:
        screen.line("Five small workflows, run here and now, in memory. No network, no account.", "1")
        async with Engine([example.workflow for example in EXAMPLES]) as engine:
            results: list[RunResult] = []
            for example in EXAMPLES:
                screen.line()
                screen.line(f"{example.workflow.id}: {example.summary}", "1;36")
                results.append(await _show(engine, example.workflow, example.input, screen, example.answers))
                if results[-1].status not in EXIT:
                    break
        return results

    results = asyncio.run(show())
    screen.line()
    for line in NEXT.format(folder=_shown(Path(__file__).parent / "examples"), studio=_program()).splitlines():
        screen.line(line)
    return next((code for result in results if (code := EXIT.get(result.status, WAITS))), 0)


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _program() -> str:
    """How this command was called, so that its hints can be typed as they are."""
    called = Path(sys.argv[0])
    is_known = called.stem != "studio" or shutil.which("studio") == str(called)
    return "studio" if is_known else str(_shown(called.absolute()))


async def _show(
    engine: Engine, workflow: Workflow[Any, Any], input: Any, screen: Terminal, answers: Iterable[Any] = ()
) -> RunResult:
    screen.line(f"  input {json.dumps(input, ensure_ascii=False)}")
    result = await follow(engine, await engine.create_run(workflow), input, screen, answers)
    show_end(screen, result)
    return result


# -- one workflow


def run_one(chosen: argparse.Namespace) -> int:
    """Run one workflow; the exit code says how it ended."""
    workflow, screen = _find(chosen), _screen()
    input = _sample(chosen) if chosen.input is None else _read_input(chosen.input)

    async def show() -> RunResult:
        # Runs that another process left in this store are not this command's business.
        async with Engine([workflow], store=chosen.store, recover=False) as engine:
            return await _show(engine, workflow, input, screen)

    result = asyncio.run(show())
    if result.status not in EXIT:
        kept = (
            f"run {result.run_id} is kept in {chosen.store}"
            if chosen.store != ":memory:"
            else "the run was in memory and is gone; keep it with --store sqlite:///runs.db"
        )
        screen.line(f"  Nobody answered: {kept}.")
    return EXIT.get(result.status, WAITS)


def _sample(chosen: argparse.Namespace) -> Any:
    """The input of a bundled example that was given none."""
    if chosen.target != BUNDLED:
        return None
    from studio.examples import EXAMPLES  # noqa: PLC0415

    return next(example.input for example in EXAMPLES if example.workflow.id == chosen.id)


def _read_input(text: str) -> Any:
    try:
        return json.loads(Path(text[1:]).read_text("utf-8") if text.startswith("@") else text)
    except ValueError as error:
        raise TargetError(f"--input is not JSON: {error}") from error


# -- pictures and databases


def draw(chosen: argparse.Namespace) -> int:
    """Draw a workflow."""
    from engine import graph  # noqa: PLC0415 it loads Graphviz

    writers: dict[str, Callable[[Any], str]] = {
        "svg": graph.to_svg,
        "dot": graph.to_dot,
        "mermaid": graph.to_mermaid,
        "json": graph.to_json,
    }
    text = writers[chosen.format](_find(chosen))
    if chosen.output is None:
        sys.stdout.write(text)
    else:
        chosen.output.write_text(text, "utf-8")
    return 0


def check(chosen: argparse.Namespace) -> int:
    """Check a database. The engine does it on its own command line, which is its public door."""
    return subprocess.run([sys.executable, "-m", "engine", "verify", chosen.database], check=False).returncode
