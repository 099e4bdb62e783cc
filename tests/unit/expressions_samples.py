"""What these tests share."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from engine.expressions import parse


class Mood(enum.Enum):
    GOOD = "good"


class Weather(BaseModel):
    rain_mm: float
    mood: Mood = Mood.GOOD
    hours: list[dict[str, int]] = [{"a b": 1}, {"a b": 2}]
    _hidden: int = 1

    def secret(self) -> str:
        return "called"

    @property
    def derived(self) -> int:
        return 1


@dataclasses.dataclass
class Point:
    x: int
    _y: int = 2


DATA: dict[str, Any] = {
    "n": 7,
    "x": 2.5,
    "name": "Ada",
    "empty": "",
    "nothing": None,
    "yes": True,
    "no": False,
    "items": ["a", "b", "c"],
    "numbers": [3, 1, 2],
    "weather": Weather(rain_mm=3.5),
    "point": Point(4),
    "price": Decimal("1.10"),
    "day": dt.date(2020, 1, 2),
    "moods": [Mood.GOOD],
    "big": 10**5000,
    "state": {"open": True, "deep": {"er": [{"z": "q"}]}, "a b": 1, "_id": 5, "and": 1},
    "steps": {"fetch": {"ok": True}, "skipped": None},
    "init": {"dry_run": False},
}


def lookup_in(data: Mapping[str, object]) -> Callable[[str], object]:
    return lambda name: data[name]


lookup = lookup_in(DATA)


def value_of(text: str) -> object:
    return parse(text).evaluate(lookup)
