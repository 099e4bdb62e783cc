"""The user's code where an error came about: its frames, and what its variables were.

What is kept are texts, with secrets hidden, since it goes into the log of a run: no object is kept alive by it.
"""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterable, Iterator
from inspect import unwrap
from itertools import islice
from pathlib import Path
from types import BuiltinFunctionType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any

from pydantic import Secret, SecretBytes, SecretStr

from engine.redaction import HIDDEN, LONGEST, learn
from engine.short_repr import fields_of, hides, short_repr

MOST_FRAMES = 20
MOST_NAMES = 30
"""Variables of a frame that are kept."""

MOST_TEXT = 16_000
"""Characters that are kept of all of them."""

_MOST_ERRORS = 50
_MOST_SEEN = 2_000
_MOST_PARTS = 200
"""Values that are looked through for secrets; and parts of one."""

_SECRETS = (SecretStr, SecretBytes, Secret)
_SERIES: tuple[Any, ...] = (list, tuple, set, frozenset)

_SAY_NOTHING = (ModuleType, type, FunctionType, BuiltinFunctionType, MethodType)
_PLACES = [str(Path(__file__).parent), *map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib", "platlib"))]
_LIBRARIES = (
    *{f"{form}{os.sep}" for place in _PLACES for form in (Path(place), Path(place).resolve())},
    "<frozen",
    "<string>",
)


def user_frames(error: BaseException, *, function: object = None, secrets: Iterable[object] = ()) -> list[Any]:
    """The innermost frames of user code, innermost first: of the error, then of its causes and those it is made of.

    Each has ``file``, ``line``, ``function`` and ``locals``, names with short texts. The file of ``function`` is the
    user's wherever it is; ``secrets`` are hidden wherever they stand. Never raises.
    """
    try:
        own = getattr(getattr(unwrap(function), "__code__", None), "co_filename", "") if callable(function) else ""
        found = list(islice(_frames(error, own), MOST_FRAMES))
        variables = [_variables(frame) for frame, _ in found]
        _learn(variables, secrets)
        return list(_written(found, variables))
    except BaseException:  # noqa: BLE001 - what an exception carries may do anything
        return []


def _frames(error: BaseException, own: str) -> Iterator[tuple[FrameType, int]]:
    for one in islice(_errors(error), _MOST_ERRORS):
        found = []
        trace = one.__traceback__
        while trace is not None:
            if _is_users(trace.tb_frame.f_code.co_filename, own):
                found.append((trace.tb_frame, trace.tb_lineno))
            trace = trace.tb_next
        yield from reversed(found)


def _errors(error: BaseException) -> Iterator[BaseException]:
    """An error, what it came from, and what it is made of; each once."""
    waiting, seen = [error], {id(error)}
    while waiting:
        one = waiting.pop(0)
        yield one
        cause = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
        parts = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        for other in (*([cause] if cause is not None else []), *parts[:_MOST_ERRORS]):
            if id(other) not in seen:
                seen.add(id(other))
                waiting.append(other)


def _is_users(file: str, own: str) -> bool:
    return file == own or not (file.startswith(_LIBRARIES) or "site-packages" in file or "dist-packages" in file)


def _variables(frame: FrameType) -> dict[str, object]:
    said = ((name, value) for name, value in frame.f_locals.items() if _says_something(name, value))
    return dict(islice(said, MOST_NAMES))


def _says_something(name: object, value: object) -> bool:
    if not isinstance(name, str) or not name.isidentifier() or (name.startswith("__") and name.endswith("__")):
        return False
    return not issubclass(type(value), _SAY_NOTHING)


def _written(found: list[tuple[FrameType, int]], variables: list[dict[str, object]]) -> Iterator[dict[str, Any]]:
    left = MOST_TEXT
    for (frame, line), values in zip(found, variables, strict=True):
        code = frame.f_code
        made: dict[str, Any] = {"file": _sound(code.co_filename), "line": line, "function": _sound(code.co_name)}
        left -= len(made["file"]) + len(made["function"])
        shown = made["locals"] = {}
        for name, value in values.items():
            if left <= 0:
                break
            shown[name] = HIDDEN if hides(name, value) else short_repr(value)
            left -= len(name) + len(shown[name])
        yield made


def _sound(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _learn(variables: list[dict[str, object]], secrets: Iterable[object]) -> None:
    """Know the secrets among variables first, so that they are hidden in the others, too."""
    waiting: list[tuple[bool, Any]] = [(True, secret) for secret in secrets]
    waiting += [(hides(name, value), value) for values in variables for name, value in values.items()]
    texts = []
    for is_secret, value in waiting:  # it grows meanwhile
        if issubclass(type(value), _SECRETS):
            is_secret, value = True, value.get_secret_value()  # noqa: PLW2901
        if is_secret:
            texts += _texts(value)
        room = min(_MOST_PARTS, _MOST_SEEN - len(waiting))
        waiting += [(is_secret or hides(name, part), part) for name, part in _parts(value, max(0, room))]
    learn({"secrets": texts})


def _texts(value: Any) -> list[str]:
    kind = type(value)
    if issubclass(kind, str):
        return [str.__str__(value)]
    if issubclass(kind, (bytes, bytearray)):
        return [bytes(value[:LONGEST]).decode("utf-8", "replace")]
    return [str(value)] if kind is int and value.bit_length() < 1_000 else []


def _parts(value: Any, most: int) -> list[tuple[object, object]]:
    """What a value has in it, with the names of it; no code of its class runs."""
    kind: Any = type(value)
    series = next((one for one in _SERIES if issubclass(kind, one)), None)
    try:
        if series is not None:
            return [(None, part) for part in islice(series.__iter__(value), most)]
        return list(islice(dict.items(value) if issubclass(kind, dict) else fields_of(value), most))
    except RuntimeError:  # another thread changes it at this moment
        return []
