"""A plan in the making: its nodes so far, what is wrong so far, and the checks that need no recursion."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from engine.compiler.shapes import Scope, Shape, Spot, anything, item_of, shape_of
from engine.errors import ExpressionError, Problem, SchemaError
from engine.expressions import Expression
from engine.flow import Callback, Condition, FlowNode, as_condition
from engine.ids import ID_RULE, is_valid_id
from engine.plan import PlanNode
from engine.retry import RetryPolicy
from engine.schema import ANY, Schema, compile_schema, feeds

N = TypeVar("N", bound=PlanNode)

ROOTS = frozenset({"value", "init", "state", "steps", "context", "iteration"})
"""What an expression can always name, besides the fields of the value and the ids of steps."""


class Draft:
    """``shape`` is that of what flows where the compiler is just now."""

    def __init__(self) -> None:
        self.nodes: list[PlanNode | None] = []
        self.problems: list[Problem] = []
        self.shape: Shape = anything

    def reserve(self) -> int:
        """The index of a node that is kept later: containers stand before what is in them."""
        self.nodes.append(None)
        return len(self.nodes) - 1

    def keep(self, node: N) -> N:
        """Put a node at its index."""
        self.nodes[node.index] = node
        return node

    def fault(self, where: str, what: str, remedy: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(where, what, remedy))

    def fields(self, spot: Spot, name: str, *, node: FlowNode, index: int, id: str | None = None) -> dict[str, Any]:
        """What every block has. ``id`` is its segment in paths, where that is not its name."""
        segment = id or name
        return {
            "index": index,
            "id": segment,
            "name": name,
            "place": f"{spot.scope.prefix}{segment}",
            "parent": spot.parent,
            "slot": spot.slot,
            "description": node.description,
        }

    # -- names

    def take(self, scope: Scope, name: Any) -> str:
        """Take an id in a scope; ids must be usable and unique there."""
        where = f"{scope.prefix}{name}"
        if not is_valid_id(name):
            self.fault(where, "the id is not usable", ID_RULE)
            return str(name)
        if name in scope.taken:
            remedy = (
                "ids are unique within a workflow: use clone_step(step, id=...), clone_workflow or .then(step, id=...)"
            )
            self.fault(where, "the id is used twice", remedy)
        scope.taken.add(name)
        return str(name)

    def declare(self, scope: Scope, name: Any) -> str:
        """Take an id whose output can be read."""
        taken = self.take(scope, name)
        scope.readable.add(taken)
        return taken

    def check_names(self, where: str, made: Expression, scope: Scope) -> None:
        """An expression that reads what can't be there is wrong before it ever runs."""
        self.check_steps(where, made.names, scope)
        fields = self.shape().fields() if self.shape is not anything else None
        if fields is None:
            return
        for name in sorted({path[0] for path in made.names}):
            if name not in fields and name not in ROOTS and not scope.knows(name):
                remedy = f"use one of the fields: {', '.join(sorted(fields)) or 'none'}"
                self.fault(where, f"{made.text!r} reads {name!r}, which is not there", remedy)

    def check_steps(self, where: str, paths: Iterable[tuple[str, ...]], scope: Scope) -> None:
        """The steps that ``steps.id`` names must stand earlier."""
        for name in sorted({path[1] for path in paths if path[0] == "steps" and len(path) > 1}):
            self.check_step(where, name, scope)

    def check_step(self, where: str, name: str, scope: Scope) -> None:
        """A step whose output is read must stand earlier."""
        if not scope.knows(name):
            named = name in scope.taken
            what = f"the output of {name!r} has its arm's id" if named else f"no step {name!r} has run before it"
            self.fault(where, what, "name the arm" if named else "name a step that stands earlier in the same workflow")

    # -- schemas and functions

    def schema(self, source: Any, where: str) -> Schema:
        """Compile a schema; anything goes where it can't be."""
        try:
            return compile_schema(source)
        except SchemaError as error:
            self.fault(where, str(error), "give a type that pydantic takes, a JSON Schema dict, or None")
            return ANY

    def optional(self, source: Any, where: str) -> Schema | None:
        """Compile a schema that may be missing."""
        return None if source is None else self.schema(source, where)

    def open(self, source: Any, where: str) -> Schema | None:
        """Compile a schema, which may be missing, of what is always stored as it is."""
        made = self.optional(source, where)
        if made is not None and made.has_secrets:
            self.fault(where, "it has secrets, which are never stored", "keep them in the input, or ask for them")
        return made

    def feed(self, where: str, schema: Schema) -> None:
        """Check that what flows here can be taken by ``schema``."""
        if schema.is_any or self.shape is anything:
            return
        for fault in feeds(self.shape(), schema):
            self.fault(where, fault, "add a .map() before it, or rename the field")

    def condition(self, where: str, source: Any, scope: Scope) -> Condition:
        """A condition, ready to be asked."""
        try:
            made = as_condition(source)
        except (ExpressionError, ValueError, TypeError) as error:
            self.fault(where, f"the condition can't be used ({error})", "write (value), (value, ctx) or an expression")
            return Callback(bool, "bool", 1, False)
        if isinstance(made, Expression):
            self.check_names(where, made, scope)
        return made

    def callback(self, where: str, fn: Any) -> Callback:
        """A user's function, ready to be called."""
        try:
            return Callback.of(fn)
        except ValueError as error:
            self.fault(where, str(error), "write it as (value) or (value, ctx)")
            return Callback(lambda value: value, "broken", 1, False)

    # -- options

    def count(self, where: str, option: str, given: Any, remedy: str) -> Any:
        """Check a whole number of at least 1."""
        if given is not None and (not isinstance(given, int) or isinstance(given, bool) or given < 1):
            self.fault(where, f"{option}={given!r}", f"give a whole number of at least 1, or {remedy}")
        return given

    def policy(self, where: str, given: Any) -> RetryPolicy | None:
        """Check a retry policy."""
        if given is None or isinstance(given, RetryPolicy):
            return given
        self.fault(where, f"retry={given!r}", "give RetryPolicy(attempts=...), or None")
        return None

    def item_shape(self, where: str) -> Shape:
        """The shape of an item of the list that flows here; says so if it can't be a list."""
        if self.shape is anything:
            return anything
        schema = self.shape()
        if feeds(schema, compile_schema(list[Any])):
            self.fault(where, f"it needs a list and gets {schema.name}", "add a .map() that makes a list")
            return anything
        return shape_of(item_of(schema))
