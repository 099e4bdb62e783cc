"""What these tests share."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any, NotRequired

import pydantic
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
)
from typing_extensions import TypedDict


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


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    n: int
