"""Facts as rows of the table of events, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pydantic_core import from_json, to_json

from engine.codec import decode_plain, encode_plain
from engine.errors import StoreCorrupt
from engine.events import Fact
from engine.values import BLOB_BYTES, Value

INSERT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
"""Takes what :func:`to_row` gives."""

SELECT = (
    "SELECT e.seq, e.at, e.type, e.path, e.attempt, e.data, e.value, e.blob, e.ref, e.holes, b.body"
    " FROM events e LEFT JOIN blobs b ON b.hash = e.blob"
)
"""Gives what :func:`to_fact` takes."""

_TAG = '"$engine'


def encode(data: object) -> str:
    """Small plain data as JSON text."""
    try:
        text = to_json(data).decode()
    except ValueError:  # text that is not UTF-8
        return encode_plain(data).decode()
    return encode_plain(data).decode() if _TAG in text else text


def decode(text: str) -> Any:
    """Back from :func:`encode`."""
    return decode_plain(text.encode()) if _TAG in text else from_json(text)


def to_row(run: int, fact: Fact, keep: Callable[[Value], object]) -> tuple[object, ...]:
    """A fact as a row; ``keep`` stores a payload that is too large for the table."""
    data = fact.data
    text = encode(data) if data else None
    value = fact.value
    if value is None:
        ref = None if fact.ref is None else encode(fact.ref)
        return run, fact.seq, fact.at, fact.type, fact.path, fact.attempt, text, None, None, ref, None
    holes = encode(value.holes) if value.holes else None
    known = fact.reference()
    if known is not None:
        return run, fact.seq, fact.at, fact.type, fact.path, fact.attempt, text, None, None, encode(known), holes
    raw = value.raw
    if len(raw) > BLOB_BYTES:
        keep(value)
        return run, fact.seq, fact.at, fact.type, fact.path, fact.attempt, text, None, value.digest, None, holes
    return run, fact.seq, fact.at, fact.type, fact.path, fact.attempt, text, raw, None, None, holes


def to_fact(row: tuple[Any, ...]) -> Fact:
    """A row of :data:`SELECT` as a fact. Raises ``StoreCorrupt`` if its payload is missing."""
    seq, at, kind, path, attempt, data, raw, blob, ref, holes, body = row
    fact = Fact(kind, path, attempt=attempt, data=decode(data) if data else None, seq=seq, at=at)
    if blob is not None:
        if body is None:
            raise StoreCorrupt(f"the payload of event {seq} is missing from the store ({blob})")
        raw = body
    if raw is not None:
        fact.value = Value(raw, holes=tuple(decode(holes)) if holes else ())
        fact.value.seq = seq
    if ref is not None:
        fact.ref = decode(ref)
    return fact


class Resolver:
    """Puts payloads in the place of references; each is looked up once."""

    def __init__(self, facts: Iterable[Fact], fetch: Callable[[int], Fact | None]) -> None:
        self._facts = {fact.seq: fact for fact in facts}
        self._fetch = fetch

    def resolve(self, fact: Fact) -> None:
        """Give a fact its payload."""
        if fact.value is None and fact.ref is not None:
            fact.value = self._value(fact.ref, fact.seq)

    def _value(self, ref: Any, before: int) -> Value:
        if isinstance(ref, int):
            return self._payload(ref, before)
        if "d" in ref:
            return Value.group({key: self._value(part, before) for key, part in ref["d"].items()})
        return Value.group([self._value(part, before) for part in ref["l"]])

    def _payload(self, seq: int, before: int) -> Value:
        if not 0 < seq < before:
            raise StoreCorrupt(f"event {before} refers to the payload of event {seq}, which does not precede it")
        fact = self._facts.get(seq)
        if fact is None:
            fact = self._fetch(seq)
            if fact is None:
                raise StoreCorrupt(f"event {before} refers to the payload of event {seq}, which is missing")
            self._facts[seq] = fact
        self.resolve(fact)
        if fact.value is None:
            raise StoreCorrupt(f"event {before} refers to the payload of event {seq}, which has none")
        return fact.value
