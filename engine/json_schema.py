"""JSON Schema documents as schemas: the common part of the language, compiled to pydantic's validators.

Values stay plain JSON, types are strict (no text for a number), defaults of properties are filled in. ``properties``
without ``type`` means an object, ``items`` an array. ``anyOf`` and ``oneOf`` take the first alternative that fits. A
keyword that is not understood is an error, never ignored; annotations (``title``, ``format``, ``x-...``) say nothing
about validity.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import CoreSchema, PydanticCustomError, SchemaValidator, ValidationError, core_schema

from engine.errors import SchemaError

_ANNOTATIONS = frozenset({
    "title", "description", "examples", "example", "format", "default", "deprecated", "readOnly", "writeOnly",
    "$schema", "$id", "$comment", "$defs", "definitions", "contentMediaType", "contentEncoding", "discriminator",
})  # fmt: skip
_GENERAL = frozenset({"type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref", "nullable"})
_RANGE = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_BY_TYPE: dict[str, frozenset[str]] = {
    "string": frozenset({"minLength", "maxLength", "pattern"}),
    "integer": _RANGE,
    "number": _RANGE,
    "array": frozenset({"items", "minItems", "maxItems", "uniqueItems"}),
    "object": frozenset({"properties", "required", "additionalProperties"}),
    "boolean": frozenset(),
    "null": frozenset(),
}
_KNOWN = _ANNOTATIONS.union(_GENERAL, *_BY_TYPE.values())
_LIMITS = {
    "minimum": "ge",
    "maximum": "le",
    "exclusiveMinimum": "gt",
    "exclusiveMaximum": "lt",
    "multipleOf": "multiple_of",
}

Node = dict[str, Any]


def referred(document: object, ref: str) -> Any:
    """What a reference like ``#/$defs/Order`` leads to in its document; ``None`` if nothing is there."""
    found: Any = document
    for part in ref.split("/")[1:]:
        found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
    return found


def compile_json_schema(document: Node) -> SchemaValidator:
    """A validator for the document. Raises :class:`SchemaError` naming the place of what it can't use."""
    compiler = _Compiler(document)
    try:
        return compiler.compile()
    except SchemaError:
        raise
    except Exception as error:
        raise SchemaError(f"the JSON Schema can't be used: {error}") from error


class _Compiler:
    def __init__(self, document: Node) -> None:
        self.document = document
        self.definitions: dict[str, CoreSchema | None] = {}

    def compile(self) -> SchemaValidator:
        root = self.node(self.document, "#")
        made = [schema for schema in self.definitions.values() if schema is not None]
        return SchemaValidator(core_schema.definitions_schema(root, made) if made else root)

    def node(self, node: object, where: str) -> CoreSchema:
        """One (sub)schema: everything it says has to hold."""
        if node is True:
            return core_schema.any_schema()
        if not isinstance(node, dict):
            raise SchemaError(f"JSON Schema at {where}: {node!r} is not a schema")
        self.check_keywords(node, where)
        rules = [*self.types(node, where), *self.combined(node, where)]
        if not rules:
            return core_schema.any_schema()
        schema = rules[0] if len(rules) == 1 else core_schema.chain_schema(rules)
        return core_schema.nullable_schema(schema) if node.get("nullable") is True else schema

    def check_keywords(self, node: Node, where: str) -> None:
        for keyword in node:
            if keyword not in _KNOWN and not str(keyword).startswith("x-"):
                raise SchemaError(f"JSON Schema at {where}: the keyword {keyword!r} is not supported")

    def combined(self, node: Node, where: str) -> list[CoreSchema]:
        rules: list[CoreSchema] = []
        if "$ref" in node:
            rules.append(self.reference(node["$ref"], where))
        if "enum" in node:
            rules.append(_one_of(_list(node, "enum", where)))
        if "const" in node:
            rules.append(_one_of([node["const"]]))
        for keyword in ("anyOf", "oneOf"):
            if keyword in node:
                choices = self.each(node, keyword, where)
                rules.append(core_schema.union_schema(list(choices), mode="left_to_right"))
        if "allOf" in node:
            rules += self.each(node, "allOf", where)
        return rules

    def each(self, node: Node, keyword: str, where: str) -> list[CoreSchema]:
        parts = _list(node, keyword, where)
        return [self.node(part, f"{where}/{keyword}/{index}") for index, part in enumerate(parts)]

    def reference(self, ref: object, where: str) -> CoreSchema:
        if not isinstance(ref, str) or not ref.startswith("#"):
            raise SchemaError(f"JSON Schema at {where}: $ref {ref!r} is not supported; only '#/...' is")
        if ref not in self.definitions:
            self.definitions[ref] = None  # a definition may lead back to itself
            inner = self.node(self.resolve(ref, where), ref)
            # A definition that is itself a reference needs a node of its own to carry the name.
            self.definitions[ref] = core_schema.chain_schema([inner], ref=ref)
        return core_schema.definition_reference_schema(ref)

    def resolve(self, ref: str, where: str) -> object:
        found = referred(self.document, ref)
        if found is None:
            raise SchemaError(f"JSON Schema at {where}: nothing is at {ref!r}")
        return found

    def types(self, node: Node, where: str) -> list[CoreSchema]:
        named = node.get("type")
        if named is None:
            named = [kind for kind, keys in _BY_TYPE.items() if keys & node.keys() and kind != "integer"]
            if not named:
                return []
        names = named if isinstance(named, list) else [named]
        made = [self.typed(name, node, where) for name in names]
        return [made[0] if len(made) == 1 else core_schema.union_schema(list(made), mode="left_to_right")]

    def typed(self, name: object, node: Node, where: str) -> CoreSchema:
        match name:
            case "string":
                return _string(node, where)
            case "integer":
                return core_schema.int_schema(strict=True, **_limits(node, where))
            case "number":
                return _number(node, where)
            case "boolean":
                return core_schema.bool_schema(strict=True)
            case "null":
                return core_schema.none_schema()
            case "array":
                return self.array(node, where)
            case "object":
                return self.fields(node, where)
            case _:
                raise SchemaError(f"JSON Schema at {where}: unknown type {name!r}")

    def array(self, node: Node, where: str) -> CoreSchema:
        items = self.node(node.get("items", True), f"{where}/items")
        least, most = _count(node, "minItems", where), _count(node, "maxItems", where)
        schema = core_schema.list_schema(items, min_length=least, max_length=most, strict=True)
        return (
            core_schema.no_info_after_validator_function(_unique, schema) if node.get("uniqueItems") is True else schema
        )

    def fields(self, node: Node, where: str) -> CoreSchema:
        properties = node.get("properties", {})
        if not isinstance(properties, dict):
            raise SchemaError(f"JSON Schema at {where}/properties: an object is needed")
        required = {str(name) for name in _list(node, "required", where)} if "required" in node else set()
        more = node.get("additionalProperties", True)
        fields = {
            name: self.field(properties.get(name, True), required=name in required, where=f"{where}/properties/{name}")
            for name in [*properties, *sorted(required - properties.keys())]
        }
        if more is False:
            return core_schema.typed_dict_schema(fields, extra_behavior="forbid")
        extras = self.node(more, f"{where}/additionalProperties")
        return core_schema.typed_dict_schema(fields, extra_behavior="allow", extras_schema=extras)

    def field(self, node: object, *, required: bool, where: str) -> core_schema.TypedDictField:
        schema = self.node(node, where)
        if isinstance(node, dict) and "default" in node:
            schema = core_schema.with_default_schema(schema, default=node["default"])
            required = False
        return core_schema.typed_dict_field(schema, required=required)


def _list(node: Node, keyword: str, where: str) -> list[Any]:
    value = node[keyword]
    if not isinstance(value, list) or (not value and keyword != "required"):
        raise SchemaError(f"JSON Schema at {where}: {keyword!r} needs a list")
    return value


def _count(node: Node, keyword: str, where: str) -> int | None:
    value = node.get(keyword)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise SchemaError(f"JSON Schema at {where}: {keyword!r} needs a whole number")
    return value


def _limits(node: Node, where: str) -> dict[str, Any]:
    found = {name: node[keyword] for keyword, name in _LIMITS.items() if keyword in node}
    for value in found.values():
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise SchemaError(f"JSON Schema at {where}: {value!r} is not a limit")
    return found


def _number(node: Node, where: str) -> CoreSchema:
    """An int stays an int, and a float a float."""
    either = core_schema.union_schema(
        [core_schema.int_schema(strict=True), core_schema.float_schema(strict=True)],
        mode="left_to_right",
        custom_error_type="number",
        custom_error_message="Input should be a valid number",
    )
    limits = _limits(node, where)
    if not limits:
        return either
    exact = SchemaValidator(core_schema.int_schema(strict=True, **limits)).validate_python
    real = SchemaValidator(core_schema.float_schema(strict=True, **limits)).validate_python

    def within(value: int | float) -> object:
        try:
            return exact(value) if isinstance(value, int) else real(value)
        except ValidationError as error:
            raise PydanticCustomError("limit", "{message}", {"message": error.errors()[0]["msg"]}) from None

    return core_schema.no_info_after_validator_function(within, either)


def _string(node: Node, where: str) -> CoreSchema:
    least, most = _count(node, "minLength", where), _count(node, "maxLength", where)
    schema = core_schema.str_schema(strict=True, min_length=least, max_length=most)
    if "pattern" not in node:
        return schema
    try:
        search = re.compile(node["pattern"]).search
    except (re.error, TypeError) as error:
        raise SchemaError(f"JSON Schema at {where}: the pattern can't be used: {error}") from error
    return core_schema.no_info_after_validator_function(_matching(search, node["pattern"]), schema)


def _matching(search: Callable[[str], object], pattern: str) -> Callable[[str], str]:
    def matching(value: str) -> str:
        if search(value) is None:
            raise PydanticCustomError("pattern", "Input should match {pattern}", {"pattern": repr(pattern)})
        return value

    return matching


def _same(left: object, right: object) -> bool:
    """Equality of JSON: ``true`` is not 1, at any depth."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(value, right[key]) for key, value in left.items())
    return left == right


def _one_of(values: list[Any]) -> CoreSchema:
    expected = " or ".join(repr(value) for value in values)

    def one_of(value: object) -> object:
        if not any(_same(value, known) for known in values):
            raise PydanticCustomError("enum", "Input should be {expected}", {"expected": expected})
        return value

    return core_schema.no_info_plain_validator_function(one_of)


def _unique(values: list[Any]) -> list[Any]:
    if any(_same(value, other) for index, value in enumerate(values) for other in values[:index]):
        raise PydanticCustomError("unique", "Items should be unique")
    return values
