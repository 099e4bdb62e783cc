"""A plan made of a stored definition: enough to fold a run whose code is gone or no longer fits, and to look at it.

Nothing can run by it: it has no functions, and knows schemas only as the definition shows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.errors import SchemaError, StoreCorrupt
from engine.flow import Callback, Constant
from engine.plan import Branch, Call, Foreach, Hooks, Loop, Map, Parallel, Plan, PlanNode, Sequence, Sleep, Wait
from engine.retry import RetryPolicy
from engine.schema import ANY, Schema, compile_schema
from engine.steps import Step

Part = Mapping[str, Any]


def skeleton(definition: Part) -> Plan:
    """The plan that a definition describes. Raises ``StoreCorrupt`` if it describes none."""
    try:
        maker = _Maker(definition.get("schemas", {}))
        root = maker.node(definition["root"], "", place="", parent=-1, slot=0)
    except (KeyError, TypeError, IndexError) as error:
        raise StoreCorrupt(f"the stored definition of {definition.get('id')!r} can't be read: {error!r}") from error
    if not isinstance(root, Sequence):
        raise StoreCorrupt(f"the stored definition of {definition.get('id')!r} is not one of a workflow")
    nodes = tuple(node for node in maker.nodes if node is not None)
    return Plan(definition["id"], root, nodes, {node.place: node for node in nodes if node is not root}, Hooks(), ANY)


def _gone(*_: Any) -> None:
    raise AssertionError("a plan made of a stored definition has no code")


_GONE = Callback(_gone, "gone", 0, False)


class _Maker:
    """Makes nodes from the outside in, as the compiler does."""

    def __init__(self, schemas: Mapping[str, Any]) -> None:
        self.nodes: list[PlanNode | None] = []
        self._schemas = schemas

    def node(self, part: Part, prefix: str, *, place: str, parent: int, slot: int) -> PlanNode:
        index = len(self.nodes)
        self.nodes.append(None)
        kind = part["kind"]
        inner = (f"{place}/" if place else "") if kind in ("workflow", "chain") else prefix
        indexed = kind in ("do_while", "do_until", "foreach")
        children = tuple(
            self.node(
                child, inner, place=f"{place}[]" if indexed else f"{inner}{child['id']}", parent=index, slot=position
            )
            for position, child in enumerate(part.get("children", ()))
        )
        caught = part.get("catch")
        fields: dict[str, Any] = {
            "index": index,
            "id": part["id"],
            "name": part.get("name", part["id"]),
            "place": place,
            "parent": parent,
            "slot": slot,
            "description": part.get("description", ""),
        }
        if caught is not None:
            fields["catch"] = self.node(caught, prefix, place=f"{prefix}{caught['id']}", parent=parent, slot=-1)
        made = self._container(part, fields, children) if children else self._leaf(part, fields)
        self.nodes[index] = made
        return made

    def _schema(self, key: str | None) -> Schema:
        try:
            return ANY if key is None else compile_schema(self._schemas[key])
        except SchemaError:  # beyond what is understood; nothing is validated by it
            return ANY

    def _container(self, part: Part, fields: dict[str, Any], children: tuple[PlanNode, ...]) -> PlanNode:
        match part["kind"]:
            case "parallel":
                forgives = bool(part.get("allow_failure"))
                return Parallel(
                    **fields, children=children, concurrency=part.get("concurrency"), allow_failure=forgives
                )
            case "branch":
                otherwise = children[-1] if part.get("otherwise") is not None else None
                asked = tuple(_GONE for _ in part.get("conditions", ()))
                return Branch(**fields, children=children, conditions=asked, otherwise=otherwise, mode=part["mode"])
            case "do_while" | "do_until" as kind:
                limit = part.get("max_iterations")
                until = kind == "do_until"
                return Loop(**fields, body=children[0], condition=_GONE, until=until, max_iterations=limit)
            case "foreach":
                collects = bool(part.get("collect_errors"))
                return Foreach(**fields, body=children[0], concurrency=1, collect_errors=collects)
            case kind:
                taken, given = self._schema(part.get("input")), self._schema(part.get("output"))
                named = part["id"] if kind == "workflow" else None
                return Sequence(**fields, children=children, input=taken, output=given, workflow=named, state=None)

    def _leaf(self, part: Part, fields: dict[str, Any]) -> PlanNode:
        match part["kind"]:
            case "map":
                return Map(**fields, source=Constant(None))
            case "sleep":
                return Sleep(**fields, duration=0.0, until=None)
            case "wait_for_event":
                return Wait(**fields, event=part["event"], schema=self._schema(part.get("output")), timeout=None)
            case _:
                return Call(
                    **fields,
                    step=Step(part["id"], _gone),
                    fn=_gone,
                    arity=0,
                    is_async=True,
                    input=self._schema(part.get("input")),
                    output=self._schema(part.get("output")),
                    resume=None,
                    suspend=None,
                    state=None,
                    retry=RetryPolicy(),
                    timeout=None,
                    on_crash="ask",
                )
