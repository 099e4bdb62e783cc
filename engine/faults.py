"""Messages about data that does not fit or can't be stored: what, where, and what to do."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engine import codec
from engine.errors import DataFault, NotSerializable
from engine.parts import difference, find_unstorable, step, type_name
from engine.redaction import is_sensitive

_SHOWN = 10  # problems in one message; all of them are in ``DataFault.problems``
_GOT = 40


def fault_of(error: Exception, *, hide: bool = False) -> DataFault:
    """The fault for what a validator raised: pydantic's error, or anything else from a validator of the user.

    ``hide`` keeps the values out of the messages, for types that hold secrets.
    """
    if not isinstance(error, ValidationError):
        return fault([("$", f"{type(error).__name__}: {error}")])
    details = error.errors(include_url=False, include_context=False)
    return fault([_problem(detail, hide=hide) for detail in details])


def fault(problems: list[tuple[str, str]]) -> DataFault:
    """One fault of several problems, each a JSON path and a message."""
    shown = [
        message if path == "$" else f"{path[1:].removeprefix('.')}: {message}" for path, message in problems[:_SHOWN]
    ]
    if len(problems) > _SHOWN:
        shown.append(f"and {len(problems) - _SHOWN} more")
    head = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
    path = problems[0][0] if problems else "$"
    return DataFault(f"{head}: {'; '.join(shown)}", path=path, problems=problems)


def _problem(detail: Any, *, hide: bool) -> tuple[str, str]:
    path = "$" + "".join(step(part) for part in detail["loc"])
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if hide or detail["type"] == "missing" or any(is_sensitive(str(part)) for part in detail["loc"]):
        return path, message
    return path, f"{message} (got {_got(detail['input'])})"


def _got(value: object) -> str:
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        try:
            text = repr(value[: _GOT + 1] if isinstance(value, (str, bytes)) else value)
        except ValueError:  # Python refuses to write ints of more than 4,300 digits
            return "a very long int"
        return text if len(text) <= _GOT else text[: _GOT - 3] + "..."
    return f"type {type_name(value)}"


def explain(
    value: object,
    back: object,
    error: Exception | None,
    lenient: Callable[[object], object],
    faults: Callable[[object], DataFault | None],
) -> NotSerializable:
    """Why a typed value can't be stored, in the words that help most: the path, the type, the remedy."""
    if isinstance(error, NotSerializable):
        return error
    text = str(error) if error is not None else ""
    if "Circular reference" in text or "depth exceeded" in text or "or contains itself" in text:
        return codec.too_deep()
    if (found := find_unstorable(value)) is not None:
        return codec.refuse(found[1], found[0])
    if back is None:
        if (wrong := faults(value)) is not None:
            return NotSerializable(f"the value does not fit its own type: {wrong}", path=wrong.path)
        try:
            back = lenient(value)
        except Exception as caught:  # noqa: BLE001 - it can't even be read back
            text = text or str(caught)
    lost = difference(value, back)
    if back is None or lost is None:
        return NotSerializable(f"$ (type {type_name(value)}) can't be stored: {text.splitlines()[0] if text else '?'}")
    return _lost(*lost)


def in_words(message: str, whole: str) -> str:
    """A message about a value, with ``$``, which is the value as a whole, in words."""
    return re.sub(r"\$(?![\w.\[])", whole, message)


def where_returned(fn: Callable[..., Any], result: object) -> str:
    """Where the function is that returned what does not fit: ``; returned by price (shop.py:79)``."""
    hint = "; is an await missing?" if inspect.iscoroutine(result) else ""
    inner: Any = inspect.unwrap(fn)
    while isinstance(inner, functools.partial):
        inner = inner.func
    code = getattr(inner, "__code__", None)
    if code is None:
        return hint
    return f"{hint}; returned by {inner.__name__} ({Path(code.co_filename).name}:{code.co_firstlineno})"


def _lost(path: str, value: object, back: object) -> NotSerializable:
    mine, theirs = type_name(value), type_name(back)
    if mine != theirs:
        what = f"{path} (type {mine}) would come back as {theirs}; annotate it with {mine}"
        return NotSerializable(what, path=path)
    what = (
        f"{path} (type {mine}) would come back changed; what its serializer writes has to be what its validator reads"
    )
    return NotSerializable(what, path=path)
