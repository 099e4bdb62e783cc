"""Views as plain JSON data: what a page's ``.json`` twin says."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import Field, fields, is_dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, TypeVar

from studio.wording import iso

T = TypeVar("T")

Looks = Annotated[T, "for the eye alone"]
"""The type of a view's field that programs are not told: ``form: Looks[FormView]``."""


def plain(value: object) -> Any:
    """``value`` as JSON data: views by their fields, times in UTC, spans in seconds, null for what is no number."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case datetime():
            return iso(value)
        case timedelta():
            return value.total_seconds()
        case Mapping():
            return {str(name): plain(one) for name, one in value.items()}
        case _ if is_dataclass(value):
            return {one.name: plain(getattr(value, one.name)) for one in fields(value) if _is_told(one)}
        case Iterable():
            return [plain(one) for one in value]
        case _:
            return str(value)


def _is_told(one: Field[Any]) -> bool:
    return not str(one.type).startswith("Looks[")  # annotations are texts here


def plain_text(value: object) -> str:
    """The same as text. Half a character, which can't be sent, is escaped."""
    return json.dumps(plain(value), separators=(",", ":"))
