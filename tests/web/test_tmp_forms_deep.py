"""Whatever the schema and the value: what a form shows is what it sends back."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.forms import MISSING, build, parse
from tests.web.browser_form import sent

Pair = tuple[dict[str, Any], Any]

TEXTS = st.text(max_size=12) | st.sampled_from(["", " ", "null", "true", "1", "a\nb", "\n", "a\r\n", "<b>", "é\ud800"])
TYPED = TEXTS.filter(str.isprintable)  # on one line, and no half of a character: that can't be typed
NAMES = st.sampled_from(["a", "b_c", "d.e", "f g", "@x", "", "~", "$", "_mode", "é", "0", "1", "key", "value"]) | TEXTS


@st.composite
def described(draw: st.DrawFn, schemas: st.SearchStrategy[dict[str, Any]]) -> dict[str, Any]:
    notes = {"title": TEXTS, "description": TEXTS}
    return {**draw(schemas), **draw(st.fixed_dictionaries({}, optional=notes))}


def of(schema: dict[str, Any], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Pair]:
    return st.tuples(described(st.just(schema)), values)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)
MOMENTS = st.builds(
    lambda when, zone: when.isoformat() + zone, st.datetimes(), st.sampled_from(["", "Z", "+02:00", "-11:30"])
)
LEAVES = st.one_of(
    of({"type": "string"}, TEXTS),
    of({"type": "string", "maxLength": 900}, TEXTS),
    of({"type": "integer"}, st.integers()),
    of({"type": "number"}, st.floats(allow_nan=False, allow_infinity=False) | st.integers()),
    of({"type": "boolean"}, st.booleans()),
    of({"type": "boolean", "default": True}, st.booleans()),
    of({"type": "string", "format": "date"}, st.dates().map(str)),
    of({"type": "string", "format": "time"}, st.times().map(str)),
    of({"type": "string", "format": "date-time"}, MOMENTS),
    of({}, JSON),
    st.lists(st.integers(0, 3) | TEXTS | st.booleans() | st.none(), min_size=1, max_size=7, unique_by=repr).flatmap(
        lambda values: of({"enum": values}, st.sampled_from(values))
    ),
)


@st.composite
def objects(draw: st.DrawFn, parts: st.SearchStrategy[Pair]) -> Pair:
    schema: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
    value = {}
    for name in draw(st.lists(NAMES, max_size=4, unique=True)):
        part, inner = draw(parts)
        schema["properties"][name] = part
        # What has a default comes back with it: so it is never absent here.
        if "default" in part or draw(st.booleans()):
            schema["required"] += [name] * draw(st.integers(0, 1))
            value[name] = inner
    if draw(st.booleans()):
        more = draw(st.dictionaries(NAMES, JSON, max_size=1))
        value |= {key: part for key, part in more.items() if key not in schema["properties"]}
    return schema, value


@st.composite
def lists(draw: st.DrawFn, parts: st.SearchStrategy[Pair]) -> Pair:
    part, inner = draw(parts)
    return {"type": "array", "items": part}, [inner] * draw(st.integers(0, 3))


@st.composite
def dicts(draw: st.DrawFn, parts: st.SearchStrategy[Pair]) -> Pair:
    part, inner = draw(parts)
    return {"type": "object", "additionalProperties": part}, dict.fromkeys(draw(st.lists(NAMES, max_size=3)), inner)


@st.composite
def unions(draw: st.DrawFn, parts: st.SearchStrategy[Pair]) -> Pair:
    pairs = draw(st.lists(parts, min_size=2, max_size=3))
    return {"anyOf": [schema for schema, _ in pairs]}, draw(st.sampled_from(pairs))[1]


@st.composite
def optional(draw: st.DrawFn, parts: st.SearchStrategy[Pair]) -> Pair:
    schema, value = draw(parts)
    default = {"default": None} if draw(st.booleans()) else {}
    return {"anyOf": [schema, {"type": "null"}], **default}, draw(st.sampled_from([value, None]))


PAIRS = st.recursive(
    LEAVES,
    lambda parts: objects(parts) | lists(parts) | dicts(parts) | unions(parts) | optional(parts),
    max_leaves=6,
)
SLOW = settings(
    deadline=None, max_examples=2500, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def exact(value: Any) -> str:
    """Where 1 is not True, and not 1.0."""
    return repr(value) if value is MISSING else json.dumps(value, sort_keys=True)


@SLOW
@given(PAIRS)
def test_what_is_shown_is_what_is_sent(pair: Pair) -> None:
    schema, value = pair
    view = build(schema, value)
    parsed = parse(schema, sent(view))
    assert (exact(parsed.value), parsed.errors) == (exact(value), {})


@SLOW
@given(PAIRS)
def test_the_json_editor_carries_the_same_value_there_and_back(pair: Pair) -> None:
    schema, value = pair
    there = parse(schema, sent(build(schema, value), button="mode:json"))
    assert (exact(there.value), there.errors) == (exact(value), {})
    back = parse(schema, sent(build(schema, typed=there.typed), button="mode:form"))
    assert (exact(back.value), back.errors) == (exact(value), {})
    assert sorted(sent(build(schema, typed=back.typed))) == sorted(sent(build(schema, value)))


@SLOW
@given(PAIRS, st.data())
def test_whatever_is_typed_is_shown_again(pair: Pair, data: st.DataObject) -> None:
    schema, value = pair
    items = sent(build(schema, value))
    typed = [(name, data.draw(TYPED) if "@" not in name and name.startswith("$") else text) for name, text in items]
    parsed = parse(schema, typed)
    again = sent(build(schema, typed=parsed.typed, errors=parsed.errors))
    assert exact(parse(schema, again).value) == exact(parsed.value)
