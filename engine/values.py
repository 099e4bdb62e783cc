"""A value on its way through a run: stored once as bytes, handed on as an object.

A step's output is encoded at the step's boundary; the record is those bytes, so nothing that happens to the object
afterwards changes what was recorded. Whoever gets the value gets a copy of its own, made from the bytes, unless nobody
could change it anyway. Conditions, which only look, see the object itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import reduce

from pydantic_core import to_json

from engine.schema import ANY, Schema, plain

INLINE_BYTES = 256
"""A value that the log already has is repeated up to this size, and referred to above it."""

BLOB_BYTES = 16_384
"""Larger values are stored once, by their hash."""

_NOTHING = object()


class Value:
    """One immutable value: its stored form, its schema, and the live object while nobody has taken it."""

    __slots__ = ("_digest", "_live", "_raw", "holes", "parts", "schema", "seq")

    def __init__(
        self,
        raw: bytes | None,
        schema: Schema = ANY,
        live: object = _NOTHING,
        *,
        holes: tuple[str, ...] = (),
    ) -> None:
        self._raw = raw
        self.schema = schema
        self._live = live
        self.seq = 0
        """The fact that holds it; 0 as long as none does."""
        self.parts: Mapping[str, Value] | Sequence[Value] | None = None
        self.holes = holes
        self._digest: str | None = None

    @classmethod
    def of(cls, obj: object, schema: Schema = ANY) -> Value:
        """Encode ``obj``. Raises ``NotSerializable``."""
        if schema.has_secrets:
            raw, holes = schema.encode_with_holes(obj)
            return cls(raw, schema, obj, holes=holes)
        return cls(schema.encode(obj), schema, obj)

    @classmethod
    def group(cls, parts: Mapping[str, Value] | Sequence[Value]) -> Value:
        """A dict or list of values: the output of a parallel, a branch, a foreach."""
        made = cls(None)
        made.parts = parts
        return made

    @property
    def raw(self) -> bytes:
        """The stored form: JSON, UTF-8."""
        if self._raw is None:
            self._raw = self._join()
        return self._raw

    def _join(self) -> bytes:
        if isinstance(self.parts, Mapping):
            inside = b",".join(to_json(key) + b":" + part.raw for key, part in self.parts.items())
            return b"{" + inside + b"}"
        return b"[" + b",".join(part.raw for part in self.parts or ()) + b"]"

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
        if self._live is not _NOTHING:
            return self._live
        if isinstance(self.parts, Mapping):
            return {key: part.typed() for key, part in self.parts.items()}
        if self.parts is not None:
            return [part.typed() for part in self.parts]
        return self.schema.decode(self.raw)

    def copy(self) -> object:
        """A fresh typed copy."""
        if isinstance(self.parts, Mapping):
            return {key: part.copy() for key, part in self.parts.items()}
        if self.parts is not None:
            return [part.copy() for part in self.parts]
        return self.schema.decode(self.raw)

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
        made = schema.decode(self.raw)
        if not self.holes:
            self._live = _NOTHING  # the object has gone its way; to keep it would only cost memory
        return made

    def revive(self, obj: object) -> None:
        """Put the whole object back: what is stored of it has holes where secrets were."""
        self._live = obj

    @property
    def is_live(self) -> bool:
        """Whether the object itself is still here (so that secrets in it are whole)."""
        return self._live is not _NOTHING

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


def null() -> Value:
    """A fresh ``None``."""
    return Value(b"null", ANY, None)


def checked(given: Value, wanted: Schema) -> Value:
    """A value as another schema takes it: the same one, if that changes nothing. Raises ``DataError``."""
    made = Value.of(wanted.decode(given.raw), wanted)
    if made.raw == given.raw:
        made.seq = given.seq
    made.holes = made.holes or given.holes
    return made
