"""``studio graph ID``: the picture of a workflow."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine import Workflow
from studio.flags import Commands, WrongCall, add_target, target_of
from studio.loader import pick

FORMATS = ("svg", "png", "dot", "mermaid", "json")
ENDINGS = {".svg": "svg", ".png": "png", ".dot": "dot", ".gv": "dot", ".mmd": "mermaid", ".json": "json"}


def add(commands: Commands) -> None:
    """Declare it."""
    parser = commands.add("graph", draw, "draw a workflow", example="studio graph order -o order.svg")
    parser.add_argument("id", metavar="ID", help="the workflow's id")
    add_target(parser, word=True)
    parser.add_argument(
        "--format", choices=FORMATS, metavar="FORMAT", help=f"{', '.join(FORMATS)} (default: by FILE's name, else svg)"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: standard output")


def draw(chosen: argparse.Namespace) -> int:
    """Draw a workflow."""
    form = _format(chosen.format, chosen.output)
    workflow = pick(target_of(chosen), chosen.id)[chosen.id]
    picture = _picture(workflow, form)
    if chosen.output is not None:
        chosen.output.write_bytes(picture)
        return 0
    if form == "png" and sys.stdout.isatty():
        raise WrongCall("a PNG is no text for a terminal; name a file: -o FILE.png")
    sys.stdout.flush()
    sys.stdout.buffer.write(picture)
    sys.stdout.buffer.flush()
    return 0


def _format(named: str | None, output: Path | None) -> str:
    """The format that was asked for, by name or by the file's ending. Raises ``WrongCall`` if the two differ."""
    if output is None:
        return named or "svg"
    meant = ENDINGS.get(output.suffix.lower())
    if named is None and meant is None:
        raise WrongCall(f"{output} does not say in which format; end it with {', '.join(ENDINGS)}, or give --format")
    if named is not None and meant is not None and named != meant:
        raise WrongCall(f"{output} is to be {meant} by its name, and --format says {named}; leave one of them out")
    return str(named or meant)


def _picture(workflow: Workflow[Any, Any], form: str) -> bytes:
    """What goes into the file. Raises ``WrongCall`` if it can't be drawn so."""
    from engine import graph  # noqa: PLC0415 it loads Graphviz

    if form == "png":
        try:
            return graph.to_png(workflow)
        except OSError as error:
            raise WrongCall(f"no PNG of {workflow.id!r}: {error}; draw it as SVG, which every browser shows") from error
    writers: dict[str, Callable[[Any], str]] = {
        "svg": graph.to_svg,
        "dot": graph.to_dot,
        "mermaid": graph.to_mermaid,
        "json": graph.to_json,
    }
    return writers[form](workflow).encode("utf-8")
