"""What a browser sent, read: the JSON value, what can't be understood, and what a button asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, assert_never

from studio.forms import texts
from studio.forms.nodes import MISSING, Choice, Constant, Dict, Group, Leaf, List, Node, Object, Text, Tuple
from studio.forms.paths import ROOT, join, unescape
from studio.forms.reading import Schema, read
from studio.forms.rows import Action, apply, asked_for
from studio.forms.typed import (
    Controls,
    Typed,
    at,
    bound_rows,
    chosen,
    controls,
    count,
    is_checkbox,
    last,
    mode,
    secrets,
    without_secrets,
)

__all__ = ["Action", "Parsed", "parse"]

ONLY_ONE = "a key can be there once"


@dataclass(frozen=True, slots=True)
class Parsed:
    """``value``: what was meant (``MISSING`` if nothing), with what can't be understood as the text that was typed.

    ``errors`` is by path, ready for :func:`build`; with an ``action`` nothing is missing yet. ``typed`` is what to show
    again, the action done.
    """

    value: Any
    errors: dict[str, str]
    action: Action | None
    typed: dict[str, list[str]]
    mode: Literal["form", "json"] = "form"

    @property
    def submitted(self) -> bool:
        """Whether the value can go to the engine."""
        return self.action is None and not self.errors


def parse(schema: Schema | None, items: Sequence[tuple[str, str]]) -> Parsed:
    """The value of a form, from the names and texts that its browser sent. Never raises."""
    root, typed = read(schema), _by_name(items)
    action = asked_for(typed)
    reader = _Reader(root, typed)
    value = reader.whole()
    if action is not None:
        typed = _done(root, typed, action, value, understood=not reader.errors)
        reader = _Reader(root, typed, strict=False)
        value = reader.whole()
    return Parsed(value, reader.errors, action, typed, mode(typed))


def _by_name(items: Sequence[tuple[str, str]]) -> Controls:
    """Ours of what was sent; browsers end lines with CR LF."""
    typed: Controls = {}
    for name, text in items:
        if name == ROOT or name.startswith((f"{ROOT}.", "_")):
            typed.setdefault(name, []).append(text.replace("\r\n", "\n").replace("\r", "\n"))
    bound_rows(typed)
    return typed


def _done(root: Node, typed: Controls, action: Action, value: Any, *, understood: bool) -> Controls:
    if action.verb != "mode":
        return apply(root, typed, action)
    same = {name: texts for name, texts in typed.items() if name != "_action"}
    if action.path == mode(typed):
        return same
    if action.path == "json":
        return _to_json(root, typed, value)
    carried = _carried(typed)
    if carried is not None and carried[0] == last(typed, "_json"):
        return {"_mode": ["form"], **carried[1]}  # as the fields were: the JSON was not touched
    return {"_mode": ["form"], **controls(root, "", value)} if understood else same


def _to_json(root: Node, typed: Controls, value: Any) -> Controls:
    """The JSON editor over the same value. The fields are carried along: JSON can't hold all that was typed."""
    text = "" if value is MISSING else texts.to_json(without_secrets(root, value))
    hidden = {f"{ROOT}.{path}" if path else ROOT for path, _ in secrets(root)}
    fields = {name: texts for name, texts in typed.items() if not name.startswith("_") and name not in hidden}
    return {"_mode": ["json"], "_json": [text], "_fields": [json.dumps({"json": text, "fields": fields})]}


def _carried(typed: Typed) -> tuple[str, Controls] | None:
    """The JSON text as it was made, and the fields it was made of."""
    try:
        found = json.loads(last(typed, "_fields"))
        fields = {str(name): [str(text) for text in texts] for name, texts in found["fields"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    carried = {name: texts for name, texts in fields.items() if name.startswith(ROOT) and texts}
    bound_rows(carried)
    return str(found["json"]), carried


class _Reader:
    """Reads controls into a value. ``strict``: something missing is an error."""

    def __init__(self, root: Node, typed: Typed, *, strict: bool = True) -> None:
        self.root = root
        self.typed = typed
        self.strict = strict
        self.errors: dict[str, str] = {}

    def whole(self) -> Any:
        return self.edited() if mode(self.typed) == "json" else self.value(self.root, "")

    def edited(self) -> Any:
        """The value of the JSON editor, with the secrets that are typed beside it."""
        value = self.json(last(self.typed, "_json"), "")
        if value is MISSING or self.errors:
            return value
        for path, _ in secrets(self.root):
            if secret := at(self.typed, path):
                value = _with(value, path, secret)
        return value

    def refused(self, path: str, message: str, value: Any) -> Any:
        if self.strict or message != texts.NEEDED:
            self.errors[path] = message
        return value

    def value(self, node: Node, path: str) -> Any:
        if (text := at(self.typed, path, "@json")) is not None:
            return self.json(text, path)
        if isinstance(node, Constant):
            return node.value
        if isinstance(node, Leaf):
            return self.leaf(node, path)
        if isinstance(node, Group):
            return self.group(node, path)
        place = chosen(node, self.typed, path)
        if place is None:
            return self.refused(path, texts.NEEDED, MISSING)
        return self.value(node.alternatives[place].node, join(path, f"@{place}"))

    def json(self, text: str, path: str) -> Any:
        if not text.strip():
            return self.refused(path, texts.NEEDED, MISSING)
        try:
            return texts.from_json(text)
        except texts.Unreadable as error:
            return self.refused(path, str(error), text)

    def leaf(self, node: Leaf, path: str) -> Any:
        text = at(self.typed, path)
        if is_checkbox(node):
            return text is not None
        if not text or not (text.strip() or isinstance(node, Text | Choice)):
            return self.blank(node, path)
        try:
            return texts.understood(node, text, at(self.typed, path, "@zone"))
        except texts.Unreadable as error:
            return self.refused(path, str(error), text)

    def blank(self, node: Leaf, path: str) -> Any:
        said = at(self.typed, path, "@blank")
        if said in ("text", "null"):
            return "" if said == "text" else None
        try:
            return texts.blank(node)
        except texts.Unreadable as error:
            return self.refused(path, str(error), MISSING)

    def group(self, node: Group, path: str) -> Any:
        about = node.about
        if about.skipped and at(self.typed, path, "@on") is None:
            usual = about.nullable and (about.required or about.default is not MISSING)
            return None if usual or at(self.typed, path, "@blank") == "null" else MISSING
        match node:
            case Object():
                return self.fields(node, path)
            case Tuple():
                return [_nothing_to_none(self.value(part, join(path, index))) for index, part in enumerate(node.items)]
            case List():
                rows = range(count(self.typed, path))
                return [_nothing_to_none(self.value(node.item, join(path, index))) for index in rows]
            case Dict():
                return self.pairs(node, path)
            case _:
                assert_never(node)

    def fields(self, node: Object, path: str) -> Any:
        made = {unescape(name): self.value(part, join(path, name)) for name, part in node.fields}
        value = {name: part for name, part in made.items() if part is not MISSING}
        more = at(self.typed, path, "@more")
        if more is None or not more.strip():
            return value
        left = self.json(more, join(path, "@more"))
        if isinstance(left, dict):
            return {**left, **value}
        self.errors.setdefault(join(path, "@more"), "not a JSON object")
        return value

    def pairs(self, node: Dict, path: str) -> dict[str, Any]:
        value: dict[str, Any] = {}
        for index in range(count(self.typed, path)):
            row = join(path, f"@{index}")
            part, key = self.value(node.value, join(row, "value")), at(self.typed, row, "key") or ""
            if not key:
                self.refused(join(row, "key"), texts.NEEDED, None)
            elif key in value:
                self.refused(join(row, "key"), ONLY_ONE, None)
            elif part is not MISSING:
                value[key] = part
        return value


def _nothing_to_none(value: Any) -> Any:
    """Rows keep their places, whether or not they are filled in yet."""
    return None if value is MISSING else value


def _with(value: Any, path: str, secret: str) -> Any:
    """The value with a secret put where the JSON says nothing."""
    if not path:
        return secret
    name, _, rest = path.partition(".")
    if not isinstance(value, Mapping):
        return value
    key = unescape(name)
    if not rest:
        return value if value.get(key) else {**value, key: secret}
    return {**value, key: _with(value[key], rest, secret)} if key in value else value
