"""Where secrets are in a value: a type and the JSON Schema that is stored of it agree, whatever they stand in."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, SecretBytes, SecretStr, TypeAdapter

from engine.holes import fill_holes, holes_between, secret_places, with_holes
from engine.schema import ANY, compile_schema


class Key(BaseModel):
    """A secret beside something else."""

    token: SecretStr
    n: int = 0


class Tree(BaseModel):
    """Secrets in something that contains itself."""

    key: Key | None = None
    below: list[Tree] = []


KEY = {"token": "a", "n": 1}
CASES: list[tuple[Any, Any, list[str]]] = [
    (SecretStr, "a", [""]),
    (SecretBytes, "a", [""]),
    (Key, KEY, ["/token"]),
    (Key | None, KEY, ["/token"]),
    (Key | None, None, []),
    (list[Key], [KEY, KEY], ["/0/token", "/1/token"]),
    (tuple[int, SecretStr], [1, "a"], ["/1"]),
    (dict[str, SecretStr], {"a/b~c": "a", "": "b"}, ["/a~1b~0c", "/"]),
    (dict[str, list[Key | int]], {"x": [1, KEY]}, ["/x/1/token"]),
    (Tree, {"below": [{"key": KEY, "below": [{"key": KEY}]}]}, ["/below/0/key/token", "/below/0/below/0/key/token"]),
    (int, 3, []),
    (Any, KEY, []),
]


@pytest.mark.parametrize(("kind", "given", "expected"), CASES)
def test_a_type_and_its_json_schema_say_the_same_places(kind: Any, given: Any, expected: list[str]) -> None:
    schema = compile_schema(kind)
    places = secret_places(given, TypeAdapter(kind).json_schema())
    assert sorted(places) == sorted(expected)
    _, holes = schema.encode_with_holes(schema.validate(given))
    assert sorted(holes) == sorted(expected)


@pytest.mark.parametrize(("kind", "given", "expected"), CASES)
def test_what_is_taken_out_can_be_put_back(kind: Any, given: Any, expected: list[str]) -> None:
    before = ANY.encode(given)
    holed = with_holes(given, expected)
    assert sorted(holes_between(holed, given)) == sorted(expected)
    assert ANY.encode(given) == before
    if len(expected) == 1:
        [name] = compile_schema(kind).holes_schema(expected)["required"]
        assert fill_holes(holed, {name: "a"}) == given


def test_a_schema_that_leads_back_to_itself_ends() -> None:
    assert secret_places({"a": 1}, {"$ref": "#"}) == ()
    assert secret_places("x", {"anyOf": [{"$ref": "#"}, {"writeOnly": True}]}) == ("",)
    assert secret_places("x", {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}) == ()
    assert secret_places("x", {"$ref": "#/$defs/missing"}) == ()
