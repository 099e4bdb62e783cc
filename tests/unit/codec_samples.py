"""What these tests share."""

from __future__ import annotations

import ast
import asyncio
import dataclasses
import datetime as dt
import enum
import fractions
import io
import itertools
import json
import math
import re
import sys
import threading
import types
import uuid
import weakref
from collections import ChainMap, deque, namedtuple
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

from hypothesis import strategies as st
from pydantic import BaseModel

from engine.schema import compile_schema

BIG = 10**5000


class Colour(enum.Enum):
    RED = "red"


class Word(str, enum.Enum):  # noqa: UP042 - not every enum of text is a StrEnum
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


class Named(BaseModel):
    name: str


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.0


Pair = namedtuple("Pair", "a b")


class Odd:
    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    __hash__ = None  # type: ignore[assignment]


def nested(depth: int, inner: Any = None) -> Any:
    value: Any = [] if inner is None else inner
    for _ in range(depth):
        value = [value]
    return value


def cyclic() -> list[Any]:
    value: list[Any] = []
    value.append({"self": value})
    return value


def back(value: object, source: Any = None) -> object:
    schema = compile_schema(source)
    return schema.decode(schema.encode(value))


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**3998, max_value=10**4500)
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.sampled_from(["$engine", "$engine:float", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=()))
            | st.sampled_from(["$engine", "$engine:float", "$engine:key:x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def refused_values() -> list[tuple[str, Any, str]]:
    async def coroutine() -> None: ...

    running = coroutine()
    running.close()
    lock = threading.Lock()
    return [
        ("tuple", (1, 2), "$ (type tuple) can't be stored without a schema; annotate what the step returns"),
        ("tuple inside", {"a": [(1,)]}, "$.a[0] (type tuple)"),
        ("set", {1}, "$ (type set)"),
        ("frozenset", frozenset({1}), "$ (type frozenset)"),
        ("bytes", b"x", "$ (type bytes)"),
        ("bytes no utf-8", b"\xff", "$ (type bytes)"),
        ("bytearray", bytearray(b"x"), "$ (type bytearray)"),
        ("memoryview", memoryview(b"x"), "$ (type memoryview)"),
        ("complex", 1j, "$ (type complex)"),
        ("decimal", Decimal("1.1"), "$ (type decimal.Decimal)"),
        ("fraction", fractions.Fraction(1, 3), "$ (type fractions.Fraction)"),
        ("datetime", dt.datetime(2020, 1, 1), "$ (type datetime.datetime)"),  # noqa: DTZ001
        ("date", dt.date(2020, 1, 1), "$ (type datetime.date)"),
        ("time", dt.time(1), "$ (type datetime.time)"),
        ("timedelta", dt.timedelta(1), "$ (type datetime.timedelta)"),
        ("uuid", uuid.UUID(int=1), "$ (type uuid.UUID)"),
        ("path", Path("a"), f"(type {type(Path()).__module__}.{type(Path()).__name__})"),
        ("pure path", PurePosixPath("a"), f"(type {PurePosixPath.__module__}.PurePosixPath)"),
        ("enum", Colour.RED, "$ (type Colour)"),
        ("str enum", Word.RED, "$ (type Word)"),
        ("int enum", Number.ONE, "$ (type Number)"),
        ("enum inside", {"c": [Word.RED]}, "$.c[0] (type Word)"),
        ("enum key", {Word.RED: 1}, "the key"),
        ("int key", {1: "a"}, "the key 1 of $ (type int) can't be stored: keys are text"),
        ("colliding keys", {1: "a", "1": "b"}, "the key 1 of $"),
        ("None key", {None: 1}, "keys are text"),
        ("tuple key", {"a": {(1, 2): 3}}, "the key (1, 2) of $.a (type tuple)"),
        ("bytes key", {b"a": 1}, "(type bytes)"),
        ("bool key", {True: 1}, "(type bool)"),
        (
            "model",
            Named(name="a"),
            "$ (type Named) can't be stored without a schema; annotate the return type with Named",
        ),
        ("model inside", {"a": [Named(name="a")]}, "$.a[0] (type Named)"),
        ("dataclass", Point(1), "annotate the return type with Point"),
        ("namedtuple", Pair(1, 2), "(type Pair)"),
        ("deque", deque([1]), "(type collections.deque)"),
        ("chain map", ChainMap({}), "(type collections.ChainMap)"),
        ("range", range(3), "(type range)"),
        ("dict view", {}.keys(), "(type dict_keys)"),
        ("map", map(str, []), "(type map) can't be stored"),
        ("generator", (n for n in "ab"), "$ (type generator) can't be stored"),
        ("endless generator", (n for n in itertools.count()), "$ (type generator) can't be stored"),
        ("endless inside", {"a": [(n for n in itertools.count())]}, "$.a[0] (type generator)"),
        ("counter", itertools.count(), "(type itertools.count)"),
        ("iterator", iter([1]), "(type list_iterator)"),
        ("lock", lock, "$ (type _thread.lock) can't be stored"),
        ("lock inside", {"items": [0, 0, 0, {"lock": lock}]}, "$.items[3].lock (type _thread.lock) can't be stored"),
        ("odd key path", {"a b": [lock]}, "$['a b'][0] (type _thread.lock)"),
        ("open file", io.StringIO(), "(type _io.StringIO) can't be stored"),
        ("function", len, "(type builtin_function_or_method)"),
        ("lambda", lambda: 1, "(type function)"),
        ("class", Named, "can't be stored"),
        ("module", sys, "(type module)"),
        ("exception", ValueError("x"), "(type ValueError) can't be stored"),
        ("object", object(), "(type object)"),
        ("coroutine", running, "(type coroutine)"),
        ("event", asyncio.Event(), "(type asyncio.locks.Event)"),
        ("thread", threading.current_thread(), "can't be stored"),
        ("pattern", re.compile("a"), "(type re.Pattern)"),
        ("weak reference", weakref.ref(Named), "can't be stored"),
        ("namespace", types.SimpleNamespace(a=1), "(type types.SimpleNamespace)"),
        ("code", compile("1", "x", "eval"), "(type code)"),
        ("syntax tree", ast.parse("1"), "(type ast.Module)"),
        ("ellipsis", ..., "(type ellipsis)"),
        ("not implemented", NotImplemented, "(type NotImplementedType)"),
        ("raises when compared", Odd(), "(type tests.unit.codec_samples.Odd)"),
        ("cyclic", cyclic(), "contains itself"),
        ("deep", nested(100), "nested more than 100 deep"),
        ("very deep", nested(100_000), "nested more than 100 deep"),
        ("deep special", nested(150, [math.nan]), "nested more than 100 deep"),
        ("deep dict", json.loads('{"a":' * 101 + "1" + "}" * 101), "nested more than 100 deep"),
    ]


text = st.text(st.characters(exclude_categories=()), max_size=8)
