"""What is typed into one control, and the JSON value that it means."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, date, datetime, time
from typing import Any, assert_never
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from studio.forms.nodes import MISSING, Anything, Boolean, Choice, Leaf, Moment, Number, Text

NEEDED = "needed"

_WHOLE = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NO_NUMBER = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_LOCAL = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(:\d\d(?:\.\d{1,3})?)?")
_ZONED = re.compile(r"(.+?)(Z|[+-]\d\d:\d\d)?")
_OFFSET = re.compile(r"[+-]\d\d:\d\d")
# What a browser changes on its way, whatever the control: it ends lines its own way, and can't hold these.
_UNSAFE = re.compile("[\0\r\ud800-\udfff]")


class Unreadable(ValueError):
    """A text that is no value of the field; the message says what is wanted."""


def blank(node: Leaf) -> Any:
    """What nothing typed means. Raises :class:`Unreadable` where something is needed."""
    about = node.about
    if about.nullable:
        return None if about.required or about.default is not MISSING else MISSING
    if about.required:
        raise Unreadable(NEEDED)
    # A default that was wiped out is not wanted; only texts can say so without null.
    return "" if isinstance(node, Text) and about.default is not MISSING else MISSING


def is_blank(node: Leaf, value: Any) -> bool:
    """Whether a value is shown by nothing typed."""
    return (value is None and not isinstance(node, Anything)) or (value == "" and isinstance(node, Text))


def understood(node: Leaf, text: str, zone: str | None = None) -> Any:
    """The value of a text that is not blank. Raises :class:`Unreadable`."""
    match node:
        case Text():
            return text
        case Number():
            return _number(text.strip(), whole=node.whole)
        case Boolean():
            return _picked({"true": True, "false": False}, text)
        case Choice():
            return _picked(wires(node), text)
        case Moment():
            return _moment(node, text, zone)
        case Anything():
            return from_json(text)


def written(node: Leaf, value: Any) -> str | None:
    """The text that means this value; ``None`` if there is none, and it has to be shown as JSON."""
    text: str | None
    match node:
        case Text() | Moment():
            text = value if isinstance(value, str) else None
        case Number():
            text = json.dumps(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
        case Boolean():
            text = json.dumps(value) if isinstance(value, bool) else None
        case Choice():
            text = next((wire for wire, known in wires(node).items() if same(known, value)), None)
        case Anything():
            return to_json(value)
        case _:
            assert_never(node)
    if text is None and isinstance(value, str) and not isinstance(node, Boolean):
        text = value  # what was typed, and is not understood
    if not text or _UNSAFE.search(text) or ("\n" in text and not isinstance(node, Text)):
        return None
    try:
        return text if same(understood(node, text), value) else None
    except Unreadable:
        return text if isinstance(value, str) else None


def wires(node: Choice) -> dict[str, Any]:
    """The choices by what the browser sends for them: texts as they are, unless that could be mistaken."""
    texts = [value if isinstance(value, str) else to_json(value, indent=None) for value in node.values]
    clear = len(set(texts)) == len(texts) and not any(not text or _UNSAFE.search(text) for text in texts)
    if not clear:
        texts = [to_json(value, indent=None) for value in node.values]
    return dict(zip(texts, node.values, strict=True))


def _picked(known: dict[str, Any], text: str) -> Any:
    if text not in known:
        raise Unreadable("not one of the choices")
    return known[text]


def _number(text: str, *, whole: bool) -> int | float:
    if not whole and text in _NO_NUMBER:
        return _NO_NUMBER[text]
    if _WHOLE.fullmatch(text):
        try:
            return int(text)
        except ValueError:  # Python reads no ints of more than 4,300 digits
            raise Unreadable("too many digits") from None
    if whole or not _DECIMAL.fullmatch(text):
        raise Unreadable("not a whole number" if whole else "not a number")
    if math.isinf(number := float(text)):
        raise Unreadable("too large")
    return number


# -- moments


def _moment(node: Moment, text: str, zone: str | None) -> str:
    text = text.strip()
    match node.kind:
        case "date":
            return _checked(text, date.fromisoformat, "not a date: YYYY-MM-DD")
        case "time":
            return _checked(text, time.fromisoformat, "not a time: HH:MM:SS")
        case "datetime":
            wanted = "not a date and time: YYYY-MM-DDTHH:MM:SS"
            if zone is None:
                return _checked(text, datetime.fromisoformat, wanted)
            if found := _LOCAL.fullmatch(text):
                text = f"{found[1]}T{found[2]}{found[3] or ':00'}"
            when = datetime.fromisoformat(_checked(text, datetime.fromisoformat, wanted))
            return text if when.tzinfo is not None else text + _offset(when, zone.strip())


def _checked(text: str, read: Any, wanted: str) -> str:
    try:
        read(text)
    except ValueError:
        raise Unreadable(wanted) from None
    return text


def _offset(when: datetime, zone: str) -> str:
    if zone in ("", "Z") or _OFFSET.fullmatch(zone):
        return zone
    if zone.upper() == "UTC":
        return "Z"
    try:
        offset = when.replace(tzinfo=ZoneInfo(zone)).strftime("%z")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Unreadable(f"the zone {zone!r} is not known: UTC, +02:00 or Europe/Vienna, or nothing for none") from None
    return f"{offset[:3]}:{offset[3:5]}"


def split_zone(text: str) -> tuple[str, str | None]:
    """A date and time as a picker takes it, and its zone; the whole text and ``None`` if a picker would change it."""
    found = _ZONED.fullmatch(text)
    if found is None or not pickable("datetime", found[1]) or _LOCAL.fullmatch(found[1])[3] is None:  # type: ignore[index]
        return text, None
    return found[1], "UTC" if found[2] == "Z" else found[2] or ""


def pickable(kind: str, text: str) -> bool:
    """Whether a browser's picker shows this text: it wipes out any other."""
    try:
        match kind:
            case "date":
                return re.fullmatch(r"\d{4}-\d\d-\d\d", text) is not None and date.fromisoformat(text) is not None
            case "time":
                found = re.fullmatch(r"\d\d:\d\d(:\d\d(\.\d{1,3})?)?", text)
                return found is not None and time.fromisoformat(text) is not None
            case _:
                found = _LOCAL.fullmatch(text)
                return found is not None and datetime.fromisoformat(text).replace(tzinfo=UTC) is not None
    except ValueError:
        return False


# -- JSON


def to_json(value: Any, *, indent: int | None = 2) -> str:
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return json.dumps(value, indent=indent) if _UNSAFE.search(text) else text


def from_json(text: str) -> Any:
    """The value of a JSON text. Raises :class:`Unreadable` with line and column."""
    try:
        return json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Unreadable(f"not JSON: {error.msg[:1].lower()}{error.msg[1:]} at {where}") from None
    except RecursionError:
        raise Unreadable("nested too deep") from None
    except Unreadable:
        raise
    except ValueError:  # an int of more digits than Python reads
        raise Unreadable("a number has too many digits") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise Unreadable(f"the key {twice!r} is given twice")
    return made


def same(left: object, right: object) -> bool:
    """Equality of JSON: ``true`` is not 1, and 1 is not 1.0."""
    if left is MISSING or right is MISSING:
        return left is right
    return to_json(left, indent=None) == to_json(right, indent=None)
