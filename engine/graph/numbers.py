"""A number for every part of a definition: elements of the picture go by it, whatever is folded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from engine.graph.words import Part

SEQUENCES = ("workflow", "chain")
REPEATS = ("do_until", "do_while", "foreach")


class Found(NamedTuple):
    """A part, its place, the scope of the ids beside it, and the place of the part that it is in."""

    part: Part
    place: str
    scope: str
    parent: str


def numbers(definition: Part) -> dict[str, int]:
    """Place -> number, from 1, in the order of the definition."""
    found: dict[str, int] = {}
    for one in parts(definition):
        found.setdefault(one.place, len(found) + 1)
    return found


def parts(definition: Part) -> Iterator[Found]:
    """Every part below the root, from the outside in."""
    root = definition.get("root") or {}
    todo = [Found(child, below("", child), "", "") for child in reversed(root.get("children") or ())]
    while todo:
        one = todo.pop()
        yield one
        inner = [*_inside(one)]
        if catch := one.part.get("catch"):
            inner.append(Found(catch, below(one.scope, catch), one.scope, one.parent))
        todo += reversed(inner)


def below(scope: str, part: Part) -> str:
    """The place of a part among those of a scope."""
    id = str(part.get("id", ""))
    return f"{scope}/{id}" if scope else id


def _inside(one: Found) -> Iterator[Found]:
    part, place, scope, _ = one
    kind = part.get("kind")
    for child in part.get("children") or ():
        if kind in REPEATS:
            yield Found(child, f"{place}[]", scope, place)
        elif kind in SEQUENCES:
            yield Found(child, below(place, child), place, place)
        else:
            yield Found(child, below(scope, child), scope, place)
