"""The stored form: what comes back equal, what is refused, and in which words."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter, OrderedDict, defaultdict

import pytest
from hypothesis import given, settings

from engine import codec
from engine.parts import difference
from engine.schema import ANY, plain
from tests.unit.codec_samples import BIG, back, json_values, nested

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
