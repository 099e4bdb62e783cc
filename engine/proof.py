"""Proof that a value survives being stored, by looking at it instead of writing it.

It is found for types whose values nobody can change and that are made of nothing but frozen classes, tuples, frozen
sets, text, numbers, times and the like, without custom serializers or validators. Every part is then exactly what the
type says (the class itself, no subclass; no part that ``model_construct`` left out or made up), no text has lone
surrogates, no number is beyond 64 bits or its limits, and all of it is within the limit of size. What is not, or is of
another type, proves nothing: it has to be written, which says what is wrong with it, or copes.

What was proven once is not proven again: of a value that is made of what a step got, or that comes after another of
its type, the parts that are the very same objects in the same place are known, and so is a tuple of the same objects,
or one that has more of them at its end. Who changes a frozen object behind Python's back after that
(``object.__setattr__``) is found out when the value is read: ``NotSerializable`` then names the field.

Values are looked at column by column (all titles of all documents at once), which costs half of writing them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from itertools import chain
from math import isnan
from operator import attrgetter, ge, gt, is_, itemgetter, le, lt
from typing import Any, cast
from uuid import UUID
from weakref import ref

from pydantic import BaseModel
from pydantic_core import CoreSchema, TzInfo

from engine.codec import MAX_VALUE_BYTES

Known = Mapping["Part", tuple[Any, int]]
"""What is proven: for each place where only one object stands that object, and its size at most."""


class Proof:
    """What was found out about a value: bytes of its stored form at most, and its parts that need no proof again."""

    __slots__ = ("__weakref__", "known", "size")

    def __init__(self, size: int, known: Known) -> None:
        self.size = size
        self.known = known


class Unproven(Exception):
    """Looking is not enough."""


class Part:
    """One place in a type."""

    def measure(self, values: list[Any], proof: Prover) -> int:
        """The size, at most, of all values that stand at this place. Raises :class:`Unproven`."""
        raise NotImplementedError

    def measure_after(self, value: Any, proof: Prover, known: Any, size: int) -> int:  # noqa: ARG002
        """The same for the one value here, where another is known that has this size."""
        return self.measure([value], proof)


class Prover:
    """Looks at one value."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.found: dict[Part, tuple[Any, int]] = {}

    def measure(self, part: Part, values: list[Any]) -> int:
        """The same as ``part.measure``, with what is known."""
        if len(values) != 1:
            return part.measure(values, self) if values else 0
        value = values[0]
        before = self.known.get(part)
        if before is None:
            size = part.measure(values, self)
        elif before[0] is value:
            size = before[1]
        else:
            size = part.measure_after(value, self, *before)
        self.found[part] = value, size
        return size


class Proving:
    """Finds the proofs for the values of one type."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._last: Callable[[], Proof | None] = _nothing

    def prove(self, value: object, before: Proof | None) -> Proof | None:
        """The proof that a value survives being stored; ``None`` if looking is not enough.

        ``before``: of another value, which may have parts in common; else the last one is taken, while anybody has it.
        """
        before = before or self._last()
        prover = Prover({} if before is None else before.known)
        try:
            size = prover.measure(self._part, [value])
        except (Unproven, AttributeError, KeyError):  # of what ``model_construct`` has left out
            return None
        if size > MAX_VALUE_BYTES:
            return None
        found = Proof(size, prover.found)
        self._last = ref(found)
        return found


def _nothing() -> None:
    return None


# -- kinds of parts


class _Scalar(Part):
    """Values of a class that nothing can be wrong with."""

    def __init__(self, kind: type, size: int) -> None:
        self.kinds = {kind}
        self.size = size

    def measure(self, values: list[Any], proof: Prover) -> int:  # noqa: ARG002
        if set(map(type, values)) != self.kinds:
            raise Unproven
        return self.size * len(values)


class _Limited(_Scalar):
    """Values within limits: numbers between some, texts that are so long."""

    def __init__(self, kind: type, size: int, node: Node) -> None:
        super().__init__(kind, size)
        self.limits = [(holds, node[key]) for key, holds in _LIMITS.items() if key in node]

    def keep(self, numbers: list[Any]) -> None:
        """Raises :class:`Unproven` if one is beyond a limit."""
        if not self.limits:
            return
        ends = min(numbers), max(numbers)
        if not all(holds(end, limit) for holds, limit in self.limits for end in ends):
            raise Unproven


class _Number(_Limited):
    def measure(self, values: list[Any], proof: Prover) -> int:
        size = super().measure(values, proof)
        if max(map(int.bit_length, values)) > 63:
            raise Unproven
        self.keep(values)
        return size


class _Float(_Limited):
    def measure(self, values: list[Any], proof: Prover) -> int:
        size = super().measure(values, proof)
        if self.limits and isnan(sum(values)):  # NaN is neither less nor more than anything
            raise Unproven
        self.keep(values)
        return size


class _Text(_Limited):
    def measure(self, values: list[Any], proof: Prover) -> int:
        size = super().measure(values, proof)
        if not all(map(str.isascii, values)):
            try:
                "".join(values).encode()
            except UnicodeEncodeError:
                raise Unproven from None
        lengths = list(map(len, values))
        self.keep(lengths)
        return size + 6 * sum(lengths)  # a control character is written with six


class _Moment(_Scalar):
    """Dates with times, without a zone or in one that an offset says all about."""

    def measure(self, values: list[Any], proof: Prover) -> int:
        size = super().measure(values, proof)
        zones = {type(value.tzinfo) for value in values if value.tzinfo is not UTC}
        if not zones <= _ZONES:
            raise Unproven
        return size


class _Choice(_Scalar):
    """One of some texts or numbers."""

    def __init__(self, choices: list[Any]) -> None:
        super().__init__(type(choices[0]), max(6 * len(str(choice)) + 3 for choice in choices))
        self.choices = frozenset(choices)

    def measure(self, values: list[Any], proof: Prover) -> int:
        size = super().measure(values, proof)
        if not self.choices.issuperset(values):
            raise Unproven
        return size


class _Optional(Part):
    def __init__(self, part: Part) -> None:
        self.part = part

    def measure(self, values: list[Any], proof: Prover) -> int:
        return 5 * len(values) + proof.measure(self.part, [value for value in values if value is not None])


class _Many(Part):
    """Tuples of any length, or frozen sets."""

    def __init__(self, kind: type, part: Part) -> None:
        self.kinds = {kind}
        self.part = part

    def measure(self, values: list[Any], proof: Prover) -> int:
        if set(map(type, values)) != self.kinds:
            raise Unproven
        total = sum(map(len, values))
        if total > MAX_VALUE_BYTES // 2:  # the same tuple again and again can be far more than it takes in memory
            raise Unproven
        return 2 * len(values) + total + proof.measure(self.part, list(chain.from_iterable(values)))

    def measure_after(self, value: Any, proof: Prover, known: Any, size: int) -> int:
        is_longer = type(value) is tuple and len(value) >= len(known)
        if is_longer and all(map(is_, value, known)):
            return size + self.measure([value[len(known) :]], proof)
        return self.measure([value], proof)


class _Row(Part):
    """Tuples of so many parts."""

    def __init__(self, parts: list[Part]) -> None:
        self.lengths = {len(parts)}
        self.parts = [(itemgetter(index), part) for index, part in enumerate(parts)]

    def measure(self, values: list[Any], proof: Prover) -> int:
        if set(map(type, values)) != {tuple} or set(map(len, values)) != self.lengths:
            raise Unproven
        size = (2 + len(self.parts)) * len(values)
        return size + sum(proof.measure(part, list(map(get, values))) for get, part in self.parts)


class _Object(Part):
    """Instances of a frozen model or dataclass."""

    def __init__(self, cls: type, parts: Mapping[str, Part]) -> None:
        self.kinds = {cls}
        self.has_dict = issubclass(cls, BaseModel)
        get: Callable[[str], Callable[[Any], Any]] = itemgetter if self.has_dict else attrgetter
        self.parts = [(get(name), part) for name, part in parts.items()]
        self.size = 2 + sum(6 * len(name) + 4 for name in parts)

    def measure(self, values: list[Any], proof: Prover) -> int:
        if set(map(type, values)) != self.kinds:
            raise Unproven
        size = self.size * len(values)
        rows = [value.__dict__ for value in values] if self.has_dict else values  # half the price of the attributes
        return size + sum(proof.measure(part, list(map(get, rows))) for get, part in self.parts)


# -- from a core schema

Node = dict[str, Any]

_LIMITS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": gt,
    "ge": ge,
    "lt": lt,
    "le": le,
    "min_length": ge,
    "max_length": le,
}
_ZONES = {type(None), TzInfo}

_SCALARS: dict[str, Callable[[Node], Part]] = {
    "none": lambda _: _Scalar(type(None), 4),
    "bool": lambda _: _Scalar(bool, 5),
    "int": lambda node: _Number(int, 21, node),
    "float": lambda node: _Float(float, 26, node),
    "str": lambda node: _Text(str, 2, node),
    "date": lambda _: _Scalar(date, 12),
    "datetime": lambda _: _Moment(datetime, 40),
    "uuid": lambda _: _Scalar(UUID, 38),
}


def compile_proving(schema: CoreSchema) -> Proving | None:
    """What proves values of a type whose values can't be changed and, if they are exact, come back equal.

    ``None`` if it has parts of a kind that has to be written.
    """
    try:
        return Proving(_compile(cast(Node, schema), {}))
    except Unproven:
        return None


def _compile(node: Node, refs: dict[str, Node]) -> Part:  # noqa: C901 - one case for each kind
    kind = node["type"]
    if kind in _SCALARS:
        return _SCALARS[kind](node)
    match kind:
        case "definitions":
            return _compile(node["schema"], {**refs, **{one["ref"]: one for one in node["definitions"]}})
        case "definition-ref":
            return _compile(refs[node["schema_ref"]], refs)
        case "literal":
            return _Choice(node["expected"])
        case "enum":
            return _Scalar(node["cls"], max(6 * len(str(member.value)) + 3 for member in node["members"]))
        case "default":
            return _compile(node["schema"], refs)
        case "nullable":
            return _Optional(_compile(node["schema"], refs))
        case "frozenset" if "items_schema" in node:
            return _Many(frozenset, _compile(node["items_schema"], refs))
        case "tuple":
            return _tuple(node, refs)
        case "model" | "dataclass":
            return _Object(node["cls"], {name: _compile(part, refs) for name, part in _fields(node["schema"]).items()})
        case _:
            raise Unproven


def _tuple(node: Node, refs: dict[str, Node]) -> Part:
    parts = [_compile(item, refs) for item in node["items_schema"]]
    if "variadic_item_index" not in node:
        return _Row(parts)
    if len(parts) != 1:
        raise Unproven
    return _Many(tuple, parts[0])


def _fields(node: Node) -> dict[str, Node]:
    match node["type"]:
        case "model-fields":
            return {name: field["schema"] for name, field in node["fields"].items()}
        case "dataclass-args":
            return {field["name"]: field["schema"] for field in node["fields"]}
        case _:
            raise Unproven
