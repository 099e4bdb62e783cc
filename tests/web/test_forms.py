"""Every kind of field: shown, sent by a browser, and read back as the value it was."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NotRequired

import pytest
from pydantic import BaseModel, Field, SecretStr, TypeAdapter
from typing_extensions import TypedDict

from studio.forms import MISSING, FormView, build, parse
from tests.web.browser_form import Page, html_of, sent, typed


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Address(BaseModel):
    city: str = Field(min_length=1)
    zip: str | None = None


class Card(BaseModel):
    kind: Literal["card"] = "card"
    number: str


class Cash(BaseModel):
    kind: Literal["cash"] = "cash"
    coins: int = 0


class Tree(BaseModel):
    name: str
    parts: list[Tree] = []


class Loose(TypedDict):
    a: int
    b: NotRequired[str]
    c: NotRequired[str | None]
    d: NotRequired[Address]
    e: NotRequired[bool]


def schema_of(kind: Any) -> dict[str, Any]:
    return TypeAdapter(kind).json_schema()


def returned(schema: dict[str, Any], value: Any = MISSING) -> Any:
    parsed = parse(schema, sent(build(schema, value)))
    assert parsed.errors == {}
    return parsed.value


Pay = Annotated[Card | Cash, Field(discriminator="kind")]
VALUES: list[tuple[Any, Any]] = [
    (str, "plain"), (str, ""), (str, " two  spaces "), (str, "two\nlines\n"), (str, "\nfirst"), (str, "a\r\nb\rc"),
    (str, 'quotes " and \' & <b>'), (str, "nul \0 and half \ud800"), (str, "null"), (str, "line\u2028sep"),
    (int, 0), (int, -7), (int, 2**70), (int, 123456789012345678901234567890),
    (float, 1.5), (float, 3), (float, 1e22), (float, 0.1), (float, -0.0), (float, 5e-324),
    (bool, True), (bool, False), (bool | None, None), (bool | None, False),
    (Literal["a", "b"], "b"), (Literal["a", 3, True, None], 3), (Literal["1", 1], 1), (Literal["1", 1], "1"),
    (Literal["", "x", "y"], ""), (Literal["one", "two", "three", "four", "five"], "four"), (Colour, "blue"),
    (Literal["only"], "only"), (Literal["a", "b"] | None, None), (Literal["only"] | None, "only"),
    (date, "2026-11-22"), (time, "14:02:00"), (time, "09:30"), (time, "14:02:00.123456"), (time, "14:02:00Z"),
    (datetime, "2026-11-22T14:02:16Z"), (datetime, "2026-11-22T14:02:16.5+02:00"), (datetime, "2026-11-22T14:02:16"),
    (datetime, "2026-11-22 14:02"), (datetime, "2026-11-22T14:02:16.123456Z"), (datetime | None, None),
    (int | None, None), (int | None, 4), (str | None, ""), (str | None, None), (str | None, "x"),
    (Address, {"city": "Wien", "zip": None}), (Address, {"city": "Wien", "zip": "1010"}), (Address | None, None),
    (Address | None, {"city": "Graz", "zip": ""}), (list[str], []), (list[str], ["a", "", "b\nc"]),
    (list[int], [3, 1, 2]), (list[bool], [True, False]), (list[int | None], [1, None]), (set[str], ["a", "b"]),
    (list[Address], [{"city": "A", "zip": None}, {"city": "B", "zip": "2"}]), (list[list[int]], [[1, 2], [], [3]]),
    (list[int] | None, None), (list[int] | None, []), (list[int], list(range(150))), (tuple[int, str], [1, "a"]),
    (dict[str, int], {}), (dict[str, int], {"a b.c": 1, "0": 2, "@": 3, "é~": 4}), (dict[str, int], {"": 1}),
    (dict[str, Address], {"x": {"city": "A", "zip": None}}), (dict[str, list[int]], {"x": [1], "y": []}),
    (Pay, {"kind": "cash", "coins": 3}), (Pay, {"kind": "card", "number": "12"}), (Pay | None, None),
    (int | str, 5), (int | str, "5"), (int | str, "x"), (int | str | None, None),
    (Address | Cash, {"kind": "cash", "coins": 1}),
    (Decimal, "12.50"), (Decimal, 12), (list[Pay], [{"kind": "card", "number": "1"}, {"kind": "cash", "coins": 2}]),
    (Tree, {"name": "a", "parts": [{"name": "b", "parts": []}]}), (dict, {"any": [1, {"thing": None}]}), (Any, None),
    (Any, "text"), (Loose, {"a": 1}), (Loose, {"a": 1, "b": "", "c": None}), (Loose, {"a": 1, "b": "x", "e": False}),
    (Loose, {"a": 1, "d": {"city": "A", "zip": None}, "e": True}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value"), VALUES, ids=repr)
def test_a_value_comes_back_as_it_was(kind: Any, value: Any) -> None:
    class Whole(BaseModel):
        part: kind

    alone = schema_of(kind)
    assert returned(alone, value) == value
    assert repr(returned(alone, value)) == repr(value)  # 1 is not True, and not 1.0
    within = Whole.model_json_schema()
    assert repr(returned(within, {"part": value})) == repr({"part": value})


@pytest.mark.parametrize(("kind", "value"), VALUES, ids=repr)
def test_a_value_comes_back_from_the_json_editor_and_from_both(kind: Any, value: Any) -> None:
    schema = schema_of(kind)
    to_json = parse(schema, sent(build(schema, value), button="mode:json"))
    assert repr((to_json.value, to_json.mode, to_json.errors)) == repr((value, "json", {}))
    view = build(schema, typed=to_json.typed)
    assert repr(parse(schema, sent(view)).value) == repr(value)
    back = parse(schema, sent(view, button="mode:form"))
    assert repr((back.value, back.mode, back.errors)) == repr((value, "form", {}))
    assert repr(parse(schema, sent(build(schema, typed=back.typed))).value) == repr(value)


def test_a_form_without_a_value_shows_the_defaults() -> None:
    class Launch(BaseModel):
        region: Literal["eu", "us"] = "us"
        limit: int = 800
        note: str = "as usual"
        tags: list[str] = ["a"]
        dry: bool = True
        at: Address = Address(city="Wien")

    want = {"region": "us", "limit": 800, "note": "as usual", "tags": ["a"], "dry": True}
    assert returned(Launch.model_json_schema()) == {**want, "at": {"city": "Wien", "zip": None}}


def test_a_number_that_is_the_default_is_shown_as_the_schema_writes_it() -> None:
    class Pay(BaseModel):
        hours: float = 0
        rate: float = 1200.0
        bonus: float | None = 5
        free: float = 1

    view = build(Pay.model_json_schema(), {"hours": 0.0, "rate": 1200, "bonus": 5.0, "free": 2.0})
    shown = {field.label: field.text for field in view.fields}
    assert shown == {"hours": "0", "rate": "1200.0", "bonus": "5", "free": "2.0"}


def test_blank_means_absent_none_or_needed_as_the_schema_says() -> None:
    class Launch(BaseModel):
        needed: str
        count: int
        sure: bool
        pick: Literal["a", "b"]
        when: datetime
        maybe: int | None = None
        note: str = "x"
        amount: float = 1.5
        pay: Pay | None = None

    schema = Launch.model_json_schema()
    items = typed(sent(build(schema)), note="", amount=" ")
    parsed = parse(schema, items)
    assert parsed.value == {"maybe": None, "note": "", "pay": None}
    assert parsed.errors == dict.fromkeys(["needed", "count", "sure", "pick", "when"], "needed")
    assert not parsed.submitted


def test_what_is_not_understood_is_shown_again_as_typed_with_the_error_beside_it() -> None:
    class Launch(BaseModel):
        n: int
        x: float
        day: date
        at: datetime
        t: time
        free: dict[str, Any]
        names: dict[str, int] = {}

    schema = Launch.model_json_schema()
    wrong = {"n": "12 apples", "x": "1,5", "day": "tomorrow", "at": "noon", "t": "25:00", "free": '{"a": '}
    rows = {"names__@rows": "2", "names__@0__key": "a", "names__@0__value": "?", "names__@1__key": "a"}
    parsed = parse(schema, typed(sent(build(schema)), **wrong, **rows))
    assert parsed.errors == {
        "n": "not a whole number",
        "x": "not a number",
        "day": "not a date: YYYY-MM-DD",
        "at": "not a date and time: YYYY-MM-DDTHH:MM:SS",
        "t": "not a time: HH:MM:SS",
        "free": "not JSON: expecting value at line 1, column 7",
        "names.@0.value": "not a whole number",
        "names.@1.value": "needed",
        "names.@1.key": "a key can be there once",
    }
    view = build(schema, typed=parsed.typed, errors=parsed.errors)
    again = dict(sent(view))
    assert {name: again[f"$.{name}"] for name in wrong} == wrong
    once_more = parse(schema, sent(view))
    assert (once_more.value, once_more.errors) == (parsed.value, parsed.errors)
    page = Page(html_of(view))
    for path, message in parsed.errors.items():
        id = f"form.{path}"
        control = next(one for one in page.elements if one.attributes.get("id") == id)
        assert control.attributes["aria-invalid"] == "true"
        said = control.attributes["aria-describedby"].split()[0]
        assert next(one for one in page.elements if one.attributes.get("id") == said).tag == "p"
        assert message in html_of(view).replace("&#39;", "'")
        assert f"#{id}" in [one.attributes["href"] for one in page.of("a")]


def test_a_value_that_does_not_fit_its_field_is_shown_as_json() -> None:
    class Launch(BaseModel):
        n: int
        at: Address
        tags: list[str]
        pick: Literal["a", "b"]
        pay: Pay

    value = {"n": [1], "at": "Wien", "tags": {"a": 1}, "pick": "c", "pay": {"kind": "cheque"}, "more": {"x": 1}}
    schema = Launch.model_json_schema()
    parsed = parse(schema, sent(build(schema, value)))
    assert parsed.value == value
    assert parsed.errors == {"pick": "not one of the choices"}


def test_numbers_are_exact() -> None:
    schema = schema_of(list[int])
    items = [("$.@rows", "3"), ("$.0", " 9007199254740993 "), ("$.1", "+5"), ("$.2", "9" * 5000)]
    parsed = parse(schema, items)
    assert parsed.value[:2] == [9007199254740993, 5]
    assert parsed.errors == {"2": "too many digits"}
    assert parse(schema_of(float), [("$", "1e999")]).errors == {"": "too large"}


def test_a_time_zone_is_stated_and_understood() -> None:
    schema = schema_of(datetime)
    assert build(schema).fields[0].zone is not None
    zones = {"UTC": "Z", "Z": "Z", "": "", "+02:00": "+02:00", "Europe/Vienna": "+01:00"}
    for zone, meant in zones.items():
        parsed = parse(schema, [("$", "2026-11-22T14:02"), ("$.@zone", zone)])
        assert (parsed.value, parsed.errors) == (f"2026-11-22T14:02:00{meant}", {})
    wrong = parse(schema, [("$", "2026-11-22T14:02"), ("$.@zone", "../etc")])
    assert list(wrong.errors) == [""]
    assert dict(sent(build(schema, typed=wrong.typed, errors=wrong.errors)))["$.@zone"] == "../etc"


def test_what_was_typed_into_an_alternative_stays_when_another_is_chosen() -> None:
    class Order(BaseModel):
        pay: Pay

    schema = Order.model_json_schema()
    items = typed(sent(build(schema)), **{"pay__@0__number": "4111", "pay__@tab": "1"})
    parsed = parse(schema, items)
    assert parsed.value == {"pay": {"kind": "cash", "coins": 0}}
    again = typed(sent(build(schema, typed=parsed.typed)), **{"pay__@tab": "0"})
    assert parse(schema, again).value == {"pay": {"kind": "card", "number": "4111"}}


def test_a_secret_never_goes_back_to_the_browser() -> None:
    class Login(BaseModel):
        user: str
        token: SecretStr
        keys: list[SecretStr] = []
        n: int

    schema = Login.model_json_schema()
    value = {"user": "ada", "token": "s3cret-a", "keys": ["s3cret-b"], "n": 1}
    first = parse(schema, typed(sent(build(schema, value)), token="s3cret-c", keys__0="s3cret-d", n="x"))
    assert first.value == {"user": "ada", "token": "s3cret-c", "keys": ["s3cret-d"], "n": "x"}
    to_json = parse(schema, [*typed(sent(build(schema, value)), token="s3cret-e"), ("_action", "mode:json")])
    written = parse(schema, [("_mode", "json"), ("_json", '{"user": "ada", "token": "s3cret-f", "n": 1}')])
    views = [
        build(schema, value),
        build(schema, typed=first.typed, errors=first.errors),
        build(schema, typed=to_json.typed),
        build(schema, typed=written.typed, errors={"n": "no"}),
    ]
    assert [html_of(view) for view in views if "s3cret" in html_of(view)] == []
    # Beside the JSON editor, a secret has its own control.
    answer = parse(schema, typed(sent(views[2]), token="s3cret-g"))
    assert answer.value == {"user": "ada", "token": "s3cret-g", "keys": [""], "n": 1}


def kinds(view: FormView) -> dict[str, str]:
    return {field.label: field.kind for field in view.fields}


def test_each_schema_has_its_control_its_label_and_its_hint() -> None:
    class Launch(BaseModel):
        decision: Literal["approve", "reject", "reduce"]
        region: Literal["a", "b", "c", "d", "e"]
        limit_usd: int = Field(ge=0, lt=9)
        comment: str | None = None
        essay: str = Field(max_length=2000)
        hinted: str = Field(json_schema_extra={"widget": "textarea"})
        titled: str = Field(title="The title", description="What it is for", min_length=2, max_length=2)
        sure: bool
        fast: bool = False
        when: date
        token: SecretStr
        at: Address
        kind: Literal["fixed"] = "fixed"
        tree: list[Tree] = []

    view = build(Launch.model_json_schema())
    assert kinds(view) == {
        "decision": "choice", "region": "select", "limit_usd": "number", "comment": "text", "essay": "long",
        "hinted": "long", "The title": "text", "sure": "choice", "fast": "boolean", "when": "moment",
        "token": "secret", "at": "group", "tree": "list",
    }  # fmt: skip
    hints = {field.label: field.hint for field in view.fields if field.hint}
    assert hints == {
        "limit_usd": "integer · ≥ 0 · < 9", "comment": "optional", "essay": "≤ 2000 characters",
        "The title": "2 characters", "tree": "optional",
    }  # fmt: skip
    assert view.fields[6].description == "What it is for"


def test_references_combinations_and_what_has_no_form() -> None:
    schema = {
        "$defs": {
            "City": {"title": "City", "type": "object", "properties": {"name": {"type": "string"}}},
            "Loop": {"$ref": "#/$defs/Loop"},
            "Wide": {"type": "object", "properties": {f"p{n}": {"$ref": "#/$defs/Deep"} for n in range(60)}},
            "Deep": {"type": "object", "properties": {f"q{n}": {"$ref": "#/$defs/City"} for n in range(60)}},
        },
        "type": "object",
        "properties": {
            "sibling": {"$ref": "#/$defs/City", "description": "mine"},
            "wrapped": {"allOf": [{"$ref": "#/$defs/City"}], "title": "Wrapped up"},
            "both": {"allOf": [{"$ref": "#/$defs/City"}, {"properties": {"zip": {"type": "string"}}}]},
            "loop": {"$ref": "#/$defs/Loop"},
            "nowhere": {"$ref": "#/$defs/Nowhere"},
            "elsewhere": {"$ref": "https://example.com/schema"},
            "either": {"type": ["integer", "string", "null"]},
            "maybe": {"type": ["integer", "null"]},
            "nullable": {"type": "string", "nullable": True},
            "wide": {"$ref": "#/$defs/Wide"},
            "yes": True,
        },
    }
    view = build(schema)
    assert kinds(view) == {
        "sibling": "group", "Wrapped up": "group", "both": "group", "loop": "json", "nowhere": "json",
        "elsewhere": "json", "either": "union", "maybe": "number", "nullable": "text", "wide": "group", "yes": "json",
    }  # fmt: skip
    assert view.fields[0].description == "mine"
    assert [field.label for field in view.fields[2].fields] == ["name", "zip"]
    assert len(html_of(view)) < 6_000_000


@pytest.mark.parametrize(
    "schema", [None, {}, {"type": "thing"}, {"properties": 3}, {"anyOf": "x"}, {"enum": []}, {"items": [1]}]
)
def test_a_strange_schema_is_asked_for_as_json(schema: dict[str, Any] | None) -> None:
    assert [field.kind for field in build(schema).fields] == ["json"]
    assert parse(schema, [("$", '{"a": 1}')]).value == {"a": 1}
