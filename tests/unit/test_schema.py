"""Schemas: what they are made from, what they take, what feeds what, and secrets."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
import time
import warnings
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Annotated, Any, Literal, NotRequired

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    PrivateAttr,
    RootModel,
    Secret,
    SecretBytes,
    SecretStr,
    computed_field,
    field_serializer,
    field_validator,
)
from typing_extensions import TypedDict

from engine.errors import DataError, DataFault, InvalidInput, NotSerializable, SchemaError
from engine.schema import ANY, Schema, compile_schema, feeds, holes_schema, plain


class Place(BaseModel):
    city: str
    zoom: int = 3


class Town(BaseModel):
    town: str


class Spot(BaseModel):
    city: str
    note: str = "none"


class Animal(BaseModel):
    name: str


class Dog(Animal):
    tricks: int = 0


class Zoo(BaseModel):
    animals: list[Animal]
    first: Animal | None = None


class Node(BaseModel):
    kids: list[Node] = []


class Aliased(BaseModel):
    city: str = pydantic.Field(alias="cityName")
    size: int = pydantic.Field(default=0, validation_alias=AliasChoices("s", "sz"), serialization_alias="S")


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


@dataclasses.dataclass
class Point3(Point):
    z: int = 0


@dataclasses.dataclass
class Unequal:
    x: int
    seen: list[int] = dataclasses.field(default_factory=list, compare=False)


class Options(TypedDict):
    depth: int
    name: NotRequired[str]


JSON_SCHEMA: dict[str, Any] = {
    "title": "Order",
    "type": "object",
    "properties": {
        "id": {"type": "integer", "minimum": 1},
        "kind": {"enum": ["a", 2, None, True]},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}, "minItems": 1, "maxItems": 3},
        "note": {"type": ["string", "null"], "maxLength": 5, "default": "-"},
        "code": {"type": "string", "pattern": "^[A-Z]+$", "format": "anything"},
        "price": {"type": "number", "exclusiveMinimum": 0},
        "either": {"anyOf": [{"type": "string"}, {"type": "boolean"}]},
        "both": {"allOf": [{"type": "integer"}, {"maximum": 9}]},
    },
    "required": ["id"],
    "additionalProperties": False,
    "$defs": {
        "Line": {
            "type": "object",
            "properties": {"n": {"const": 1}, "sub": {"$ref": "#/$defs/Line"}},
            "additionalProperties": {"type": "integer"},
        }
    },
}


# -- compiling


@pytest.mark.parametrize(
    ("source", "name", "kind"),
    [
        (None, "any", None),
        (Place, "Place", Place),
        (Point, "Point", Point),
        (Options, "Options", None),
        (list[int], "list[int]", list),
        (dict[str, list[Place]], "dict[str, list[Place]]", dict),
        (tuple[int, ...], "tuple[int, ...]", tuple),
        (int | None, "int | None", None),
        (Literal["a", 1], "Literal['a', 1]", None),
        (Annotated[int, pydantic.Field(gt=1)], "int", int),
        (Colour, "Colour", Colour),
        (JSON_SCHEMA, "Order", None),
        ({"type": "string"}, "string", None),
        ({}, "any", None),
    ],
)
def test_a_schema_has_a_name_and_a_class(source: Any, name: str, kind: type | None) -> None:
    schema = compile_schema(source)
    assert (schema.name, schema.kind, schema.is_any) == (name, kind, source is None)
    assert schema.source is source or schema.source == source
    assert repr(schema) == f"Schema({name})"


def test_the_same_type_is_compiled_once() -> None:
    assert compile_schema(Place) is compile_schema(Place)
    assert compile_schema(list[int]) is compile_schema(list[int])
    assert compile_schema(None) is compile_schema(Any) is compile_schema(object) is ANY
    assert compile_schema(compile_schema(Place)) is compile_schema(Place)
    assert compile_schema(Literal[1]) is not compile_schema(Literal[True])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("Place", "'Place' can't be a schema: give a type"),
        (5, "5 can't be a schema"),
        ([int], "can't be a schema"),
        (object(), "can't be a schema"),
        (type("Plain", (), {}), "Plain can't be a schema: Unable to generate"),
        (Callable[[], int], "a callable can't be stored"),
        (Iterable[int], "a generator can't be stored"),
        (list["Missing"], "can't be a schema"),  # type: ignore[name-defined]  # noqa: F821
        ({"type": "strng"}, "JSON Schema at #: unknown type 'strng'"),
        ({"not": {}}, "JSON Schema at #: the keyword 'not' is not supported"),
        ({"properties": {"a": {"if": {}}}}, "JSON Schema at #/properties/a: the keyword 'if' is not supported"),
        ({"type": "object", "patternProperties": {}}, "'patternProperties' is not supported"),
        ({"$ref": "#/$defs/X"}, "nothing is at '#/$defs/X'"),
        ({"$ref": "other.json"}, "only '#/...' is"),
        ({"enum": []}, "'enum' needs a list"),
        ({"anyOf": {}}, "'anyOf' needs a list"),
        ({"type": "string", "pattern": "("}, "the pattern can't be used"),
        ({"type": "string", "minLength": -1}, "needs a whole number"),
        ({"type": "integer", "minimum": "1"}, "is not a limit"),
        ({"properties": []}, "an object is needed"),
        ({"items": 5}, "JSON Schema at #/items: 5 is not a schema"),
    ],
)
def test_what_cannot_be_a_schema_says_why(source: Any, message: str) -> None:
    with pytest.raises(SchemaError) as caught:
        compile_schema(source)
    assert message in str(caught.value)
    assert isinstance(caught.value, ValueError)


# -- validating


@pytest.mark.parametrize(
    ("source", "value", "expected"),
    [
        (Place, {"city": "Rome"}, Place(city="Rome", zoom=3)),
        (Place, {"city": "Rome", "more": 1}, Place(city="Rome")),
        (Place, Place(city="Rome"), Place(city="Rome")),
        (Place, Spot(city="Rome"), Place(city="Rome")),
        (list[Place], [Spot(city="Rome"), {"city": "Oslo"}], [Place(city="Rome"), Place(city="Oslo")]),
        (dict[str, Place], {"a": Spot(city="Rome")}, {"a": Place(city="Rome")}),
        (Point, {"x": "5"}, Point(5)),
        (Point, Point("5"), Point(5)),  # type: ignore[arg-type]
        (Options, {"depth": 1, "other": 2}, {"depth": 1}),
        (float, 1, 1.0),
        (Colour, "red", Colour.RED),
        (dt.date, "2020-01-01", dt.date(2020, 1, 1)),
        (None, {"a": (1,)}, {"a": (1,)}),
        (Aliased, {"cityName": "Rome", "s": 1}, Aliased(cityName="Rome", sz=1)),
        (Aliased, {"city": "Rome", "size": 1}, Aliased(cityName="Rome", sz=1)),
        (JSON_SCHEMA, {"id": 1}, {"id": 1, "note": "-"}),
    ],
)
def test_data_becomes_a_typed_value(source: Any, value: object, expected: object) -> None:
    result = compile_schema(source).validate(value)
    assert result == expected
    assert type(result) is type(expected)


def test_an_instance_is_not_copied() -> None:
    place = Place(city="Rome")
    assert compile_schema(Place).validate(place) is place


def test_a_misfit_lists_every_problem_with_its_path() -> None:
    with pytest.raises(InvalidInput) as caught:
        compile_schema(list[Place]).validate([{"city": 5}, {"zoom": "x"}], error=InvalidInput, what="input of step 'a'")
    assert str(caught.value) == (
        "input of step 'a': 3 problems: [0].city: Input should be a valid string (got 5); [1].city: Field required; "
        "[1].zoom: Input should be a valid integer, unable to parse string as an integer (got 'x')"
    )
    assert caught.value.path == "$[0].city"
    assert isinstance(caught.value.__cause__, DataFault)
    with pytest.raises(DataFault) as fault:
        compile_schema(int).validate("x" * 1000)
    assert [path for path, _ in fault.value.problems] == ["$"]
    assert len(str(fault.value)) < 200
    with pytest.raises(DataFault, match="and 90 more"):
        compile_schema(list[int]).validate(["x"] * 100)


def test_an_instance_of_another_class_is_told_what_it_lacks() -> None:
    with pytest.raises(DataFault, match=r"^1 problem: city: Field required$"):
        compile_schema(Place).validate(Town(town="Rome"))


def test_an_instance_of_a_plain_dataclass_is_checked() -> None:
    with pytest.raises(DataFault, match="x: Input should be a valid integer"):
        compile_schema(Point).validate(Point("wrong"))  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [RuntimeError("boom"), KeyError("boom"), ValueError("boom"), AssertionError("boom")])
def test_whatever_a_validator_raises_is_a_fault(error: Exception) -> None:
    class Fussy(BaseModel):
        n: int

        @field_validator("n")
        @classmethod
        def check(cls, value: int) -> int:
            if value:
                raise error
            return value

    schema = compile_schema(Fussy)
    with pytest.raises(DataError, match="boom") as caught:
        schema.validate({"n": 1}, error=InvalidInput, what="input")
    if not isinstance(error, (ValueError, AssertionError)):
        assert type(error).__name__ in str(caught.value)
    with pytest.raises(DataFault, match="boom"):
        schema.decode(b'{"n":1}')


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "Input should be a valid dictionary"),
        ({}, "id: Field required"),
        ({"id": True}, "id: Input should be a valid integer (got True)"),
        ({"id": "1"}, "id: Input should be a valid integer"),
        ({"id": 0}, "id: Input should be greater than or equal to 1"),
        ({"id": 1, "kind": 1}, "kind: Input should be 'a' or 2 or None or True"),
        ({"id": 1, "lines": []}, "lines: List should have at least 1 item"),
        ({"id": 1, "lines": [{"n": 2}]}, "lines[0].n: Input should be 1"),
        ({"id": 1, "lines": [{"sub": {"sub": {"x": "y"}}}]}, "lines[0].sub.sub.x: Input should be a valid integer"),
        ({"id": 1, "note": "too long"}, "note"),
        ({"id": 1, "code": "a"}, "code: Input should match '^[A-Z]+$'"),
        ({"id": 1, "price": 0}, "price"),
        ({"id": 1, "either": 1}, "either"),
        ({"id": 1, "both": 10}, "both: Input should be less than or equal to 9"),
        ({"id": 1, "more": 1}, "more: Extra inputs are not permitted"),
    ],
)
def test_a_json_schema_is_strict(value: object, message: str) -> None:
    with pytest.raises(DataFault) as caught:
        compile_schema(JSON_SCHEMA).validate(value)
    assert message in str(caught.value)


def test_a_json_schema_keeps_what_fits() -> None:
    value = {
        "id": 2**70, "kind": None, "lines": [{"n": 1, "sub": {"n": 1, "x": 5}}], "note": None, "code": "AB", "price": 1,
        "either": True, "both": 9,
    }  # fmt: skip
    schema = compile_schema(JSON_SCHEMA)
    assert schema.validate(value) == value
    assert schema.decode(schema.encode(value)) == value
    assert schema.json_schema() is JSON_SCHEMA
    unique = compile_schema({"items": {}, "uniqueItems": True})
    assert unique.validate([1, True, "1"]) == [1, True, "1"]
    with pytest.raises(DataFault, match="unique"):
        unique.validate([1, 1.0])


def deep_list(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def test_deep_and_wide_data_is_refused_or_handled_quickly() -> None:
    start = time.perf_counter()
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"kids": [deep]}
    with pytest.raises(DataFault):
        compile_schema(Node).validate(deep)
    with pytest.raises(DataFault):
        compile_schema({"$ref": "#/$defs/L", "$defs": {"L": {"items": {"$ref": "#/$defs/L"}}}}).validate(
            deep_list(100_000)
        )
    with pytest.raises(DataFault):
        compile_schema(Node).decode(b'{"kids":[' * 100_000)
    node = Node()
    for _ in range(60):
        node = Node(kids=[node])
    with pytest.raises(NotSerializable, match="nested more than 100 deep"):
        compile_schema(Node).encode(node)
    node.kids[0].kids.append(node)
    with pytest.raises(NotSerializable, match="contains itself"):
        compile_schema(Node).encode(node)
    wide = {str(n): n for n in range(1_000_000)}
    schema = compile_schema(dict[str, int])
    assert schema.decode(schema.encode(wide)) == wide
    assert time.perf_counter() - start < 15


# -- storing


def test_the_stored_form_is_json_by_field_names() -> None:
    assert compile_schema(Place).encode(Place(city="Rome")) == b'{"city":"Rome","zoom":3}'
    assert compile_schema(Aliased).encode(Aliased(cityName="Rome", s=1)) == b'{"city":"Rome","size":1}'
    assert compile_schema(Aliased).decode(b'{"city":"Rome","size":1}') == Aliased(cityName="Rome", s=1)
    assert compile_schema(list[dt.date]).encode([dt.date(2020, 1, 1)]) == b'["2020-01-01"]'
    assert plain(compile_schema(Place).encode(Place(city="Rome"))) == {"city": "Rome", "zoom": 3}


def test_data_of_one_schema_is_read_by_another() -> None:
    data = compile_schema(Spot).encode(Spot(city="Rome"))
    assert compile_schema(Place).decode(data) == Place(city="Rome")
    with pytest.raises(DataFault, match="town: Field required"):
        compile_schema(Town).decode(data)


class Private(BaseModel):
    n: int
    _more: int = PrivateAttr(default=0)


class Excluded(BaseModel):
    n: int
    hidden: int = pydantic.Field(default=0, exclude=True)


class Rounded(BaseModel):
    x: float

    @field_serializer("x")
    def write(self, value: float) -> float:
        return round(value, 1)


class Growing(BaseModel):
    n: int

    @field_validator("n")
    @classmethod
    def grow(cls, value: int) -> int:
        return value + 1


class Positive(BaseModel):
    n: int = pydantic.Field(gt=0)


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    n: int


def private(more: int) -> Private:
    made = Private(n=1)
    made._more = more
    return made


@pytest.mark.parametrize(
    ("source", "value", "message"),
    [
        (Animal, Dog(name="Rex"), "$ (type Dog) would come back as Animal; annotate it with Dog"),
        (Zoo, Zoo(animals=[Dog(name="Rex")]), "$.animals[0] (type Dog) would come back as Animal"),
        (Zoo, Zoo(animals=[], first=Dog(name="Rex")), "$.first (type Dog) would come back as Animal"),
        (list[Animal], [Animal(name="a"), Dog(name="Rex")], "$[1] (type Dog) would come back as Animal"),
        (Point, Point3(1), "$ (type Point3) would come back as Point"),
        (list[Point], [Point3(1)], "$[0] (type Point3)"),
        (Place, Place.model_construct(zoom=1), "does not fit its own type: 1 problem: city: Field required"),
        (Place, Place.model_construct(city=1, zoom=1), "city: Input should be a valid string (got 1)"),
        (Place, Place.model_construct(city="a", zoom="x"), "zoom: Input should be a valid integer"),
        (Zoo, Zoo(animals=[Animal.model_construct()]), "animals[0].name: Field required"),
        (Zoo, Zoo.model_construct(animals=[{"name": 1}]), "animals[0].name"),
        (Place, Town(town="a"), "city: Field required"),
        (int, "x", "Input should be a valid integer"),
        (list[int], [1, "x"], "[1]: Input should be a valid integer"),
        (Positive, Positive.model_construct(n=-1), "n: Input should be greater than 0"),
        (Private, private(2), "would come back changed"),
        (Excluded, Excluded(n=1, hidden=2), "$.hidden (type int) would come back changed"),
        (Rounded, Rounded(x=1.23), "$.x (type float) would come back changed"),
        (Growing, Growing(n=1), "$.n (type int) would come back changed"),
        (Unequal, Unequal.__new__(Unequal), "can't be stored"),
        (dt.date | str, "2020-01-01", "$ (type str) would come back as datetime.date"),
        (dict[tuple[int, int], int], {(1, 2): 3}, "can't be stored"),
        (dict, {1: 2}, "the key 1 of $ (type int) would come back as str"),
        (list, [(1,)], "$[0] (type tuple) can't be stored without a schema"),
        (Open, Open(n=1, more=(1,)), "$.more (type tuple)"),
        (dict[str, Any], {"a": {"b": {1}}}, "$.a.b (type set)"),
    ],
)
def test_what_would_be_lost_is_refused(source: Any, value: object, message: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(NotSerializable) as caught:
            compile_schema(source).encode(value)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        (Private, private(0)),
        (Excluded, Excluded(n=1)),
        (Rounded, Rounded(x=1.5)),
        (Positive, Positive(n=1)),
        (Open, Open(n=1, more=[1, {"a": None}])),
        (Unequal, Unequal(1, [2])),
        (Animal | Dog, Dog(name="Rex", tricks=2)),
        (Zoo, Zoo(animals=[Animal(name="a")] * 3, first=Animal(name="b"))),
        (Zoo, Zoo(animals=[Animal(name="\ud800")])),
        (RootModel[list[int]], RootModel[list[int]]([1])),
        (Node, Node(kids=[Node(), Node(kids=[Node()])])),
        (Point, Point(1)),
        (Options, {"depth": 1}),
        (Annotated[int, pydantic.Field(gt=1)], 5),
    ],
)
def test_what_survives_is_stored(source: Any, value: object) -> None:
    schema = compile_schema(source)
    returned = schema.decode(schema.encode(value))
    assert returned == value
    assert type(returned) is type(value)


def test_what_a_comparison_leaves_out_is_kept() -> None:
    schema = compile_schema(Unequal)
    assert schema.decode(schema.encode(Unequal(1, [2]))).seen == [2]  # type: ignore[attr-defined]


def test_computed_fields_are_not_stored() -> None:
    class Square(BaseModel):
        model_config = ConfigDict(extra="forbid")
        side: int

        @computed_field  # type: ignore[prop-decorator]
        @property
        def area(self) -> int:
            return self.side**2

    schema = compile_schema(Square)
    assert schema.encode(Square(side=2)) == b'{"side":2}'
    assert schema.decode(b'{"side":2}') == Square(side=2)


@settings(deadline=None, max_examples=100)
@given(st.builds(Place, city=st.text(), zoom=st.integers()), st.lists(st.builds(Point, st.integers(), st.integers())))
def test_typed_values_come_back_equal(place: Place, points: list[Point]) -> None:
    for source, value in ((Place, place), (list[Point], points), (dict[str, Place], {place.city: place})):
        schema = compile_schema(source)
        assert schema.decode(schema.encode(value)) == value


# -- secrets


class Credentials(BaseModel):
    user: str
    token: SecretStr
    raw: SecretBytes | None = None
    pin: Secret[int] | None = None


class Login(BaseModel):
    credentials: Credentials
    more: dict[str, SecretStr] = {}
    keys: list[SecretStr] = []
    weight: float = 0.5
    data: bytes = b""


def a_login() -> Login:
    return Login(
        credentials=Credentials(user="ada", token=SecretStr("t0ken"), raw=SecretBytes(b"r4w"), pin=Secret(1234)),
        more={"a.b/c": SecretStr("m0re")},
        keys=[SecretStr("k3y")],
        weight=float("inf"),
        data=b"\xff",
    )


def test_secrets_are_holes() -> None:
    schema = compile_schema(Login)
    login = a_login()
    assert schema.has_secrets
    data, pointers = schema.encode_with_holes(login)
    assert pointers == (
        "/credentials/token", "/credentials/raw", "/credentials/pin", "/more/a.b~1c", "/keys/0",
    )  # fmt: skip
    assert schema.encode(login) == data
    for secret in (b"t0ken", b"r4w", b"1234", b"m0re", b"k3y", b"***"):
        assert secret not in data
    assert json.loads(data)["credentials"] == {"user": "ada", "token": None, "raw": None, "pin": None}
    asked = holes_schema(pointers)
    assert asked["required"] == ["credentials.token", "credentials.raw", "credentials.pin", "/more/a.b~1c", "keys.0"]
    assert asked["properties"]["credentials.token"] == {
        "type": "string", "format": "password", "writeOnly": True, "title": "credentials.token",
    }  # fmt: skip
    answers = {
        "credentials.token": "t0ken", "credentials.raw": "r4w", "credentials.pin": "1234", "/more/a.b~1c": "m0re",
        "keys.0": "k3y",
    }  # fmt: skip
    assert schema.fill(data, answers) == login
    assert compile_schema(asked).validate(answers) == answers


def test_secrets_do_not_show_in_messages() -> None:
    schema = compile_schema(Login)
    with pytest.raises(DataFault) as caught:
        schema.validate({"credentials": {"user": "ada", "token": 12345}})
    assert "12345" not in str(caught.value)
    data, _ = schema.encode_with_holes(a_login())
    with pytest.raises(DataFault) as unfilled:
        schema.fill(data, {"credentials.token": 98765})
    assert "98765" not in str(unfilled.value)
    with pytest.raises(DataFault, match=r"nope: nothing is missing there"):
        schema.fill(data, {"nope": "x"})
    with pytest.raises(DataFault, match=r"credentials.user: nothing is missing there"):
        schema.fill(data, {"credentials.user": "x"})
    with pytest.raises(DataFault):
        schema.decode(data)


def test_a_secret_alone_and_none() -> None:
    schema = compile_schema(SecretStr)
    data, pointers = schema.encode_with_holes(SecretStr("x"))
    assert (data, pointers) == (b"null", ("",))
    assert schema.fill(data, {"value": "x"}) == SecretStr("x")
    nothing = compile_schema(Credentials).encode_with_holes(Credentials(user="a", token=SecretStr("b")))
    assert nothing[1] == ("/token",)
    assert not compile_schema(Place).has_secrets
    assert compile_schema(Place).encode_with_holes(Place(city="a")) == (b'{"city":"a","zoom":3}', ())


def test_a_secret_where_no_type_says_so_is_refused() -> None:
    for source in (None, dict[str, Any]):
        with pytest.raises(NotSerializable, match=r"\$\.a \(type pydantic\.types\.SecretStr\)"):
            compile_schema(source).encode({"a": SecretStr("x")})


# -- what they look like


def test_the_json_schema_and_the_fields() -> None:
    assert ANY.json_schema() == {}
    assert compile_schema(Place).json_schema() == Place.model_json_schema()
    assert compile_schema(Place).json_schema() is compile_schema(Place).json_schema()
    described = {
        source: {name: field.required for name, field in (compile_schema(source).fields() or {}).items()}
        for source in (Place, Point, Options)
    }
    assert described == {
        Place: {"city": True, "zoom": False},
        Point: {"x": True, "y": False},
        Options: {"depth": True, "name": False},
    }
    fields = compile_schema(JSON_SCHEMA).fields()
    assert fields is not None
    assert (fields["id"].required, fields["id"].annotation) == (True, {"type": "integer", "minimum": 1})
    assert compile_schema(Point).fields()["x"].annotation is int  # type: ignore[index]
    for source in (None, int, list[int], Open, RootModel[int], {"type": "string"}, {"additionalProperties": True}):
        assert compile_schema(source).fields() is None


def obj(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, **more}


class WithPlace(BaseModel):
    place: Place


class WithTown(BaseModel):
    place: Town


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")
    city: str


@pytest.mark.parametrize(
    ("output", "wanted", "problems"),
    [
        (Place, Place, []),
        (Place, Spot, []),
        (Spot, Place, []),
        (Town, Place, ["expects 'city: str' but gets 'town: str'"]),
        (Point, Town, ["expects 'town: str', which is missing (gets 'x: int', 'y: int')"]),
        (WithTown, WithPlace, ["expects 'place.city: str' but gets 'place.town: str'"]),
        (list[Town], list[Place], ["expects '[].city: str' but gets '[].town: str'"]),
        (Place, Strict, ["does not take the field 'zoom'"]),
        (None, Place, []),
        (Place, None, []),
        (Any, Place, []),
        (int, int, []),
        (int, float, []),
        (float, int, []),
        (bool, int, []),
        (int, str, ["expects str but gets int"]),
        (str, int, ["expects int but gets str"]),
        (str, float, ["expects float but gets str"]),
        (list[int], list[float], []),
        (list[int], list[str], ["expects list[str] but gets list[int]"]),
        (list[int], int, ["expects int but gets list[int]"]),
        (int, list[int], ["expects list[int] but gets int"]),
        (Place, list[int], ["expects list[int] but gets Place"]),
        (list[int], Place, ["expects Place but gets list[int]"]),
        (list, list[int], []),
        (list[int], set[int], []),
        (tuple[int, str], tuple[int, str], []),
        (tuple[int, str], tuple[int, int], ["expects '[1]: int' but gets '[1]: str'"]),
        (int | None, int, []),
        (int, int | None, []),
        (int | str, str, []),
        (str, int | list[int], ["expects int | list[int] but gets str"]),
        (None.__class__, int, ["expects int but gets None"]),
        (Town | None, Place, ["expects 'city: str' but gets 'town: str'"]),
        (dict[str, int], Place, ["expects 'city: str' but gets 'city: int'"]),
        (dict[str, str], Place, []),
        (Place, dict[str, Any], []),
        (Point, dict[str, int], []),
        (Point, dict[str, str], ["expects 'x: str' but gets 'x: int'", "expects 'y: str' but gets 'y: int'"]),
        (Options, Point, ["expects 'x: int', which is missing (gets 'depth: int', 'name: str')"]),
        (Literal["a"], Literal["b"], ["expects 'b' but gets 'a'"]),
        (Literal["a", "b"], Literal["b", "c"], []),
        (Colour, str, []),
        (str, Colour, []),
        (Colour, int, ["expects int but gets 'red' | 'blue'"]),
        (dt.datetime, str, []),
        (str, dt.datetime, []),
        (int, dt.timedelta, []),
        (Decimal, float, []),
        (float, Decimal, []),
        (Node, Node, []),
        (Place, Aliased, []),
        (Node, Place, ["expects 'city: str', which is missing (gets 'kids: list[Node]')"]),
        (JSON_SCHEMA, obj({"id": {"type": "string"}}, required=["id"]), ["expects 'id: str' but gets 'id: int'"]),
        (JSON_SCHEMA, obj({"nope": {"type": "string"}}), []),
        (obj({"city": {"type": "string"}}), Place, []),
        (obj({"a": {"type": "string"}}, additionalProperties=True), Place, []),
        (
            obj({"city": {"$ref": "#/$defs/C"}}, **{"$defs": {"C": {"type": "null"}}}),
            Place,
            ["expects 'city: str' but gets 'city: None'"],
        ),
    ],
)
def test_what_can_feed_what(output: Any, wanted: Any, problems: list[str]) -> None:
    assert feeds(compile_schema(output), compile_schema(wanted)) == problems


def test_a_schema_has_one_kind_of_error_for_bad_data() -> None:
    for source in (Place, int, JSON_SCHEMA, None):
        with pytest.raises(DataFault):
            Schema(source).decode(b"{")
