"""The stored form: what comes back equal, what is refused, and in which words."""

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
from collections import ChainMap, Counter, OrderedDict, defaultdict, deque, namedtuple
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from engine import codec
from engine.errors import DataFault, NotSerializable
from engine.parts import difference
from engine.schema import ANY, MAX_VALUE_BYTES, compile_schema, plain

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


# -- plain values


@pytest.mark.parametrize(
    "value",
    [
        None, True, False, 0, -1, 2**63, 2**70, -(2**70), 1.5, -0.0, 5e-324, 1e308, math.inf, -math.inf, math.nan,
        "", "text", "\0", "\x01\x1f\x7f", "\u202eabc", "\N{GRINNING FACE}", "\ud800", "a\udfffb", "\ud83d\ude00",
        "\\ud800", [], {}, [[]], {"": ""}, {"\ud800": "\ud800\\n"}, {"\ufffd": 1}, BIG, -BIG, [BIG, {"n": -BIG}],
        10**3999, 10**4299, 10**4300, "1" * 9000, {"a": [1, {"b": None}]}, {"$engine": 1}, {"$engine:float": "NaN"},
        {"$engine:int": "0x1"}, {"$engine:key:a": {"$engine:str": "x"}}, {"$engine:float": "NaN", "b": math.nan},
        ["$engine:float"], nested(99), {"a": nested(98)},
    ],
    ids=itertools.count(),
)  # fmt: skip
def test_a_plain_value_comes_back_equal(value: object) -> None:
    data = ANY.encode(value)
    returned = ANY.decode(data)
    assert difference(value, returned) is None
    assert type(returned) is type(value)
    json.loads(data)
    data.decode("utf-8")


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


@settings(deadline=None, max_examples=300)
@given(json_values)
def test_every_plain_value_comes_back_equal(value: object) -> None:
    data = ANY.encode(value)
    assert difference(value, ANY.decode(data)) is None
    codec.plain(data)
    # A second pass changes nothing: what came back is stored in the same way.
    assert ANY.encode(ANY.decode(data)) == data


@settings(deadline=None, max_examples=100)
@given(json_values)
def test_what_is_shown_is_text_that_any_browser_takes(value: object) -> None:
    shown = plain(ANY.encode(value))
    json.dumps(shown, allow_nan=False).encode()


def test_subclasses_of_plain_types_are_stored_as_what_they_equal() -> None:
    class Text(str):
        __slots__ = ()

    ordered = OrderedDict(a=1, b=[Text("x")])
    assert back(ordered) == {"a": 1, "b": ["x"]}
    assert type(back(ordered)) is dict
    assert back(defaultdict(int, a=1)) == {"a": 1}
    assert back(Counter("aa")) == {"a": 2}
    assert type(back(Text("x"))) is str


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
        ("path", Path("a"), "(type pathlib.PosixPath)" if sys.platform != "win32" else "Path"),
        ("pure path", PurePosixPath("a"), "(type pathlib.PurePosixPath)"),
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
        ("raises when compared", Odd(), "(type tests.unit.test_codec.Odd)"),
        ("cyclic", cyclic(), "contains itself"),
        ("deep", nested(100), "nested more than 100 deep"),
        ("very deep", nested(100_000), "nested more than 100 deep"),
        ("deep special", nested(150, [math.nan]), "nested more than 100 deep"),
        ("deep dict", json.loads('{"a":' * 101 + "1" + "}" * 101), "nested more than 100 deep"),
    ]


@pytest.mark.parametrize(("value", "message"), [pytest.param(v, m, id=name) for name, v, m in refused_values()])
def test_what_has_no_stored_form_is_refused_by_path_and_type(value: object, message: str) -> None:
    with pytest.raises(NotSerializable) as caught:
        ANY.encode(value)
    assert message in str(caught.value)


@pytest.mark.parametrize(("value", "message"), [pytest.param(v, m, id=name) for name, v, m in refused_values()])
def test_a_part_of_type_any_follows_the_same_rules(value: object, message: str) -> None:
    class Holder(BaseModel):
        name: str
        part: Any

    with pytest.raises(NotSerializable) as caught:
        compile_schema(Holder).encode(Holder(name="a", part=value))
    assert "$.part" in str(caught.value) or "nested more than 100 deep" in str(caught.value)


def test_shared_parts_are_stored_twice_and_cannot_run_away() -> None:
    part = [1]
    assert back([part, part]) == [[1], [1]]
    for _ in range(9):
        part = [part] * 10
    part = [part] * 10
    with pytest.raises(NotSerializable, match="items"):
        ANY.encode([part] * 10)


def test_a_value_over_the_limit_is_refused_with_its_size() -> None:
    assert ANY.encode("x" * (MAX_VALUE_BYTES - 2)).endswith(b'x"')
    for schema in (ANY, compile_schema(str), compile_schema(Any)):
        with pytest.raises(NotSerializable, match=r"33\.0 MiB when stored, and the limit is 32 MiB"):
            schema.encode("x" * (33 * 2**20))


def test_a_million_keys_are_stored() -> None:
    value = {str(n): n for n in range(1_000_000)}
    assert back(value) == value


@pytest.mark.parametrize("data", [b"", b"{", b"[" * 100_000, b'{"$engine:int":"zz"}', b'{"$engine:float":1e', b"\xff"])
def test_what_was_never_stored_is_a_fault_and_no_crash(data: bytes) -> None:
    with pytest.raises(DataFault):
        ANY.decode(data)


def test_what_json_cannot_say_is_shown_readably() -> None:
    value = {"nan": math.nan, "text": "a\ud800", "big": 10**4000, "\ud800": 1, "$engine": 2, "huge": BIG}
    shown = plain(ANY.encode(value))
    assert shown == {
        "nan": "NaN",
        "text": "a\\ud800",
        "big": str(10**4000),
        "\\ud800": 1,
        "$engine": 2,
        "huge": hex(BIG),
    }


# -- typed values


@pytest.mark.parametrize(
    ("source", "value"),
    [
        (float, math.nan), (float, -math.inf), (float | None, math.nan), (list[float], [math.nan, 1.0]), (int, 2**70),
        (int, BIG), (list[int], [BIG, -BIG]), (Decimal, Decimal("1.10")), (Decimal, Decimal("1E+400")),
        (tuple[int, str], (1, "a")), (tuple[int, ...], (1, 2)), (set[int], {1, 2}), (frozenset[str], frozenset("ab")),
        (bytes, b"\xff\x00"), (set[bytes], {b"\xff"}), (dict[bytes, int], {b"\xff": 1}), (str, "\ud800\0\x01\u202e"),
        (list[str], ["\ud83d\ude00", "a"]), (dt.date, dt.date(1, 1, 1)), (dt.time, dt.time(1, 2, 3, 4)),
        (dt.datetime, dt.datetime(2020, 1, 1, 1, 1, 1, 1)),  # noqa: DTZ001
        (dt.datetime, dt.datetime(9999, 12, 31, 23, 59, 59, 999999, dt.timezone(-dt.timedelta(hours=23, minutes=59)))),
        (dt.timedelta, dt.timedelta(microseconds=-1)), (dt.timedelta, dt.timedelta.min),
        (dt.timedelta, dt.timedelta.max), (uuid.UUID, uuid.UUID(int=5)), (Path, Path("a/b")), (Colour, Colour.RED),
        (Word, Word.RED),
        (Number, Number.ONE),
        (dict[int, str], {1: "a", 2**70: "b"}), (dict[float, int], {math.inf: 1}), (dict[bool, int], {True: 1}),
        (dict[dt.date, int], {dt.date(1, 1, 1): 1}), (dict[Colour, int], {Colour.RED: 1}), (complex, 1 + 2j),
        (dict[str, int], {"$engine:float": 1}), (Named, Named(name="\ud800")), (None, None),
        (Point, Point(1, math.nan)),
        (int | str, "5"), (int | str, 5), (list[Point], [Point(1)]), (Any, {"a": [1, math.nan, BIG, "\ud800"]}),
        (object, [1]), (list, [1, "a"]), (dict, {"a": 1}), (Pair, Pair(1, 2)), (deque[int], deque([1])),
    ],
    ids=itertools.count(),
)  # fmt: skip
def test_a_typed_value_comes_back_equal(source: Any, value: object) -> None:
    schema = compile_schema(source)
    assert difference(value, schema.validate(value)) is None
    data = schema.encode(value)
    assert difference(value, schema.decode(data)) is None
    assert json.loads(data) is not ...
    plain(data)


@dataclasses.dataclass
class Leaf:
    flag: bool
    when: dt.datetime
    span: dt.timedelta
    raw: bytes


class Tree(BaseModel):
    name: str
    weight: float
    amount: Decimal
    count: int
    leaf: Leaf | None
    kids: list[Tree]
    tags: set[str]
    pair: tuple[int, str]
    by_id: dict[int, float]
    colour: Colour
    free: Any = None


text = st.text(st.characters(exclude_categories=()), max_size=8)
decimals = st.decimals(allow_nan=False, allow_infinity=False)
zones = (
    st.timezones() | st.none() | st.builds(dt.timezone, st.timedeltas(dt.timedelta(hours=-23), dt.timedelta(hours=23)))
)
leaves = st.builds(
    Leaf, flag=st.booleans(), when=st.datetimes(timezones=st.none()), span=st.timedeltas(), raw=st.binary(max_size=8)
)


def trees(kids: st.SearchStrategy[list[Tree]]) -> st.SearchStrategy[Tree]:
    return st.builds(
        Tree,
        name=text,
        weight=st.floats(),
        amount=decimals,
        count=st.integers() | st.just(BIG),
        leaf=st.none() | leaves,
        kids=kids,
        tags=st.sets(text, max_size=3),
        pair=st.tuples(st.integers(), text),
        by_id=st.dictionaries(st.integers(), st.floats(), max_size=3),
        colour=st.sampled_from(Colour),
        free=json_values,
    )


@settings(deadline=None, max_examples=150)
@given(trees(st.lists(trees(st.just([])), max_size=2)))
def test_models_come_back_equal_or_are_refused(tree: Tree) -> None:
    schema = compile_schema(Tree)
    try:
        data = schema.encode(tree)
    except NotSerializable:
        # Bytes and what JSON can't say in one value: the two fallbacks exclude each other.
        assert tree.leaf is not None or any(kid.leaf is not None for kid in tree.kids)
        return
    assert difference(tree, schema.decode(data)) is None


@settings(deadline=None, max_examples=200)
@given(st.datetimes(timezones=zones))
def test_a_moment_comes_back_equal_or_is_refused(moment: dt.datetime) -> None:
    schema = compile_schema(dt.datetime)
    try:
        data = schema.encode(moment)
    except NotSerializable:
        offset = moment.utcoffset()
        assert offset is not None
        assert offset.total_seconds() % 60
        return
    assert difference(moment, schema.decode(data)) is None
