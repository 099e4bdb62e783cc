"""A form's controls by name, as a browser sends them: made of a value, and read back into one.

Beside its own control, a field may have some that no person types: ``@rows`` (how many), ``@on`` (an optional group is
there), ``@tab`` (the alternative of a union), ``@zone``, ``@blank`` (what nothing typed means, if not the usual),
``@json`` (this part as JSON, because it does not fit its fields), ``@more`` (fields that the schema does not name).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from studio.forms import texts
from studio.forms.nodes import (
    MISSING,
    Boolean,
    Constant,
    Dict,
    Group,
    Leaf,
    List,
    Moment,
    Node,
    Number,
    Object,
    Text,
    Tuple,
    Union,
)
from studio.forms.paths import control, escape, join, unescape

Typed = Mapping[str, Sequence[str]]
Controls = dict[str, list[str]]
Shown = Iterator[tuple[str, str]]

MAX_ROWS = 1_000
SHOWN_ROWS = 100  # a longer list is edited as JSON


def is_checkbox(node: Node) -> bool:
    """Whether an unticked box means no. Without a default a person has to say which."""
    return isinstance(node, Boolean) and isinstance(node.about.default, bool) and not node.about.nullable


def at(typed: Typed, path: str, mark: str = "") -> str | None:
    """What the control at a path holds; ``None`` if it was not sent."""
    found = typed.get(control(join(path, mark) if mark else path))
    return found[-1] if found else None


def last(typed: Typed, name: str) -> str:
    """What a control that is no field holds."""
    return (typed.get(name) or [""])[-1]


def mode(typed: Typed) -> Literal["form", "json"]:
    """The editor that was shown."""
    return "json" if last(typed, "_mode") == "json" else "form"


def number(text: str) -> int | None:
    """The place or amount that a control or a button names."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def count(typed: Typed, path: str) -> int:
    """How many rows a list or dict has."""
    return min(number(at(typed, path, "@rows") or "") or 0, MAX_ROWS)


def bound_rows(typed: Controls) -> None:
    """Make rows fewer that only say that they are there: no browser sends so many, and each costs time."""
    left = MAX_ROWS
    for name, found in typed.items():
        if name.endswith("@rows"):
            rows = min(number(found[-1]) or 0, left)
            left -= rows
            typed[name] = [str(rows)]


def chosen(node: Union, typed: Typed, path: str) -> int | None:
    """The place of the alternative that is chosen."""
    place = number(at(typed, path, "@tab") or "")
    return place if place is not None and place < len(node.alternatives) else None


# -- from a value


def controls(node: Node, path: str, value: Any = MISSING) -> Controls:
    """The controls that show a value; without one, the defaults."""
    return {name: [text] for name, text in _shown(node, path, value)}


def _shown(node: Node, path: str, value: Any) -> Shown:
    if value is MISSING:
        value = node.about.default
    if isinstance(node, Constant):
        if value is not MISSING and not (node.value is MISSING or texts.same(node.value, value)):
            yield _as_json(node, path, value)
    elif isinstance(node, Leaf):
        if not is_secret(node):  # never goes back to the browser
            yield from _shown_leaf(node, path, value)
    elif isinstance(node, Group):
        yield from _shown_group(node, path, value)
    else:
        yield from _shown_union(node, path, value)


def _as_json(node: Node, path: str, value: Any) -> tuple[str, str]:
    return control(join(path, "@json")), texts.to_json(without_secrets(node, value))


def _shown_leaf(node: Leaf, path: str, value: Any) -> Shown:
    default = node.about.default
    if isinstance(node, Number) and {type(value), type(default)} == {int, float} and value == default:
        value = default  # as the schema writes it: 0, and not 0.0
    if is_checkbox(node):
        if value is True:
            yield control(path), "true"
        elif value is not False:
            yield _as_json(node, path, value)
    elif value is MISSING or texts.is_blank(node, value):
        yield from _shown_blank(node, path, value)
    elif (text := texts.written(node, value)) is None:
        yield _as_json(node, path, value)
    else:
        text, zone = texts.split_zone(text) if _has_zone(node) else (text, None)
        yield control(path), text
        if zone is not None:
            yield control(join(path, "@zone")), zone


def _has_zone(node: Leaf) -> bool:
    return isinstance(node, Moment) and node.kind == "datetime"


def _shown_blank(node: Leaf, path: str, value: Any) -> Shown:
    if value is None and not node.about.nullable:
        yield _as_json(node, path, value)
        return
    yield control(path), ""
    if _has_zone(node):
        yield control(join(path, "@zone")), "UTC"
    try:
        usual = texts.blank(node)
    except texts.Unreadable:
        usual = MISSING
    if value not in (MISSING, usual):
        yield control(join(path, "@blank")), "null" if value is None else "text"


def _shown_group(node: Group, path: str, value: Any) -> Shown:
    off = value is MISSING or (value is None and node.about.nullable)
    if node.about.skipped:
        if not off:
            yield control(join(path, "@on")), "true"
        elif value is None and not node.about.required and node.about.default is MISSING:
            yield control(join(path, "@blank")), "null"
    if not off and not _holds(node, value):
        yield _as_json(node, path, value)
        off = True
    yield from _shown_parts(node, path, MISSING if off else value)


def _holds(node: Group, value: Any) -> bool:
    """Whether the value can be shown in this group's fields, whatever its parts are."""
    match node:
        case Object():
            return isinstance(value, dict)
        case Tuple():
            return isinstance(value, list) and len(value) == len(node.items)
        case List():
            return isinstance(value, list) and len(value) <= SHOWN_ROWS
        case Dict():
            # A key without any letter, or with lines, is no key that can be typed.
            typable = isinstance(value, dict) and all(key and key.isprintable() for key in value)
            return typable and len(value) <= SHOWN_ROWS


def _shown_parts(node: Group, path: str, value: Any) -> Shown:
    given = value is not MISSING
    match node:
        case Object():
            left = dict(value) if given else {}
            for name, part in node.fields:
                # Without it, its default: so does the engine.
                yield from _shown(part, join(path, name), left.pop(unescape(name), MISSING))
            if left:
                yield control(join(path, "@more")), texts.to_json(left)
        case Tuple():
            for index, part in enumerate(node.items):
                yield from _shown(part, join(path, index), value[index] if given else MISSING)
        case List():
            rows = value if given else [MISSING] * min(node.least, SHOWN_ROWS)
            yield control(join(path, "@rows")), str(len(rows))
            for index, row in enumerate(rows):
                yield from _shown(node.item, join(path, index), row)
        case Dict():
            pairs = list(value.items()) if given else []
            yield control(join(path, "@rows")), str(len(pairs))
            for index, (key, part) in enumerate(pairs):
                yield control(join(path, f"@{index}.key")), key
                yield from _shown(node.value, join(path, f"@{index}.value"), part)


def _shown_union(node: Union, path: str, value: Any) -> Shown:
    place: int | None
    if value is MISSING:
        place = len(node.alternatives) - 1 if node.about.skipped else 0
    else:
        place = next(_fitting(node, value), None)
        if place is None:
            yield _as_json(node, path, value)
    yield control(join(path, "@tab")), str(place or 0)
    for index, one in enumerate(node.alternatives):
        yield from _shown(one.node, join(path, f"@{index}"), value if index == place else MISSING)


def _fitting(node: Union, value: Any) -> Iterator[int]:
    """The alternatives a value may be of, the best first."""
    if node.tag and isinstance(value, dict) and unescape(node.tag) in value:
        said = value[unescape(node.tag)]
        for index, one in enumerate(node.alternatives):
            tag = dict(one.node.fields).get(node.tag) if isinstance(one.node, Object) else None
            if isinstance(tag, Constant) and texts.same(tag.value, said):
                yield index
    exact = [index for index, one in enumerate(node.alternatives) if fits(one.node, value)]
    named = [index for index in exact if not _extra(node.alternatives[index].node, value)]
    yield from (*named, *exact)


def _extra(node: Node, value: Any) -> bool:
    if not (isinstance(node, Object) and isinstance(value, dict)):
        return False
    return bool({escape(key) for key in value} - {name for name, _ in node.fields})


def fits(node: Node, value: Any) -> bool:
    """Whether a value is of a field's shape."""
    if value is None and node.about.nullable:
        return True
    match node:
        case Constant():
            return node.value is not MISSING and texts.same(node.value, value)
        case Text():
            return isinstance(value, str)
        case Object():
            return isinstance(value, dict) and all(_has(part, name, value) for name, part in node.fields)
        case Tuple():
            return _holds(node, value) and all(map(fits, node.items, value))
        case List():
            return isinstance(value, list) and all(fits(node.item, one) for one in value)
        case Dict():
            return isinstance(value, dict) and all(fits(node.value, one) for one in value.values())
        case Union():
            return any(fits(one.node, value) for one in node.alternatives)
        case _:
            return _is_read(node, value)


def _has(node: Node, name: str, value: dict[str, Any]) -> bool:
    key = unescape(name)
    return fits(node, value[key]) if key in value else not node.about.required


def _is_read(node: Leaf, value: Any) -> bool:
    text = texts.written(node, value)
    try:
        return text is not None and texts.same(texts.understood(node, text), value)
    except texts.Unreadable:
        return False


# -- secrets


def without_secrets(node: Node, value: Any) -> Any:
    """A copy of a value without what its schema calls secret."""
    match node:
        case Object() if isinstance(value, dict):
            fields = {unescape(name): part for name, part in node.fields}
            return {
                key: without_secrets(fields[key], part) if key in fields else part
                for key, part in value.items()
                if not is_secret(fields.get(key))
            }
        case List() if isinstance(value, list):
            return [without_secrets(node.item, one) for one in value]
        case Tuple() if isinstance(value, list):
            rest = value[len(node.items) :]
            return [*map(without_secrets, node.items, value), *rest]
        case Dict() if isinstance(value, dict):
            return {key: without_secrets(node.value, one) for key, one in value.items()}
        case Union():
            place = next(_fitting(node, value), None)
            return value if place is None else without_secrets(node.alternatives[place].node, value)
        case Text(secret=True):
            return ""
        case _:
            return value


def is_secret(node: Node | None) -> bool:
    return isinstance(node, Text) and node.secret


def secrets(node: Node, path: str = "") -> Iterator[tuple[str, Text]]:
    """The secrets that are there whatever is typed: not in a row, not in one alternative."""
    if isinstance(node, Text) and node.secret:
        yield path, node
    if isinstance(node, Object) and not node.about.skipped:
        for name, part in node.fields:
            yield from secrets(part, join(path, name))
