"""The typical mistakes: both checkers find one in each line marked so, and nothing in the others."""

from __future__ import annotations

from dataclasses import dataclass

from engine import Engine, create_workflow, step


@dataclass
class Place:
    """Where."""

    city: str


@dataclass
class Town:
    """Another class with the same field."""

    city: str


@step
async def visit(place: Place) -> Town:
    """From one to the other."""
    return Town(place.city)


@step
def count(number: int) -> int:
    """A number."""
    return number


@step
def many(place: Place) -> list[int]:
    """A list."""
    return [len(place.city)]


def short(place: Place) -> str:
    """No step."""
    return place.city


places = create_workflow(id="places", input_schema=Place)
numbers = create_workflow(id="numbers", input_schema=int).then(count)

places.then(count)  # error
places.then(visit).then(visit)  # error
places.then(visit).map(lambda town: Place(town.city)).then(visit)
places.then(numbers)  # error
places.then(short)  # error
places.foreach(count)  # error
places.then(many).foreach(count)
places.then(many).foreach(visit)  # error
places.parallel([visit, count])  # error
places.branch([("true", count)])  # error
places.branch([("true", visit)], otherwise=count)  # error
places.branch([("true", visit)], mode="one")  # error
places.do_while(count, "true")  # error
places.do_until(visit)  # error
places.map(count.id)  # error
places.map({"a": 1})  # error
places.then(visit, retries=3)  # error
places.run_sync(3)  # error
step(id=3)  # error
create_workflow(input_schema=Place)  # error
Engine(workflows=[visit])  # error
