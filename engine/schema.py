"""Schemas: what a value has to be, and the one form in which it is stored.

A schema is compiled once, by :func:`compile_schema`, from anything ``pydantic.TypeAdapter`` takes, from a JSON Schema
``dict``, or from ``None`` for anything JSON-able.

**The stored form** is JSON text in UTF-8, by field names (not aliases). ``decode(encode(value)) == value`` holds for
every value that :class:`Schema` encodes, and everything else is refused with the path and the type: nothing is lost
silently. With a type, all that pydantic can write and read is kept: models, dataclasses, dates, ``Decimal``, bytes
(base64), sets, enums, ``NaN`` (as text). Without one, only plain JSON is; :mod:`engine.codec` says how, and what a tag
is. Parts typed ``Any`` follow the rules of plain JSON. What is not kept: which fields of a model were set by hand, and
the name of a time zone (the instant and the offset are). Private attributes that differ afterwards are refused.

A ``SecretStr``, ``SecretBytes`` or ``Secret[...]`` is stored as a hole: ``null``, and its JSON pointer beside the data.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Any, get_args, get_origin

import typing_extensions
from pydantic import BaseModel, ValidationError

from engine import codec
from engine.codec import MAX_VALUE_BYTES, plain
from engine.errors import DataError, DataFault, SchemaError
from engine.faults import fault_of
from engine.feeds import find_misfits
from engine.holes import holes_schema
from engine.immutable import is_immutable
from engine.json_schema import compile_json_schema
from engine.parts import MAX_DEPTH
from engine.proof import Proof, Proving, compile_proving
from engine.typed import TypedForm

__all__ = ["ANY", "MAX_DEPTH", "MAX_VALUE_BYTES", "Field", "Schema", "compile_schema", "feeds", "holes_schema", "plain"]


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """A field of an object-like schema. ``annotation`` can be given to :func:`compile_schema`."""

    name: str
    required: bool
    annotation: Any


class Schema:
    """One compiled schema; made by :func:`compile_schema`.

    ``encode(value) -> bytes`` gives the stored form of a typed value and raises ``NotSerializable``;
    ``decode(bytes)`` gives the typed value of stored data, of this schema or another, and raises ``DataFault``.
    """

    __slots__ = (
        "_check",
        "_fields",
        "_json_schemas",
        "_proving",
        "_typed",
        "decode",
        "encode",
        "has_secrets",
        "is_any",
        "is_immutable",
        "kind",
        "name",
        "source",
    )

    source: Any
    kind: type | None
    name: str
    encode: Callable[[object], bytes]
    decode: Callable[[bytes], object]

    def __init__(self, source: Any) -> None:
        """Raises :class:`SchemaError`. Use :func:`compile_schema`, which remembers."""
        self.source = source
        self.name = _name(source)
        self.kind = _class(source)
        self._json_schemas: dict[tuple[str, bool], dict[str, Any]] = {}
        self._fields: dict[str, Field] | typing.Literal[False] | None = False
        self._typed: TypedForm | None = None
        self._proving: Proving | typing.Literal[False] | None = False
        self.is_any: bool = source is None
        """Whether it takes anything JSON-able: nothing was said about the value."""
        self.has_secrets: bool = False
        """Whether values may hold secrets, which are stored as holes."""
        self.is_immutable: bool = source is not None and not isinstance(source, dict) and is_immutable(source)
        """Whether nobody can change a value of it in place."""
        self.encode, self.decode = codec.encode_plain, codec.decode_plain
        if source is None:
            self._check: Callable[[object], object] = _anything
        elif isinstance(source, dict):
            validator = compile_json_schema(source)
            self._check = _checked(validator.validate_python)
            self.decode = _decoder(self._check)
        else:
            self._typed = TypedForm(source)
            self._check = self._typed.validate
            self.encode, self.decode = self._typed.encode, self._typed.decode
            self.has_secrets = self._typed.survey.secrets

    def __repr__(self) -> str:
        return f"Schema({self.name})"

    def validate(self, value: object, error: type[DataError] = DataFault, what: str = "") -> object:
        """The typed value of Python data: instances, dicts, plain JSON. Defaults are applied.

        Raises ``error``, with ``what`` before the problems: ``input of step 'a': 1 problem: n: Field required``.
        """
        try:
            return self._check(value)
        except DataFault as fault:
            message = f"{what}: {fault}" if what else str(fault)
            if issubclass(error, DataFault):
                raise error(message, path=fault.path, problems=fault.problems) from fault.__cause__
            raise error(message, path=fault.path) from fault

    # -- values that nobody can change

    def prove(self, value: object, before: Proof | None = None) -> Proof | None:
        """The proof that a value can be stored, without writing it; ``None`` if it has to be written to know.

        ``before`` is the proof of a value that may have parts in common with it.
        """
        if self._proving is False:
            typed = self._typed
            can_prove = typed is not None and self.is_immutable and typed.is_provable
            self._proving = compile_proving(typed.adapter.core_schema) if typed is not None and can_prove else None
        return None if self._proving is None else self._proving.prove(value, before)

    def encode_proven(self, value: object) -> bytes:
        """The stored form of a value that :meth:`prove` has a proof for.

        Raises ``NotSerializable`` if somebody has changed it behind Python's back since.
        """
        return self.encode(value) if self._typed is None else self._typed.encode_proven(value)

    # -- secrets

    def encode_with_holes(self, value: object) -> tuple[bytes, tuple[str, ...]]:
        """The stored form without the secrets, and the JSON pointers of where they are missing.

        Raises ``NotSerializable``.
        """
        return (self.encode(value), ()) if self._typed is None else self._typed.encode_with_holes(value)

    def encode_whole(self, value: object) -> bytes:
        """The stored form with the secrets in it: to be handed on in this process, never to be written."""
        return self.encode(value) if self._typed is None else self._typed.encode_whole(value)

    @staticmethod
    def holes_schema(pointers: Sequence[str]) -> dict[str, Any]:
        """The JSON Schema of the answer that fills these holes: one text per hole, named by its dotted path."""
        return holes_schema(pointers)

    def fill(self, data: bytes, answers: Mapping[str, object]) -> object:
        """The typed value of stored data with the answers in its holes. Raises ``DataFault``."""
        return self.decode(data) if self._typed is None else self._typed.fill(data, answers)

    # -- what it looks like

    def json_schema(self) -> dict[str, Any]:
        """Its JSON Schema, of what it takes; ``{}`` for anything. Treat it as read-only."""
        return self._json_schema("validation", by_alias=True)

    def _json_schema(self, mode: typing.Literal["validation", "serialization"], *, by_alias: bool) -> dict[str, Any]:
        if self._typed is None:
            return self.source or {}
        if (mode, by_alias) not in self._json_schemas:
            try:
                made = self._typed.adapter.json_schema(mode=mode, by_alias=by_alias)
            except Exception:  # noqa: BLE001 - a type of the user without a JSON Schema: nothing is known about it
                made = {}
            self._json_schemas[mode, by_alias] = made
        return self._json_schemas[mode, by_alias]

    def fields(self) -> dict[str, Field] | None:
        """The fields of a model, dataclass, TypedDict or JSON Schema object; ``None`` for everything else.

        ``None`` too if it takes fields that it does not name.
        """
        if self._fields is False:
            self._fields = _fields(self.source)
        return self._fields


def _anything(value: object) -> object:
    return value


def _checked(validate: Callable[[object], object]) -> Callable[[object], object]:
    def check(value: object) -> object:
        try:
            return validate(value)
        except ValidationError as error:
            raise fault_of(error) from error
        except (ValueError, TypeError, RecursionError) as error:
            raise fault_of(error) from error

    return check


def _decoder(check: Callable[[object], object]) -> Callable[[bytes], object]:
    return lambda data: check(codec.decode_plain(data))


def _name(source: Any) -> str:
    if source is None:
        return "any"
    if isinstance(source, dict):
        return str(source.get("title") or source.get("type") or "any")
    return _type_name(source)


def _type_name(source: Any) -> str:
    if source is None or source is type(None):
        return "None"
    origin, args = get_origin(source), get_args(source)
    if origin is typing.Annotated or origin in (typing_extensions.Required, typing_extensions.NotRequired):
        return _type_name(args[0])
    if origin in (typing.Union, types.UnionType):
        return " | ".join(_type_name(arg) for arg in args)
    if origin is typing.Literal:
        return f"Literal[{', '.join(repr(arg) for arg in args)}]"
    if origin is not None and args:
        inner = ", ".join("..." if arg is ... else _type_name(arg) for arg in args)
        return f"{_type_name(origin)}[{inner}]"
    if source is Any:
        return "any"
    if isinstance(source, type):
        return source.__name__
    return str(getattr(source, "__name__", None) or source)


def _class(source: Any) -> type | None:
    while get_origin(source) is typing.Annotated:
        source = get_args(source)[0]
    found = get_origin(source) or source
    if not isinstance(found, type) or found is types.UnionType or typing_extensions.is_typeddict(found):
        return None
    return found


def _fields(source: Any) -> dict[str, Field] | None:
    while get_origin(source) is typing.Annotated:
        source = get_args(source)[0]
    if isinstance(source, dict):
        return _json_fields(source)
    cls = source if isinstance(source, type) and not get_origin(source) else get_origin(source)
    if not isinstance(cls, type):
        return None
    if issubclass(cls, BaseModel):
        if cls.model_config.get("extra") == "allow" or cls.__pydantic_root_model__:
            return None
        return {name: Field(name, info.is_required(), info.annotation) for name, info in cls.model_fields.items()}
    if typing_extensions.is_typeddict(cls):
        hints = typing_extensions.get_type_hints(cls, include_extras=True)
        return {name: _key(name, hint, name in cls.__required_keys__) for name, hint in hints.items()}  # type: ignore[attr-defined]
    return _dataclass_fields(cls) if dataclasses.is_dataclass(cls) else None


def _key(name: str, hint: Any, required: bool) -> Field:
    # ``__required_keys__`` does not see the markers in annotations that are text.
    marker = get_origin(hint)
    if marker in (typing_extensions.Required, typing_extensions.NotRequired):
        return Field(name, marker is typing_extensions.Required, get_args(hint)[0])
    return Field(name, required, hint)


def _dataclass_fields(cls: type) -> dict[str, Field]:
    hints = typing_extensions.get_type_hints(cls, include_extras=True)
    missing = dataclasses.MISSING
    return {
        field.name: Field(
            field.name, field.default is missing and field.default_factory is missing, hints.get(field.name, Any)
        )
        for field in dataclasses.fields(cls)
    }


def _json_fields(source: dict[str, Any]) -> dict[str, Field] | None:
    properties = source.get("properties")
    if not isinstance(properties, dict) or source.get("additionalProperties"):
        return None
    if any(keyword in source for keyword in ("anyOf", "oneOf", "allOf", "$ref")):
        return None
    required = source.get("required", ())
    return {name: Field(name, name in required, schema) for name, schema in properties.items()}


# -- compiling and comparing


@lru_cache(maxsize=2048)
def _remembered(source: Hashable) -> Schema:
    return Schema(source)


def compile_schema(source: Any) -> Schema:
    """The schema of a type, a JSON Schema ``dict``, or ``None`` for anything JSON-able; the same one for the same type.

    Raises :class:`SchemaError`, saying what can't serve as a schema and why.
    """
    if source is None or source is Any or source is object:
        return ANY
    if isinstance(source, Schema):
        return source
    if isinstance(source, dict):
        return Schema(source)
    if isinstance(source, (str, int, float, list, tuple, set, bytes)):
        raise SchemaError(f"{source!r} can't be a schema: give a type, a JSON Schema dict, or None")
    try:
        hash(source)
    except TypeError:
        return Schema(source)
    return _remembered(source)


ANY = Schema(None)
"""The schema of anything JSON-able."""


def feeds(output: Schema, wanted: Schema) -> list[str]:
    """Why no value of ``output`` can be taken by ``wanted``: readable problems; empty if one may fit."""
    if output.is_any or wanted.is_any or output is wanted:
        return []
    found: list[str] = []
    # Input is taken by field names and by aliases. A number may be written as text and still be taken for a number, so
    # what the output's type reads counts as well as what it writes.
    for mode in ("serialization", "validation"):
        given = output._json_schema(mode, by_alias=False)
        for by_alias in (False, True):
            needed = wanted._json_schema("validation", by_alias=by_alias)
            misfits = find_misfits(given, needed)
            if not misfits:
                return []
            found = found or misfits
    return found
