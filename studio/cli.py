"""The command ``studio``."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from engine import Engine, EngineError, InvalidInput, RunResult, Workflow
from studio import __version__
from studio.loader import TargetError, load
from studio.questions import fields_of
from studio.settings import SettingsError, read_settings
from studio.terminal import Terminal, follow, show_end

EXIT = {"success": 0, "failed": 1, "canceled": 4}
WAITS = 3  # suspended or paused
WRONG_CALL = 2
INTERRUPTED = 130
BUNDLED = "studio.examples"
COMMANDS = frozenset({"run", "graph", "examples", "serve", "verify"})
CODES = "exit codes: 0 success, 1 failed, 2 wrong call, 3 waits for an answer, 4 canceled, 130 interrupted"
NEXT = """\
Where to go next
  read an example     {folder}
  run one yourself    {studio} run weather --input '{{"day": "2015-01-04"}}'
  draw one            {studio} graph order -o order.svg
  write your own      README.md has a workflow in 25 lines; then: {studio} run ID file.py"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and do what it asks; the exit code."""
    chosen = _parser().parse_args(_with_command(sys.argv[1:] if arguments is None else arguments))
    action: Callable[[argparse.Namespace], int] = chosen.action
    try:
        return action(chosen)
    except (TargetError, SettingsError, EngineError, OSError) as error:
        print(error, file=sys.stderr)
        return WRONG_CALL
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return INTERRUPTED


def _with_command(words: Sequence[str]) -> list[str]:
    """The words with their command: ``studio``, ``studio TARGET`` and ``studio --port N`` mean ``studio serve``."""
    is_serve = not words or words[0] not in {*COMMANDS, "-h", "--help", "--version"}
    return ["serve", *words] if is_serve else list(words)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="studio",
        description="Without a command, or with a TARGET: open the studio in the browser (on TARGET, else on "
        "workflows.py, else on the bundled examples).",
    )
    parser.add_argument("--version", action="version", version=f"studio {__version__}")
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

    examples = commands.add_parser("examples", help="run the bundled examples here, one by one")
    examples.set_defaults(action=run_examples)

    _add_serve(commands.add_parser("serve", help="open the studio in the browser"))

    verify = commands.add_parser("verify", help="check a database of runs, reading only")
    verify.add_argument("database", metavar="DB")
    verify.set_defaults(action=check)
    return parser


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "Every flag can be given as STUDIO_TARGET, STUDIO_HOST, STUDIO_PORT, ... in the environment."
    parser.add_argument(
        "target",
        nargs="?",
        metavar="TARGET",
        help="file.py, a folder, package.module or module:name (default: workflows.py, else the examples)",
    )
    parser.add_argument("--host", metavar="HOST", help="where to listen (default: 127.0.0.1, this machine only)")
    parser.add_argument("--port", type=int, metavar="PORT", help="default: 4111, or the next one that is free")
    parser.add_argument("--store", metavar="URL", help="file or URL of the runs (default: .studio/studio.db)")
    switch = argparse.BooleanOptionalAction
    parser.add_argument("--open", action=switch, default=None, help="open a browser (default: if there is a screen)")
    parser.add_argument("--reload", action=switch, default=None, help="load files again when they are saved")
    parser.add_argument("--token", metavar="TOKEN", help="what others need to get in; 32 characters or more")
    parser.add_argument(
        "--allowed-host",
        action="append",
        dest="allowed_hosts",
        metavar="NAME",
        help="another name of this machine, for instance that of a proxy; may be repeated",
    )
    parser.set_defaults(action=serve_studio)


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
    engine: Engine,
    workflow: Workflow[Any, Any],
    input: Any,
    screen: Terminal,
    answers: Iterable[Any] = (),
    *,
    begun: list[str] | None = None,
) -> RunResult:
    """Run a workflow on the screen; ``begun`` gets the id of the run as soon as there is one."""
    screen.line(f"  input {json.dumps(input, ensure_ascii=False)}")
    run = await engine.create_run(workflow)
    if begun is not None:
        begun.append(run.run_id)
    result = await follow(engine, run, input, screen, answers)
    show_end(screen, result)
    return result


# -- one workflow


def run_one(chosen: argparse.Namespace) -> int:
    """Run one workflow; the exit code says how it ended."""
    workflow, screen = _find(chosen), _screen()
    input = _sample(chosen) if chosen.input is None else _read_input(chosen.input)

    begun: list[str] = []

    async def show() -> RunResult:
        # Runs that another process left in this store are not this command's business.
        async with Engine([workflow], store=chosen.store, recover=False) as engine:
            return await _show(engine, workflow, input, screen, begun=begun)

    try:
        result = asyncio.run(show())
    except InvalidInput as error:
        raise TargetError(f"{error}{_wanted(workflow)}" if chosen.input is None else str(error)) from error
    except KeyboardInterrupt:
        if begun and chosen.store != ":memory:":
            screen.line(f"  Interrupted: run {begun[0]} is kept in {chosen.store}.")
        raise
    if result.status not in EXIT:
        kept = (
            f"run {result.run_id} is kept in {chosen.store}"
            if chosen.store != ":memory:"
            else "the run was in memory and is gone; keep it with --store sqlite:///runs.db"
        )
        screen.line(f"  Nobody answered: {kept}.")
    return EXIT.get(result.status, WAITS)


def _wanted(workflow: Workflow[Any, Any]) -> str:
    """How to give an input, with the names of its fields."""
    schema = workflow.plan.root.input.json_schema()
    names = [field.name for field in fields_of(schema) if field.name]
    example = "{" + ", ".join(f'"{name}": ...' for name in names) + "}" if names else "JSON"
    return f"; give one: --input '{example}'"


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


# -- the web


def serve_studio(chosen: argparse.Namespace) -> int:
    """Serve the studio until a signal ends the process."""
    settings = read_settings(vars(chosen), os.environ)
    from studio.server import serve  # noqa: PLC0415 it loads the web server

    serve(settings)


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
