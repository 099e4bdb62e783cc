"""The plan: a workflow compiled once, flat, addressed and immutable. Everything that runs, runs by it.

A node's ``place`` is its path with every index as ``[]``: it says where in the definition an execution belongs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from engine.flow import Callback, Condition, Constant, Source, condition_text
from engine.ids import template
from engine.retry import RetryPolicy
from engine.schema import Schema
from engine.steps import OnCrash, Step


@dataclass(frozen=True, slots=True, eq=False)
class Hooks:
    """A workflow's lifecycle hooks: each takes one ``RunInfo``, sync or async."""

    on_start: Callable[[Any], Any] | None = None
    on_finish: Callable[[Any], Any] | None = None
    on_error: Callable[[Any], Any] | None = None

    @property
    def at_end(self) -> bool:
        """Whether there is one to call when a run has ended."""
        return self.on_finish is not None or self.on_error is not None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlanNode:
    """What all nodes have. ``id`` is the segment in a path, ``name`` the block's own id (of a loop or foreach another).

    ``parent`` is the index of the container (-1: none), ``slot`` the position in it; a catch arm has slot -1.
    """

    index: int
    id: str
    name: str
    place: str
    parent: int
    slot: int
    description: str = ""
    catch: PlanNode | None = None

    is_container: ClassVar[bool] = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Call(PlanNode):
    """A step of the user's."""

    step: Step[Any, Any]
    fn: Any
    arity: int
    is_async: bool
    input: Schema
    output: Schema
    resume: Schema | None
    suspend: Schema | None
    state: Schema | None
    retry: RetryPolicy
    timeout: float | None
    on_crash: OnCrash


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Map(PlanNode):
    """Makes a value of others: a function, one source, or a dict of sources."""

    source: Source | Mapping[str, Source]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sleep(PlanNode):
    """Waits for ``duration`` seconds or ``until`` a time (seconds since 1970); either may be a function."""

    duration: float | Callback | None
    until: float | Callback | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wait(PlanNode):
    """Waits for an event by name."""

    event: str
    schema: Schema
    timeout: float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sequence(PlanNode):
    """A workflow (the run's own, or nested) or a chain: one child after another. Opens a scope.

    ``workflow`` is the workflow's own id; ``None`` for a chain.
    """

    is_container: ClassVar[bool] = True

    children: tuple[PlanNode, ...]
    input: Schema
    output: Schema
    workflow: str | None
    state: Schema | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parallel(PlanNode):
    """All arms at once."""

    is_container: ClassVar[bool] = True

    children: tuple[PlanNode, ...]
    concurrency: int | None
    allow_failure: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Branch(PlanNode):
    """The arms whose condition holds. ``children`` are the arms in order; ``otherwise`` is the last of them, if any."""

    is_container: ClassVar[bool] = True

    children: tuple[PlanNode, ...]
    conditions: tuple[Condition, ...]
    otherwise: PlanNode | None
    mode: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Loop(PlanNode):
    """The body again and again: while the condition holds, or ``until`` it does."""

    is_container: ClassVar[bool] = True

    body: PlanNode
    condition: Condition
    until: bool
    max_iterations: int | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Foreach(PlanNode):
    """The body once for each item of a list."""

    is_container: ClassVar[bool] = True

    body: PlanNode
    concurrency: int | Callback
    collect_errors: bool


Leaf = Call | Map | Sleep | Wait
Container = Sequence | Parallel | Branch | Loop | Foreach
AnyNode = Leaf | Container

KINDS: dict[type[PlanNode], str] = {
    Call: "step",
    Map: "map",
    Sleep: "sleep",
    Wait: "wait_for_event",
    Sequence: "workflow",
    Parallel: "parallel",
    Branch: "branch",
    Loop: "loop",
    Foreach: "foreach",
}


def kind_of(node: PlanNode) -> str:
    """The node's kind as definitions, graphs and messages name it."""
    if isinstance(node, Sequence):
        return "workflow" if node.workflow is not None else "chain"
    if isinstance(node, Loop):
        return "do_until" if node.until else "do_while"
    return KINDS[type(node)]


def children_of(node: PlanNode) -> tuple[PlanNode, ...]:
    """The nodes inside a container, in order, without catch arms."""
    if isinstance(node, (Sequence, Parallel, Branch)):
        return node.children
    if isinstance(node, (Loop, Foreach)):
        return (node.body,)
    return ()


@dataclass(frozen=True, eq=False)
class Plan:
    """A compiled workflow. ``nodes[i].index == i``; ``places`` finds a node by its place."""

    id: str
    root: Sequence
    nodes: tuple[PlanNode, ...]
    places: Mapping[str, PlanNode]
    hooks: Hooks
    context: Schema = field(repr=False)

    def at(self, path: str) -> PlanNode | None:
        """The node that a path stands for."""
        return self.places.get(template(path))

    def parent(self, node: PlanNode) -> PlanNode | None:
        """The container that a node is in."""
        return self.nodes[node.parent] if node.parent >= 0 else None

    @cached_property
    def definition(self) -> dict[str, Any]:
        """The definition as plain JSON: everything the version's hash covers, and what it takes to draw it."""
        schemas: dict[str, Any] = {}

        def refer(schema: Schema | None) -> str | None:
            if schema is None or schema.is_any:
                return None
            key = _digest(schema.json_schema())[:16]
            schemas[key] = schema.json_schema()
            return key

        root = {
            "state": refer(self.root.state),
            "context": refer(self.context),
            "description": self.root.description,
            "root": _describe(self.root, refer),
        }
        return {"id": self.id, **root, "schemas": schemas}

    @cached_property
    def version(self) -> str:
        """The definition's hash: SHA-256 in hexadecimal, over ids, kinds, order, schemas and conditions' text."""
        schemas = self.definition["schemas"]
        return _digest(
            _without_prose({key: self.definition[key] for key in self.definition.keys() - {"schemas"}}, schemas)
        )


_REFERENCES = frozenset({"input", "output", "resume", "suspend", "state", "context"})
_UNVERSIONED = frozenset({"description", "attempts", "timeout"})
_NAMED = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_VERBATIM = frozenset({"default", "const", "enum", "required"})


def _digest(part: Any) -> str:
    return hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()


def _without_prose(part: Any, schemas: Mapping[str, Any]) -> Any:
    """A definition without what makes no new version (descriptions, limits of an attempt), schemas in their places."""
    if isinstance(part, list):
        return [_without_prose(value, schemas) for value in part]
    if not isinstance(part, dict):
        return part
    return {
        key: _bare_schema(schemas.get(value)) if key in _REFERENCES else _without_prose(value, schemas)
        for key, value in part.items()
        if key not in _UNVERSIONED
    }


def _bare_schema(part: Any) -> Any:
    """A JSON Schema without its descriptions. A field may be called ``description`` too, and stays."""
    if isinstance(part, list):
        return [_bare_schema(value) for value in part]
    if not isinstance(part, dict):
        return part
    kept = {key: value for key, value in part.items() if key != "description"}
    for key, value in kept.items():
        if key in _NAMED and isinstance(value, dict):
            kept[key] = {name: _bare_schema(schema) for name, schema in value.items()}
        elif key not in _VERBATIM:
            kept[key] = _bare_schema(value)
    return kept


def _describe(node: PlanNode, refer: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"id": node.id, "kind": kind_of(node)}
    if node.name != node.id:
        made["name"] = node.name
    if node.description:
        made["description"] = node.description
    made |= {key: found for key, found in _details(node, refer).items() if found is not None}
    inside = [_describe(child, refer) for child in children_of(node)]
    if inside:
        made["children"] = inside
    if node.catch is not None:
        made["catch"] = _describe(node.catch, refer)
    return made


def _details(node: PlanNode, refer: Any) -> dict[str, Any]:
    match node:
        case Call():
            named = {"resume": node.resume, "suspend": node.suspend, "state": node.state}
            limits = {"attempts": node.retry.attempts if node.retry.attempts > 1 else None, "timeout": node.timeout}
            schemas = {"input": node.input, "output": node.output, **named}
            return limits | {key: refer(schema) for key, schema in schemas.items()}
        case Sequence():
            return {"input": refer(node.input), "output": refer(node.output)}
        case Wait():
            return {"event": node.event, "output": refer(node.schema)}
        case Sleep():
            given = node.duration if node.until is None else node.until
            return {"for" if node.until is None else "until": given.name if isinstance(given, Callback) else given}
        case Map():
            return {"source": source_text(node.source)}
        case Parallel():
            return {"concurrency": node.concurrency, "allow_failure": node.allow_failure or None}
        case Branch():
            otherwise = node.otherwise.id if node.otherwise else None
            texts = [condition_text(condition) for condition in node.conditions]
            return {"mode": node.mode, "conditions": texts, "otherwise": otherwise}
        case Loop():
            return {"condition": condition_text(node.condition), "max_iterations": node.max_iterations}
        case Foreach():
            at_once = node.concurrency.name if isinstance(node.concurrency, Callback) else node.concurrency
            return {"concurrency": at_once, "collect_errors": node.collect_errors or None}
        case _:
            return {}


def source_text(source: Source | Mapping[str, Source]) -> Any:
    """How a definition shows the source of a map."""
    if isinstance(source, Mapping):
        return {key: source_text(one) for key, one in source.items()}
    if isinstance(source, Callback):
        return source.name
    if isinstance(source, Constant):
        return f"value({source.value!r})"
    return str(getattr(source, "text", source))


def walk(node: PlanNode) -> Iterator[PlanNode]:
    """A node and everything below it, catch arms included."""
    yield node
    for child in children_of(node):
        yield from walk(child)
    if node.catch is not None:
        yield from walk(node.catch)


def known_places(plan: Plan) -> str:
    """The places of a plan, for messages."""
    places = sorted(plan.places)
    return ", ".join(places[:20]) + (", ..." if len(places) > 20 else "")
