"""The shared state of a run: what steps read, and how their changes are merged."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from engine.cells import Cell, Frame, ancestors
from engine.errors import DataError, InvalidState, NotSerializable, StateConflict
from engine.events import Fact
from engine.plan import Call, Plan, Sequence
from engine.reducers import Reducer, reducers_of
from engine.schema import ANY, Schema
from engine.state import RunState
from engine.values import INLINE_BYTES, Value

Changes = list[tuple[str, Any]]


def initial(plan: Plan, given: Any) -> dict[str, Any]:
    """The state of a run at its start, with the schema's defaults. Raises ``InvalidState``."""
    schema = plan.root.state
    if schema is None:
        given = {} if given is None else given
        if not isinstance(given, Mapping):
            raise InvalidState(f"the state of workflow {plan.id!r} is a dict, not {type(given).__name__}")
        return _plain(dict(given), ANY)
    typed = schema.validate({} if given is None else given, InvalidState, f"state of workflow {plan.id!r}")
    return _plain(typed, schema)


def _plain(typed: Any, schema: Schema) -> dict[str, Any]:
    """The stored form of a state as a dict."""
    try:
        made = ANY.decode(schema.encode(typed))
    except NotSerializable as error:
        raise InvalidState(f"the state can't be stored: {error}", path=error.path) from error
    if not isinstance(made, dict):
        raise InvalidState(f"a state has named keys; {schema.name} has none")
    return made


class SharedState:
    """Reads and merges for one run."""

    def __init__(self, state: RunState) -> None:
        self._state = state
        self._reducers: dict[int, Mapping[str, Reducer]] = {}

    def schema_for(self, cell: Cell) -> Schema | None:
        """The state schema that a step sees: its own, else that of the innermost workflow that has one."""
        node = cell.node
        if isinstance(node, Call) and node.state is not None:
            return node.state
        frames: list[Cell] = [*ancestors(cell), *([cell] if isinstance(cell, Frame) else [])]
        for frame in frames:
            if isinstance(frame.node, Sequence) and frame.node.state is not None:
                return frame.node.state
        return None

    def _reducers_for(self, cell: Cell) -> Mapping[str, Reducer]:
        node = cell.node
        found = self._reducers.get(node.index)
        if found is None:
            made: dict[str, Reducer] = {}
            for frame in reversed(ancestors(cell)):
                if isinstance(frame.node, Sequence) and frame.node.state is not None:
                    made |= reducers_of(frame.node.state.source)
            if isinstance(node, Call) and node.state is not None:
                made |= reducers_of(node.state.source)
            found = self._reducers[node.index] = made
        return found

    def typed(self, cell: Cell, shared: dict[str, Any]) -> Any:
        """A copy of the state as the step's schema gives it; a dict without one. Raises ``InvalidState``."""
        schema = self.schema_for(cell)
        known = _keys(schema)
        raw = ANY.encode(shared if known is None else {key: shared[key] for key in known if key in shared})
        if schema is None:
            return ANY.decode(raw)
        try:
            return schema.decode(raw)
        except DataError as error:
            raise InvalidState(f"state as step {cell.path!r} sees it: {error}", path=error.path) from error

    def merge(self, cell: Cell, changes: Changes, *, overlay: bool) -> Fact:
        """The fact that a step's changes make. Raises ``InvalidState``, ``StateConflict``.

        ``overlay``: the step suspends, so the changes are taken back when its next pass starts.
        """
        state = self._state
        reducers = self._reducers_for(cell)
        for key, _ in changes:
            if not isinstance(key, str):
                raise InvalidState(f"set_state of step {cell.path!r}: keys are names, not {type(key).__name__}")
            if key not in reducers and state.versions.get(key, 0) > cell.state_seq:
                raise StateConflict(
                    f"step {cell.path!r} and another step that ran beside it both wrote {key!r}; "
                    f"give the key a reducer in the state schema, e.g. Annotated[int, reduce(operator.add)]"
                )
        merged = self._merged(cell, state.shared, changes, reducers)
        keys = dict.fromkeys(key for key, _ in changes)
        changed = {key: merged[key] for key in keys if key in merged}
        data: dict[str, Any] = {}
        appended = {}
        for key in keys:
            kept = _kept(state.shared.get(key), changed.get(key)) if key in reducers else 0
            if kept:
                changed[key] = changed[key][kept:]
                appended[key] = kept
        if appended:
            data["appended"] = appended
        # What was given, where the value does not follow from it alone: for whoever takes a change back, or forks.
        if overlay or state.journal.suspended or any(key in reducers for key, _ in changes):
            data["args"] = [[key, _argument(value)] for key, value in changes]
        if overlay:
            data["overlay"] = True
        return Fact("state.changed", cell.path, data=data or None, value=Value.of(changed), site=None)

    def _merged(
        self, cell: Cell, shared: Mapping[str, Any], changes: Changes, reducers: Mapping[str, Reducer]
    ) -> dict[str, Any]:
        schema = self.schema_for(cell)
        if schema is None:  # so there are no reducers either
            return _plain(dict(changes), ANY)
        what = f"set_state of step {cell.path!r}"
        known = _keys(schema)
        before = dict(shared) if known is None else {key: shared[key] for key in known if key in shared}
        values = _values(self._decoded(schema, before))
        for key, given in changes:
            reducer = reducers.get(key)
            values[key] = given if reducer is None or key not in values else reducer.fn(values[key], given)
        unknown = [key for key, _ in changes if known is not None and key not in known]
        if unknown:
            raise InvalidState(
                f"{what}: the state has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(known or ()))}"
            )
        return _plain(schema.validate(values, InvalidState, what), schema)

    def _decoded(self, schema: Schema | None, shared: Mapping[str, Any]) -> Any:
        if schema is None:
            return ANY.decode(ANY.encode(shared))
        try:
            return schema.decode(ANY.encode(shared))
        except DataError:  # a key is still missing; this write may bring it
            return dict(shared)

    def take_back(self, cell: Cell) -> Fact | None:
        """The fact that undoes what a suspended step wrote, as its next pass starts: others' later writes stay.

        What starts again together is taken back together: each of them alone would cost a walk over all the others.
        """
        if not cell.overlay:
            return None
        others = () if self._state.hold else self._state.journal.returning.values()
        return self.undo([cell, *(other for other in others if other is not cell and other.status == "running")])

    def undo(self, cells: list[Cell]) -> Fact:
        """The fact that undoes what some steps wrote."""
        state = self._state
        writes, base = state.journal.writes, state.journal.base
        paths = dict.fromkeys(cell.path for cell in cells)
        keys = dict.fromkeys(key for path in paths for key, _ in writes.get(path, ()))
        shared = {key: state.shared[key] for key in state.shared if key not in keys}
        shared |= {key: base[key] for key in keys if key in base}
        # All that was written since, but for what these steps wrote: the values then follow from the others alone.
        for path, args in writes.items():
            kept = [(key, value) for key, value in args if key in keys]
            if path not in paths and kept:
                writer = state.cells.get(path, cells[0])
                merged = self._merged(writer, shared, kept, self._reducers_for(writer))
                shared |= {key: merged[key] for key, _ in kept}
        values = {key: shared[key] for key in keys if key in shared}
        removed = [key for key in keys if key not in shared]
        data: dict[str, Any] = {"undo": True, "removed": removed}
        if len(paths) > 1:
            data["paths"] = list(paths)
        return Fact("state.changed", cells[0].path, data=data, value=Value.of(values))


def _argument(value: Any) -> Any:
    """What was given to ``set_state``, as far as it is JSON (a reducer's argument has no schema of its own)."""
    try:
        return ANY.decode(ANY.encode(value))
    except NotSerializable as error:
        raise InvalidState(f"set_state: the change can't be stored: {error}", path=error.path) from error


def _kept(old: Any, new: Any) -> int:
    """How many items of a list a change leaves as they are, before what it adds; 0 if to say so would not pay."""
    if not isinstance(old, list) or not isinstance(new, list) or len(new) < len(old):
        return 0
    before = ANY.encode(old)
    return len(old) if len(before) > INLINE_BYTES and ANY.encode(new[: len(old)]) == before else 0


def _keys(schema: Schema | None) -> list[str] | None:
    fields = None if schema is None else schema.fields()
    return None if fields is None else list(fields)


def _values(typed: Any) -> dict[str, Any]:
    if isinstance(typed, dict):
        return dict(typed)
    if isinstance(typed, BaseModel):
        return {name: getattr(typed, name) for name in type(typed).model_fields} | (typed.model_extra or {})
    return {field.name: getattr(typed, field.name) for field in dataclasses.fields(typed)}


def as_changes(update: Any) -> Changes:
    """What ``set_state`` was given, as keys and values. Raises ``TypeError``."""
    if update is None:
        return []
    if isinstance(update, Mapping):
        return list(update.items())
    fields = getattr(update, "__pydantic_fields_set__", None)
    if fields is None:
        fields = getattr(type(update), "__dataclass_fields__", None)
    if fields is None:
        raise TypeError(f"set_state takes a dict, a model or keywords, not {type(update).__name__}")
    return [(name, getattr(update, name)) for name in fields]
