"""What is proven to be storable without writing it, and what has to be written to know."""

from __future__ import annotations

import dataclasses
import gc
import weakref
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from math import nan
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel, Field, SecretStr, TypeAdapter, field_validator

from engine.proof import Proof
from engine.schema import ANY, compile_schema
from engine.values import Value

Kind = TypeVar("Kind")


class Colour(Enum):
    """A choice of texts."""

    RED = "red"


class Item(BaseModel, frozen=True):
    """A frozen model of plain parts."""

    id: int
    title: str = "a"


class Box(BaseModel, Generic[Kind], frozen=True):
    """A generic frozen model."""

    items: tuple[Kind, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Point:
    """A frozen dataclass without a ``__dict__``."""

    x: float
    y: float


class Limited(BaseModel, frozen=True):
    """Parts with limits."""

    share: float = Field(gt=0, le=1)
    count: int = Field(ge=1, lt=11)
    code: str = Field(min_length=2, max_length=4)


MOMENTS = [
    datetime(1, 1, 1),  # noqa: DTZ001
    datetime(9999, 12, 31, 23, 59, 59, 999_999),  # noqa: DTZ001
    datetime(2020, 2, 29, 12, 30, 1, 7),  # noqa: DTZ001
    datetime(2020, 2, 29, 12, 30, tzinfo=UTC),
    TypeAdapter(datetime).validate_python("2020-02-29T12:30:00-03:30"),
    datetime(2020, 10, 25, 2, 30, fold=1),  # noqa: DTZ001
]


class Strict(BaseModel, frozen=True):
    """A model with a validator: an instance made by hand may not be what it would make."""

    id: int

    @field_validator("id")
    @classmethod
    def check(cls, id: int) -> int:
        return id


class Open(BaseModel, frozen=True):
    """A part of any type."""

    more: Any


class Tree(BaseModel, frozen=True):
    """Its depth has no bound."""

    below: tuple[Tree, ...] = ()


def prove(kind: Any, value: Any, before: Proof | None = None) -> Proof | None:
    return compile_schema(kind).prove(value, before)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Item, Item(id=1)),
        (tuple[Item, ...], (Item(id=1), Item(id=2, title="b"))),
        (tuple[int, str], (1, "a")),
        (frozenset[str], frozenset({"a", "b"})),
        (Box[Item], Box[Item](items=(Item(id=1),))),
        (tuple[Point, ...], (Point(0.5, 1.5),)),
        (tuple[Item | None, ...], (None, Item(id=1))),
        (tuple[bool, None, float], (True, None, 0.5)),
        (tuple[Colour, Literal["a", "b"]], (Colour.RED, "b")),
        (tuple[date, UUID], (date(2020, 2, 29), UUID(int=7))),
        (tuple[Item, ...], ()),
        (Limited, Limited(share=0.5, count=1, code="ab")),
        (Limited, Limited(share=1, count=10, code="abcd")),
        (tuple[datetime, ...], tuple(MOMENTS)),
    ],
)
def test_exact_values_of_frozen_types_are_proven_within_their_size(kind: Any, value: Any) -> None:
    schema = compile_schema(kind)

    proof = prove(kind, value)

    assert proof is not None
    assert proof.size >= len(schema.encode(value))
    assert schema.encode_proven(value) == schema.encode(value)
    assert schema.decode(schema.encode_proven(value)) == value
    assert repr(schema.validate(value)) == repr(value)  # so that it need not be done


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (list[int], [1]),
        (dict[str, int], {"a": 1}),
        (tuple[list[int], ...], ([1],)),
        (tuple[int | str, ...], (1, "a")),
        (Annotated[str, Field(pattern="a+")], "aa"),
        (Annotated[int, Field(multiple_of=2)], 2),
        (Annotated[datetime, Field(gt=datetime(2020, 1, 1))], datetime(2021, 1, 1)),  # noqa: DTZ001
        (Decimal, Decimal("1.5")),
        (SecretStr, SecretStr("a")),
        (Strict, Strict(id=1)),
        (Open, Open(more=1)),
        (Tree, Tree(below=(Tree(),))),
        (None, (1, 2)),
        ({"type": "string"}, "a"),
    ],
)
def test_other_types_have_to_be_written(kind: Any, value: Any) -> None:
    assert prove(kind, value) is None


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (int, True),
        (int, 2**63),
        (float, 1),
        (str, "\ud800"),
        (tuple[str, ...], ("a", "\udfff")),
        (tuple[int, ...], [1]),
        (tuple[int, ...], (1, "a")),
        (tuple[int, str], (1, "a", 2)),
        (frozenset[int], {1}),
        (Literal["a"], "b"),
        (Item, Item.model_construct(title="a")),
        (Item, {"id": 1}),
        (Point, Item(id=1)),
        (Limited, Limited.model_construct(share=1.01, count=1, code="ab")),
        (Limited, Limited.model_construct(share=0.0, count=1, code="ab")),
        (Limited, Limited.model_construct(share=nan, count=1, code="ab")),
        (Limited, Limited.model_construct(share=0.5, count=11, code="ab")),
        (Limited, Limited.model_construct(share=0.5, count=1, code="a")),
        (Limited, Limited.model_construct(share=0.5, count=1, code="abcde")),
        (tuple[datetime, ...], (*MOMENTS, datetime(2020, 6, 1, tzinfo=ZoneInfo("Europe/Rome")))),
        (datetime, datetime(2020, 6, 1, tzinfo=timezone(timedelta(seconds=7)))),
    ],
)
def test_values_that_are_not_exactly_what_their_type_says_have_to_be_written(kind: Any, value: Any) -> None:
    assert prove(kind, value) is None


def test_what_was_proven_is_not_looked_at_again() -> None:
    """Shown by spoiling it, which only somebody who looks can see."""
    box = Box[Item](items=(Item(id=1), Item(id=2)))
    before = prove(Box[Item], box)
    object.__setattr__(box.items[1], "id", "two")
    same, anew = box.model_copy(), Box[Item](items=box.items)
    longer = Box[Item](items=(*box.items, Item(id=3)))
    other = Box[Item](items=(box.items[1], box.items[0]))

    known = [prove(Box[Item], value, before) is not None for value in (same, anew, longer, other)]

    assert anew.items is not box.items
    assert known == [True, True, True, False]
    assert prove(Box[Item], same) is None


def test_an_object_that_nobody_needs_any_more_is_not_kept_by_its_proof() -> None:
    """Another type reads what was written."""
    box = Box[Item](items=tuple(Item(id=number, title="x" * 100) for number in range(1000)))
    value = Value.handed_on(box, compile_schema(Box[Item]), written=False)
    assert value.proof is not None
    kept = weakref.ref(box)
    del box
    value.take(ANY)
    gc.collect()
    assert kept() is None


def test_what_is_new_is_looked_at() -> None:
    box = Box[Item](items=(Item(id=1), Item(id=2)))
    before = prove(Box[Item], box)
    wrong = Item.model_construct(id="x", title="a")

    values = [(*box.items, wrong), (wrong, *box.items), (box.items[0], wrong), [*box.items]]

    assert [prove(Box[Item], Box[Item].model_construct(items=items), before) for items in values] == [None] * 4
