"""What has something inside: workflows, chains, and the blocks with arms. Compiled from the outside in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, assert_never

from engine.compiler import leaves
from engine.compiler.draft import Draft
from engine.compiler.shapes import Scope, Shape, Spot, anything, list_of, object_of, shape_of
from engine.flow import (
    BranchNode,
    Chain,
    ForeachNode,
    LoopNode,
    MapNode,
    Node,
    ParallelNode,
    SleepNode,
    ThenNode,
    WaitNode,
)
from engine.plan import AnyNode, Branch, Call, Foreach, Loop, Parallel, PlanNode
from engine.plan import Sequence as SequenceNode
from engine.retry import RetryPolicy
from engine.schema import ANY, Schema
from engine.steps import Arm, Step
from engine.workflow import Workflow


class Compiler:
    """Compiles one workflow and all that is in it into a draft."""

    def __init__(self) -> None:
        self.draft = Draft()

    # -- arms

    def arm(self, arm: Any, spot: Spot, *, id: str | None = None, indexed: bool = False) -> AnyNode:
        """A step, workflow or chain where it stands; ``indexed``: as the body of a loop or foreach."""
        chosen = id or arm_id(arm, spot.scope)
        if not indexed:
            chosen = self.draft.declare(spot.scope, chosen)
        place = f"{spot.scope.prefix}{chosen}" + ("[]" if indexed else "")
        match arm:
            case Step():
                return leaves.call(self.draft, arm, spot, place=place, id=chosen)
            case Workflow():
                return self.nested(arm, spot, place=place, id=chosen)
            case Chain():
                return self.chain(arm, spot, place=place, id=chosen)
            case _:
                what = f"{getattr(arm, '__name__', repr(arm))} is of type {type(arm).__name__}"
                self.draft.fault(f"'{place}'", what, "decorate it with @step, or use create_step")
                return leaves.call(self.draft, Step(chosen, lambda: None), spot, place=place, id=chosen)

    def nested(self, workflow: Workflow[Any, Any], spot: Spot, *, place: str, id: str) -> SequenceNode:
        """A workflow as an arm of another."""
        taken = self.draft.schema(workflow.input_schema, f"workflow '{place}' input_schema")
        self.draft.feed(f"workflow '{place}'", taken)
        return self.workflow(workflow, spot, place=place, id=id, retry=spot.scope.retry)

    def workflow(
        self, workflow: Workflow[Any, Any], spot: Spot, *, place: str, id: str, retry: RetryPolicy | None = None
    ) -> SequenceNode:
        """A workflow, with a scope of its own that nothing outside can be read from."""
        draft = self.draft
        index = draft.reserve()
        where = f"workflow '{workflow.id}'"
        if not workflow.nodes:
            draft.fault(where, "it has no steps", "add one with .then(step)")
        taken = draft.schema(workflow.input_schema, f"{where} input_schema")
        given = draft.schema(workflow.output_schema, f"{where} output_schema")
        state = draft.open(workflow.state_schema, f"{where} state_schema")
        draft.shape = shape_of(taken)
        inner = Scope(f"{place}/" if place else "", draft.policy(where, workflow.retry) or retry)
        children = self.sequence(workflow.nodes, inner, index)
        draft.feed(f"the result of {where}", given)
        if not given.is_any:
            draft.shape = shape_of(given)
        return draft.keep(
            SequenceNode(
                index=index,
                id=id,
                name=id,
                place=place,
                parent=spot.parent,
                slot=spot.slot,
                description=workflow.description,
                children=children,
                input=taken,
                output=given,
                workflow=workflow.id,
                state=state,
            )
        )

    def chain(self, chain: Chain, spot: Spot, *, place: str, id: str) -> SequenceNode:
        """A chain, with a scope of its own inside that of what it stands in."""
        index = self.draft.reserve()
        if not chain.links:
            self.draft.fault(f"chain '{place}'", "it has no steps", "add one with .then(step)")
        inner = Scope(f"{place}/", spot.scope.retry, outer=spot.scope)
        children = self.sequence(chain.links, inner, index)
        return self.draft.keep(
            SequenceNode(
                index=index,
                id=id,
                name=id,
                place=place,
                parent=spot.parent,
                slot=spot.slot,
                children=children,
                input=ANY,
                output=ANY,
                workflow=None,
                state=None,
            )
        )

    def sequence(self, nodes: Iterable[Node], scope: Scope, parent: int) -> tuple[PlanNode, ...]:
        """One node after another: each gets what the one before gives."""
        return tuple(self.node(node, Spot(scope, parent, slot)) for slot, node in enumerate(nodes))

    # -- nodes

    def node(self, node: Node, spot: Spot) -> PlanNode:
        """A node, and the arm that catches its failure, whose output takes its place: what flows is unknown then."""
        made = self.bare(node, spot)
        if node.catch is None:
            return made
        self.draft.shape = anything
        catch = self.arm(node.catch, replace(spot, slot=-1))
        self.draft.shape = anything
        return self.draft.keep(replace(made, catch=catch))

    def bare(self, node: Node, spot: Spot) -> AnyNode:
        """A node without its catch arm."""
        match node:
            case ThenNode():
                return self.then(node, spot)
            case ParallelNode():
                return self.parallel(node, spot)
            case BranchNode():
                return self.branch(node, spot)
            case LoopNode():
                return self.loop(node, spot)
            case ForeachNode():
                return self.foreach(node, spot)
            case MapNode():
                return leaves.map_node(self.draft, node, spot)
            case SleepNode():
                return leaves.sleep(self.draft, node, spot)
            case WaitNode():
                return leaves.wait(self.draft, node, spot)
            case _:
                assert_never(node)

    def then(self, node: ThenNode, spot: Spot) -> AnyNode:
        """An arm that stands alone, under its own id or another."""
        made = self.arm(node.arm, spot, id=node.id)
        return self.draft.keep(replace(made, description=node.description)) if node.description else made

    def parallel(self, node: ParallelNode, spot: Spot) -> Parallel:
        """All arms get what flows here."""
        draft, scope = self.draft, spot.scope
        name = draft.declare(scope, node.id or scope.ordinal("parallel"))
        where = f"parallel '{scope.prefix}{name}'"
        if not node.arms:
            draft.fault(where, "it has no arms", "give at least one step")
        concurrency = draft.count(where, "concurrency", node.concurrency, "None")
        shared = draft.fields(spot, name, node=node, index=draft.reserve())
        children = self.arms(node.arms, scope, shared["index"], total=not node.allow_failure)
        return draft.keep(
            Parallel(**shared, children=children, concurrency=concurrency, allow_failure=node.allow_failure)
        )

    def arms(self, arms: Iterable[Any], scope: Scope, parent: int, *, total: bool) -> tuple[PlanNode, ...]:
        """Arms that all get what flows here; what flows on is ``{arm id: output}``."""
        inflow = self.draft.shape
        made: list[PlanNode] = []
        shapes: dict[str, Shape] = {}
        for slot, arm in enumerate(arms):
            self.draft.shape = inflow
            made.append(self.arm(arm, Spot(scope, parent, slot)))
            shapes[made[-1].id] = self.draft.shape
        self.draft.shape = object_of(shapes, total=total)
        return tuple(made)

    def branch(self, node: BranchNode, spot: Spot) -> Branch:
        """Arms with a condition each, and one for when none holds."""
        draft, scope = self.draft, spot.scope
        name = draft.declare(scope, node.id or scope.ordinal("branch"))
        where = f"branch '{scope.prefix}{name}'"
        given: tuple[Any, ...] = node.cases
        cases = [case for case in given if isinstance(case, tuple | list) and len(case) == 2]
        if not given or len(cases) != len(given):
            draft.fault(where, "its cases are not pairs", "give [(condition, arm), ...]")
        if node.mode not in ("all", "first"):
            draft.fault(where, f"mode={node.mode!r}", "use 'all' or 'first'")
        conditions = tuple(draft.condition(where, condition, scope) for condition, _ in cases)
        shared = draft.fields(spot, name, node=node, index=draft.reserve())
        last = [] if node.otherwise is None else [node.otherwise]
        children = self.arms([*(arm for _, arm in cases), *last], scope, shared["index"], total=False)
        otherwise = children[-1] if last else None
        return draft.keep(
            Branch(**shared, children=children, conditions=conditions, otherwise=otherwise, mode=node.mode)
        )

    def loop(self, node: LoopNode, spot: Spot) -> Loop:
        """A body whose output is its next input."""
        draft, scope = self.draft, spot.scope
        kind = "do_until" if node.until else "do_while"
        name = draft.take(scope, node.id or scope.ordinal(kind))
        id = draft.declare(scope, arm_id(node.arm, scope))
        where = f"{kind} '{scope.prefix}{name}'"
        limit = draft.count(where, "max_iterations", node.max_iterations, "None")
        shared = draft.fields(spot, name, node=node, index=draft.reserve(), id=id)
        inflow = draft.shape
        body = self.arm(node.arm, Spot(scope, shared["index"], 0), id=id, indexed=True)
        if draft.shape is not anything and draft.shape is not inflow:
            draft.feed(f"the next round of {where}", _input_of(body))
        condition = draft.condition(where, node.condition, scope)
        return draft.keep(Loop(**shared, body=body, condition=condition, until=node.until, max_iterations=limit))

    def foreach(self, node: ForeachNode, spot: Spot) -> Foreach:
        """A body that gets the items of the list that flows here."""
        draft, scope = self.draft, spot.scope
        name = draft.take(scope, node.id or scope.ordinal("foreach"))
        id = draft.declare(scope, arm_id(node.arm, scope))
        where = f"foreach '{scope.prefix}{name}'"
        concurrency = self.concurrency(where, node.concurrency)
        shared = draft.fields(spot, name, node=node, index=draft.reserve(), id=id)
        draft.shape = draft.item_shape(where)
        body = self.arm(node.arm, Spot(scope, shared["index"], 0), id=id, indexed=True)
        draft.shape = anything if node.collect_errors else list_of(draft.shape)
        return draft.keep(Foreach(**shared, body=body, concurrency=concurrency, collect_errors=node.collect_errors))

    def concurrency(self, where: str, given: Any) -> Any:
        """How many items at once: a number or a function of the list."""
        if callable(given):
            return self.draft.callback(where, given)
        return self.draft.count(where, "concurrency", 0 if given is None else given, "a function of the list")


def arm_id(arm: Any, scope: Scope) -> str:
    """The id under which an arm stands if it is given no other."""
    if isinstance(arm, Chain):
        return arm.id or scope.ordinal("chain")
    return arm.id if isinstance(arm, Arm) else str(getattr(arm, "__name__", type(arm).__name__))


def _input_of(body: AnyNode) -> Schema:
    """What a loop's body takes; of a chain, what its first link takes."""
    while isinstance(body, SequenceNode) and body.workflow is None and body.children:
        first: Any = body.children[0]
        body = first
    return body.input if isinstance(body, Call | SequenceNode) else ANY
