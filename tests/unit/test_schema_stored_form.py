"""Schemas: what they are made from, what they take, what feeds what, and secrets."""

from __future__ import annotations

import datetime as dt
import json
import warnings
from typing import Annotated, Any

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
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

from engine.errors import DataFault, NotSerializable
from engine.schema import compile_schema, holes_schema, plain
from tests.unit.schema_samples import (
    Aliased,
    Animal,
    Dog,
    Node,
    Open,
    Options,
    Place,
    Point,
    Point3,
    Spot,
    Town,
    Unequal,
    Zoo,
)


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
