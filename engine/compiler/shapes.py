"""Scopes, and the shapes of what flows through a definition, for the checks at ``commit()``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args, get_origin

from typing_extensions import TypedDict

from engine.retry import RetryPolicy
from engine.schema import ANY, Schema, compile_schema

Shape = Callable[[], Schema]
"""What flows at a point of the definition; made only when somebody looks."""


def anything() -> Schema:
    """The shape of what nothing is known of."""
    return ANY


def shape_of(schema: Schema) -> Shape:
    """The shape of values of a schema."""
    return anything if schema.is_any else lambda: schema


@dataclass(slots=True)
class Scope:
    """Where ids are unique: a workflow or a chain.

    ``prefix`` starts the places inside it, ``taken`` holds all ids in it, ``readable`` those whose output can be read.
    """

    prefix: str
    retry: RetryPolicy | None
    outer: Scope | None = None
    taken: set[str] = field(default_factory=set)
    readable: set[str] = field(default_factory=set)
    counters: dict[str, int] = field(default_factory=dict)

    def ordinal(self, kind: str) -> str:
        """A stable id for a block without one: its kind and its number within the scope."""
        while True:
            self.counters[kind] = self.counters.get(kind, 0) + 1
            name = f"{kind}-{self.counters[kind]}"
            if name not in self.taken:
                return name

    def knows(self, name: str) -> bool:
        """Whether an output can be read by this name, here or further out in the same workflow."""
        return name in self.readable or (self.outer is not None and self.outer.knows(name))


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a node is put: its scope, its container's index, its position there."""

    scope: Scope
    parent: int
    slot: int


def item_of(schema: Schema) -> Schema:
    """The schema of an item of a list; anything where the list does not say."""
    source = schema.source
    if isinstance(source, dict):
        inner = source.get("items")
        return compile_schema(inner) if isinstance(inner, dict) and "$ref" not in str(inner) else ANY
    arguments = get_args(source)
    return compile_schema(arguments[0]) if get_origin(source) in (list, Sequence) and arguments else ANY


def list_of(item: Shape) -> Shape:
    """The shape of a list of such items."""
    return anything if item is anything else lambda: compile_schema(list[_annotation(item)])  # type: ignore[misc]


def object_of(shapes: Mapping[str, Shape], *, total: bool = True) -> Shape:
    """The shape of an object with these fields; not ``total``: a field may be missing."""

    def made() -> Schema:
        fields = {key: _annotation(shape) for key, shape in shapes.items()}
        return compile_schema(TypedDict("output", fields, total=total))  # type: ignore[operator]

    return made


def _annotation(shape: Shape) -> Any:
    schema = shape()
    return Any if schema.is_any or isinstance(schema.source, dict) else schema.source
