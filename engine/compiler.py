"""Workflow -> plan. Everything that is wrong in a definition is found here, and told at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Sequence as Sequence_
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar, get_args, get_origin

from typing_extensions import TypedDict

from engine.errors import DefinitionError, ExpressionError, Problem, SchemaError
from engine.expressions import Expression, Template
from engine.flow import (
    BranchNode,
    Callback,
    Chain,
    Condition,
    Constant,
    ForeachNode,
    FromContext,
    FromInit,
    FromState,
    FromStep,
    LoopNode,
    MapNode,
    Node,
    ParallelNode,
    SleepNode,
    Source,
    ThenNode,
    WaitNode,
    as_condition,
)
from engine.ids import is_valid_id
from engine.plan import Branch, Call, Foreach, Loop, Map, Parallel, Plan, PlanNode, Sequence, Sleep, Wait
from engine.retry import NO_RETRY, RetryPolicy
from engine.schema import ANY, Schema, compile_schema, feeds
from engine.steps import Arm, Step, arity
from engine.workflow import Workflow

N = TypeVar("N", bound=PlanNode)

ROOTS = frozenset({"value", "init", "state", "steps", "context", "iteration"})
"""What an expression can always name, besides the fields of the value and the ids of steps."""

Shape = Callable[[], Schema]
"""What flows at a point of the definition; made only when somebody looks."""


def _anything() -> Schema:
    return ANY


@dataclass(slots=True)
class Scope:
    """Where ids are unique: a workflow or a chain. ``prefix`` starts the places inside it."""

    prefix: str
    retry: RetryPolicy | None
    outer: Scope | None = None
    shapes: dict[str, Shape] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)

    def ordinal(self, kind: str) -> str:
        """A stable id for a block without one: its kind and its number within the scope."""
        while True:
            self.counters[kind] = self.counters.get(kind, 0) + 1
            name = f"{kind}-{self.counters[kind]}"
            if name not in self.shapes:
                return name

    def knows(self, name: str) -> bool:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.shapes:
                return True
            scope = scope.outer
        return False


def compile_workflow(workflow: Workflow[Any, Any]) -> Plan:
    """Raises ``DefinitionError`` with every problem of the definition."""
    compiler = _Compiler()
    root = compiler.workflow(workflow, place="", prefix="", parent=-1, slot=0, retry=None, id=workflow.id)
    context = compiler.schema(workflow.request_context_schema, "request_context_schema")
    if compiler.problems:
        raise DefinitionError(f"workflow {workflow.id!r}", compiler.problems)
    nodes = tuple(node for node in compiler.nodes if node is not None)
    places = {node.place: node for node in nodes if node is not root}
    return Plan(workflow.id, root, nodes, places, workflow, context)


class _Compiler:
    def __init__(self) -> None:
        self.nodes: list[PlanNode | None] = []
        self.problems: list[Problem] = []
        self.shape: Shape = _anything  # of what flows where the compiler is just now

    # -- bookkeeping

    def reserve(self) -> int:
        self.nodes.append(None)
        return len(self.nodes) - 1

    def keep(self, node: N) -> N:
        self.nodes[node.index] = node
        return node

    def fault(self, where: str, what: str, remedy: str) -> None:
        self.problems.append(Problem(where, what, remedy))

    def schema(self, source: Any, where: str) -> Schema:
        try:
            return compile_schema(source)
        except SchemaError as error:
            self.fault(where, str(error), "give a type that pydantic takes, a JSON Schema dict, or None")
            return ANY

    def declare(self, scope: Scope, name: str, shape: Shape = _anything) -> str:
        """Take an id in a scope; ids must be usable and unique there."""
        where = f"{scope.prefix}{name}"
        if not isinstance(name, str) or not is_valid_id(name):
            self.fault(where, "the id is not usable", "take 1 to 128 printable characters without '/', '[' and ']'")
        elif name in scope.shapes:
            remedy = "ids are unique within a workflow: use clone_step(step, id=...), clone_workflow, or .then(step, id=...)"
            self.fault(where, "the id is used twice", remedy)
        scope.shapes[name] = shape
        return name

    def feed(self, where: str, schema: Schema) -> None:
        """Check that what flows here can be taken by ``schema``."""
        if schema.is_any or self.shape is _anything:
            return
        for fault in feeds(self.shape(), schema):
            self.fault(where, fault, "add a .map() before it, or rename the field")

    def condition(self, where: str, source: Any) -> Condition:
        try:
            made = as_condition(source)
        except (ExpressionError, ValueError, TypeError) as error:
            self.fault(where, f"the condition can't be used ({error})", "write (value), (value, ctx) or an expression")
            return Callback(bool, "bool", 1, False)
        if isinstance(made, Expression):
            self.check_names(where, made)
        return made

    def check_names(self, where: str, made: Expression) -> None:
        """An expression that reads a field which the value can't have is wrong before it ever runs."""
        fields = self.shape().fields() if self.shape is not _anything else None
        if fields is None:
            return
        scope = self.scope
        for path in sorted(made.names):
            name = path[0]
            if name not in fields and name not in ROOTS and not scope.knows(name):
                known = ", ".join(sorted(fields)) or "none"
                self.fault(where, f"{made.text!r} reads {name!r}, which is not there", f"use one of the fields: {known}")

    def callback(self, where: str, fn: Any) -> Callback:
        try:
            return Callback.of(fn)
        except ValueError as error:
            self.fault(where, str(error), "write it as (value) or (value, ctx)")
            return Callback(lambda value: value, "broken", 1, False)

    # -- arms

    scope: Scope

    def arm(
        self, arm: Any, scope: Scope, *, parent: int, slot: int, id: str | None = None, indexed: bool = False
    ) -> PlanNode:
        """Compile a step, workflow or chain where it stands; ``indexed``: as the body of a loop or foreach."""
        chosen = id or (arm.id if isinstance(arm, Arm) else "")
        if isinstance(arm, Chain):
            chosen = chosen or scope.ordinal("chain")
        place = f"{scope.prefix}{chosen}" + ("[]" if indexed else "")
        if not indexed:
            self.declare(scope, chosen)
        node: PlanNode
        match arm:
            case Step():
                node = self.step(arm, place, scope, parent=parent, slot=slot, id=chosen)
            case Workflow():
                node = self.nested(arm, place, scope, parent=parent, slot=slot, id=chosen)
            case Chain():
                node = self.chain(arm, place, scope, parent=parent, slot=slot, id=chosen)
            case _:
                what = getattr(arm, "__name__", repr(arm))
                self.fault(place or "flow", f"{what} is a {type(arm).__name__}", "decorate it with @step, or use create_step")
                node = self.step(Step(chosen, lambda: None), place, scope, parent=parent, slot=slot, id=chosen)
        if not indexed:
            scope.shapes[chosen] = self.shape
        return node

    def step(
        self, step: Step[Any, Any], place: str, scope: Scope, *, parent: int, slot: int, id: str
    ) -> Call:
        where = f"step '{place}'"
        taken = self.schema(step.input_schema, f"{where} input_schema")
        given = self.schema(step.output_schema, f"{where} output_schema")
        self.feed(where, taken)
        self.shape = (lambda: given) if not given.is_any else _anything
        takes = arity(step.execute, most=2)
        return self.keep(
            Call(
                index=self.reserve(),
                id=id,
                name=id,
                place=place,
                parent=parent,
                slot=slot,
                description=step.description,
                step=step,
                fn=step.execute,
                arity=2 if takes is None else takes,
                is_async=Callback.of(step.execute).is_async,
                input=taken,
                output=given,
                resume=None if step.resume_schema is None else self.schema(step.resume_schema, f"{where} resume_schema"),
                suspend=None
                if step.suspend_schema is None
                else self.schema(step.suspend_schema, f"{where} suspend_schema"),
                state=None if step.state_schema is None else self.schema(step.state_schema, f"{where} state_schema"),
                retry=step.retry or scope.retry or NO_RETRY,
                timeout=step.timeout,
                on_crash=step.on_crash,
            )
        )

    def nested(
        self, workflow: Workflow[Any, Any], place: str, scope: Scope, *, parent: int, slot: int, id: str
    ) -> Sequence:
        taken = self.schema(workflow.input_schema, f"workflow '{place}' input_schema")
        self.feed(f"workflow '{place}'", taken)
        return self.workflow(
            workflow, place=place, prefix=f"{place}/", parent=parent, slot=slot, retry=scope.retry, id=id
        )

    def workflow(
        self,
        workflow: Workflow[Any, Any],
        *,
        place: str,
        prefix: str,
        parent: int,
        slot: int,
        retry: RetryPolicy | None,
        id: str,
    ) -> Sequence:
        index = self.reserve()
        where = f"workflow '{workflow.id}'"
        if not workflow.nodes:
            self.fault(where, "it has no steps", "add one with .then(step)")
        taken = self.schema(workflow.input_schema, f"{where} input_schema")
        given = self.schema(workflow.output_schema, f"{where} output_schema")
        scope = Scope(prefix, workflow.retry or retry)
        self.shape = (lambda: taken) if not taken.is_any else _anything
        children = self.sequence(workflow.nodes, scope, parent=index)
        self.feed(f"the result of {where}", given)
        if not given.is_any:
            self.shape = lambda: given
        state = None if workflow.state_schema is None else self.schema(workflow.state_schema, f"{where} state_schema")
        return self.keep(
            Sequence(
                index=index,
                id=id,
                name=id,
                place=place,
                parent=parent,
                slot=slot,
                description=workflow.description,
                children=children,
                input=taken,
                output=given,
                workflow=workflow,
                state=state,
            )
        )

    def chain(self, chain: Chain, place: str, scope: Scope, *, parent: int, slot: int, id: str) -> Sequence:
        index = self.reserve()
        if not chain.links:
            self.fault(f"chain '{place}'", "it has no steps", "add one with .then(step)")
        inner = Scope(f"{place}/", scope.retry, outer=scope)
        children = self.sequence(chain.links, inner, parent=index)
        return self.keep(
            Sequence(
                index=index,
                id=id,
                name=id,
                place=place,
                parent=parent,
                slot=slot,
                children=children,
                input=ANY,
                output=ANY,
                workflow=None,
                state=None,
            )
        )

    def sequence(self, nodes: tuple[Node, ...], scope: Scope, *, parent: int) -> tuple[PlanNode, ...]:
        outer = getattr(self, "scope", scope)
        made = []
        for slot, node in enumerate(nodes):
            self.scope = scope
            made.append(self.node(node, scope, parent=parent, slot=slot))
        self.scope = outer
        return tuple(made)

    # -- nodes

    def node(self, node: Node, scope: Scope, *, parent: int, slot: int) -> PlanNode:
        match node:
            case ThenNode():
                return self.then(node, scope, parent, slot)
            case ParallelNode():
                return self.parallel(node, scope, parent, slot)
            case BranchNode():
                return self.branch(node, scope, parent, slot)
            case LoopNode():
                return self.loop(node, scope, parent, slot)
            case ForeachNode():
                return self.foreach(node, scope, parent, slot)
            case MapNode():
                return self.map(node, scope, parent, slot)
            case SleepNode():
                return self.sleep(node, scope, parent, slot)
            case WaitNode():
                return self.wait(node, scope, parent, slot)

    def caught(self, node: Any, scope: Scope, parent: int) -> PlanNode | None:
        """The arm that catches a block's failure. Its output takes the block's place, so what flows is unknown then."""
        if node.catch is None:
            return None
        self.shape = _anything
        arm = self.arm(node.catch, scope, parent=parent, slot=-1)
        self.shape = _anything
        return arm

    def then(self, node: ThenNode, scope: Scope, parent: int, slot: int) -> PlanNode:
        made = self.arm(node.arm, scope, parent=parent, slot=slot, id=node.id)
        changes: dict[str, Any] = {"catch": self.caught(node, scope, parent)} if node.catch is not None else {}
        if node.description:
            changes["description"] = node.description
        return self.keep(_changed(made, changes)) if changes else made

    def parallel(self, node: ParallelNode, scope: Scope, parent: int, slot: int) -> Parallel:
        index = self.reserve()
        name = self.declare(scope, node.id or scope.ordinal("parallel"))
        where = f"parallel '{scope.prefix}{name}'"
        if not node.arms:
            self.fault(where, "it has no arms", "give at least one step")
        self.check_concurrency(where, node.concurrency, optional=True)
        children, shape = self.arms(node.arms, scope, index, total=not node.allow_failure)
        self.shape = scope.shapes[name] = shape
        catch = self.caught(node, scope, parent)
        return self.keep(
            Parallel(
                index=index,
                id=name,
                name=name,
                place=f"{scope.prefix}{name}",
                parent=parent,
                slot=slot,
                description=node.description,
                catch=catch,
                children=children,
                concurrency=node.concurrency,
                allow_failure=node.allow_failure,
            )
        )

    def arms(
        self, arms: tuple[Any, ...], scope: Scope, parent: int, *, total: bool
    ) -> tuple[tuple[PlanNode, ...], Shape]:
        """Compile arms that all get what flows here; the shape of ``{arm id: output}``."""
        inflow = self.shape
        made: list[PlanNode] = []
        shapes: dict[str, Shape] = {}
        for slot, arm in enumerate(arms):
            self.shape = inflow
            made.append(self.arm(arm, scope, parent=parent, slot=slot))
            shapes[made[-1].id] = self.shape
        return tuple(made), lambda: _object_shape(shapes, total=total)

    def branch(self, node: BranchNode, scope: Scope, parent: int, slot: int) -> Branch:
        index = self.reserve()
        name = self.declare(scope, node.id or scope.ordinal("branch"))
        where = f"branch '{scope.prefix}{name}'"
        cases = [case for case in node.cases if isinstance(case, tuple) and len(case) == 2]
        if not node.cases or len(cases) != len(node.cases):
            self.fault(where, "its cases are not pairs", "give [(condition, arm), ...]")
        if node.mode not in ("all", "first"):
            self.fault(where, f"mode={node.mode!r}", "use 'all' or 'first'")
        conditions = tuple(self.condition(where, condition) for condition, _ in cases)
        arms = [arm for _, arm in cases] + ([node.otherwise] if node.otherwise is not None else [])
        children, shape = self.arms(tuple(arms), scope, index, total=False)
        self.shape = scope.shapes[name] = shape
        catch = self.caught(node, scope, parent)
        return self.keep(
            Branch(
                index=index,
                id=name,
                name=name,
                place=f"{scope.prefix}{name}",
                parent=parent,
                slot=slot,
                description=node.description,
                catch=catch,
                children=children,
                conditions=conditions,
                otherwise=children[-1] if node.otherwise is not None and children else None,
                mode=node.mode,
            )
        )

    def loop(self, node: LoopNode, scope: Scope, parent: int, slot: int) -> Loop:
        index = self.reserve()
        kind = "do_until" if node.until else "do_while"
        name = self.declare(scope, node.id or scope.ordinal(kind))
        id = self.declare(scope, self.body_id(node.arm, scope))
        where = f"{kind} '{scope.prefix}{name}'"
        limit = node.max_iterations
        if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
            self.fault(where, f"max_iterations={limit!r}", "give a whole number of at least 1, or None")
        inflow = self.shape
        body = self.arm(node.arm, scope, parent=index, slot=0, id=id, indexed=True)
        self.check_round(where, inflow, body)
        condition = self.condition(where, node.condition)
        scope.shapes[id] = self.shape
        catch = self.caught(node, scope, parent)
        return self.keep(
            Loop(
                index=index,
                id=id,
                name=name,
                place=f"{scope.prefix}{id}",
                parent=parent,
                slot=slot,
                description=node.description,
                catch=catch,
                body=body,
                condition=condition,
                until=node.until,
                max_iterations=limit,
            )
        )

    def check_round(self, where: str, inflow: Shape, body: PlanNode) -> None:
        """A loop's output is its next input."""
        taken = body.input if isinstance(body, (Call, Sequence)) else ANY
        if self.shape is not _anything and self.shape is not inflow:
            self.feed(f"the next round of {where}", taken)

    def body_id(self, arm: Any, scope: Scope) -> str:
        if isinstance(arm, Chain) and not arm.id:
            return scope.ordinal("chain")
        return arm.id if isinstance(arm, Arm) else getattr(arm, "__name__", "body")

    def foreach(self, node: ForeachNode, scope: Scope, parent: int, slot: int) -> Foreach:
        index = self.reserve()
        name = self.declare(scope, node.id or scope.ordinal("foreach"))
        id = self.declare(scope, self.body_id(node.arm, scope))
        where = f"foreach '{scope.prefix}{name}'"
        concurrency: int | Callback = 1
        if callable(node.concurrency):
            concurrency = self.callback(where, node.concurrency)
        else:
            self.check_concurrency(where, node.concurrency, optional=False)
            concurrency = node.concurrency
        self.shape = self.item_shape(where)
        body = self.arm(node.arm, scope, parent=index, slot=0, id=id, indexed=True)
        inner = self.shape
        self.shape = _anything if inner is _anything or node.collect_errors else lambda: _list_shape(inner())
        scope.shapes[id] = self.shape
        catch = self.caught(node, scope, parent)
        return self.keep(
            Foreach(
                index=index,
                id=id,
                name=name,
                place=f"{scope.prefix}{id}",
                parent=parent,
                slot=slot,
                description=node.description,
                catch=catch,
                body=body,
                concurrency=concurrency,
                collect_errors=node.collect_errors,
            )
        )

    def item_shape(self, where: str) -> Shape:
        """The shape of an item of the list that flows here; says so if it can't be a list."""
        if self.shape is _anything:
            return _anything
        schema = self.shape()
        for _ in feeds(schema, compile_schema(list[Any])):
            self.fault(where, f"it needs a list and gets {schema.name}", "add a .map() that makes a list")
            return _anything
        items = _item(schema)
        return _anything if items.is_any else lambda: items

    def check_concurrency(self, where: str, given: Any, *, optional: bool) -> None:
        if given is None and optional:
            return
        if not isinstance(given, int) or isinstance(given, bool) or given < 1:
            remedy = "give a whole number of at least 1" + (", or None" if optional else ", or a function of the list")
            self.fault(where, f"concurrency={given!r}", remedy)

    def map(self, node: MapNode, scope: Scope, parent: int, slot: int) -> Map:
        name = self.declare(scope, node.id or scope.ordinal("map"))
        where = f"map '{scope.prefix}{name}'"
        source = self.map_source(where, node.source, scope)
        keys = source.keys() if isinstance(source, Mapping) else None
        self.shape = _anything if keys is None else lambda: _object_shape(dict.fromkeys(keys, _anything))
        scope.shapes[name] = self.shape
        return self.keep(
            Map(
                index=self.reserve(),
                id=name,
                name=name,
                place=f"{scope.prefix}{name}",
                parent=parent,
                slot=slot,
                description=node.description,
                source=source,
            )
        )

    def map_source(self, where: str, source: Any, scope: Scope) -> Source | Mapping[str, Source]:
        if isinstance(source, Mapping):
            return {str(key): self.source(f"{where} {key!r}", one, scope) for key, one in source.items()}
        return self.source(where, source, scope)

    def source(self, where: str, source: Any, scope: Scope) -> Source:
        match source:
            case FromStep(ids=ids):
                for id in ids:
                    if not scope.knows(id):
                        self.fault(where, f"no step {id!r} has run before it", "name a step that stands earlier")
                return source
            case Template():
                for path in source.names:
                    if path[0] == "steps" and len(path) > 1 and not scope.knows(path[1]):
                        self.fault(where, f"no step {path[1]!r} has run before it", "name a step that stands earlier")
                return source
            case FromInit() | FromState() | FromContext() | Constant():
                return source
            case _ if callable(source):
                return self.callback(where, source)
            case _:
                remedy = "use value(x), from_step, from_init, from_state, from_context, template or a function"
                self.fault(where, f"{source!r} is no source", remedy)
                return Constant(source)

    def sleep(self, node: SleepNode, scope: Scope, parent: int, slot: int) -> Sleep:
        kind = "sleep" if node.until is None else "sleep_until"
        name = self.declare(scope, node.id or scope.ordinal(kind), self.shape)
        where = f"{kind} '{scope.prefix}{name}'"
        return self.keep(
            Sleep(
                index=self.reserve(),
                id=name,
                name=name,
                place=f"{scope.prefix}{name}",
                parent=parent,
                slot=slot,
                description=node.description,
                duration=None if node.duration is None else self.duration(where, node.duration),
                until=None if node.until is None else self.moment(where, node.until),
            )
        )

    def duration(self, where: str, given: Any) -> float | Callback:
        if isinstance(given, timedelta):
            return given.total_seconds()
        if isinstance(given, (int, float)) and not isinstance(given, bool):
            return float(given)
        if callable(given):
            return self.callback(where, given)
        self.fault(where, f"{given!r} is no duration", "give seconds, a timedelta or a function")
        return 0.0

    def moment(self, where: str, given: Any) -> float | Callback:
        if isinstance(given, datetime) and given.tzinfo is not None:
            return given.timestamp()
        if callable(given):
            return self.callback(where, given)
        self.fault(where, f"{given!r} is no moment", "give a datetime with a time zone, or a function")
        return 0.0

    def wait(self, node: WaitNode, scope: Scope, parent: int, slot: int) -> Wait:
        name = self.declare(scope, node.id or scope.ordinal("wait_for_event"))
        where = f"wait_for_event '{scope.prefix}{name}'"
        if node.timeout is not None and node.timeout <= 0:
            self.fault(where, f"timeout={node.timeout!r}", "give seconds above 0, or None")
        schema = self.schema(node.schema, f"{where} schema")
        self.shape = (lambda: schema) if not schema.is_any else _anything
        scope.shapes[name] = self.shape
        catch = self.caught(node, scope, parent)
        return self.keep(
            Wait(
                index=self.reserve(),
                id=name,
                name=name,
                place=f"{scope.prefix}{name}",
                parent=parent,
                slot=slot,
                description=node.description,
                catch=catch,
                event=node.name,
                schema=schema,
                timeout=node.timeout,
            )
        )


def _changed(node: N, changes: dict[str, Any]) -> N:
    return replace(node, **changes)


def _item(schema: Schema) -> Schema:
    """The schema of an item of a list; anything where the list does not say."""
    source = schema.source
    if isinstance(source, dict):
        inner = source.get("items")
        return compile_schema(inner) if isinstance(inner, dict) and "$ref" not in str(inner) else ANY
    arguments = get_args(source)
    return compile_schema(arguments[0]) if get_origin(source) in (list, Sequence_) and arguments else ANY


def _annotation(shape: Shape) -> Any:
    schema = shape()
    return Any if schema.is_any or isinstance(schema.source, dict) else schema.source


def _object_shape(shapes: Mapping[str, Shape], *, total: bool = True) -> Schema:
    fields = {key: _annotation(shape) for key, shape in shapes.items()}
    return compile_schema(TypedDict("output", fields, total=total))  # type: ignore[operator]


def _list_shape(item: Schema) -> Schema:
    return compile_schema(list[_annotation(lambda: item)])  # type: ignore[misc]
