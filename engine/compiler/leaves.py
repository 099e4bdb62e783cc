"""What has nothing inside: steps, maps, sleeps and waits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from engine.compiler.draft import Draft
from engine.compiler.shapes import Scope, Spot, anything, object_of, shape_of
from engine.errors import ExpressionError
from engine.expressions import Template, parse_template
from engine.flow import (
    Callback,
    Constant,
    FromContext,
    FromInit,
    FromState,
    FromStep,
    MapNode,
    SleepNode,
    Source,
    TemplateText,
    WaitNode,
)
from engine.plan import Call, Map, Sleep, Wait
from engine.retry import NO_RETRY
from engine.steps import Step, arity, is_seconds


def call(draft: Draft, step: Step[Any, Any], spot: Spot, *, place: str, id: str) -> Call:
    """A step where it stands."""
    where = f"step '{place}'"
    taken = draft.schema(step.input_schema, f"{where} input_schema")
    given = draft.schema(step.output_schema, f"{where} output_schema")
    draft.feed(where, taken)
    draft.shape = shape_of(given)
    takes = arity(step.execute, most=2)
    return draft.keep(
        Call(
            index=draft.reserve(),
            id=id,
            name=id,
            place=place,
            parent=spot.parent,
            slot=spot.slot,
            description=step.description,
            step=step,
            fn=step.execute,
            arity=2 if takes is None else takes,
            is_async=Callback.of(step.execute).is_async,
            input=taken,
            output=given,
            resume=draft.optional(step.resume_schema, f"{where} resume_schema"),
            suspend=draft.optional(step.suspend_schema, f"{where} suspend_schema"),
            state=draft.open(step.state_schema, f"{where} state_schema"),
            retry=step.retry or spot.scope.retry or NO_RETRY,
            timeout=step.timeout,
            on_crash=step.on_crash,
        )
    )


# -- maps


def map_node(draft: Draft, node: MapNode, spot: Spot) -> Map:
    """A map: a function, one source, or a dict of sources."""
    scope = spot.scope
    name = draft.declare(scope, node.id or scope.ordinal("map"))
    where = f"map '{scope.prefix}{name}'"
    given = node.source
    made: Source | Mapping[str, Source]
    if isinstance(given, Mapping):
        made = {str(key): _source(draft, f"{where} {key!r}", one, scope) for key, one in given.items()}
        draft.shape = object_of(dict.fromkeys(made, anything))
    else:
        made = _source(draft, where, given, scope)
        draft.shape = anything
    return draft.keep(Map(**draft.fields(spot, name, node=node, index=draft.reserve()), source=made))


def _source(draft: Draft, where: str, source: Any, scope: Scope) -> Source:
    match source:
        case FromStep(ids=ids):
            for id in ids:
                draft.check_step(where, id, scope)
            return source
        case TemplateText() | Template():
            return _template(draft, where, source.text, scope)
        case Constant():
            return _constant(draft, where, source)
        case FromInit() | FromState() | FromContext():
            return source
        case _ if callable(source):
            return draft.callback(where, source)
        case _:
            remedy = "use value(x), from_step, from_init, from_state, from_context, template or a function"
            draft.fault(where, f"{source!r} is no source", remedy)
            return Constant(None)


def _template(draft: Draft, where: str, text: Any, scope: Scope) -> Source:
    try:
        made = parse_template(text)
    except (ExpressionError, TypeError, AttributeError) as error:
        draft.fault(where, f"the template can't be used ({error})", "write ${init.x}, ${steps.id.y} or ${state.z}")
        return Constant(None)
    draft.check_steps(where, made.names, scope)
    return made


def _constant(draft: Draft, where: str, source: Constant) -> Constant:
    try:
        to_json(source.value)
    except (PydanticSerializationError, ValueError) as error:
        draft.fault(where, f"{source.value!r} can't be stored ({error})", "give a value that JSON can hold")
    return source


# -- waits


def sleep(draft: Draft, node: SleepNode, spot: Spot) -> Sleep:
    """A sleep: what flows in flows out."""
    scope = spot.scope
    kind = "sleep" if node.until is None else "sleep_until"
    name = draft.declare(scope, node.id or scope.ordinal(kind))
    where = f"{kind} '{scope.prefix}{name}'"
    return draft.keep(
        Sleep(
            **draft.fields(spot, name, node=node, index=draft.reserve()),
            duration=_duration(draft, where, node.duration) if node.until is None else None,
            until=None if node.until is None else _moment(draft, where, node.until),
        )
    )


def _duration(draft: Draft, where: str, given: Any) -> float | Callback:
    if callable(given):
        return draft.callback(where, given)
    seconds = given.total_seconds() if isinstance(given, timedelta) else given
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if is_number and math.isfinite(seconds) and seconds >= 0:
        return float(seconds)
    draft.fault(where, f"{given!r} is no duration", "give seconds from 0, a timedelta or a function")
    return 0.0


def _moment(draft: Draft, where: str, given: Any) -> float | Callback:
    if isinstance(given, datetime) and given.tzinfo is not None:
        return given.timestamp()
    if callable(given):
        return draft.callback(where, given)
    draft.fault(where, f"{given!r} is no moment", "give a datetime with a time zone, or a function")
    return 0.0


def wait(draft: Draft, node: WaitNode, spot: Spot) -> Wait:
    """A wait for an event: what comes in with it flows on."""
    scope = spot.scope
    name = draft.declare(scope, node.id or scope.ordinal("wait_for_event"))
    where = f"wait_for_event '{scope.prefix}{name}'"
    event: Any = node.name
    if not isinstance(event, str) or not event:
        draft.fault(where, f"{event!r} names no event", "give the event's name as a text")
    if node.timeout is not None and not is_seconds(node.timeout):
        draft.fault(where, f"timeout={node.timeout!r}", "give seconds above 0, or None")
    schema = draft.schema(node.schema, f"{where} schema")
    draft.shape = shape_of(schema)
    shared = draft.fields(spot, name, node=node, index=draft.reserve())
    return draft.keep(Wait(**shared, event=event, schema=schema, timeout=node.timeout))
