"""Secrets are never stored: their places are kept as holes, addressed by JSON pointers (RFC 6901)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.core_schema import Holes
from engine.errors import DataFault
from engine.json_schema import referred

Pointer = str


def take_holes(written: object, holes: Holes) -> tuple[object, tuple[Pointer, ...], object]:
    """Split what a serializer wrote into (value with ``None`` for each secret, pointers, the whole value).

    The whole value is ``None`` if a secret in it has no form as text.
    """
    pointers: list[Pointer] = []
    unwritable: list[Pointer] = []

    def split(value: object, at: Pointer) -> tuple[object, object]:
        if isinstance(value, dict):
            pairs = {key: split(item, f"{at}/{_escape(key)}") for key, item in value.items()}
            return {key: pair[0] for key, pair in pairs.items()}, {key: pair[1] for key, pair in pairs.items()}
        if isinstance(value, list):
            items = [split(item, f"{at}/{index}") for index, item in enumerate(value)]
            return [item[0] for item in items], [item[1] for item in items]
        if not isinstance(value, str) or not value.startswith(holes.nonce):
            return value, value
        pointers.append(at)
        secret = _plain_secret(holes[int(value[len(holes.nonce) :])])
        if secret is None:
            unwritable.append(at)
        return None, secret

    holed, whole = split(written, "")
    return holed, tuple(pointers), None if unwritable else whole


def _plain_secret(secret: Any) -> object:
    value = secret.get_secret_value()
    if not isinstance(value, bytes):
        return value if isinstance(value, (str, int, float, list, dict)) else None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def holes_schema(pointers: Sequence[Pointer]) -> dict[str, Any]:
    """The JSON Schema of the answer that fills these holes: one text per hole, named by its dotted path."""
    names = [_name(pointer) for pointer in pointers]
    properties = {name: {"type": "string", "format": "password", "writeOnly": True, "title": name} for name in names}
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}


def inside(key: object, pointers: Sequence[Pointer]) -> list[Pointer]:
    """The pointers of a part, from the whole that has it under ``key``."""
    return [f"/{_escape(key)}{pointer}" for pointer in pointers]


def outside(key: object, pointers: Sequence[Pointer]) -> tuple[Pointer, ...]:
    """The pointers of a whole that lead into its part ``key``, from that part."""
    start = f"/{_escape(key)}"
    return tuple(pointer[len(start) :] for pointer in pointers if (pointer + "/").startswith(start + "/"))


def at_hole(whole: Any, pointer: Pointer) -> object:
    """The secret that is missing at a hole, out of the value that has it."""
    for part in _parts(pointer):
        whole = whole[int(part) if isinstance(whole, list) else part]
    return whole


def holes_between(holed: object, whole: object, at: Pointer = "") -> tuple[Pointer, ...]:
    """Where ``holed`` lacks what ``whole`` has."""
    if isinstance(holed, dict) and isinstance(whole, dict):
        return tuple(hole for key in holed for hole in holes_between(holed[key], whole[key], f"{at}/{_escape(key)}"))
    if isinstance(holed, list) and isinstance(whole, list):
        pairs = enumerate(zip(holed, whole, strict=True))
        return tuple(hole for index, (one, other) in pairs for hole in holes_between(one, other, f"{at}/{index}"))
    return (at,) if holed is None and whole is not None else ()


def secret_places(value: object, schema: Mapping[str, Any]) -> tuple[Pointer, ...]:
    """Where a value has what its JSON Schema says is a secret (``writeOnly``, as pydantic writes ``SecretStr``)."""
    return tuple(dict.fromkeys(_secret_places(value, schema, schema, frozenset())))


def _secret_places(
    value: object, schema: object, root: Mapping[str, Any], seen: frozenset[object]
) -> Iterator[Pointer]:
    """``seen``: references that led here, of which one may lead back to itself."""
    if not isinstance(schema, Mapping) or value is None:
        return
    if schema.get("writeOnly") is True:
        yield ""
        return
    same = [part for key in ("anyOf", "oneOf", "allOf") for part in schema.get(key, ())]
    ref = schema.get("$ref")
    if ref is not None and ref not in seen:
        same.append(referred(root, str(ref)))
    for part in same:
        yield from _secret_places(value, part, root, seen | {ref})
    for key, item, part in _parts_of(value, schema):
        for pointer in _secret_places(item, part, root, frozenset()):
            yield f"/{_escape(key)}{pointer}"


def _parts_of(value: object, schema: Mapping[str, Any]) -> Iterator[tuple[object, object, object]]:
    if isinstance(value, dict):
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        yield from ((key, item, known.get(key, others)) for key, item in value.items())
    elif isinstance(value, list):
        first, others = schema.get("prefixItems", ()), schema.get("items")
        yield from ((at, item, first[at] if at < len(first) else others) for at, item in enumerate(value))


def with_holes(value: object, pointers: Sequence[Pointer]) -> object:
    """A copy of a value with nothing at these places."""
    if "" in pointers:
        return None
    inner = {pointer.split("/")[1] for pointer in pointers}
    if isinstance(value, dict):
        return {
            key: with_holes(item, outside(key, pointers)) if _escape(key) in inner else item
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [with_holes(item, outside(at, pointers)) if str(at) in inner else item for at, item in enumerate(value)]
    return value


def _name(pointer: Pointer) -> str:
    parts = _parts(pointer)
    if not parts:
        return "value"
    return pointer if any("." in part or "/" in part for part in parts) else ".".join(parts)


def fill_holes(value: object, answers: Mapping[str, object]) -> object:
    """A copy of ``value`` with the answers in the holes. Raises :class:`DataFault` for an answer that fits no hole."""
    if value is None:
        return next(iter(answers.values()), None)
    for name, answer in answers.items():
        value = _put(value, _parts(name) if name.startswith("/") else name.split("."), answer, name)
    return value


def _put(value: object, parts: list[str], answer: object, name: str) -> object:
    if not parts and value is None:
        return answer
    head, rest = (parts[0], parts[1:]) if parts else ("", [])
    if isinstance(value, dict) and head in value:
        return {**value, head: _put(value[head], rest, answer, name)}
    if isinstance(value, list) and head.isdecimal() and int(head) < len(value):
        return [_put(item, rest, answer, name) if index == int(head) else item for index, item in enumerate(value)]
    raise DataFault(
        f"1 problem: {name}: nothing is missing there", problems=[(f"$.{name}", "nothing is missing there")]
    )


def _parts(pointer: Pointer) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _escape(key: object) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")
