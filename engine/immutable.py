"""Types whose values nobody can change: they are handed from step to step as they are, everything else as a copy."""

from __future__ import annotations

import dataclasses
import types
import typing
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePath
from typing import Any, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel

_SCALARS = (str, int, float, bool, bytes, complex, type(None), Decimal, Fraction, date, datetime, time, timedelta, UUID)


def is_immutable(source: Any) -> bool:
    """Whether no value of a type can be changed in place. In doubt it can."""
    try:
        return _check(source, frozenset())
    except (NameError, TypeError):  # annotations that can't be read
        return False


def _check(source: Any, seen: frozenset[Any]) -> bool:
    if source is None or source is type(None):
        return True
    origin = get_origin(source)
    if origin is typing.Annotated:
        return _check(get_args(source)[0], seen)
    if origin is typing.Literal:
        return True
    if origin in (tuple, frozenset, typing.Union, types.UnionType):
        return all(arg is ... or _check(arg, seen) for arg in get_args(source))
    return isinstance(source, type) and origin is None and _check_class(source, seen)


def _check_class(cls: type, seen: frozenset[Any]) -> bool:
    if cls in _SCALARS or issubclass(cls, (Enum, PurePath)):
        return True
    if cls in seen:
        return True
    if issubclass(cls, BaseModel):
        if not cls.model_config.get("frozen") or cls.model_config.get("extra") == "allow":
            return False
        if cls.__private_attributes__:
            return False
        return all(_check(field.annotation, seen | {cls}) for field in cls.model_fields.values())
    if dataclasses.is_dataclass(cls):
        frozen = getattr(cls, "__dataclass_params__").frozen  # noqa: B009 - not in the type stubs
        hints = typing.get_type_hints(cls)
        return bool(frozen) and all(_check(hints.get(field.name), seen | {cls}) for field in dataclasses.fields(cls))
    return False
