"""Calls between processes that share a store: left in the store, acted on by the run's owner, answered there."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Mapping
from typing import Any

from engine import errors
from engine.errors import Blocked, EngineError, Fenced, InvalidInput, InvalidResume, NotOwner
from engine.failures import message_of
from engine.ids import new_token
from engine.live import LiveRuns
from engine.plan import Wait
from engine.schema import ANY, Schema
from engine.sources import encode_free
from engine.state import breakpoints_from
from engine.store import Request
from engine.values import Value

log = logging.getLogger("engine")

POLL = 0.05
"""Seconds between two looks at the store for calls of others (the contract allows 0.25)."""

SWEEP = 1.0
"""Seconds between two looks for runs whose owner has died."""

_NAME = "$request"
"""Where a call has its own name, beside the arguments: what it does is noted under that."""

PATIENCE = 10.0
"""Seconds that a call waits for an owner which is alive and does not answer."""


class Remote:
    """Both ends of a call to a run that another process owns."""

    def __init__(self, runs: LiveRuns) -> None:
        self._runs = runs
        self._in_hand: set[int] = set()
        """Calls that are being acted on, and not answered yet."""

    async def serve(self, recover: bool) -> None:
        """Act on others' calls for runs that are ours, and take up runs whose owner has died, until cancelled."""
        store = self._runs.store
        swept = time.monotonic()
        while True:
            await asyncio.sleep(POLL)
            try:
                if store.changed():
                    await self._runs.let_go_of_taken()
                    for request in await store.requests():
                        self._runs.engine.background(self._answer(request), f"call {request.verb} for {request.run_id}")
                if recover and time.monotonic() - swept > SWEEP:
                    swept = time.monotonic()
                    await self._runs.recover()
            except Exception as error:  # noqa: BLE001 - a disk in trouble must not end it
                log.warning("serving other processes: %s", error)

    async def _answer(self, request: Request) -> None:
        if request.id in self._in_hand:
            return
        self._in_hand.add(request.id)
        try:
            reply = await self._act(request)
            if reply is not None:
                await self._runs.store.reply(request.id, reply)
        finally:
            self._in_hand.discard(request.id)

    async def _act(self, request: Request) -> dict[str, Any] | None:
        """What to answer; ``None`` if the call is another process's to answer."""
        arguments = dict(request.body)
        name = arguments.pop(_NAME, None)
        try:
            return {"result": await self._runs.act(request.run_id, request.verb, arguments, request=name)}
        except (Fenced, NotOwner):
            return None
        except Exception as error:  # noqa: BLE001 - who asked gets it
            return {"error": type(error).__name__, "message": message_of(error)}

    async def ask(self, run_id: str, verb: str, arguments: Mapping[str, Any]) -> Any:
        """Leave a call for the owner and wait for the answer. Raises what it raised there, or ``NotOwner``."""
        store = self._runs.store
        await self._refuse_secrets(run_id, verb, arguments)
        request = await store.post(run_id, verb, {**_plain(arguments), _NAME: new_token()})
        end = time.monotonic() + PATIENCE
        looked = time.monotonic()
        while time.monotonic() < end:
            reply = await store.reply_to(request)
            if reply is not None:
                return _result(reply)
            await asyncio.sleep(0.01)
            if time.monotonic() - looked > POLL:
                looked = time.monotonic()
                try:
                    await self._inherit(run_id, verb)
                except Blocked:
                    reply = await store.reply_to(request)
                    if reply is not None:  # its owner has acted, and let the run go since the last look
                        return _result(reply)
                    await self._withdraw(request)
                    return await self._runs.act(run_id, verb, arguments)
        await self._withdraw(request)
        raise NotOwner(
            f"the process that owns run {run_id!r} is alive but does not answer; if it is stuck, take the run over "
            f"(engine.take_over)"
        )

    async def _refuse_secrets(self, run_id: str, verb: str, arguments: Mapping[str, Any]) -> None:
        """A call to another process is written down, and secrets never are."""
        match verb:
            case "start":
                workflow_id = (await self._runs.store.row(run_id)).workflow_id
                schema = self._runs.plan_of(workflow_id).root.input
                what = f"input of workflow {workflow_id!r}"
                _must_be_open(schema, arguments.get("input"), what, "start it where it was made")
            case "send_event":
                plan = self._runs.plans.get((await self._runs.store.row(run_id)).workflow_id)
                for node in plan.nodes if plan is not None else ():
                    if isinstance(node, Wait) and node.event == arguments["name"]:
                        what = f"event {node.event!r}"
                        _must_be_open(node.schema, arguments.get("data"), what, "send it where the run is")
            case "resume":
                await self._refuse_secret_answer(run_id, arguments)
            case _:
                pass

    async def _refuse_secret_answer(self, run_id: str, arguments: Mapping[str, Any]) -> None:
        token, label = arguments.get("suspension"), arguments.get("label")
        questions = await self._runs.store.list_suspensions(run_id=run_id, workflow=None, limit=100, after=None)
        for one in questions.items:
            if token in (None, one.token) and label in (None, one.label) and _is_for_secrets(one.schema):
                raise InvalidResume(
                    f"answer to {one.path!r} has secrets, which don't travel between processes; answer where the run "
                    f"is, or take it over (engine.take_over); the question is still open"
                )

    async def _inherit(self, run_id: str, verb: str) -> None:
        """If the run's owner has died, its calls are ours to answer."""
        if await self._runs.drive(run_id, verb=verb) is not None:
            for left in await self._runs.store.requests():
                await self._answer(left)

    async def _withdraw(self, request: int) -> None:
        """Nobody is to act any more on a call whose sender has been told that it failed."""
        await self._runs.store.reply(request, {})
        await self._runs.store.reply_to(request)


def _must_be_open(schema: Schema, given: Any, what: str, remedy: str) -> None:
    if schema.has_secrets and Value.kept(schema.validate(given, InvalidInput, what), schema).holes:
        raise InvalidInput(f"{what} has secrets, which don't travel between processes; {remedy}")


def _is_for_secrets(schema: Any) -> bool:
    """Whether a JSON Schema has a place for a secret."""
    if isinstance(schema, list):
        return any(map(_is_for_secrets, schema))
    return isinstance(schema, dict) and (schema.get("writeOnly") is True or any(map(_is_for_secrets, schema.values())))


def _plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {key: ANY.decode(encode_free(_sendable(key, value))) for key, value in arguments.items()}


def _sendable(key: str, value: Any) -> Any:
    if key == "breakpoints":
        return [dataclasses.asdict(point) for point in breakpoints_from(value)]
    return value if key != "step" or value is None else _path(value)


def _path(step: Any) -> Any:
    if isinstance(step, (list, tuple)):
        return [one if isinstance(one, str) else one.id for one in step]
    return step if isinstance(step, str) else step.id


_ODD = frozenset({errors.DefinitionError, errors.RunFailed})
"""Errors that are made of more than a message."""


def _result(reply: Mapping[str, Any]) -> Any:
    if "error" not in reply:
        return reply.get("result")
    kind = getattr(errors, str(reply["error"]), None)
    message = str(reply.get("message"))
    if isinstance(kind, type) and issubclass(kind, EngineError) and kind not in _ODD:
        raise kind(message)
    if reply["error"] == "ValueError":
        raise ValueError(message)
    raise EngineError(f"{reply['error']}: {message}")
