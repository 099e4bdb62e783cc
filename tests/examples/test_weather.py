"""The example of a day's plan."""

from __future__ import annotations

import csv
from typing import Any

import pytest

from studio.examples.weather import MEASURED, weather_workflow
from tests.fixtures import OpenEngine, launch, statuses


@pytest.mark.parametrize(
    ("day", "plan", "ran"),
    [
        (
            "2015-07-04",
            {
                "where": "outside",
                "todo": ["walk along the water", "picnic in the park", "bring water and a hat"],
                "because": "dry and up to 33.3 °C",
            },
            "go_outside",
        ),
        (
            "2015-10-10",
            {
                "where": "inside",
                "todo": ["visit the museum", "try the new noodle bar", "take the bus, not the bicycle"],
                "because": "28.7 mm of rain",
            },
            "go_inside",
        ),
        (
            "2015-04-11",
            {
                "where": "home",
                "todo": ["bake bread", "mend the bicycle"],
                "because": "dry, but only 11.7 °C and 6.5 m/s wind",
            },
            "stay_home",
        ),
    ],
)
async def test_the_weather_chooses_one_of_three_plans(
    open_engine: OpenEngine, day: str, plan: dict[str, Any], ran: str
) -> None:
    engine = await open_engine(weather_workflow)
    result = await (await launch(engine, weather_workflow, {"day": day})).result()
    arms = dict.fromkeys(("go_inside", "go_outside", "stay_home"), "skipped") | {ran: "success"}
    assert (result.status, result.result) == ("success", plan)
    assert statuses(result.steps) == {"look_up_weather": "success", **arms, "map-1": "success"}


async def test_a_day_that_was_not_measured_fails_with_what_to_do(open_engine: OpenEngine) -> None:
    engine = await open_engine(weather_workflow)
    result = await (await launch(engine, weather_workflow, {"day": "2016-01-01"})).result()
    assert (result.status, statuses(result.steps)) == ("failed", {"look_up_weather": "failed"})
    assert result.error is not None
    assert result.error["message"] == "there is no weather for 2016-01-01; choose a day of 2015"


def test_the_file_has_every_day_of_the_year_and_its_source_is_named() -> None:
    with MEASURED.open(encoding="utf-8", newline="") as file:
        days = [row["day"] for row in csv.DictReader(file)]
    assert (len(days), days[0], days[-1], days) == (365, "2015-01-01", "2015-12-31", sorted(set(days)))
    notes = (MEASURED.parent / "README.md").read_text("utf-8")
    assert {file.name for file in MEASURED.parent.iterdir() if file.suffix == ".csv" and file.name in notes} == {
        "contacts.csv",
        "seattle-2015.csv",
    }
