"""Values as short texts for people: secrets are hidden, and no more is looked at than is shown.

A class that says itself how it is shown (``__repr__``) is asked, which costs what it costs; what Python's own types and
models would show in full is taken apart here.
"""

from __future__ import annotations

from array import array
from collections import Counter, OrderedDict, UserDict, UserList, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from inspect import unwrap
from itertools import islice
from types import MappingProxyType, SimpleNamespace
from typing import Any

from pydantic import BaseModel, RootModel

from engine.redaction import HIDDEN, is_sensitive, redacted_start, redacted_text

LONGEST_REPR = 200
"""Characters of a value that are shown."""

_ITEMS = 20
"""Of a collection; the rest is left out."""

_DEPTH = 5
_BITS = 1_000
"""Of a whole number: Python takes long to write a larger one, or refuses to."""

_READ = 32_000
"""Characters of a text that are looked at."""


def short_repr(value: object) -> str:
    """``repr(value)`` in at most 200 characters, with secrets hidden. Never raises."""
    try:
        return _cut(_Short().of(value))
    except BaseException:  # noqa: BLE001 - a user's __repr__ may do anything
        return "(can't be shown)"


def hides(name: object, value: object) -> bool:
    """Whether a value is a secret by its name. A flag or nothing says no more than that there is one."""
    if not isinstance(name, str) or value is None or type(value) is bool or (type(value) is str and not value):
        return False
    return is_sensitive(name)


def fields_of(value: object) -> Iterable[tuple[str, object]]:
    """What an object keeps in its own fields; no code of its class runs."""
    kept = _own(value, "__dict__")
    if isinstance(kept, dict):
        return list(kept.items())
    names = getattr(type(value), "__dataclass_fields__", None)
    return [(name, _own(value, name)) for name in names] if type(names) is dict else ()


def _own(value: object, name: str) -> object:
    try:
        return object.__getattribute__(value, name)
    except AttributeError:
        return None


def _start(text: str) -> str:
    return _cut(redacted_start(text, LONGEST_REPR + 1))


def _cut(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= LONGEST_REPR else f"{text[: LONGEST_REPR - 1]}…"


class _Short:
    """Writes one value, and stops when there is no room for more."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._room = LONGEST_REPR + 1

    def of(self, value: object) -> str:
        """The text of a value."""
        self._write(value, _DEPTH)
        return redacted_text("".join(self._parts))

    def _put(self, text: str) -> None:
        self._parts.append(text)
        self._room -= len(text)

    def _write(self, value: Any, depth: int) -> None:
        kind = type(value)
        how = kind.__repr__
        if how in _TEXTS:
            self._put(_TEXTS[how](value))
        elif how in _COLLECTIONS:
            items, brackets = _COLLECTIONS[how]
            is_single = kind is tuple and len(value) == 1
            self._within(kind, "(,)" if is_single else brackets, items(value), depth)
        elif (named := _named_fields(kind, value)) is not None:
            self._within(kind, "", named, depth)
        else:
            self._put(_start(repr(value)))

    def _within(self, kind: type, brackets: str, items: Iterable[Any], depth: int) -> None:
        opens, closes = brackets[:1], brackets[1:]
        if kind not in _PLAIN:
            opens, closes = f"{kind.__name__}({opens}", f"{closes})"
        self._put(opens)
        self._items(items, depth)
        self._put(closes)

    def _items(self, items: Iterable[Any], depth: int) -> None:
        for number, item in enumerate(islice(items, _ITEMS + 1)):
            if number:
                self._put(", ")
            if self._room <= 0 or number == _ITEMS or not depth:
                self._put("…")
                return
            if type(item) is _Pair:
                self._pair(item, depth - 1)
            else:
                self._write(item, depth - 1)

    def _pair(self, pair: _Pair, depth: int) -> None:
        if pair.is_field:
            self._put(f"{pair.name}=")
        else:
            self._write(pair.name, depth)
            self._put(": ")
        if hides(pair.name, pair.value):
            self._put(HIDDEN)
        else:
            self._write(pair.value, depth)


class _Pair:
    """A name with its value."""

    __slots__ = ("is_field", "name", "value")

    def __init__(self, name: object, value: object, *, is_field: bool = False) -> None:
        self.name = name
        self.value = value
        self.is_field = is_field


def _text(value: str) -> str:
    return repr(_start(str.__getitem__(value, slice(_READ))))


def _bytes(value: bytes | bytearray) -> str:
    read = bytes(memoryview(value)[:_READ]).decode("utf-8", "backslashreplace")
    return f"b{_text(read)}"


def _number(value: int) -> str:
    bits = int.bit_length(value)
    return int.__repr__(value) if bits <= _BITS else f"(a number of {bits} bits)"


def _pairs(value: Mapping[Any, Any]) -> Iterable[_Pair]:
    return (_Pair(name, part) for name, part in value.items())


def _entries(value: dict[Any, Any]) -> Iterable[_Pair]:
    return (_Pair(name, part) for name, part in dict.items(value))


def _fields(value: object) -> Iterable[_Pair]:
    return (_Pair(name, part, is_field=True) for name, part in fields_of(value))


def _tuple(value: tuple[Any, ...]) -> Iterable[Any]:
    """Its items. The second of a pair whose first is called like a secret is one: a header."""
    items = list(islice(tuple.__iter__(value), _ITEMS + 1))
    return [items[0], _Hidden()] if len(items) == 2 and hides(*items) else items


class _Hidden:
    def __repr__(self) -> str:
        return HIDDEN


def _named_fields(kind: Any, value: Any) -> Iterable[_Pair] | None:
    """The fields of a named tuple, a model or a dataclass that is shown as such types are; ``None``: another."""
    how = kind.__repr__
    file = getattr(getattr(unwrap(how), "__code__", None), "co_filename", "")
    if how is BaseModel.__repr__ and kind.__repr_args__ in _MODELS_SHOW:
        shown = {name for name, field in kind.model_fields.items() if field.repr}
        return (pair for pair in _fields(value) if pair.name in shown)
    if hasattr(kind, "__dataclass_fields__") and file == "<string>":
        return (_Pair(one.name, _own(value, one.name), is_field=True) for one in fields(kind) if one.repr)
    if issubclass(kind, tuple) and file == namedtuple.__code__.co_filename:
        pairs = zip(kind._fields, tuple.__iter__(value), strict=False)
        return (_Pair(name, part, is_field=True) for name, part in pairs)
    return None


_TEXTS: Mapping[object, Callable[[Any], str]] = {
    str.__repr__: _text,
    bytes.__repr__: _bytes,
    bytearray.__repr__: _bytes,
    int.__repr__: _number,
}
_COLLECTIONS: Mapping[object, tuple[Callable[[Any], Iterable[Any]], str]] = {
    dict.__repr__: (_entries, "{}"),
    defaultdict.__repr__: (_entries, "{}"),
    OrderedDict.__repr__: (_entries, "{}"),
    Counter.__repr__: (_entries, "{}"),
    UserDict.__repr__: (lambda value: _entries(value.data), "{}"),
    MappingProxyType.__repr__: (_pairs, "{}"),
    list.__repr__: (list.__iter__, "[]"),
    UserList.__repr__: (lambda value: iter(value.data), "[]"),
    tuple.__repr__: (_tuple, "()"),
    set.__repr__: (set.__iter__, "{}"),
    frozenset.__repr__: (frozenset.__iter__, "{}"),
    deque.__repr__: (deque.__iter__, "[]"),
    array.__repr__: (iter, "[]"),
    type({}.keys()).__repr__: (iter, "[]"),
    type({}.values()).__repr__: (iter, "[]"),
    type({}.items()).__repr__: (iter, "[]"),
    SimpleNamespace.__repr__: (_fields, ""),
    BaseException.__repr__: (lambda value: value.args, ""),
}
"""By how a type shows itself, so that one which says so itself is asked."""

_MODELS_SHOW = (BaseModel.__repr_args__, RootModel.__repr_args__)
_PLAIN = frozenset({dict, list, tuple})
