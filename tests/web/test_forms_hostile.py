"""Schemas, values and requests that mean harm: shown as text, and read without harm."""

from __future__ import annotations

from pydantic import BaseModel

from studio.forms import build, parse
from tests.web.browser_form import Page, html_of, sent

CANARY = '"><script>alert(1)</script>{{7*7}}<img src=x onerror=alert(2)>'


class Tree(BaseModel):
    name: str
    parts: list[Tree] = []


def test_no_text_of_a_schema_or_a_value_becomes_markup() -> None:
    part = {"title": CANARY, "description": CANARY, "examples": [CANARY], "pattern": CANARY}
    one = {"type": "object", "title": CANARY, "properties": {CANARY: {"const": CANARY}, "n": {"type": "integer"}}}
    schema = {
        "type": "object",
        "title": CANARY,
        "properties": {
            CANARY: {**part, "type": "string", "default": CANARY},
            "long": {**part, "type": "string", "default": CANARY, "maxLength": 900},
            "few": {**part, "enum": [CANARY, "b"]},
            "many": {**part, "enum": [CANARY, *"abcdef"]},
            "list": {**part, "type": "array", "items": {**part, "type": "string"}},
            "dict": {**part, "type": "object", "additionalProperties": {**part, "type": "string"}},
            "union": {**part, "anyOf": [one, {**part, "type": "integer"}]},
            "day": {**part, "type": "string", "format": "date"},
            "moment": {**part, "type": "string", "format": "date-time"},
            "flag": {**part, "type": "boolean", "default": True},
            "any": part | {"type": "x"},
        },
    }
    value = {
        CANARY: CANARY, "long": CANARY, "few": CANARY, "many": CANARY, "list": [CANARY], "dict": {CANARY: CANARY},
        "union": CANARY, "day": CANARY, "moment": CANARY, "any": CANARY, "more" + CANARY: CANARY,
    }  # fmt: skip
    calm = build(schema, value, id="f", action="/x", submit=CANARY)
    parsed = parse(schema, sent(calm))
    loud = build(schema, typed=parsed.typed, errors={"few": CANARY, CANARY: CANARY, "": CANARY}, submit=CANARY)
    edited = build(schema, typed=parse(schema, sent(calm, button="mode:json")).typed)
    strange = build(schema, typed={"$.list.@rows": [CANARY], "$.union.@tab": [CANARY], "_focus": [CANARY]})
    for view in (calm, loud, edited, strange):
        page = Page(html_of(view))
        assert page.of("script", "img") == []
        assert [
            name for one in page.elements for name in one.attributes if name.startswith("on") or name == "style"
        ] == []


def test_anything_may_be_sent() -> None:
    """A browser's form is only one of the things that can arrive."""
    schema = Tree.model_json_schema()
    garbage = ["", "-1", "1e9", "9" * 30, "٣", "x", "\0", "{}", '{"json": "", "fields": {"$": 1}}']
    garbage += ["add", "add:", "add:parts", "up:parts:9", "mode:", "mode:x", "mode:json", "mode:form", "remove:a.b:0"]
    names = ["$", "$.parts", "$.parts.@rows", "$.parts.@json", "$.@more", "$.@on"]
    names += ["_action", "_mode", "_json", "_fields", "_focus"]
    for name in names:
        for text in garbage:
            mode = "json" if name.startswith("_") else "form"
            parsed = parse(schema, [("_mode", mode), (name, text), (name + ".x", text)])
            assert html_of(build(schema, typed=parsed.typed, errors=parsed.errors)).startswith("<form")
