"""Frozen dataclasses of which some fields are made when somebody asks for them: what nobody reads costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar


class Later:
    """The base of such a dataclass, which has slots; :func:`later` makes an instance of it so."""

    __slots__ = ("_later",)

    _later: Mapping[str, Callable[[], Any]]

    if not TYPE_CHECKING:  # a checker would take any name for an attribute

        def __getattr__(self, name: str) -> Any:
            # Only what has no value yet comes here.
            try:
                make = object.__getattribute__(self, "_later")[name]
            except (AttributeError, KeyError):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}") from None
            made = make()
            object.__setattr__(self, name, made)
            return made


Record = TypeVar("Record", bound=Later)


def later(record: Record, **makers: Callable[[], Any]) -> Record:
    """Give a record fields that are made when they are asked for."""
    for name in makers:
        object.__delattr__(record, name)
    object.__setattr__(record, "_later", makers)
    return record
