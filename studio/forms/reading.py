"""JSON Schema to fields: references resolved, optional told from required, constraints put into words.

Nothing here refuses a schema: a part that has no form (recursive, unknown, too large) is asked for as JSON. What is
valid, the engine says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, cast

from studio.forms.nodes import (
    MISSING,
    About,
    Alternative,
    Anything,
    Boolean,
    Choice,
    Constant,
    Dict,
    List,
    Moment,
    Node,
    Number,
    Object,
    Text,
    Tuple,
    Union,
)
from studio.forms.paths import escape

Schema = Mapping[str, Any]

MAX_NODES = 1_500  # definitions that use each other twice double at each level
MAX_DEPTH = 12
LONG = 200

_MOMENTS = {"date": "date", "date-time": "datetime", "time": "time"}
_WORDS = {"integer": "whole number", "number": "number", "string": "text", "boolean": "yes or no", "array": "list"}
_PYTHON = {"integer": "int", "number": "float", "string": "str", "boolean": "bool", "array": "list", "object": "dict"}
_LIMITS = (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
_IMPLIED = (
    ("object", {"properties", "additionalProperties", "required"}),
    ("array", {"items", "prefixItems", "minItems", "maxItems"}),
    ("string", {"minLength", "maxLength", "pattern"}),
    ("number", {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}),
)


def read(schema: Schema | None) -> Node:
    """The fields of a JSON Schema; without one: anything, as JSON."""
    return _Reader(schema or {}).node(schema or {}, "", required=True, seen=())


class _Reader:
    def __init__(self, document: Schema) -> None:
        self.document = document
        self.made = 0

    def node(self, given: object, name: str, *, required: bool, seen: tuple[str, ...]) -> Node:
        """The field for one (sub)schema. ``seen``: the references on the way here."""
        self.made += 1
        schema, seen, circular = self.resolved(given, seen)
        alternatives, nullable = _without_null(schema)
        one_of_one = list(alternatives) if len(alternatives) == 1 else []
        if one_of_one:
            # Its list of types, or of alternatives, has had its say.
            done = {"anyOf", "oneOf", "type"} if isinstance(schema.get("type"), list) else {"anyOf", "oneOf"}
            siblings = {key: value for key, value in schema.items() if key not in done}
            schema, seen, again = self.resolved({**_without_default(alternatives[0]), **siblings}, seen)
            circular = circular or again
            alternatives, inner = _without_null(schema)
            nullable = nullable or inner
        # A definition's title names the type, not the field that refers to it.
        titles = [_plain(given), *map(_plain, one_of_one), {} if name else schema]
        title = next((str(found["title"]) for found in titles if found.get("title")), "")
        about = _about(schema, _label(name, title), required=required, nullable=nullable)
        if circular or len(seen) > MAX_DEPTH or self.made > MAX_NODES:
            return Anything(about)
        if len(alternatives) > 1:
            return self.union(schema, about, alternatives, seen)
        if "const" in schema or "enum" in schema:
            return _choice(schema, about)
        return self.typed(schema, about, seen)

    def resolved(self, given: object, seen: tuple[str, ...]) -> tuple[Schema, tuple[str, ...], bool]:
        """The schema with what it refers to, its own keywords first; the references followed; whether in a circle."""
        schema = _plain(given)
        while True:
            if "$ref" in schema:
                ref = str(schema["$ref"])
                rest = {key: value for key, value in schema.items() if key != "$ref"}
                if ref in seen:
                    return rest, seen, True
                schema, seen = {**_without_default(self.definition(ref)), **rest}, (*seen, ref)
            elif len(parts := schema.get("allOf") or ()) == 1 and isinstance(parts, list):
                rest = {key: value for key, value in schema.items() if key != "allOf"}
                schema = {**_without_default(parts[0]), **rest}
            elif parts:
                return self.merged(schema, seen)
            else:
                return schema, seen, False

    def merged(self, schema: Schema, seen: tuple[str, ...]) -> tuple[Schema, tuple[str, ...], bool]:
        """One object of several that all have to hold; a circle (so JSON) if they are anything else."""
        whole = {key: value for key, value in schema.items() if key != "allOf"}
        properties: dict[str, Any] = {}
        needed = list(whole.get("required", ()))
        for part in schema["allOf"]:
            found, seen, circular = self.resolved(part, seen)
            if circular or not {"properties", "required"} & found.keys() or {"anyOf", "oneOf"} & found.keys():
                return whole, seen, True
            properties |= found.get("properties", {})
            needed += found.get("required", ())
        properties |= whole.get("properties", {})
        return {"type": "object", **whole, "properties": properties, "required": needed}, seen, False

    def definition(self, ref: str) -> Schema:
        found: Any = self.document if ref.startswith("#") else {}
        for part in ref.split("/")[1:]:
            found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
        return _plain(found)

    def typed(self, schema: Schema, about: About, seen: tuple[str, ...]) -> Node:
        match _type(schema):
            case "string":
                return _text(schema, about)
            case "integer" | "number" as kind:
                return Number(about, whole=kind == "integer")
            case "boolean":
                return Boolean(about)
            case "null":
                return Constant(about, None)
            case "array":
                return self.array(schema, about, seen)
            case "object":
                return self.fields(schema, about, seen)
            case _:
                return Anything(about)

    def array(self, schema: Schema, about: About, seen: tuple[str, ...]) -> Node:
        if places := schema.get("prefixItems"):
            nodes = [self.node(one, "", required=True, seen=seen) for one in _each(places)]
            return Tuple(about, tuple(nodes)) if schema.get("maxItems") == len(nodes) else Anything(about)
        item = schema.get("items")
        if not isinstance(item, dict) or not item:
            return Anything(about)
        node = self.node(item, "", required=True, seen=seen)
        return List(about, node, least=_count(schema, "minItems") or 0, most=_count(schema, "maxItems"))

    def fields(self, schema: Schema, about: About, seen: tuple[str, ...]) -> Node:
        properties, more = schema.get("properties"), schema.get("additionalProperties")
        if isinstance(properties, dict) and properties:
            needed = schema.get("required", ())
            made = [
                (escape(name), self.node(part, name, required=name in needed, seen=seen))
                for name, part in properties.items()
            ]
            return Object(about, tuple(made))
        if isinstance(more, dict) and more:
            return Dict(about, self.node(more, "value", required=True, seen=seen))
        return Object(about) if more is False or (properties == {} and "type" in schema) else Anything(about)

    def union(self, schema: Schema, about: About, parts: list[object], seen: tuple[str, ...]) -> Node:
        found = _plain(schema.get("discriminator"))
        tag, mapping = str(found.get("propertyName", "")), _plain(found.get("mapping"))
        tags = {str(ref): str(name) for name, ref in mapping.items()}
        made: list[Alternative] = []
        for part in parts:
            inner, _, _ = self.resolved(part, seen)
            node = self.node(part, str(inner.get("title", "")), required=True, seen=seen)
            word = tags.get(str(_plain(part).get("$ref")), "") or _constant(inner, tag)
            label = word or str(inner.get("title") or _WORDS.get(_type(inner), _type(inner) or "other"))
            names = {word, str(inner.get("title", "")), _PYTHON.get(_type(inner), "")} - {""}
            made.append(Alternative(label, node, frozenset(names)))
        if about.nullable:
            made.append(Alternative("none", Constant(About(), None)))
        if not about.required and about.default is MISSING:
            made.append(Alternative("leave out", Constant(About(), MISSING)))
        return Union(about, tuple(_told_apart(made)), tag=escape(tag) if tag else "")


def _plain(schema: object) -> Schema:
    return schema if isinstance(schema, Mapping) else {}


def _without_default(schema: object) -> Schema:
    """A default is of the field that states it, and not of those that refer to it."""
    return {key: value for key, value in _plain(schema).items() if key != "default"}


def _each(parts: object) -> Iterator[object]:
    yield from parts if isinstance(parts, (list, tuple)) else ()


def _type(schema: Schema) -> str:
    named = schema.get("type")
    if isinstance(named, str):
        return named
    return next((kind for kind, keywords in _IMPLIED if keywords & schema.keys()), "")


def _without_null(schema: Schema) -> tuple[list[object], bool]:
    """The alternatives of a schema but for null, and whether null is one. None if it has no alternatives."""
    named = schema.get("type")
    if isinstance(named, list) and "anyOf" not in schema and "oneOf" not in schema:
        same = {key: value for key, value in schema.items() if key not in ("type", "title", "description", "default")}
        parts: list[object] = [{**same, "type": one} for one in named]
    else:
        parts = list(_each(schema.get("anyOf") or schema.get("oneOf")))
    kept = [part for part in parts if _plain(part).get("type") != "null"]
    values = schema.get("enum")
    null = len(kept) < len(parts) or schema.get("nullable") is True
    return kept, null or (isinstance(values, list) and None in values and len(values) > 1)


def _constant(schema: Schema, tag: str) -> str:
    part = _plain(_plain(schema.get("properties")).get(tag))
    return str(part["const"]) if "const" in part else ""


def _told_apart(alternatives: list[Alternative]) -> Iterator[Alternative]:
    seen: dict[str, int] = {}
    for one in alternatives:
        seen[one.label] = seen.get(one.label, 0) + 1
        again = seen[one.label]
        yield Alternative(f"{one.label} {again}", one.node, one.names) if again > 1 else one


def _choice(schema: Schema, about: About) -> Node:
    values = [schema["const"]] if "const" in schema else list(_each(schema["enum"]))
    if not values:
        return Anything(about)
    if len(values) == 1 and not about.nullable and (about.required or about.default == values[0]):
        return Constant(about, values[0])
    if about.nullable:
        values = [value for value in values if value is not None]
    return Choice(about, tuple(values)) if values else Constant(about, None)


def _text(schema: Schema, about: About) -> Node:
    format = str(schema.get("format", ""))
    if format in _MOMENTS:
        return Moment(about, kind=cast(Literal["date", "datetime", "time"], _MOMENTS[format]))
    widget = " ".join(str(schema.get(key, "")) for key in ("format", "widget", "x-widget", "contentMediaType"))
    secret = format == "password" or schema.get("writeOnly") is True
    long = any(word in widget for word in ("textarea", "multiline", "text/"))
    long = long or (_count(schema, "maxLength") or 0) > LONG
    return Text(about, long=long and not secret, secret=secret, format=format)


def _count(schema: Schema, keyword: str) -> int | None:
    value = schema.get(keyword)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _label(name: str, title: str) -> str:
    """The title; but one that was only made of the name says nothing, and the name is what messages and code say."""
    spaced = [text.replace("_", " ").strip().casefold() for text in (name, title)]
    return name if name and spaced[0] == spaced[1] else title or name


def _about(schema: Schema, label: str, *, required: bool, nullable: bool) -> About:
    examples = schema.get("examples") or [schema.get("example", "")]
    return About(
        label=label,
        description=str(schema.get("description") or ""),
        default=schema.get("default", MISSING),
        required=required,
        nullable=nullable,
        rules=tuple(_rules(schema)),
        example=_shown(examples[0]) if isinstance(examples, list) else "",
    )


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _rules(schema: Schema) -> Iterator[str]:
    """What a value has to be, in as few words as can be."""
    words: dict[str, Callable[[Schema], Iterator[str]]] = {
        "integer": _range, "number": _range, "string": _length, "array": _size
    }  # fmt: skip
    kind = _type(schema)
    if "enum" not in schema and "const" not in schema and kind in words:
        yield from words[kind](schema)


def _range(schema: Schema) -> Iterator[str]:
    yield "integer" if _type(schema) == "integer" else "number"
    yield from (f"{sign} {_shown(schema[keyword])}" for keyword, sign in _LIMITS if keyword in schema)
    if "multipleOf" in schema:
        yield f"multiple of {_shown(schema['multipleOf'])}"


def _length(schema: Schema) -> Iterator[str]:
    format = str(schema.get("format", ""))
    if format and format not in (*_MOMENTS, "password", "textarea", "multiline"):
        yield format
    yield from _between(schema, "minLength", "maxLength", "character")
    if "pattern" in schema:
        yield f"matches {schema['pattern']}"


def _size(schema: Schema) -> Iterator[str]:
    if "prefixItems" not in schema:
        yield from _between(schema, "minItems", "maxItems", "row")
    if schema.get("uniqueItems") is True:
        yield "no two alike"


def _between(schema: Schema, low: str, high: str, unit: str) -> Iterator[str]:
    least, most = _count(schema, low), _count(schema, high)
    if least and most is not None:
        amount = str(least) if least == most else f"{least}-{most}"
        yield f"{amount} {unit}{'' if most == 1 else 's'}"
    elif least:
        yield f"≥ {least} {unit}{'' if least == 1 else 's'}"
    elif most is not None:
        yield f"≤ {most} {unit}{'' if most == 1 else 's'}"
