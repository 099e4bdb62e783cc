"""Schemas: what they are made from, what they take, what feeds what, and secrets."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, Literal

import pytest
from pydantic import (
    BaseModel,
    ConfigDict,
    RootModel,
)

from engine.errors import DataFault
from engine.schema import ANY, Schema, compile_schema, feeds
from tests.unit.schema_samples import JSON_SCHEMA, Aliased, Colour, Node, Open, Options, Place, Point, Spot, Town


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
