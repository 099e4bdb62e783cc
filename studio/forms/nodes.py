"""What a form asks for: a tree of fields, one class for each kind. All are frozen and without behaviour."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias


class Missing(enum.Enum):
    """The type of :data:`MISSING`."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING
"""No value at all, where ``None`` is one."""


@dataclass(frozen=True, slots=True)
class About:
    """What is said of every field. ``required``: the value has to have it (rows of a list always do)."""

    label: str = ""
    description: str = ""
    default: Any = MISSING
    required: bool = True
    nullable: bool = False
    rules: tuple[str, ...] = ()
    example: str = ""

    @property
    def optional(self) -> bool:
        """Whether it can be left blank."""
        return self.nullable or not self.required

    @property
    def skipped(self) -> bool:
        """Whether it may be nothing at all: only then it needs a way to say so."""
        return self.nullable or (not self.required and self.default is MISSING)


@dataclass(frozen=True, slots=True)
class Text:
    about: About
    long: bool = False
    secret: bool = False
    format: str = ""


@dataclass(frozen=True, slots=True)
class Number:
    about: About
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Boolean:
    about: About


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several JSON values."""

    about: About
    values: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """A date, a time, or both."""

    about: About
    kind: Literal["date", "datetime", "time"] = "date"


@dataclass(frozen=True, slots=True)
class Anything:
    """JSON text: a part with a schema that has no form, or none."""

    about: About


@dataclass(frozen=True, slots=True)
class Constant:
    """The only value there is; nobody is asked."""

    about: About
    value: Any = None


@dataclass(frozen=True, slots=True)
class Object:
    about: About
    fields: tuple[tuple[str, Node], ...] = ()


@dataclass(frozen=True, slots=True)
class Tuple:
    """A list whose places have schemas of their own."""

    about: About
    items: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class List:
    about: About
    item: Node
    least: int = 0
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Dict:
    about: About
    value: Node


@dataclass(frozen=True, slots=True)
class Alternative:
    """One schema of a union. ``names``: what a path in the engine's messages may call it."""

    label: str
    node: Node
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Union:
    """``tag``: the field whose constant says which alternative a value is; empty if none does."""

    about: About
    alternatives: tuple[Alternative, ...] = ()
    tag: str = ""


Leaf: TypeAlias = Text | Number | Boolean | Choice | Moment | Anything
Group: TypeAlias = Object | Tuple | List | Dict
Node: TypeAlias = Leaf | Constant | Group | Union


def child(node: Node, segment: str) -> Node | None:
    """The field one segment below, as :mod:`studio.forms.paths` writes it; ``None`` if there is none."""
    match node:
        case Object():
            return next((part for name, part in node.fields if name == segment), None)
        case Tuple():
            return node.items[int(segment)] if segment.isdecimal() and int(segment) < len(node.items) else None
        case List():
            return node.item if segment.isdecimal() else None
        case Dict():
            # The row itself is no field: its value is.
            return node if segment.startswith("@") else node.value if segment == "value" else None
        case Union():
            place = segment[1:]
            fits = segment.startswith("@") and place.isdecimal() and int(place) < len(node.alternatives)
            return node.alternatives[int(place)].node if fits else None
        case _:
            return None


def node_at(root: Node, path: str) -> Node | None:
    """The field at a path; ``None`` if there is none."""
    found: Node | None = root
    for segment in path.split(".") if path else ():
        found = child(found, segment) if found is not None else None
    return found
