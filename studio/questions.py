"""Ask a person for data in plain lines: one field after another, from the JSON Schema of the answer."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Ask = Callable[[str, bool], Awaitable[str]]
"""Shows a prompt and returns the line that was typed; what is secret is not shown while it is."""

NONE: Any = object()
WORDS = {"integer": "a whole number", "number": "a number", "boolean": "yes or no", "string": "text"}


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to ask for. ``name`` is empty if the answer is this one value and no object."""

    name: str
    label: str
    kind: str
    choices: tuple[Any, ...] = ()
    default: Any = NONE
    required: bool = True
    secret: bool = False


def fields_of(schema: Mapping[str, Any] | None) -> list[Field]:
    """What to ask for, in the order of the schema; without a schema: one value, as JSON."""
    whole = schema or {}
    properties = _resolved(whole, whole).get("properties")
    if not properties:
        return [_field("", whole, whole, required=True)]
    needed = _resolved(whole, whole).get("required", [])
    return [_field(name, part, whole, required=name in needed) for name, part in properties.items()]


def _field(name: str, part: Mapping[str, Any], whole: Mapping[str, Any], *, required: bool) -> Field:
    part = _resolved(part, whole)
    kind = part.get("type")
    choices = tuple(part.get("enum", [part["const"]] if "const" in part else []))
    return Field(
        name,
        label=str(part.get("description") or part.get("title") or name or "answer"),
        kind=kind if isinstance(kind, str) else "json",
        choices=choices,
        default=part.get("default", NONE),
        required=required,
        secret=part.get("format") == "password" or bool(part.get("writeOnly")),
    )


def _resolved(part: Mapping[str, Any], whole: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part with what it refers to; of an optional one the part that is not null."""
    for _ in range(10):  # a schema may refer in a circle
        others = [one for one in part.get("anyOf", ()) if one.get("type") != "null"]
        if len(others) == 1:
            part = {**others[0], **{key: value for key, value in part.items() if key != "anyOf"}}
        elif "$ref" in part:
            found = whole.get("$defs", {}).get(str(part["$ref"]).rpartition("/")[2], {})
            part = {**found, **{key: value for key, value in part.items() if key != "$ref"}}
    return part


async def read_answer(fields: Sequence[Field], ask: Ask) -> Any:
    """Ask for every field. Raises whatever ``ask`` raises."""
    if len(fields) == 1 and not fields[0].name:
        return await read_field(fields[0], ask)
    answers = {field.name: await read_field(field, ask) for field in fields}
    return {name: answer for name, answer in answers.items() if answer is not NONE}


async def read_field(field: Field, ask: Ask) -> Any:
    """Ask until the line can be understood; ``NONE`` if it was left out."""
    hint = " | ".join(map(str, field.choices)) if field.choices else WORDS.get(field.kind, "JSON")
    default = "" if field.default is NONE or field.default in (None, "", [], {}) else f", Enter for {field.default}"
    left_out = ", Enter for none" if not field.required and not default else ""
    name = f"{field.name}: " if field.name and field.label != field.name else ""
    prompt = f"{name}{field.label} [{hint}{default}{left_out}]"
    while True:
        line = await ask(f"{prompt}:", field.secret)
        if not line and not (field.required and field.default is NONE):
            return NONE if field.name else field.default
        try:
            return understood(line, field)
        except ValueError:
            wanted = "one of them" if field.choices else WORDS.get(field.kind, "JSON")
            prompt = f"That is not {wanted} [{hint}]"


def understood(line: str, field: Field) -> Any:
    """What a line means for this field. Raises ``ValueError``."""
    if field.choices:
        fitting = [one for one in field.choices if str(one) == line]
        fitting = fitting or [one for one in field.choices if line and str(one).startswith(line)]
        if len(fitting) != 1:
            raise ValueError(line)
        return fitting[0]
    match field.kind:
        case "boolean":
            if line.lower() in ("y", "yes", "true", "n", "no", "false"):
                return line.lower() in ("y", "yes", "true")
            raise ValueError(line)
        case "integer":
            return int(line)
        case "number":
            return float(line)
        case "string" if line:
            return line
        case "string":
            raise ValueError(line)
        case _:
            return json.loads(line)
