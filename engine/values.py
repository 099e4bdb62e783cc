"""A value on its way through a run: stored once as bytes, handed on as an object.

A step's output is encoded at the step's boundary; the record is those bytes, so nothing that happens to the object
afterwards changes what was recorded. Whoever gets the value gets a copy of its own, made from the bytes, unless nobody
could change it anyway. Conditions, which only look, see the object itself.

A large value that nobody can change (frozen models, tuples) need not be written for that: that it can be is proven
(:mod:`engine.proof`), the object itself is the record, and it is written when somebody reads it or a store keeps it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import reduce
from types import GenericAlias
from typing import get_args, get_origin

from pydantic_core import to_json

from engine.errors import DataFault
from engine.holes import at_hole, fill_holes, inside, outside
from engine.proof import Proof
from engine.schema import ANY, Schema, compile_schema, plain

LARGE_BYTES = 16_384
"""Below this size writing a value costs less than to look for a way around it."""

INLINE_BYTES = 256
"""A value that the log already has is repeated up to this size, and referred to above it."""

BLOB_BYTES = 16_384
"""Larger values are stored once, by their hash."""

HEAVY_BYTES = 1024 * 1024
"""To read or write a larger value takes so long that others have a turn on the event loop before."""

_NOTHING = object()


class Value:
    """One immutable value: its stored form, its schema, and the live object while nobody has taken it."""

    __slots__ = ("_digest", "_live", "_raw", "_whole", "holes", "parts", "proof", "schema", "seq")

    def __init__(
        self,
        raw: bytes | None,
        schema: Schema = ANY,
        live: object = _NOTHING,
        *,
        holes: tuple[str, ...] = (),
        whole: bytes | None = None,
    ) -> None:
        self._raw = raw
        self._whole = whole
        self.schema = schema
        self._live = live
        self.seq = 0
        """The fact that holds it; 0 as long as none does."""
        self.parts: Mapping[str, Value] | Sequence[Value] | None = None
        self.holes = holes
        self._digest: str | None = None
        self.proof: Proof | None = None
        """That the object can be stored, where it need not be written to know."""

    @classmethod
    def of(cls, obj: object, schema: Schema = ANY) -> Value:
        """Encode ``obj``. Raises ``NotSerializable``."""
        if schema.has_secrets:
            raw, holes = schema.encode_with_holes(obj)
            return cls(raw, schema, obj, holes=holes)
        return cls(schema.encode(obj), schema, obj)

    @classmethod
    def kept(cls, obj: object, schema: Schema) -> Value:
        """The same as :meth:`of` without the object, which stays its owner's. Raises ``NotSerializable``."""
        if not schema.has_secrets:
            return cls(schema.encode(obj), schema)
        raw, holes = schema.encode_with_holes(obj)
        return cls(raw, schema, holes=holes, whole=schema.encode_whole(obj) if holes else None)

    @classmethod
    def handed_on(cls, obj: object, schema: Schema, given: Value | None = None, *, written: bool) -> Value:
        """The same as :meth:`of`, for less where the value is large and nobody can change it.

        ``given`` is what its maker got: what it has from there is not looked at again. ``written``: a store will keep
        it, so that it is encoded at once. Raises ``NotSerializable``.
        """
        known = cls.proven(obj, schema, given, written=written) if schema.is_immutable else None
        return known or cls.of(obj, schema)

    @classmethod
    def proven(cls, obj: object, schema: Schema, given: Value | None = None, *, written: bool) -> Value | None:
        """The value of a large object that is exactly what its type says, so that to validate it would change nothing.

        ``None`` if that can't be seen by looking at it. Raises ``NotSerializable``.
        """
        if not schema.is_immutable or (given is not None and given._raw is not None and len(given._raw) < LARGE_BYTES):
            return None
        proof = schema.prove(obj, None if given is None else given.proof)
        if proof is None or proof.size < LARGE_BYTES:
            return None
        made = cls(schema.encode_proven(obj) if written else None, schema, obj)
        made.proof = proof
        return made

    @classmethod
    def group(cls, parts: Mapping[str, Value] | Sequence[Value]) -> Value:
        """A dict or list of values: the output of a parallel, a branch, a foreach."""
        pairs = parts.items() if isinstance(parts, Mapping) else enumerate(parts)
        made = cls(None, holes=tuple(hole for key, part in pairs if part.holes for hole in inside(key, part.holes)))
        made.parts = parts
        return made

    @property
    def raw(self) -> bytes:
        """The stored form: JSON, UTF-8."""
        live = self._live  # before anything is asked: another thread may take it, once it is written
        if self._raw is None:
            is_group = self.parts is not None
            self._raw = self._join(lambda part: part.raw) if is_group else self.schema.encode_proven(live)
        return self._raw

    def _join(self, form: Callable[[Value], bytes]) -> bytes:
        if isinstance(self.parts, Mapping):
            pairs = b",".join(to_json(key) + b":" + form(part) for key, part in self.parts.items())
            return b"{" + pairs + b"}"
        return b"[" + b",".join(form(part) for part in self.parts or ()) + b"]"

    @property
    def whole(self) -> bytes:
        """The stored form with the secrets in their places: to be read in this process, never to be written."""
        if self._whole is not None:
            return self._whole
        if not self.holes:
            return self.raw
        if self.parts is not None:
            return self._join(lambda part: part.whole)
        live = self._live
        return self.raw if live is _NOTHING else self.schema.encode_whole(live)

    def _read(self, schema: Schema) -> object:
        """What another schema makes of it, secrets included if it knows of some.

        Raises ``DataError``; ``SecretsLost`` if those are gone.
        """
        return schema.decode(self.found() if self.holes and schema.has_secrets else self.raw)

    def found(self) -> bytes:
        """:attr:`whole`. Raises ``SecretsLost``."""
        if not self.is_whole:
            raise SecretsLost(self)
        return self.whole

    @property
    def digest(self) -> str:
        """The value's address in the blob table: SHA-256 in hexadecimal."""
        if self._digest is None:
            self._digest = hashlib.sha256(self.raw).hexdigest()
        return self._digest

    def plain(self) -> object:
        """The value as plain JSON data (a fresh copy), for display."""
        return plain(self.raw)

    def typed(self) -> object:
        """The value as its producer's schema gives it; for conditions and maps, which only read."""
        live = self._live
        if live is not _NOTHING:
            return live
        if isinstance(self.parts, Mapping):
            return {key: part.typed() for key, part in self.parts.items()}
        if self.parts is not None:
            return [part.typed() for part in self.parts]
        return self._read(self.schema)

    def copy(self) -> object:
        """A fresh typed copy; the object itself if nobody can change it."""
        live = self._live
        if live is not _NOTHING and self.schema.is_immutable:
            return live
        if isinstance(self.parts, Mapping):
            return {key: part.copy() for key, part in self.parts.items()}
        if self.parts is not None:
            return [part.copy() for part in self.parts]
        return self._read(self.schema)

    def take(self, schema: Schema) -> object:
        """The value for a step with this input schema: a copy, unless nobody can change it.

        Raises ``DataError`` if the schema does not take the value.
        """
        live = self._live
        if live is not _NOTHING and schema is self.schema:
            if schema.is_immutable:
                return live
            if self.holes:
                return deepcopy(live)  # the bytes lack what the object has
        made = self._read(schema)
        if not self.holes:
            self._live = _NOTHING  # the object has gone its way; to keep it would only cost memory
            self.proof = None  # it knows the object
        return made

    def read(self, schema: Schema) -> object:
        """The value as a schema has it, to be looked at again: a copy, unless nobody can change it.

        Raises ``DataError``.
        """
        live = self._live
        is_fixed = schema is self.schema and schema.is_immutable and live is not _NOTHING
        return live if is_fixed else self._read(schema)

    def revive(self, answers: Mapping[str, object], schema: Schema) -> None:
        """Put the secrets back: what is stored of it has holes in their places. Raises ``DataError``."""
        if schema.has_secrets:
            self._whole = schema.encode_whole(schema.fill(self.raw, answers))
        else:
            self._whole = ANY.encode(fill_holes(ANY.decode(self.raw), answers))

    @property
    def is_whole(self) -> bool:
        """Whether the secrets in it are still here."""
        if not self.holes or self._live is not _NOTHING or self._whole is not None:
            return True
        parts = self.parts.values() if isinstance(self.parts, Mapping) else self.parts or ()
        return bool(parts) and all(part.is_whole for part in parts)

    def secrets(self) -> list[object]:
        """The secrets in it that are never stored, as far as they are still here."""
        if not (self.holes and self.is_whole):
            return []
        whole = ANY.decode(self.whole)
        return [at_hole(whole, pointer) for pointer in self.holes]

    def items(self) -> list[Value]:
        """The items of a list, each a value of its own; as the list's type has them, if it says."""
        schema = _item_schema(self.schema)
        listed = ANY.decode(self.raw)
        if not isinstance(listed, list):
            return []
        if not self.holes:
            typed = self.typed() if schema is not ANY else None
            return [Value.of(item, schema) for item in typed] if isinstance(typed, list) else _plain_items(listed)
        whole = ANY.decode(self.whole) if self.is_whole else None
        found = []
        for index, item in enumerate(listed):
            holes = outside(index, self.holes)
            kept = ANY.encode(whole[index]) if holes and isinstance(whole, list) else None
            found.append(Value(ANY.encode(item), schema, holes=holes, whole=kept))
        return found

    @property
    def is_heavy(self) -> bool:
        """Whether it is known to take long to read or to write."""
        return self._raw is not None and len(self._raw) > HEAVY_BYTES

    @property
    def size(self) -> int:
        """Bytes of the stored form, or of its parts."""
        if self._raw is not None or self.parts is None:
            return len(self.raw)
        parts = self.parts.values() if isinstance(self.parts, Mapping) else self.parts
        return reduce(lambda total, part: total + part.size + 2, parts, 2)

    def reference(self) -> object | None:
        """Where the log already has this value: a ``seq``, or a dict or list of such; ``None`` if it has not."""
        if self.seq:
            return self.seq
        if isinstance(self.parts, Mapping):
            found: dict[str, object] = {key: part.reference() for key, part in self.parts.items()}
            return {"d": found} if all(ref is not None for ref in found.values()) else None
        if self.parts is not None:
            listed = [part.reference() for part in self.parts]
            return {"l": listed} if all(ref is not None for ref in listed) else None
        return None

    def __repr__(self) -> str:
        return f"Value({self.raw[:60]!r})"


class SecretsLost(DataFault):
    """Somebody reads secrets that only a process which has ended had. A person is asked for them."""

    def __init__(self, value: Value) -> None:
        self.value = value
        super().__init__("it has secrets that a restart has lost, since they are never stored")


def null() -> Value:
    """A fresh ``None``."""
    return Value(b"null", ANY, None)


def checked(given: Value, wanted: Schema) -> Value:
    """A value as another schema takes it: the same one, if that changes nothing. Raises ``DataError``."""
    made = Value.of(given._read(wanted), wanted)
    if made.raw == given.raw:
        made.seq = given.seq
    return made


def _item_schema(schema: Schema) -> Schema:
    source = schema.source
    is_list = type(source) is GenericAlias and get_origin(source) is list
    return compile_schema(get_args(source)[0]) if is_list else ANY


def _plain_items(listed: list[object]) -> list[Value]:
    return [Value(ANY.encode(item)) for item in listed]
