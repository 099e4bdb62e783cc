"""The parts of a value: walking through it, naming them, and finding where two values differ."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import Enum
from itertools import chain

from pydantic import BaseModel
from pydantic_core import to_json

MAX_DEPTH = 100
"""How deep values may be nested."""


def type_name(value: object) -> str:
    """The name of a value's type, as messages show it: ``_thread.lock``, ``Forecast``, ``datetime.datetime``."""
    kind = type(value)
    own = issubclass(kind, (BaseModel, Enum, tuple)) or dataclasses.is_dataclass(kind)
    shown = own or kind.__module__ in ("builtins", "__main__")
    name = kind.__qualname__.rpartition("<locals>.")[2]
    return name if shown else f"{kind.__module__}.{name}"


def step(key: object) -> str:
    """One segment of a JSON path: ``.name``, ``[3]`` or ``["a b"]``."""
    if isinstance(key, int) and not isinstance(key, bool):
        return f"[{key}]"
    if isinstance(key, str) and key.isidentifier():
        return f".{key}"
    return f"[{short(key)}]"


def short(value: object) -> str:
    """A value in a message, cut where it gets long."""
    text = repr(value) if isinstance(value, (str, int, float, bytes, Enum, tuple)) else f"of type {type_name(value)}"
    return text if len(text) <= 60 else text[:57] + "..."


def children(value: object) -> Iterator[tuple[str, object]]:
    """The parts of a value with their path segments: fields, items, values. Nothing for what has no parts."""
    if isinstance(value, BaseModel):
        parts: Iterable[tuple[object, object]] = chain(value.__dict__.items(), (value.__pydantic_extra__ or {}).items())
        yield from ((step(name), part) for name, part in parts)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            if hasattr(value, field.name):
                yield step(field.name), getattr(value, field.name)
    elif isinstance(value, dict):
        yield from ((step(key), part) for key, part in value.items())
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield from ((f"[{index}]", part) for index, part in enumerate(value))


def find_unstorable(value: object) -> tuple[str, object] | None:
    """The first part of a value that nothing can store: its JSON path and itself. Never runs a generator."""
    return _find_unstorable(value, "$", MAX_DEPTH, set())


def _find_unstorable(value: object, path: str, room: int, seen: set[int]) -> tuple[str, object] | None:
    if isinstance(value, (str, int, float)) or value is None or id(value) in seen or not room:
        return None
    seen.add(id(value))
    is_leaf = True
    for segment, part in children(value):
        is_leaf = False
        if (found := _find_unstorable(part, path + segment, room - 1, seen)) is not None:
            return found
    return (path, value) if is_leaf and not is_known(value) else None


def find_part(value: object, part: object) -> str:
    """The JSON path of an object inside a value; ``$`` if it is not there."""
    level: list[tuple[str, object]] = [("$", value)]
    for _ in range(MAX_DEPTH + 1):
        for path, item in level:
            if item is part:
                return path
        level = [(path + segment, child) for path, item in level for segment, child in children(item)]
    return "$"


def is_known(value: object) -> bool:
    """Whether pydantic knows how to write this, given a schema."""
    if isinstance(value, Iterator):  # it would be run, perhaps without end
        return False
    try:
        to_json(value, bytes_mode="base64")
    except Exception:  # noqa: BLE001 - whatever its own methods raise
        return False
    return True


def difference(value: object, back: object, path: str = "$") -> tuple[str, object, object] | None:
    """Where a value and what came back of it first differ: (path, value, back). ``NaN`` counts as equal to itself."""
    if isinstance(value, float) and isinstance(back, float) and math.isnan(value) and math.isnan(back):
        return None
    if isinstance(value, datetime) and isinstance(back, datetime):
        # Python finds no two zones equal in the hour when clocks are set back.
        return None if _moment(value) == _moment(back) else (path, value, back)
    mine, theirs = list(children(value)), list(children(back))
    if not mine or type(value) is not type(back) or len(mine) != len(theirs):
        return None if is_equal(value, back) else (path, value, back)
    if isinstance(value, (set, frozenset)):
        return None if is_equal(value, back) else (path, value, back)
    if isinstance(value, dict) and isinstance(back, dict) and (found := _other_key(value, back, path)) is not None:
        return found
    for (segment, part), (other, returned) in zip(mine, theirs, strict=True):
        if segment != other:
            return path, value, back
        if (found := difference(part, returned, path + segment)) is not None:
            return found
    # The private attributes of a model have no path of their own.
    private = getattr(value, "__pydantic_private__", None), getattr(back, "__pydantic_private__", None)
    return None if private[0] == private[1] else (path, value, back)


def _moment(value: datetime) -> tuple[datetime, object]:
    return value.replace(tzinfo=None), value.utcoffset()


def _other_key(value: dict[object, object], back: dict[object, object], path: str) -> tuple[str, object, object] | None:
    for mine, theirs in zip(value, back, strict=True):
        if type(mine) is not type(theirs) or not (is_equal(mine, theirs) or difference(mine, theirs) is None):
            return f"the key {short(mine)} of {path}", mine, theirs
    return None


def is_equal(value: object, back: object) -> bool:
    """``value == back``, also where a user's ``__eq__`` fails."""
    try:
        return bool(value == back)
    except Exception:  # noqa: BLE001 - whatever its own methods raise
        return False
