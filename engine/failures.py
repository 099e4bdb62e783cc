"""How an exception is written down: type, message, cause chain, public attributes, traceback."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from engine.codec import plain
from engine.errors import NotSerializable
from engine.schema import ANY

MAX_TEXT = 20_000
"""Characters of a message or traceback that are kept; the middle of a longer one is left out."""

_DEPTH = 8
"""Causes that are followed; a chain may be endless."""

_OWN = frozenset({"args", "add_note", "with_traceback"})


def describe(error: BaseException, *, step: str | None = None) -> dict[str, Any]:
    """A failure as plain JSON. Never raises, whatever the exception does in its own ``__str__`` or attributes."""
    made = _describe(error, _DEPTH)
    if step is not None:
        made["step"] = step
    return made


def _describe(error: BaseException, depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {"type": type(error).__name__, "message": message_of(error)}
    try:
        _add_what_it_carries(made, error, depth)
    except BaseException:  # noqa: BLE001 - an attribute of the exception that raises, also by SystemExit
        made.setdefault("traceback", "(what the exception carries can't be read)")
    return made


def _add_what_it_carries(made: dict[str, Any], error: BaseException, depth: int) -> None:
    attributes = _attributes(error)
    if attributes:
        made["attributes"] = attributes
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and depth:
        made["cause"] = _describe(cause, depth - 1)
    if isinstance(error, BaseExceptionGroup) and depth:
        made["exceptions"] = [_describe(one, depth - 1) for one in error.exceptions]
    made["traceback"] = _traceback(error)


def message_of(error: BaseException) -> str:
    """``str(error)``, or the type's name if that raises."""
    try:
        return _cut(str(error))
    except BaseException:  # noqa: BLE001 - a user's __str__ may do anything
        return f"<{type(error).__name__}, whose message can't be shown>"


def _cut(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()
    if len(text) <= MAX_TEXT:
        return text
    half = MAX_TEXT // 2
    return f"{text[:half]}\n... {len(text) - MAX_TEXT} characters left out ...\n{text[-half:]}"


def _attributes(error: BaseException) -> dict[str, Any]:
    """Public attributes that the exception carries itself and that survive JSON."""
    found: dict[str, Any] = {}
    for name, value in list(getattr(error, "__dict__", {}).items()):
        if name.startswith("_") or name in _OWN:
            continue
        try:
            found[name] = plain(ANY.encode(value))
        except NotSerializable:
            continue
    return found


def _traceback(error: BaseException) -> str:
    try:
        lines: Iterable[str] = traceback.TracebackException(
            type(error), error, _without_engine(error.__traceback__), compact=True
        ).format(chain=False)
        return _cut("".join(lines))
    except BaseException:  # noqa: BLE001 - it asks the exception for its text
        return "(the traceback can't be shown)"


def _without_engine(trace: TracebackType | None) -> TracebackType | None:
    """A traceback that starts in the user's code: our own frames above it say nothing."""
    first = trace
    while first is not None and first.tb_frame.f_globals.get("__name__", "").partition(".")[0] == "engine":
        first = first.tb_next
    return first or trace
