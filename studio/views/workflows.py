"""Workflows as cards, and one of them with its code and its runs."""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

from engine import RunRow, Workflow
from studio.catalog import Problem
from studio.plain import Looks
from studio.views.graph import MiniView, mini
from studio.wording import duration

ENDED = frozenset({"success", "bailed", "failed", "canceled"})
HIGHEST, LOWEST = 22, 6
MOST_LINES = 600


@dataclass(frozen=True, slots=True)
class Bar:
    """One run in a strip."""

    status: str
    height: Looks[int]
    label: Looks[str]
    href: str


@dataclass(frozen=True, slots=True)
class CardView:
    """A workflow on the first page. ``success`` is a share of the runs that ended well or badly, or ``None``."""

    id: Looks[str]
    name: str
    href: str
    run_href: Looks[str]
    text: str
    used_in: tuple[str, ...]
    steps: int
    mini: Looks[MiniView]
    bars: tuple[Bar, ...]
    runs: int
    running: int
    questions: int
    questions_href: str
    p50: float | None
    p95: float | None
    success: float | None


@dataclass(frozen=True, slots=True)
class ProblemView:
    """A module that can't be loaded, or something in it that can't be used."""

    id: Looks[str]
    name: str
    label: str
    text: str
    message: str
    traceback: str
    where: str
    file: Looks[str]
    line: Looks[int]


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of source. ``kind`` is its class: key, text, number, word, note, or nothing."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class SourceView:
    """The code of one step, by lines; ``note`` says why there is none."""

    id: str
    places: tuple[str, ...]
    name: str
    file: str
    first: int
    lines: tuple[tuple[int, tuple[Span, ...]], ...]
    note: str = ""
    path: Looks[str] = ""
    """The whole name of the file."""


def workflow_href(id: str, **query: str) -> str:
    """The address of a workflow's page."""
    asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    return f"/workflows/{quote(id, safe='')}" + (f"?{asked}" if asked else "")


def _seconds(row: RunRow) -> float | None:
    return (row.updated_at - row.created_at).total_seconds() if row.status in ENDED else None


def card_view(
    workflow: Workflow[Any, Any],
    rows: Sequence[RunRow],
    counts: Mapping[str, int],
    questions: int,
    used_in: Sequence[str] = (),
) -> CardView:
    """A workflow with its newest runs (``rows``, newest first)."""
    took = sorted(seconds for row in rows if (seconds := _seconds(row)) is not None)
    good = counts.get("success", 0) + counts.get("bailed", 0)
    judged = good + counts.get("failed", 0)
    small = mini(workflow)
    return CardView(
        id=f"card-{quote(workflow.id, safe='')}",
        name=workflow.id,
        href=workflow_href(workflow.id),
        run_href=workflow_href(workflow.id) + "#launch",
        text=workflow.description,
        used_in=tuple(used_in),
        steps=small.steps,
        mini=small,
        bars=tuple(_bars(rows, took[-1] if took else 0.0)),
        runs=sum(counts.values()),
        running=counts.get("running", 0),
        questions=questions,
        questions_href=f"/approvals?workflow={quote(workflow.id, safe='')}",
        p50=quantile(took, 0.5),
        p95=quantile(took, 0.95),
        success=good / judged if judged else None,
    )


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The value below which this share of an ordered list is; of none, ``None``."""
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))] if ordered else None


def _bars(rows: Sequence[RunRow], longest: float) -> Iterator[Bar]:
    for row in reversed(rows):
        seconds = _seconds(row)
        share = 0.5 if seconds is None or not longest else seconds / longest
        height = LOWEST + round((HIGHEST - LOWEST) * share)
        took = "" if seconds is None else f", {duration(seconds)}"
        yield Bar(row.status, height, f"{row.status}{took}", f"/runs/{quote(row.run_id, safe='')}")


def parts(workflows: Mapping[str, Workflow[Any, Any]]) -> dict[str, list[str]]:
    """Which workflows are within others: id -> the ids of those."""
    found: dict[str, list[str]] = {}
    for id, workflow in workflows.items():
        inner = dict.fromkeys(getattr(node, "workflow", None) for node in workflow.plan.nodes)
        for part in inner:
            if part is not None and part in workflows and part != id:
                found.setdefault(part, []).append(id)
    return found


def problem_view(problem: Problem, number: int) -> ProblemView:
    """What could not be loaded, and what is served of it in spite of that."""
    text = "Its earlier version is still served." if problem.is_old else "The others keep working."
    where = f"{problem.file}, line {problem.line}" if problem.file and problem.line else problem.file or ""
    is_definition = not problem.traceback or problem.message.startswith("DefinitionError: ")
    return ProblemView(
        f"problem-{number}",
        problem.module,
        "has a mistake" if is_definition else "can't be loaded",
        f"{text} It is read again when you save it.",
        problem.message,
        problem.traceback.strip("\n"),
        where,
        str(path.absolute()) if (path := Path(problem.file or "")).is_file() else "",
        problem.line or 1,
    )


def workflow_data(workflow: Workflow[Any, Any], counts: Mapping[str, int], **regions: object) -> dict[str, object]:
    """A workflow for programs; of the regions those that its page has."""
    return {
        "id": workflow.id,
        "description": workflow.description,
        "version": workflow.plan.version,
        "input_schema": workflow.input_json_schema(),
        "counts": dict(counts),
        **{name: region for name, region in regions.items() if region},
    }


def texts(workflow: Workflow[Any, Any]) -> dict[str, str]:
    """What the steps and blocks that have a description do, by place."""
    return {node.place: node.description for node in workflow.plan.nodes if node.description}


# -- code


def sources(workflow: Workflow[Any, Any]) -> tuple[SourceView, ...]:
    """The code of every step, in the order of the definition; a step that is used several times is shown once."""
    found: dict[Callable[..., Any], list[str]] = {}
    for node in workflow.plan.nodes:
        function = getattr(node, "fn", None)
        if callable(function):
            found.setdefault(function, []).append(node.place)
    return tuple(_source(number, function, tuple(places)) for number, (function, places) in enumerate(found.items()))


def _source(number: int, function: Callable[..., Any], places: tuple[str, ...]) -> SourceView:
    id, name = f"code-{number}", places[0].rpartition("/")[2]
    try:
        plain = inspect.unwrap(function)
        file = inspect.getsourcefile(plain) or ""
        linecache.checkcache(file)
        lines, first = inspect.getsourcelines(plain)
    except (OSError, TypeError, ValueError):
        return SourceView(id, places, name, "", 0, (), "Its source can't be read: it was made by a program.")
    note = f"{len(lines) - MOST_LINES:,} more lines" if len(lines) > MOST_LINES else ""
    spans = _spans("".join(lines[:MOST_LINES]))
    numbered = tuple((first + index, line) for index, line in enumerate(spans))
    return SourceView(id, places, name, Path(file).name, first, numbered, note, file)


def _spans(text: str) -> list[tuple[Span, ...]]:
    lines: list[list[Span]] = [[]]
    for kind, piece in _tokens(text):
        for number, part in enumerate(piece.split("\n")):
            if number:
                lines.append([])
            if part:
                lines[-1].append(Span(kind, part))
    if lines and not lines[-1]:
        lines.pop()
    return [tuple(line) for line in lines]


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """The text in pieces, each with its class."""
    pieces = ((_kind(str(token)), piece) for token, piece in _lexer().get_tokens(text))
    for kind, run in groupby(pieces, key=lambda one: one[0]):
        yield kind, "".join(piece for _, piece in run)


@cache
def _lexer() -> Any:
    from pygments.lexers.python import PythonLexer  # noqa: PLC0415 - only a page with code pays for it

    return PythonLexer(stripnl=False, ensurenl=False)


_KINDS = (
    ("Token.Literal.String", "text"),
    ("Token.Literal.Number", "number"),
    ("Token.Comment", "note"),
    ("Token.Keyword", "word"),
    ("Token.Operator.Word", "word"),
    ("Token.Name.Decorator", "word"),
    ("Token.Name.Function", "key"),
    ("Token.Name.Class", "key"),
)


def _kind(token: str) -> str:
    return next((kind for prefix, kind in _KINDS if token.startswith(prefix)), "")
