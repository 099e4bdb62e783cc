"""What went wrong in a step and where it is written: the user's frames first, and the step's source."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from engine import Workflow
from studio.user_files import is_users, lines_around

_FRAME = re.compile(r'^  File "(?P<file>.+)", line (?P<line>\d+), in (?P<function>.+)$')


MOST_ERRORS = 20
"""Errors that are shown with one: what it came from, and what it is made of."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of a traceback. ``variables`` are names with texts, if the engine kept them."""

    file: str
    line: int
    function: str
    text: str
    is_users: bool
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def lines(self) -> tuple[tuple[int, str], ...]:
        """What stands around it, if the file is as it was; else the one line that the traceback has."""
        around = lines_around(self.file, self.line, self.text) if self.is_users else ()
        return around or (((self.line, self.text),) if self.text else ())


@dataclass(frozen=True, slots=True)
class Fault:
    """An error, as the inspector shows it: the user's frames first, the innermost on top."""

    type: str
    message: str
    step: str
    users: tuple[Frame, ...]
    others: tuple[Frame, ...]
    traceback: str
    because: tuple[Fault, ...] = ()
    """What it came from, and what it is made of, as far as that leads to the user's code."""

    @property
    def errors(self) -> tuple[Fault, ...]:
        """It and what it came from."""
        return (self, *self.because)

    @property
    def innermost(self) -> Frame | None:
        """The frame of the user's code to look at first."""
        return next((frame for one in self.errors for frame in one.users), None)


Kept = dict[tuple[str, int, str], list[tuple[tuple[str, str], ...]]]
"""Variables by file, line and function; several for one that called itself, the innermost first."""


def fault(error: Mapping[str, Any] | None) -> Fault | None:
    """An error of a run or a step."""
    if error is None:
        return None
    kept = _kept(error.get("frames"))
    first, *others = [_fault(one, kept) for one in _with_causes(error)]
    return replace(first, because=tuple(one for one in others if one.users))


def _fault(error: Mapping[str, Any], kept: Kept) -> Fault:
    traceback = str(error.get("traceback") or "")
    found = [_with_variables(frame, kept) for frame in reversed(frames(traceback))]
    return Fault(
        str(error.get("type") or "Error"),
        str(error.get("message") or ""),
        str(error.get("step") or ""),
        tuple(frame for frame in found if frame.is_users),
        tuple(frame for frame in found if not frame.is_users),
        traceback,
    )


def _with_causes(error: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """An error, and those that it came from or is made of, in the order in which the engine keeps their frames."""
    found = [error]
    for one in found:  # it grows meanwhile
        parts = one.get("exceptions")
        for other in (one.get("cause"), *(parts if isinstance(parts, list) else ())):
            if isinstance(other, dict) and len(found) < MOST_ERRORS:
                found.append(other)
    return found


def _kept(frames: Any) -> Kept:
    found: Kept = {}
    for one in frames if isinstance(frames, list) else ():
        variables = one.get("locals") if isinstance(one, dict) else None
        if isinstance(variables, dict) and isinstance(one.get("line"), int):
            place = (str(one.get("file")), one["line"], str(one.get("function")))
            found.setdefault(place, []).append(tuple((name, str(text)) for name, text in variables.items()))
    return found


def _with_variables(frame: Frame, kept: Kept) -> Frame:
    variables = kept.get((frame.file, frame.line, frame.function))
    return replace(frame, variables=variables.pop(0)) if variables else frame


def frames(traceback: str) -> list[Frame]:
    """The frames of a traceback's text, outermost first."""
    found: list[Frame] = []
    lines = traceback.splitlines()
    for number, text in enumerate(lines):
        match = _FRAME.match(text)
        if match is None:
            continue
        following = lines[number + 1] if number + 1 < len(lines) else ""
        source = following.strip() if following.startswith("    ") else ""
        file = match["file"]
        found.append(Frame(file, int(match["line"]), match["function"], source, is_users(file)))
    return found


@dataclass(frozen=True, slots=True)
class Code:
    """The source of a step."""

    file: str
    lines: tuple[tuple[int, str], ...]
    at: int | None = None


def code(workflow: Workflow[Any, Any] | None, path: str, found: Fault | None = None) -> Code | None:
    """Where the step at a path is written; ``None`` if that can't be said."""
    node = None if workflow is None or not path else workflow.plan.at(path)
    function = getattr(getattr(node, "step", None), "execute", None)
    if function is None:
        return None
    try:
        function = inspect.unwrap(function)
        lines, first = inspect.getsourcelines(function)
        file = inspect.getsourcefile(function) or ""
    except (OSError, TypeError):
        return None
    numbered = tuple((first + number, line.rstrip("\n")) for number, line in enumerate(lines))
    at = next((one.line for one in found.users if one.file == file), None) if found else None
    return Code(file, numbered, at)
