"""Reducers: how two writes to one key of the state become one value."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel


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
    marks = _marks(source)
    return {key: mark for key, listed in marks.items() for mark in listed if isinstance(mark, Reducer)}


def _marks(source: Any) -> Mapping[str, Iterable[object]]:
    """What annotates each key of a schema. A model knows it, wherever it was defined; others are read by name."""
    if isinstance(source, type) and issubclass(source, BaseModel):
        return {key: field.metadata for key, field in source.model_fields.items()}
    if source is None or isinstance(source, dict):
        return {}
    try:
        hints = typing.get_type_hints(source, include_extras=True)
    except (TypeError, NameError):
        return {}
    return {key: getattr(hint, "__metadata__", ()) for key, hint in hints.items()}
