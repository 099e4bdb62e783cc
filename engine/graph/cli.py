"""``graph TARGET``: the picture of a workflow, from the command line.

TARGET is a Python file or a module, with the workflow's id or variable after a colon or a space if there are several:
``flows.py``, ``flows.py:weather``, ``package.flows weather``. ``-o FOLDER`` draws all of them, each as a picture in
every format.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from engine.errors import EngineError
from engine.graph import build_graph, to_dot, to_json, to_mermaid, to_svg

ENDINGS = {".svg": "svg", ".dot": "dot", ".gv": "dot", ".mmd": "mermaid", ".json": "json"}


class TargetError(EngineError):
    """A target that names no workflow; the message says what there is."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("target", metavar="TARGET", help="file.py, file.py:ID, module, module:ID or definition.json")
    parser.add_argument("workflow", nargs="?", metavar="WORKFLOW_ID", help="which one, if TARGET has several")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="write here (default: standard output); a folder: all workflows",
    )
    parser.add_argument("--format", choices=["svg", "dot", "mermaid", "json"], help="default: by FILE's name")
    parser.add_argument("--theme", choices=["auto", "light", "dark"], default="auto", help="colours of the SVG")
    parser.add_argument("--fold", action="append", default=[], metavar="PLACE", help="draw this nested part as one box")
    parser.add_argument("--legend", action=argparse.BooleanOptionalAction, help="with a legend of the SVG's colours")


def run(args: argparse.Namespace) -> int:
    """Draw, and return the exit code: 0, or 2 with a message if the target can't be drawn."""
    try:
        target = args.target if args.workflow is None else f"{args.target}:{args.workflow}"
        if args.output is not None and (args.output.is_dir() or not args.output.suffix):
            return _draw_all(target, args)
        _check_output(args)
        workflow = load(target)
        if unknown := _unknown(workflow, args.fold):
            raise TargetError(unknown)
        text = _drawn(build_graph(workflow, fold=args.fold), _format(args), args)
        if args.output is None:
            sys.stdout.write(text)
        else:
            args.output.write_text(text, "utf-8")
    except (EngineError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _draw_all(target: str, args: argparse.Namespace) -> int:
    """Every workflow of a target into a folder, in the format asked for or in each that is a picture."""
    args.output.mkdir(parents=True, exist_ok=True)
    endings = {"svg": ".svg", "dot": ".dot", "mermaid": ".mmd", "json": ".json"}
    workflows = load_all(target)
    unknown = [_unknown(workflow, args.fold) for workflow in workflows]
    if all(unknown):
        raise TargetError("; ".join(unknown))
    for workflow in workflows:
        graph = build_graph(workflow, fold=args.fold)
        name = re.sub(r"[^\w.-]", "_", graph.id)
        for form in [args.format] if args.format else ["svg", "dot", "mermaid"]:
            file = args.output / f"{name}{endings[form]}"
            file.write_text(_drawn(graph, form, args), "utf-8")
            sys.stdout.write(f"{file}\n")
    return 0


def _check_output(args: argparse.Namespace) -> None:
    """Raises ``TargetError`` for a file that can't be written, or that no format is known for."""
    if args.output is None:
        return
    if not args.output.parent.is_dir():
        raise TargetError(f"folder {args.output.parent} does not exist")
    if args.format is None and args.output.suffix not in ENDINGS:
        raise TargetError(f"can't draw {args.output.suffix}; use .svg, .dot, .mmd or .json, or say --format")


def _unknown(workflow: Any, fold: list[str]) -> str:
    """What is wrong with ``--fold``; empty if nothing is."""
    there = [cluster.place for cluster in build_graph(workflow).clusters.values() if cluster.place]
    graph = build_graph(workflow, fold=fold)
    folded = {node.place for node in graph.nodes.values() if node.folded}
    for place in fold:
        inside = any(place.startswith((f"{other}/", f"{other}[]")) for other in folded)
        if place not in folded and not inside:
            return f"--fold: {graph.id} has nothing to fold at {place!r}; it has {', '.join(there) or 'no frame'}"
    return ""


def _format(args: argparse.Namespace) -> str:
    return str(args.format or (ENDINGS[args.output.suffix] if args.output else "svg"))


def _drawn(graph: Any, form: str, args: argparse.Namespace) -> str:
    match form:
        case "dot":
            return to_dot(graph)
        case "mermaid":
            return to_mermaid(graph)
        case "json":
            return to_json(graph)
        case _:
            return to_svg(graph, theme=args.theme, legend=args.legend)


def load(target: str) -> Any:
    """The workflow that a target names, or a stored definition. Raises ``TargetError``."""
    if target.endswith(".json"):
        return _stored(Path(target))
    where, wanted = _split(target)
    found = _workflows(_module(where))
    if wanted and wanted in found:
        return found[wanted]
    there = ", ".join(dict.fromkeys(workflow.id for workflow in found.values()))
    if not found:
        raise TargetError(f"{where} has no workflow; make one with create_workflow(...) at its top level")
    if wanted:
        raise TargetError(f"{where} has no workflow {wanted!r}; it has {there}")
    if len({id(workflow) for workflow in found.values()}) > 1:
        raise TargetError(f"{where} has several workflows; name one of {there} after a colon")
    return next(iter(found.values()))


def load_all(target: str) -> list[Any]:
    """All workflows of a target that names none of them. Raises ``TargetError``."""
    where, wanted = _split(target)
    if wanted or target.endswith(".json"):
        return [load(target)]
    found = {workflow.id: workflow for workflow in _workflows(_module(where)).values()}
    return list(found.values()) or [load(target)]


def _split(target: str) -> tuple[str, str]:
    """``file.py:id`` into its two parts; a drive's colon is none of ours."""
    head, colon, tail = target.rpartition(":")
    if not colon or "/" in tail or "\\" in tail:
        return target, ""
    return head, tail


def _stored(path: Path) -> Any:
    try:
        definition = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise TargetError(f"{path} is not JSON: {error}") from error
    if not isinstance(definition, dict) or not isinstance(definition.get("root"), dict):
        raise TargetError(f"{path} is not a workflow's definition: it has no 'root'")
    return definition


def _module(where: str) -> ModuleType:
    """Import a file or a module. What goes wrong in it is told as it is, with its place."""
    try:
        return _from_file(Path(where)) if where.endswith(".py") else importlib.import_module(where)
    except EngineError:
        raise
    except Exception as error:  # a user's module may raise anything
        raise TargetError(f"{where} can't be imported: {type(error).__name__}: {error}") from error


def _from_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise TargetError(f"there is no file {path}")
    sys.path.insert(0, str(path.parent.resolve()))
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # annotations are looked up there
    spec.loader.exec_module(module)
    return module


def _is_workflow(value: Any) -> bool:
    # By what it can do: a picture needs a plan, and this package knows no builder.
    return (
        hasattr(type(value), "plan") and hasattr(type(value), "commit") and isinstance(getattr(value, "id", None), str)
    )


def _workflows(module: ModuleType) -> dict[str, Any]:
    """The workflows at a module's top level, by variable and by id (which wins)."""
    named = {name: value for name, value in vars(module).items() if _is_workflow(value)}
    by_id: dict[str, Any] = {}
    for name, workflow in named.items():
        if by_id.setdefault(workflow.id, workflow) is not workflow:
            raise TargetError(
                f"{module.__name__} has two workflows with the id {workflow.id!r} (one is {name}); "
                "give one another id, e.g. with clone_workflow(workflow, id=...)"
            )
    return named | by_id
