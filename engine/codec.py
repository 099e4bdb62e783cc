"""The stored form of values: JSON text in UTF-8.

*Plain* values (no schema, or a JSON Schema) are ``None``, ``bool``, ``int``, ``float``, ``str``, ``list`` and ``dict``
with text keys, nested at most 100 deep, and come back equal. Nearly all are stored as the JSON one expects. What JSON
itself can't say is tagged: an object with one key that starts with ``$engine:``.

==========================  ======================================================
``NaN``, infinities         ``{"$engine:float": "NaN"}``
ints of 4,000 digits on     ``{"$engine:int": "0x..."}``
text with lone surrogates   ``{"$engine:str": "caf\\\\ud800"}`` (escaped as in Python)
such a key, and any key     ``{"$engine:key:...": value}`` (so no data of a user can
that starts with $engine    pass for a tag)
==========================  ======================================================

Instances of subclasses of ``str``, ``int``, ``float``, ``list`` and ``dict`` are stored as the plain value that they
equal; enum members are refused, as they would come back as something else. Typed values are stored as their schema
writes them in JSON, by field names; see :mod:`engine.schema`. Secrets are never in the stored form.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from enum import Enum
from itertools import chain
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, from_json, to_json

from engine.errors import DataFault, NotSerializable
from engine.parts import MAX_DEPTH, is_known, short, step, type_name

MAX_VALUE_BYTES = 32 * 1024 * 1024
LONG = 4000
"""Stored data from this size on may hold a number that is too long for a parser."""

_SHOWN = 200  # bytes of what can't be read

_TAG = "$engine"
TAG_SIGN = b"$"
"""In every stored value that holds a tag. One character is looked for forty times as fast as several."""
_TAG_BYTES = b'"$engine'
_FLOAT, _INT, _STR, _KEY = "$engine:float", "$engine:int", "$engine:str", "$engine:key:"
_SCALARS = frozenset({_FLOAT, _INT, _STR})
_REPLACED = "\N{REPLACEMENT CHARACTER}".encode()
_DIGITS = 2000  # a number of 4,000 digits covers at least one whole block of this size
_BIG_BITS = 13_000  # a little below 4,000 digits; parsers stop at 4,300
ANNOTATE = "annotate what the step returns, or give it an output_schema"


# -- plain values


def encode_plain(value: object) -> bytes:
    """Store a plain value.

    Raises :class:`NotSerializable`, naming the JSON path and the type, for anything else.
    """
    if _is_plain(value):
        try:
            data = to_json(value)
        except (PydanticSerializationError, ValueError):  # text with lone surrogates
            pass
        else:
            if not needs_tags(data):
                return data if len(data) <= MAX_VALUE_BYTES else within_size(data)
    return within_size(to_json(_Tagger().tag(value, "$", MAX_DEPTH)))


def check_plain(value: object) -> None:
    """Raises :class:`NotSerializable` for what :func:`encode_plain` would refuse."""
    if not _is_plain(value):
        _Tagger().tag(value, "$", MAX_DEPTH)


def decode_plain(data: bytes) -> object:
    """The plain value that :func:`encode_plain` stored. Raises :class:`DataFault` for what is not stored data."""
    try:
        value: object = from_json(data)
        return _untag(value) if is_tagged(data) else value
    except (ValueError, TypeError, RecursionError) as error:
        raise DataFault(f"not a stored value: {error}") from error


def plain(data: bytes) -> object:
    """Stored data as JSON to look at: what had to be tagged is shown as text, and so is what nobody stored here."""
    try:
        value: object = from_json(data)
        return _untag(value, show=True) if is_tagged(data) else value
    except (ValueError, TypeError, RecursionError):
        return f"(not a stored value: {bytes(data[:_SHOWN])!r})"


def is_tagged(data: bytes) -> bool:
    """Whether stored data may contain tags."""
    return data.find(TAG_SIGN) >= 0 and data.find(_TAG_BYTES) >= 0


def needs_tags(data: bytes) -> bool:
    """Whether JSON made by a plain serializer could be misread: tag-like keys, or numbers too long for a parser."""
    # A key with lone surrogates is written with replacement characters.
    if is_tagged(data) or (data.find(_REPLACED[:1]) >= 0 and data.find(_REPLACED) >= 0):
        return True
    if len(data) < LONG:
        return False
    return any(data[at : at + _DIGITS].isdigit() for at in range(0, len(data) - _DIGITS + 1, _DIGITS))


def within_size(data: bytes) -> bytes:
    """``data`` itself; raises :class:`NotSerializable` if it is larger than :data:`MAX_VALUE_BYTES`."""
    if len(data) > MAX_VALUE_BYTES:
        raise _too_large(f"{len(data) / 2**20:.1f} MiB")
    return data


def _too_large(size: str) -> NotSerializable:
    limit = MAX_VALUE_BYTES // 2**20
    return NotSerializable(f"$ is {size} when stored, and the limit is {limit} MiB; store a file and pass its path")


def _too_many() -> NotSerializable:
    return _too_large(f"more than {MAX_VALUE_BYTES // 2:,} items")


_SIMPLE = frozenset({str, int, bool, type(None)})
_TEXT = frozenset({str})


def _is_plain(value: object) -> bool:
    """Whether a value can be handed to the fast serializer as it is. A shared or cyclic value can't run away."""
    kind = type(value)
    if kind is dict or kind is list:
        return _is_plain_container(value, MAX_DEPTH, [MAX_VALUE_BYTES // 2])
    return kind in _SIMPLE or (type(value) is float and math.isfinite(value))


def _is_plain_container(value: Any, room: int, budget: list[int]) -> bool:
    if type(value) is dict:
        if not _TEXT.issuperset(map(type, value)):
            return False
        items: Iterable[Any] = value.values()
    elif type(value) is list:
        items = value
    else:
        return False
    budget[0] -= len(value)
    if budget[0] < 0:
        raise _too_many()
    if not room:
        return False
    for item in items:
        kind = type(item)
        if kind in _SIMPLE or (kind is float and item - item == 0):  # neither NaN nor infinite
            continue
        if not _is_plain_container(item, room - 1, budget):
            return False
    return True


class _Tagger:
    """The slow path: checks each part, and tags what JSON can't say."""

    def __init__(self) -> None:
        self.budget = MAX_VALUE_BYTES // 2

    def tag(self, value: object, path: str, room: int) -> object:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Enum):
            raise refuse(value, path)
        if isinstance(value, str):
            return _tag_text(str.__str__(value))
        if isinstance(value, int):
            number = int.__add__(value, 0)
            return {_INT: hex(number)} if number.bit_length() > _BIG_BITS else number
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else {_FLOAT: _FLOAT_NAMES.get(float(value), "NaN")}
        if isinstance(value, (list, dict)):
            return self._container(value, path, room)
        raise refuse(value, path)

    def _container(self, value: list[object] | dict[object, object], path: str, room: int) -> object:
        if not room:
            raise too_deep()
        self.budget -= len(value)
        if self.budget < 0:
            raise _too_many()
        if isinstance(value, list):
            return [self.tag(item, f"{path}[{index}]", room - 1) for index, item in enumerate(value)]
        return {_tag_key(key, path): self.tag(item, path + step(key), room - 1) for key, item in value.items()}


_FLOAT_NAMES = {math.inf: "Infinity", -math.inf: "-Infinity"}


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _escape(text: str) -> str:
    return text.encode("unicode_escape").decode("ascii")


def _unescape(text: str) -> str:
    return text.encode("ascii").decode("unicode_escape")


def _tag_text(text: str) -> object:
    return text if _is_utf8(text) else {_STR: _escape(text)}


def _tag_key(key: object, path: str) -> str:
    if not isinstance(key, str) or isinstance(key, Enum):
        raise NotSerializable(
            f"the key {short(key)} of {path} (type {type_name(key)}) can't be stored: keys are text; {ANNOTATE}, "
            f"e.g. dict[{type_name(key)}, ...]",
            path=path,
        )
    text = str.__str__(key)
    return _KEY + _escape(text) if text.startswith(_TAG) or not _is_utf8(text) else text


def _untag(value: object, *, show: bool = False) -> object:
    if isinstance(value, list):
        return [_untag(item, show=show) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        [(key, inner)] = value.items()
        if key in _SCALARS:
            return _show_scalar(key, inner) if show else _scalar(key, inner)
    return {_untag_key(key, show=show): _untag(item, show=show) for key, item in value.items()}


def _untag_key(key: str, *, show: bool) -> str:
    if not key.startswith(_KEY):
        return key
    text = _unescape(key[len(_KEY) :])
    return text if not show or _is_utf8(text) else _escape(text)


def _scalar(key: str, text: str) -> object:
    if key == _FLOAT:
        return float(text)
    return int(text, 16) if key == _INT else _unescape(text)


def _show_scalar(key: str, text: str) -> str:
    if key != _INT:
        return text
    try:
        return str(int(text, 16))
    except ValueError:  # Python refuses to write ints of more than 4,300 digits
        return text


def refuse(value: object, path: str) -> NotSerializable:
    """The error for one value that no stored form exists for without a schema."""
    name = type_name(value)
    if isinstance(value, BaseModel) or (dataclasses.is_dataclass(value) and not isinstance(value, type)):
        return NotSerializable(
            f"{path} (type {name}) can't be stored without a schema; annotate the return type with {name}", path=path
        )
    known = is_known(value)
    advice = ANNOTATE if known else "make it JSON data, a model or a dataclass"
    return NotSerializable(
        f"{path} (type {name}) can't be stored{' without a schema' if known else ''}; {advice}", path=path
    )


def too_deep() -> NotSerializable:
    """The error for a value that is nested too deeply or contains itself."""
    return NotSerializable(f"$ is nested more than {MAX_DEPTH} deep, or contains itself; flatten it")


def is_too_deep(data: bytes) -> bool:
    """Whether JSON text is nested deeper than :data:`MAX_DEPTH`."""
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return False
    try:
        level: list[Any] = [from_json(data)]
    except ValueError:
        return True
    for _ in range(MAX_DEPTH + 1):
        level = [part for part in level if type(part) is dict or type(part) is list]
        if not level:
            return False
        level = list(chain.from_iterable(part.values() if type(part) is dict else part for part in level))
    return True
