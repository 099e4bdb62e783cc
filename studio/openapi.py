"""The document about all addresses of the studio, in OpenAPI 3.1: made of the routes and of what they promise."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from inspect import getdoc
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIWebSocketRoute, iter_route_contexts

from studio.promises import (
    ANSWERS,
    EXAMPLES,
    FORMS,
    LEADS_ON,
    MAY_BE_WRONG,
    NONE,
    PARAMETERS,
    SOCKETS,
    STANDS_FOR,
    Form,
    Problem,
    Socket,
)
from studio.shapes import Schema, Shapes

TEXT = """What programs can use of the studio: what a page shows as data, the forms behind its buttons, and the sockets.

A page has its data at the same address with `.json` behind it, with the same query. What changes something is a form \
that is posted, with fields as a browser sends them; it answers 303 with where the result is. \
A request with an `Origin` must name the studio's own.

What is refused before any page sees it answers 400, 401, 403, 405, 408, 413, 414, 415, 429, 431 or 503, \
with `Accept: application/json` as problem JSON. Errors of `.json` addresses are problem JSON, too; others are pages."""

SIGNED_IN = """

Every request brings the token that the studio was started with, as `Authorization: Bearer TOKEN`; \
lines for a terminal take it from `STUDIO_TOKEN`."""

JSON, PAGE, FORM = "application/json", "text/html", "application/x-www-form-urlencoded"
PROBLEM, LINES = "application/problem+json", "application/x-ndjson"
ALWAYS = {"default": {"$ref": "#/components/responses/Refused"}}
PART = re.compile(r"\{(\w+)\}")
NOTHING_SAID = Socket("", {})


def document(app: FastAPI, *, address: str, has_token: bool) -> dict[str, Any]:
    """Every address that the application serves; ``address`` is its own."""
    shapes = Shapes()
    found = get_openapi(title="Studio", version=app.version, routes=app.routes)["paths"]
    paths = {
        path: {verb: _operation(path, verb, said, shapes) for verb, said in verbs.items()}
        for path, verbs in found.items()
    }
    problem = {"content": {PROBLEM: {"schema": shapes.of(Problem)}, PAGE: {}}}
    made: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Studio", "version": app.version, "description": TEXT + SIGNED_IN * has_token},
        "servers": [{"url": address}],
        "paths": paths | dict(_sockets(app)),
        "components": {
            "schemas": shapes.named,
            "responses": {"Refused": {"description": "Refused, or it failed.", **problem}},
        },
    }
    if has_token:
        made["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        made["security"] = [{"token": []}]
        paths["/healthz"]["get"]["security"] = []
    return made


def _operation(path: str, verb: str, said: Mapping[str, Any], shapes: Shapes) -> dict[str, Any]:
    """One verb at one address."""
    form = FORMS.get(path) if verb == "post" else None
    made = {
        "tags": [_tag(path, verb)],
        "summary": _text(path, verb) or said.get("description", "").partition("\n\n")[0].replace("\n", " "),
        "operationId": said["operationId"],
        "parameters": [_parameter(path, one) for one in said.get("parameters", ())],
        "responses": _form_answers(form) if form else _answers(path, shapes),
    }
    return made | ({"requestBody": _body(form)} if form else {})


def _text(path: str, verb: str) -> str:
    """What it is for, to a program."""
    promise = (FORMS if verb == "post" else ANSWERS).get(path)
    return promise.text if promise else ""


def _tag(path: str, verb: str) -> str:
    """The group that it is listed in."""
    if verb == "get" and path not in ANSWERS:
        return "Pages"
    groups = {"workflows": "Workflows", "index": "Workflows", "runs": "Runs", "approvals": "Questions"}
    return groups.get(_first(path), "Studio")


def _first(path: str) -> str:
    return path.split("/")[1].removesuffix(".json")


def _parameter(path: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """A part of an address: its type, what it says, and what stands for it in examples."""
    name = said["name"]
    kinds = [
        {key: value for key, value in one.items() if key != "title"}
        for one in said["schema"].get("anyOf", [said["schema"]])
        if one.get("type") != "null"
    ]
    socket = SOCKETS[path].query if path in SOCKETS else {}
    text = socket.get(name) or PARAMETERS.get(f"{_first(path)}/{name}") or PARAMETERS.get(name, "")
    example = STANDS_FOR.get(name) if said["in"] == "path" else EXAMPLES.get(path, {}).get(name)
    return {
        "name": name,
        "in": said["in"],
        "required": said["required"],
        "description": text,
        "schema": kinds[0] if len(kinds) == 1 else {"anyOf": kinds},
        **({"example": example} if example else {}),
    }


def _answers(path: str, shapes: Shapes) -> dict[str, Any]:
    """What a GET answers."""
    if path in LEADS_ON:
        return {"307": {"description": "Where the page is."}} | ALWAYS
    if path in ANSWERS:
        kind = LINES if path.endswith(".ndjson") else JSON
        content = {kind: {"schema": shapes.of(ANSWERS[path].kind)}}
        good = {"description": "One event a line." if kind == LINES else "The data.", "content": content}
    else:
        good = _page("Parts of the page." if path.endswith("/regions") else "The page.")
    is_data = path.endswith(".json")
    wrong = {"400": "A query that does not fit."} if path in MAY_BE_WRONG else {}
    wrong |= {"404": NONE} if PART.search(path) else {}
    return {"200": good} | {status: _error(text, shapes, is_data) for status, text in wrong.items()} | ALWAYS


def _error(text: str, shapes: Shapes, is_data: bool) -> dict[str, Any]:
    return {"description": text, "content": {PROBLEM: {"schema": shapes.of(Problem)}}} if is_data else _page(text)


def _form_answers(form: Form) -> dict[str, Any]:
    """What may become of a form."""
    leads = {"headers": {"Location": {"schema": {"type": "string"}}}}
    made = {
        str(status): {"description": text, **leads} if status == 303 else _page(text)
        for status, text in sorted(form.answers.items())
    }
    return made | ALWAYS


def _page(text: str) -> dict[str, Any]:
    return {"description": text, "content": {PAGE: {}}}


def _body(form: Form) -> dict[str, Any]:
    """The fields of a form; what programs do not send is left out."""
    text: Schema = {"type": "string"}
    fields = {
        name: {"description": said, **({"type": "array", "items": text} if name in form.many else text)}
        for name, said in form.fields.items()
    }
    return {"content": {FORM: {"schema": {"type": "object", "properties": fields}, "example": dict(form.example)}}}


def _sockets(app: FastAPI) -> Iterable[tuple[str, dict[str, Any]]]:
    """The websockets: each is a GET that goes on."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if not isinstance(route, APIWebSocketRoute):
            continue
        path = str(context.path)
        said = SOCKETS.get(path, NOTHING_SAID)
        named = [{"name": name, "in": "path", "required": True} for name in PART.findall(path)]
        named += [{"name": name, "in": "query", "required": False} for name in said.query]
        made = {
            "tags": ["Sockets"],
            "summary": (getdoc(route.endpoint) or "").partition("\n\n")[0],
            "description": said.text,
            "operationId": route.name,
            "parameters": [_parameter(path, one | {"schema": {"type": "string"}}) for one in named],
            "responses": {"101": {"description": "A websocket."}} | ALWAYS,
        }
        yield path, {"get": made}
