"""Leaves that are not steps: maps, sleeps, waits for events."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from engine.advance import unblock
from engine.cells import DONE, Cell
from engine.clock import from_iso, to_iso
from engine.codec import ANNOTATE
from engine.commands import Command
from engine.error_records import error_record
from engine.errors import ConditionFailed, DataError, NotSerializable
from engine.events import Fact
from engine.faults import in_words
from engine.flow import Callback
from engine.lost_secrets import ask_for_secrets
from engine.plan import Map, Sleep, Wait
from engine.sources import call, evaluate, free_value
from engine.values import SecretsLost, Value, checked

if TYPE_CHECKING:
    from engine.host import Host


async def do(run: Host, cell: Cell) -> list[Command]:
    """Do what a map, a sleep or a wait does."""
    node = cell.node
    try:
        match node:
            case Map():
                made = await evaluate(run, cell, node.source, cell.input)
                if cell.status in DONE:
                    return []
                value = _value(cell, made)
                return run.record(Fact("step.succeeded", cell.path, attempt=cell.attempts, value=value, site=cell))
            case Sleep():
                return await _sleep(run, cell, node)
            case Wait():
                return deliver_early(run, cell, node) or unblock(cell)
            case _:
                return []
    except Exception as error:  # noqa: BLE001 - a user's code may raise anything
        if cell.status in DONE:
            return []
        if isinstance(error, SecretsLost):
            return ask_for_secrets(run, cell, error.value)
        data = {"error": error_record(run, error, cell)}
        return run.record(Fact("step.failed", cell.path, attempt=cell.attempts, data=data, site=cell))


def _value(cell: Cell, made: Any) -> Value:
    try:
        return free_value(made)
    except NotSerializable as error:
        said = in_words(str(error), "what it gives")
        is_series = "(type tuple)" in said or "(type set)" in said or "(type frozenset)" in said
        said = said.replace(ANNOTATE, "return a list" if is_series else "return JSON data")
        raise NotSerializable(f"map {cell.path!r}: {said}", path=error.path) from error


async def _sleep(run: Host, cell: Cell, node: Sleep) -> list[Command]:
    due = await _due(run, cell, node)
    if cell.status in DONE:
        return []
    if due <= run.clock.now():
        return run.record(Fact("step.succeeded", cell.path, attempt=cell.attempts, value=cell.input, site=cell))
    try:
        until = to_iso(due)
    except (OverflowError, ValueError, OSError) as error:
        remedy = "give seconds or a timedelta" if node.until is None else "give a datetime with a time zone"
        raise ConditionFailed(f"{cell.path!r} sleeps beyond the year 9999; {remedy}") from error
    return run.record(Fact("timer.started", cell.path, attempt=cell.attempts, data={"due": until}, site=cell))


async def _due(run: Host, cell: Cell, node: Sleep) -> float:
    given: Any = node.until if node.until is not None else node.duration
    if isinstance(given, Callback):
        try:
            given = await call(run, cell, given, cell.input)
        except SecretsLost:
            raise
        except Exception as error:
            raise ConditionFailed(f"{cell.path!r}: {given.name} raised {type(error).__name__}: {error}") from error
    if node.until is not None:
        return _moment(cell, given)
    seconds = given.total_seconds() if hasattr(given, "total_seconds") else given
    if not isinstance(seconds, (int, float)) or math.isnan(seconds):
        raise ConditionFailed(f"{cell.path!r} sleeps for {given!r}; give seconds or a timedelta")
    return run.clock.now() + seconds


def _moment(cell: Cell, given: Any) -> float:
    if isinstance(given, str):
        given = from_iso(given)
    if hasattr(given, "timestamp"):
        if given.tzinfo is None:
            raise ConditionFailed(
                f"{cell.path!r} sleeps until {given!r}, which has no time zone; give an aware datetime"
            )
        return float(given.timestamp())
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        return float(given)
    raise ConditionFailed(f"{cell.path!r} sleeps until {given!r}; give a datetime with a time zone")


def deliver_early(run: Host, cell: Cell, node: Wait) -> list[Command]:
    """An event that came before it was waited for is taken now; those that do not fit are noted and dropped."""
    name = node.event
    early = [value for one, value in run.state.inbox if one == name]
    for count, value in enumerate(early, 1):
        try:
            fitting = checked(value, node.schema) if not node.schema.is_any else value
        except DataError as error:
            run.note(cell.path, "warning", f"event {name!r} came early and does not fit: {error}")
            continue
        return received(run, cell, name, fitting, early=count)
    if early:
        run.record(Fact("event.received", cell.path, data={"name": name, "dropped": len(early)}, site=cell))
    return []


def received(run: Host, cell: Cell, name: str, value: Value, *, early: int = 0) -> list[Command]:
    """An event has come to a step that waits for it; ``early``: before it did, as the last of so many of that name."""
    data: dict[str, Any] = {"name": name}
    if early:
        data["early"] = early
    run.unwake(cell)
    run.record(Fact("event.received", cell.path, data=data, value=value, site=cell))
    return run.record(Fact("step.succeeded", cell.path, attempt=cell.attempts, value=value, site=cell))
