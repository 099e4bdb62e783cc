"""What went wrong in a step and where it is written: the user's frames first, and the step's source."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine import Workflow
from studio.user_files import is_users, lines_around

_FRAME = re.compile(r'^  File "(?P<file>.+)", line (?P<line>\d+), in (?P<function>.+)$')


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of a traceback."""

    file: str
    line: int
    function: str
    text: str
    is_users: bool

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


def fault(error: Mapping[str, Any] | None) -> Fault | None:
    """An error of a run or a step."""
    if error is None:
        return None
    traceback = str(error.get("traceback") or "")
    found = frames(traceback)
    users = tuple(frame for frame in reversed(found) if frame.is_users)
    others = tuple(frame for frame in reversed(found) if not frame.is_users)
    return Fault(
        str(error.get("type") or "Error"),
        str(error.get("message") or ""),
        str(error.get("step") or ""),
        users,
        others,
        traceback,
    )


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
