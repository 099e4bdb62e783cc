"""A workflow becomes a plan: flat, addressed, and with a hash that says what it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from engine import Workflow, chain, clone_workflow, create_step, create_workflow, from_init, template, value
from engine.plan import Branch, Call, Foreach, Hooks, Loop, Map, Parallel, Sequence, Sleep, Wait, kind_of, walk
from tests.fixtures import add

ROOT = Path(__file__).parents[2]
Flow = Workflow[Any, Any]


def is_small(given: dict[str, int]) -> bool:
    """A condition."""
    return given["n"] < 5


class Item(BaseModel):
    """One thing."""

    name: Annotated[str, Field(description="how it is called")]
    description: str = ""
    kind: Literal["a", "b"] = "a"


def everything() -> Flow:
    """A workflow with each kind of block."""
    nested = create_workflow(id="nested", input_schema=Item).then(add("in"))
    return (
        create_workflow(id="w", input_schema=Item, description="All of it")
        .then(add("a"), catch=add("saved"))
        .parallel([add("b"), chain("links").then(add("c")).then(add("d"))], id="both")
        .branch([("both.b.n > 5", add("e")), (is_small, add("f"))], otherwise=add("g"))
        .do_until(add("round"), "n > 3", id="rounds", max_iterations=9)
        .map({"x": from_init("name"), "y": value([1]), "z": template("${init.name}")})
        .sleep(1)
        .wait_for_event("go", list[Item])
        .foreach(nested, concurrency=2, collect_errors=True)
    )


def test_nodes_are_flat_and_addressed() -> None:
    plan = everything().plan
    assert [node.index for node in plan.nodes] == list(range(len(plan.nodes)))
    assert {node.place: (kind_of(node), plan.nodes[node.parent].place, node.slot) for node in plan.nodes[1:]} == {
        "a": ("step", "", 0),
        "saved": ("step", "", -1),
        "both": ("parallel", "", 1),
        "b": ("step", "both", 0),
        "links": ("chain", "both", 1),
        "links/c": ("step", "links", 0),
        "links/d": ("step", "links", 1),
        "branch-1": ("branch", "", 2),
        "e": ("step", "branch-1", 0),
        "f": ("step", "branch-1", 1),
        "g": ("step", "branch-1", 2),
        "round": ("do_until", "", 3),
        "round[]": ("step", "round", 0),
        "map-1": ("map", "", 4),
        "sleep-1": ("sleep", "", 5),
        "wait_for_event-1": ("wait_for_event", "", 6),
        "nested": ("foreach", "", 7),
        "nested[]": ("workflow", "nested", 0),
        "nested[]/in": ("step", "nested[]", 0),
    }


def test_a_path_leads_to_its_node() -> None:
    plan = everything().plan
    found = [plan.at(path) for path in ("round[12]", "nested[0]/in", "links/c", "nope")]
    assert [node and node.place for node in found] == ["round[]", "nested[]/in", "links/c", None]


def test_a_tree_and_a_flat_list_hold_the_same_nodes() -> None:
    plan = everything().plan
    assert sorted(node.index for node in walk(plan.root)) == list(range(len(plan.nodes)))
    assert all(plan.nodes[node.index] is node for node in walk(plan.root))


def test_each_kind_of_block_has_a_kind_of_node() -> None:
    kinds = {type(node) for node in everything().plan.nodes}
    assert kinds == {Sequence, Call, Parallel, Branch, Loop, Foreach, Map, Sleep, Wait}


def test_a_plan_keeps_the_hooks_of_its_workflow() -> None:
    flow = create_workflow(id="w", on_start=print, on_error=repr).then(add("a"))
    hooks = flow.plan.hooks
    assert (hooks.on_start, hooks.on_finish, hooks.on_error) == (print, None, repr)
    assert isinstance(hooks, Hooks)


# -- the definition's hash


def test_the_hash_is_the_same_for_two_compilations() -> None:
    assert everything().plan.version == everything().plan.version


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_hash_is_the_same_in_another_process(seed: str) -> None:
    code = "from tests.unit.test_compiler import everything; print(everything().plan.version)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == everything().plan.version


def base(**options: Any) -> Flow:
    """A workflow with a few options that can be changed one by one."""
    parts = {
        "first": "a",
        "second": "b",
        "input": Item,
        "output": None,
        "resume": None,
        "suspend": None,
        "state": None,
        "condition": "n > 1",
        "mode": "all",
        "limit": 3,
        "source": value(1),
        "description": "",
        **options,
    }
    first = create_step(
        id=parts["first"],
        execute=is_small,
        input_schema=parts["input"],
        output_schema=parts["output"],
        resume_schema=parts["resume"],
        suspend_schema=parts["suspend"],
        description=parts["description"],
    )
    return (
        create_workflow(id="w", state_schema=parts["state"], description=parts["description"])
        .then(first)
        .then(add(parts["second"]), description=parts["description"])
        .branch([(parts["condition"], add("c"))], mode=parts["mode"])
        .do_while(add("d"), "n > 1", max_iterations=parts["limit"])
        .map({"x": parts["source"]})
    )


class OtherDefault(BaseModel):
    """One thing."""

    name: str
    description: str = "other"
    kind: Literal["a", "b"] = "a"


OtherDefault.__name__ = OtherDefault.__qualname__ = "Item"


@pytest.mark.parametrize(
    "change",
    [
        {"first": "z"},
        {"first": "b", "second": "a"},
        {"input": int},
        {"input": OtherDefault},
        {"output": int},
        {"resume": int},
        {"suspend": int},
        {"state": Item},
        {"condition": "n > 2"},
        {"condition": is_small},
        {"mode": "first"},
        {"limit": 4},
        {"source": value(2)},
    ],
    ids=lambda change: " ".join(f"{key}={getattr(one, '__name__', one)}" for key, one in change.items()),
)
def test_the_hash_covers_ids_kinds_order_schemas_and_conditions(change: dict[str, Any]) -> None:
    assert base(**change).plan.version != base().plan.version


def test_each_kind_has_a_hash_of_its_own() -> None:
    flow = base().then(add("last"))
    others = [
        flow,
        flow.then(add("e")),
        flow.then(add("f")),
        flow.parallel([add("e")]),
        flow.then(chain("e").then(add("e"))),
        flow.then(create_workflow(id="e").then(add("e"))),
        flow.foreach(add("e")),
        flow.foreach(add("e"), concurrency=2),
        flow.do_while(add("e"), "true"),
        flow.do_until(add("e"), "true"),
        flow.map(value(1), id="e"),
        flow.sleep(1, id="e"),
        flow.sleep(2, id="e"),
        flow.wait_for_event("go", id="e"),
        flow.wait_for_event("stop", id="e"),
        clone_workflow(flow, id="v"),
    ]
    assert len({other.plan.version for other in others}) == len(others)


def test_the_hash_does_not_cover_descriptions() -> None:
    class Wordy(BaseModel):
        """Another text altogether."""

        name: Annotated[str, Field(description="the name")]
        description: str = ""
        kind: Literal["a", "b"] = "a"

    Wordy.__name__ = Wordy.__qualname__ = "Item"
    described = base(description="said in more words", input=Wordy).plan
    assert described.version == base().plan.version
    assert described.definition != base().plan.definition


def test_a_field_called_description_counts() -> None:
    class Item(BaseModel):
        """One thing."""

        name: Annotated[str, Field(description="how it is called")]
        kind: Literal["a", "b"] = "a"

    assert base(input=Item).plan.version != base().plan.version
