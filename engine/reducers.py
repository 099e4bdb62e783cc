"""Reducers: how two writes to one key of the state become one value."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Reducer:
    """A marker in a state schema: ``count: Annotated[int, reduce(operator.add)]``."""

    fn: Callable[[Any, Any], Any]


def reduce(fn: Callable[[Any, Any], Any]) -> Reducer:
    """``set_state(k=v)`` gives ``fn(old, v)`` for this key.

    ``fn`` must not depend on the order of writes, nor on time.
    """
    return Reducer(fn)


def reducers_of(source: Any) -> Mapping[str, Reducer]:
    """The reducers that a state schema (model, dataclass, TypedDict) names, by key."""
    if source is None or isinstance(source, dict):
        return {}
    try:
        hints = typing.get_type_hints(source, include_extras=True)
    except (TypeError, NameError):
        return {}
    return {
        key: mark
        for key, hint in hints.items()
        for mark in getattr(hint, "__metadata__", ())
        if isinstance(mark, Reducer)
    }
