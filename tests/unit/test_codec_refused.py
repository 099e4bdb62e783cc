"""The stored form: what comes back equal, what is refused, and in which words."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import json
import math
import uuid
from collections import deque
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from engine.errors import DataFault, NotSerializable
from engine.parts import difference
from engine.schema import ANY, MAX_VALUE_BYTES, compile_schema, plain
from tests.unit.codec_samples import (
    BIG,
    Colour,
    Named,
    Number,
    Pair,
    Point,
    Word,
    back,
    json_values,
    refused_values,
    text,
)


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
    part: list[object] = [1]
    assert back([part, part]) == [[1], [1]]
    part *= 3_400_000
    for _ in range(2):
        part = [part] * 5_000_000  # not yet too many, if each were looked at once
    with pytest.raises(NotSerializable, match="items"):
        ANY.encode(part)


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
