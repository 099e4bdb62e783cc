"""The language of conditions, templates, and paths."""

from __future__ import annotations

import contextlib
import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from engine.errors import ExpressionError, MissingPath
from engine.expressions import MAX_LENGTH, MAX_NESTING, parse, parse_template, read_path
from tests.unit.expressions_samples import Mood, Weather, lookup, lookup_in, value_of


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name > 1", "a str and an int can't be compared with >"),
        ("nothing < 1", "None and an int"),
        ("items < 1", "a list and an int"),
        ("day > '2020-01-01'", "a date and a str"),
        ("1 in n", "not an int"),
        ("1 in 'abc'", "an int can't be in a str"),
        ("name * 3", "'*' needs two numbers, not a str and an int"),
        ("items * 3", "needs two numbers"),
        ("items + items", "needs two numbers"),
        ("'%s' % name", "needs two numbers"),
        ("name - 1", "'-' needs two numbers"),
        ("name + 1", "'+' needs two numbers, not a str and an int"),
        ("-name", "'-' needs a number, not a str"),
        ("1 / 0", "division by zero"),
        ("1 % 0", "division by zero"),
        ("price / 0", "division by zero"),
        ("x + price", "can't be combined"),
        ("big / 2", "can't be combined"),
        ("big * big", "too large"),
        ("len(n)", "len() needs a list"),
        ("lower(n)", "lower() needs a str"),
        ("abs(name)", "abs() needs a number"),
        ("min([])", "empty list"),
        ("min(1, 'a')", "can't compare"),
        ("max(n)", "needs a list or several values"),
        ("round(name)", "needs a number"),
        ("round(1, 999999999)", "at most 30"),
        ("round(1e300 * 1e300)", "can't be rounded"),
    ],
)
def test_an_operation_that_the_types_do_not_have_names_them(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        value_of(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("unknown", "'unknown' is missing: there is no 'unknown'"),
        ("state.closed", "'state.closed' is missing: 'state' has open, deep, a b, _id, and"),
        ("state.deep.x.y", "'state.deep.x.y' is missing: 'state.deep' has er"),
        ("items[9]", "'items[9]' is missing: 'items' has 3 items"),
        ("state[0]", "'state' is a dict, not a list"),
        ("nothing.x", "'nothing.x' is missing: 'nothing' is None"),
        ("n.real", "'n.real' is missing: 'n' is an int and has no fields"),
        ("name.upper", "'name' is a str and has no fields"),
        ("weather.secret", "'weather' has rain_mm, mood, hours"),
        ("weather.derived", "'weather.derived' is missing"),
        ("weather['_hidden']", "is missing"),
        ("weather['__class__']", "is missing"),
        ("point['_y']", "'point' has x"),
        ("items.append", "'items' is a list and has no fields"),
        ("items['0']", "has no fields"),
        ("steps.unknown.x", "'steps.unknown' is missing: 'steps' has fetch, skipped"),
        ("steps.fetch.nope", "'steps.fetch.nope' is missing: 'steps.fetch' has ok"),
    ],
)
def test_a_missing_path_is_named_with_what_was_there(text: str, message: str) -> None:
    with pytest.raises(MissingPath) as caught:
        value_of(text)
    assert message in str(caught.value)


def test_the_names_that_an_expression_reads() -> None:
    text = "n > 5 and state.open and x.y[0].z == 'q' and exists(maybe.there) and len(items['k'].m) > not other"
    with pytest.raises(ExpressionError):
        parse(text)
    made = parse(text.replace("> not other", "> 1 or not other"))
    assert made.names == {("n",), ("state", "open"), ("x", "y"), ("items", "k", "m"), ("other",)}


def test_limits_of_length_and_nesting() -> None:
    with pytest.raises(ExpressionError, match=r"at most 2,000"):
        parse("n" + " " * MAX_LENGTH)
    for opening, closing in (("(", ")"), ("[", "]"), ("not ", ""), ("-", ""), ("len(", ")")):
        parse(opening * (MAX_NESTING - 1) + "n" + closing * (MAX_NESTING - 1))
        with pytest.raises(ExpressionError, match="nested more than 50 deep"):
            parse(opening * (MAX_NESTING + 1) + "n" + closing * (MAX_NESTING + 1))
    assert parse("+".join(["1"] * 1000)).evaluate(lookup) == 1000
    assert parse(" or ".join(["0"] * 300)).evaluate(lookup) == 0
    with pytest.raises(ExpressionError, match="too large"):
        parse("*".join(["9" * 250] * 7) + "*" + "*".join(["b"] * 100)).evaluate(lambda _: 10**1000)


def test_equal_texts_are_equal_expressions() -> None:
    assert parse("n > 1") == parse("n > 1")
    assert parse("n > 1") != parse("n > 2")
    assert hash(parse("n > 1")) == hash(parse("n > 1"))
    assert parse("n > 1").text == "n > 1"


@settings(deadline=None, max_examples=300)
@given(st.text(st.sampled_from("n.x[]()'\"0123456789+-*/%<>=! andortiTF_\\,{}$"), max_size=30) | st.text(max_size=20))
def test_any_text_is_an_expression_or_an_error(text: str) -> None:
    with contextlib.suppress(ExpressionError, MissingPath):
        parse(text).evaluate(lookup)


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=30))
def test_a_quoted_text_is_itself(text: str) -> None:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    assert parse(f"'{escaped}'").evaluate(lookup) == text


@settings(deadline=None, max_examples=100)
@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(1, 50))
def test_arithmetic_is_that_of_python(a: int, b: int, c: int) -> None:
    made = parse("a + b * -c - (a - b) % c < a / c or not (a <= b and b != c)")
    expected = a + b * -c - (a - b) % c < a / c or not (a <= b and b != c)
    assert made.evaluate(lookup_in({"a": a, "b": b, "c": c})) is expected


# -- templates

TEMPLATE_DATA: dict[str, Any] = {
    "init": {"name": "Ada", "n": 3, "ok": True, "none": None, "list": [1, "a"], "w": Weather(rain_mm=1.0)},
    "steps": {"fetch": {"city": "London"}, "a-b": {"c d": [5]}, "skipped": None, "text": "plain"},
    "state": {
        "price": Decimal("1.10"),
        "day": dt.date(2020, 1, 2),
        "mood": Mood.GOOD,
        "x": 2.5,
        "secret": SecretStr("s"),
    },
    "value": {"k": "v", "bad": "\ud800", "nested": {"bad": "\ud800"}},
    "context": {"key": 10**30},
    "iteration": 2,
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("plain", "plain"),
        ("Hello ${init.name}!", "Hello Ada!"),
        ("${init.name}${init.name}", "AdaAda"),
        ("${ init.name }", "Ada"),
        ("${init.n} ${init.ok} ${state.x}", "3 true 2.5"),
        ("[${init.none}]", "[]"),
        ("${init.list}", '[1,"a"]'),
        ("${init.list[1]}", "a"),
        ("${init.w.mood} ${init.w.hours}", 'good [{"a b":1},{"a b":2}]'),
        ("${steps.fetch.city}", "London"),
        ("${steps.fetch}", '{"city":"London"}'),
        ("${steps.a-b['c d'][0]}", "5"),
        ("[${steps.skipped}${steps.skipped.x.y}]", "[]"),
        ("${state.price} ${state.day} ${state.mood}", "1.10 2020-01-02 good"),
        ("${state.secret}", "**********"),
        ("${value.k} ${context.key} ${iteration}", f"v {10**30} 2"),
        ("$${init.name}", "${init.name}"),
        ("costs $5 $$ {x} } $", "costs $5 $$ {x} } $"),
        ("$${a} ${init.n}", "${a} 3"),
        ("${value.bad}", "\ud800"),
        ("${value.nested}", "{'bad': '\\ud800'}"),
    ],
)
def test_a_template_is_filled(text: str, expected: str) -> None:
    assert parse_template(text).render(lookup_in(TEMPLATE_DATA)) == expected


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("a ${}", 2, "empty"),
        ("${  }", 0, "empty"),
        ("a ${init.name", 2, "not closed"),
        ("${other.x}", 0, "starts with 'other'; it can start with context, init"),
        ("${init..x}", 0, "can't be read"),
        ("${init.x()}", 0, "can't be read"),
        ("${init x}", 0, "can't be read"),
        ("${.}", 0, "can't be read"),
        ("${1}", 0, "can't be read"),
        ("${[0]}", 0, "starts with 0"),
    ],
)
def test_a_bad_placeholder_is_refused_where_it_is(text: str, position: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_template(text)
    assert message in str(caught.value)
    assert caught.value.position == position


def test_the_names_that_a_template_reads() -> None:
    made = parse_template("${init.x} ${steps.id.y[0].z} $${state.no} ${state['a b']} ${iteration}")
    assert made.names == {("init", "x"), ("steps", "id", "y"), ("state", "a b"), ("iteration",)}


def test_a_missing_path_in_a_template_is_named() -> None:
    with pytest.raises(MissingPath, match=r"'init\.nope' is missing: 'init' has name, n"):
        parse_template("${init.nope}").render(lookup_in(TEMPLATE_DATA))


# -- paths


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", {"a": {"b": [{"c": 1}], "d e": 2, "x-y": 3}}),
        (".", {"a": {"b": [{"c": 1}], "d e": 2, "x-y": 3}}),
        ("a.b[0].c", 1),
        ("a.b[-1].c", 1),
        ("a['d e']", 2),
        ('a["d e"]', 2),
        ("a.x-y", 3),
        ("['a'].b[0]", {"c": 1}),
    ],
)
def test_a_path_is_read(path: str, expected: object) -> None:
    assert read_path({"a": {"b": [{"c": 1}], "d e": 2, "x-y": 3}}, path) == expected


def test_a_path_starts_anywhere() -> None:
    assert read_path([[1, 2]], "[0][1]") == 2
    assert read_path(Weather(rain_mm=1), "rain_mm") == 1
    with pytest.raises(MissingPath, match=r"'\[3\]' is missing: the value has 1 items"):
        read_path([0], "[3]")
    with pytest.raises(MissingPath, match=r"'a.x' is missing: 'a' has b"):
        read_path({"a": {"b": 1}}, "a.x")


@pytest.mark.parametrize(
    "path", ["a.", ".a", "a..b", "a[", "a[x]", "a b", "[0]a", "a.[0]", "a()", "-", "a[1.5]", "x" * 501]
)
def test_a_bad_path_is_refused(path: str) -> None:
    with pytest.raises(ExpressionError):
        read_path({"a": 1}, path)
