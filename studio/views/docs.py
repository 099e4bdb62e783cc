"""The document about all addresses, as a page shows it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from studio.wording import plural

SIGNED = "Authorization: Bearer $STUDIO_TOKEN"
"""What the terminal fills in."""

ORDER = ("Workflows", "Runs", "Questions", "Studio", "Sockets", "Pages")
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Named:
    """A parameter, a field, or a part of an answer. ``of`` is the shape it refers to, if it does."""

    name: str
    kind: str
    text: str = ""
    of: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What may come of a request. ``of`` are the shapes of its data."""

    status: str
    text: str
    media: str
    of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One verb at one address. ``line`` is how a terminal asks for it; a page and a socket have none."""

    id: str
    verb: str
    path: str
    summary: str
    text: str
    parameters: tuple[Named, ...]
    fields: tuple[Named, ...]
    answers: tuple[Answer, ...]
    line: str


@dataclass(frozen=True, slots=True)
class Group:
    """Operations that belong together."""

    id: str
    name: str
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """The parts of an object that answers have in them; those that are not always there are ``optional``."""

    name: str
    text: str
    parts: tuple[Named, ...]
    optional: frozenset[str]


@dataclass(frozen=True, slots=True)
class DocsView:
    """All of it. ``text`` are paragraphs."""

    text: tuple[str, ...]
    groups: tuple[Group, ...]
    shapes: tuple[Shape, ...]
    total: str


def docs_view(document: Document) -> DocsView:
    """The page of a document that :mod:`studio.openapi` made."""
    groups = [Group(name.lower(), name, tuple(_operations(document, name))) for name in ORDER]
    shapes = tuple(_shape(name, said) for name, said in sorted(document["components"]["schemas"].items()))
    total = plural(sum(len(group.operations) for group in groups), "address", "addresses")
    return DocsView(tuple(document["info"]["description"].split("\n\n")), tuple(groups), shapes, total)


def _operations(document: Document, tag: str) -> Iterator[Operation]:
    for path, verbs in sorted(document["paths"].items()):
        for verb, said in verbs.items():
            if tag in said["tags"]:
                yield _operation(document, path, verb, said)


def _operation(document: Document, path: str, verb: str, said: Mapping[str, Any]) -> Operation:
    fields = _form(said).get("schema", {}).get("properties", {})
    return Operation(
        id=re.sub(r"\W+", "-", f"{verb}{path}").strip("-"),
        verb=verb.upper(),
        path=path,
        summary=said["summary"].replace("``", ""),
        text=said.get("description", ""),
        parameters=tuple(
            Named(one["name"], f"{one['in']}, {_words(one['schema'])}", one["description"])
            for one in said["parameters"]
        ),
        fields=tuple(Named(name, _words(one), one["description"]) for name, one in fields.items()),
        answers=tuple(_answer(status, one) for status, one in said["responses"].items() if status != "default"),
        line="" if {"Pages", "Sockets"} & set(said["tags"]) else curl(document, path, verb, said),
    )


def _form(said: Mapping[str, Any]) -> Mapping[str, Any]:
    contents: Mapping[str, Any] = said.get("requestBody", {}).get("content", {})
    return next(iter(contents.values()), {})


def _answer(status: str, said: Mapping[str, Any]) -> Answer:
    contents: Mapping[str, Any] = said.get("content", {})
    media = next(iter(contents), "")
    schema = contents[media].get("schema", {}) if media else {}
    return Answer(status, said["description"], media, tuple(_referred(schema)))


def _referred(schema: Mapping[str, Any]) -> Iterator[str]:
    """The names of the shapes that a schema refers to."""
    if "$ref" in schema:
        yield schema["$ref"].rpartition("/")[2]
    inside = (*schema.get("anyOf", ()), schema.get("items"), schema.get("additionalProperties"))
    for one in inside:
        if isinstance(one, Mapping):
            yield from _referred(one)


def _shape(name: str, said: Mapping[str, Any]) -> Shape:
    parts = tuple(Named(key, _words(one), of=next(_referred(one), "")) for key, one in said["properties"].items())
    return Shape(
        name, said["description"].replace("``", ""), parts, frozenset(said["properties"]) - set(said["required"])
    )


def _words(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(map(_words, schema["anyOf"]))
    match schema.get("type"):
        case "array" if isinstance(schema.get("items"), Mapping):
            return f"list of {_words(schema['items'])}"
        case "array":
            return "list of " + ", ".join(map(_words, schema["prefixItems"]))
        case "object":
            return f"object of {_words(schema['additionalProperties'])}"
        case list() as several:
            return " or ".join(several)
        case None:
            return schema["$ref"].rpartition("/")[2] if "$ref" in schema else "any"
        case kind:
            return f"{kind}, {schema['format']}" if "format" in schema else str(kind)


# -- asking for it on a terminal


def curl(document: Document, path: str, verb: str, said: Mapping[str, Any]) -> str:
    """A request as one line for a terminal, with the examples of the document."""
    server = document["servers"][0]["url"]
    parts = {one["name"]: one["example"] for one in said["parameters"] if one["in"] == "path"}
    query = {one["name"]: one["example"] for one in said["parameters"] if one["in"] == "query" and "example" in one}
    words = ["curl"]
    if document.get("security") and "security" not in said:
        words += ["-H", SIGNED]
    if verb == "post":
        words += ["-i", "-H", f"Origin: {server}"]
        words += [word for pair in _form(said)["example"].items() for word in ("--data-urlencode", "=".join(pair))]
        words += ["-X", "POST"] if "--data-urlencode" not in words else []
    words.append(server + path.format_map(parts) + (f"?{urlencode(query)}" if query else ""))
    return " ".join(f'"{word}"' if word == SIGNED else shlex.quote(word) for word in words)
