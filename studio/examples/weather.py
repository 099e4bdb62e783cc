"""A plan for one day, from its weather: the smallest example, with a branch and no question.

Shows: steps with schemas, ``branch`` (the first condition that holds), ``from_step`` (what the chosen arm gave).
"""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

from pydantic import BaseModel, Field

from engine import Fatal, create_workflow, from_step, step

MEASURED = Path(__file__).parent / "data" / "seattle-2015.csv"


class Day(BaseModel):
    """The day to plan. The measured weather is that of Seattle in 2015."""

    day: date = Field(default=date(2015, 7, 4), description="A day of 2015; others were not measured")


class Weather(BaseModel):
    """What was measured on that day."""

    day: date
    rain_mm: float
    warmest_c: float
    coldest_c: float
    wind_ms: float
    sky: str


class Plan(BaseModel):
    """What to do, and why."""

    where: str
    todo: list[str]
    because: str


@step
def look_up_weather(asked: Day) -> Weather:
    """Find the day's row in the file of measured weather."""
    with MEASURED.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["day"] == asked.day.isoformat():
                return Weather.model_validate(row)
    raise Fatal(f"there is no weather for {asked.day}; choose a day of 2015")


def is_warm(weather: Weather) -> bool:
    """Warm enough to sit outside; wind takes a degree off for each metre per second above 3."""
    return weather.warmest_c - max(0.0, weather.wind_ms - 3) >= 18


@step
def go_inside(weather: Weather) -> Plan:
    """A plan under a roof."""
    todo = ["visit the museum", "try the new noodle bar"]
    if weather.rain_mm > 20:
        todo.append("take the bus, not the bicycle")
    return Plan(where="inside", todo=todo, because=f"{weather.rain_mm:g} mm of rain")


@step
def go_outside(weather: Weather) -> Plan:
    """A plan in the open."""
    todo = ["walk along the water", "picnic in the park"]
    if weather.warmest_c >= 28:
        todo.append("bring water and a hat")
    return Plan(where="outside", todo=todo, because=f"dry and up to {weather.warmest_c:g} °C")


@step
def stay_home(weather: Weather) -> Plan:
    """A plan for a dry day that is too cold to sit outside."""
    todo = ["bake bread", "mend the bicycle"]
    return Plan(
        where="home", todo=todo, because=f"dry, but only {weather.warmest_c:g} °C and {weather.wind_ms:g} m/s wind"
    )


weather_workflow = (
    create_workflow(
        id="weather",
        input_schema=Day,
        output_schema=Plan,
        description="Plan a day by its measured weather",
    )
    .then(look_up_weather)
    .branch([("rain_mm > 1", go_inside), (is_warm, go_outside)], mode="first", otherwise=stay_home)
    .map(from_step([go_inside, go_outside, stay_home]))
    .commit()
)
