"""The JSON Schemas of what :func:`studio.plain.plain` makes of views."""

from __future__ import annotations

import types
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from inspect import getdoc
from typing import Annotated, Any, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from studio.plain import Looks

Schema = dict[str, Any]

SCALARS: Mapping[Any, Schema] = {
    Any: {},
    object: {},
    None: {"type": "null"},
    type(None): {"type": "null"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": ["number", "null"]},  # null is for what is no number
    str: {"type": "string"},
    datetime: {"type": "string", "format": "date-time"},
    timedelta: {"type": "number", "description": "seconds"},
}
FOR_THE_EYE = get_args(Looks[str])[1]


class Shapes:
    """Schemas of types. Those with a name refer to each other: ``named`` has them, by name."""

    def __init__(self) -> None:
        self.named: dict[str, Schema] = {}
        self._kinds: dict[str, Any] = {}

    def of(self, kind: Any) -> Schema:
        """The schema of a type. Raises ``TypeError`` for what ``plain`` would not write."""
        if kind in SCALARS:
            return SCALARS[kind]
        if is_dataclass(kind) or is_typeddict(kind):
            return self._reference(kind)
        origin, args = get_origin(kind), get_args(kind)
        if origin is NotRequired:
            return self.of(args[0])
        if origin in (types.UnionType, Union):
            return _joined([self.of(one) for one in args])
        if not isinstance(origin, type) or not issubclass(origin, Collection):
            raise TypeError(f"{kind!r} has no schema")
        if issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.of(args[1])}
        if origin is tuple and args[-1] is not ...:
            items = [self.of(one) for one in args]
            return {"type": "array", "prefixItems": items, "minItems": len(items), "items": False}
        return {"type": "array", "items": self.of(args[0])}

    def _reference(self, kind: Any) -> Schema:
        name = kind.__name__
        if self._kinds.setdefault(name, kind) is not kind:
            raise TypeError(f"{kind!r} and {self._kinds[name]!r} have the same name")
        if name not in self.named:
            self.named[name] = {}  # it may be in itself
            told = _told(kind)
            self.named[name] = {
                "type": "object",
                "description": (getdoc(kind) or "").partition("\n\n")[0],
                "properties": {key: self.of(one) for key, one in told.items()},
                "required": sorted(key for key, one in told.items() if get_origin(one) is not NotRequired),
                "additionalProperties": False,
            }
        return {"$ref": f"#/components/schemas/{name}"}


def _told(kind: Any) -> dict[str, Any]:
    """The fields that programs are told, with their types."""
    hints = get_type_hints(kind, include_extras=True)
    if is_dataclass(kind):
        hints = {field.name: hints[field.name] for field in fields(kind)}
    return {name: hint for name, hint in hints.items() if not _is_for_the_eye(hint)}


def _is_for_the_eye(hint: Any) -> bool:
    return get_origin(hint) is Annotated and FOR_THE_EYE in hint.__metadata__


def _joined(schemas: list[Schema]) -> Schema:
    """One of several; of plain types it is shorter."""
    if all(set(one) == {"type"} for one in schemas):
        flat = [one["type"] if isinstance(one["type"], list) else [one["type"]] for one in schemas]
        return {"type": list(dict.fromkeys(kind for kinds in flat for kind in kinds))}
    return {"anyOf": schemas}
