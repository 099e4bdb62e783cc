"""Schemas: what they are made from, what they take, what feeds what, and secrets."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal

import pydantic
import pytest
from pydantic import (
    BaseModel,
    field_validator,
)

from engine.errors import DataError, DataFault, InvalidInput, NotSerializable, SchemaError
from engine.schema import ANY, compile_schema
from tests.unit.schema_samples import JSON_SCHEMA, Aliased, Colour, Node, Options, Place, Point, Spot, Town

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
    assert time.perf_counter() - start < 60


# -- storing
