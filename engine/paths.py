"""Reading a field inside a value by its path, such as ``a.b[0]``: data only, never methods or private names."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from pydantic import BaseModel

from engine.errors import ExpressionError, MissingPath

Step = str | int
Lookup = Callable[[str], object]
_SEGMENT = re.compile(
    r"""\.?([^\W\d]\w*(?:-\w+)*) | \[\s*(-?\d+)\s*\] | \[\s*'([^']*)'\s*\] | \[\s*"([^"]*)"\s*\]""", re.VERBOSE
)
_MAX_PATH = 500
_SHOWN = 8


def read_path(value: object, path: str) -> object:
    """The part of ``value`` at ``path`` (``a.b[0]``, ``a['b c']``); ``""`` and ``"."`` are the whole.

    Raises :class:`MissingPath` naming what was there, and :class:`ExpressionError` for a path that can't be read.
    """
    return follow(value, split_path(path))


@lru_cache(maxsize=1024)
def split_path(path: str) -> tuple[Step, ...]:
    """The steps of a path. Raises :class:`ExpressionError`."""
    if path in ("", "."):
        return ()
    if len(path) > _MAX_PATH:
        raise ExpressionError(f"the path is longer than {_MAX_PATH} characters")
    steps: list[Step] = []
    at = 0
    while at < len(path):
        match = _SEGMENT.match(path, at)
        # A name follows a dot, except at the start; a bracket never does.
        if match is None or (match[1] is not None and (match[0][0] == ".") != (at > 0)):
            raise ExpressionError(f"{path!r} is no path, at column {at}: write it as a.b[0] or a['b c']", position=at)
        steps.append(int(match[2]) if match[2] is not None else next(g for g in match.group(1, 3, 4) if g is not None))
        at = match.end()
    return tuple(steps)


def follow(value: object, steps: tuple[Step, ...], root: str = "") -> object:
    """Go down ``steps`` from ``value``. Raises :class:`MissingPath`, whose message starts with ``root``."""
    for index, step in enumerate(steps):
        try:
            value = _read(value, step)
        except (LookupError, AttributeError):
            raise MissingPath(_missing(value, steps, index, root)) from None
    return value


def resolve(lookup: Lookup, name: str, steps: tuple[Step, ...]) -> object:
    """What a path stands for. Raises :class:`MissingPath`; below a step without output there is ``None``."""
    try:
        value = lookup(name)
    except MissingPath:
        raise
    except LookupError:
        raise MissingPath(f"{show_path(steps, name)!r} is missing: there is no {name!r}") from None
    if name == "steps" and len(steps) > 1:
        value = follow(value, steps[:1], name)
        # The arm was skipped.
        return None if value is None else follow(value, steps[1:], show_path(steps[:1], name))
    return follow(value, steps, name)


def _read(value: object, step: Step) -> object:
    if isinstance(step, int):
        if isinstance(value, (list, tuple, Mapping)):
            return value[step]
        raise LookupError
    if isinstance(value, Mapping):
        return value[step]
    if step in fields_of(value):
        return getattr(value, step)
    raise LookupError


def fields_of(value: object) -> list[str]:
    """The names that can be read from a value: keys of a dict, public fields of a model or dataclass."""
    if isinstance(value, Mapping):
        return [key for key in value if isinstance(key, str)]
    if isinstance(value, BaseModel):
        return [*type(value).model_fields, *(value.__pydantic_extra__ or ())]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [field.name for field in dataclasses.fields(value) if not field.name.startswith("_")]
    return []


def _missing(value: object, steps: tuple[Step, ...], index: int, root: str) -> str:
    whole, before = show_path(steps, root), show_path(steps[:index], root)
    subject = f"{before!r}" if before else "the value"
    step = steps[index]
    if value is None:
        return f"{whole!r} is missing: {subject} is None"
    if isinstance(step, int):
        size = f"has {len(value)} items" if isinstance(value, (list, tuple)) else f"is {kind_name(value)}, not a list"
        return f"{whole!r} is missing: {subject} {size}"
    names = fields_of(value)
    if not names and not isinstance(value, Mapping):
        return f"{whole!r} is missing: {subject} is {kind_name(value)} and has no fields"
    known = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return f"{whole!r} is missing: {subject} has {known or 'no fields'}"


def show_path(steps: tuple[Step, ...], root: str = "") -> str:
    """A path as one writes it."""
    text = root
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.isidentifier():
            text += f".{step}" if text else step
        else:
            text += f"[{step!r}]"
    return text


def kind_name(value: object) -> str:
    """The type of a value in messages: ``None``, ``a str``, ``a Forecast``."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
