"""What stands in a graph: nodes, edges and frames of a definition."""

from __future__ import annotations

import sys

import networkx as nx
import pytest

from engine.flow import chain as links
from engine.flow import from_init, from_step
from engine.graph import Graph, build_graph
from engine.retry import RetryPolicy
from engine.steps import create_step
from engine.workflow import create_workflow
from tests.unit.graph_definitions import (
    ALL,
    DEPLOY,
    EVERYTHING,
    block,
    chain,
    definition,
    foreach,
    loop,
    nested,
    step,
    tower,
    wide,
)


def titles(graph: Graph) -> list[str]:
    return [node.title for node in graph.nodes.values() if node.title]


def named_edges(graph: Graph) -> list[str]:
    def name(key: str) -> str:
        node = graph.nodes[key]
        return node.title or node.kind

    return [f"{name(e.source)} -{e.kind}-> {name(e.target)}{f' [{e.label}]' if e.label else ''}" for e in graph.edges]


def test_a_definition_becomes_nodes_in_its_order() -> None:
    graph = build_graph(DEPLOY)
    assert [(node.key, node.place, node.kind, node.shape) for node in graph.nodes.values()] == [
        ("n0", "", "start", "start"),
        ("n1", "gather", "step", "box"),
        ("n2", "draw", "step", "box"),
        ("n3", "estimate", "step", "box"),
        ("n4", "scan", "step", "box"),
        ("n5", "", "join", "dot"),
        ("n6", "branch-1", "branch", "pill"),
        ("n7", "approve", "step", "box"),
        ("n8", "skip", "step", "box"),
        ("n9", "", "join", "dot"),
        ("n10", "chain-1[]/write", "step", "box"),
        ("n11", "chain-1[]/validate", "step", "box"),
        ("n12", "region[]", "foreach", "stack"),
        ("n13", "", "end", "end"),
    ]
    assert [(c.place, c.body, c.kind, c.title, c.name, c.note) for c in graph.clusters.values()] == [
        ("parallel-1", "", "parallel", "parallel", "", ""),
        ("chain-1", "chain-1[]", "do_until", "do until", "", "at most 5"),
    ]


def test_edges_say_why() -> None:
    graph = build_graph(definition(step("a", catch=step("c")), DEPLOY["root"]["children"][2], loop("l", step("l"))))
    assert named_edges(graph) == [
        "start -flow-> a",
        "a -error-> c [on error]",
        "a -flow-> join",
        "c -flow-> join",
        "join -flow-> branch",
        "branch -case-> approve [usd > 500]",
        "branch -otherwise-> skip [otherwise]",
        "approve -flow-> join",
        "skip -flow-> join",
        "join -flow-> l",
        "l -back-> l [until ok]",
        "l -flow-> end",
    ]


def test_a_branch_without_otherwise_has_a_way_past_its_arms() -> None:
    graph = build_graph(definition(block("branch", "branch-1", step("a"), mode="all", conditions=["x"])))
    assert "branch -otherwise-> join [no match]" in named_edges(graph)


def test_the_line_under_an_id_says_what_it_is() -> None:
    graph = build_graph(EVERYTHING)
    subs = {node.place: node.sub for node in graph.nodes.values() if node.sub}
    assert subs["map-1"] == "map · to_report"
    assert subs["sleep-1"] == "sleep · 2 days"
    assert subs["sleep-2"] == "sleep · until 2026-01-01 00:00"
    assert subs["vip/wait-1"] == "waits for payment"
    assert subs["review/approve[]"] == "for each · one by one"
    assert subs["route"] == "every arm that holds"


MAPS = {
    "FromStep(ids=('approve', 'book'), path='', many=True)": "from approve or book",
    "FromStep(ids=('a', 'b', 'c'), path='x.y', many=True)": "from a.x.y, b.x.y or c.x.y",
    "FromStep(ids=('a',), path='', many=False)": "from a",
    "FromInit(path='')": "from the run's input",
    "FromInit(path='items')": "from init.items",
    "FromState(path='n')": "from state.n",
    "FromContext(key='user')": "from context.user",
    "FromStep(nonsense": "map",
    "to_report": "map · to_report",
    "<lambda>": "map · computed",
}


def test_a_map_says_what_it_reads_or_makes() -> None:
    def sub(source: object) -> str:
        return build_graph(definition({"id": "map-1", "kind": "map", "source": source})).nodes["n1"].sub

    assert {source: sub(source) for source in MAPS} == MAPS
    assert sub({"name": "FromInit(path='a')", "price": "value(3)"}) == "makes name, price"
    assert sub({"x" * 90: "value(3)"}).endswith("…")


def test_a_map_of_a_real_workflow_says_what_it_reads() -> None:
    a, b = (create_step(id=id, execute=lambda value: value) for id in "ab")
    workflow = create_workflow(id="w").branch([("x", a)], otherwise=b).map(from_step([a, b], "y")).map(from_init("z"))
    assert [node.sub for node in build_graph(workflow).nodes.values() if node.kind == "map"] == [
        "from a.y or b.y",
        "from init.z",
    ]


def test_a_function_without_a_name_is_called_computed_or_function() -> None:
    flow = definition(
        {"id": "s", "kind": "sleep", "for": "<lambda>"},
        {"id": "u", "kind": "sleep", "until": "<lambda>"},
        loop("l", step("l"), "<lambda>"),
        block("branch", "branch-1", step("a"), mode="first", conditions=["<lambda>"]),
        foreach("f", step("f"), concurrency="<lambda>"),
    )
    graph = build_graph(flow)
    assert "<lambda>" not in str([graph.nodes, graph.edges, graph.clusters])
    subs = {node.place: node.sub for node in graph.nodes.values()}
    assert (subs["s"], subs["u"], subs["branch-1"]) == ("sleep · computed", "sleep · computed", "first arm that holds")
    assert [edge.label for edge in graph.edges if edge.label] == ["until function", "function", "no match"]


@pytest.mark.parametrize("kind", ["branch", "parallel"])
def test_a_failure_leaves_from_the_frame_of_its_block(kind: str) -> None:
    graph = build_graph(definition(block(kind, "b", step("x"), step("y"), conditions=["n"], catch=step("undo"))))
    error = next(edge for edge in graph.edges if edge.kind == "error")
    assert (graph.clusters[error.frame or ""].place, graph.nodes[error.target].place) == ("b", "undo")
    assert graph.frames_around(error.source) == {error.frame}


def test_a_branch_in_a_frame_is_still_shown_by_its_pill() -> None:
    graph = build_graph(definition(block("branch", "b", step("x"), conditions=["n"], catch=step("undo"))))
    assert graph.places["b"] == next(node.element for node in graph.nodes.values() if node.kind == "branch")


def test_long_texts_are_cut_and_whole_in_the_detail() -> None:
    graph = build_graph(EVERYTHING)
    node = next(node for node in graph.nodes.values() if "really_long" in node.detail)
    assert node.title == "a_step_with_a_really_long…"
    assert "a_step_with_a_really_long_identifier" in node.detail
    edge = next(edge for edge in graph.edges if edge.label.startswith("total"))
    assert (edge.label, edge.detail[-10:]) == ("total > 1000 and state.regi…", "ate.closed")


def test_folding_makes_one_box() -> None:
    graph = build_graph(EVERYTHING, fold={"review", "rounds", "batch", "route"})
    folded = {node.place: (node.title, node.sub) for node in graph.nodes.values() if node.folded}
    assert folded == {
        "review": ("review", "workflow · 3 steps"),
        "route": ("route", "branch · 2 arms, all that hold"),
        "rounds": ("rounds", "until state.done · 7 steps"),
        "batch": ("batch", "for each · 8 at once · collects err…"),
    }
    assert graph.element_of("review/approve[7]") == graph.places["review"]


def test_a_workflow_in_a_loop_folds_inside_its_frame() -> None:
    graph = build_graph(definition(loop("w", nested("w", step("a"), step("b")))), fold={"w[]"})
    assert [(node.place, node.sub) for node in graph.nodes.values() if node.folded] == [("w[]", "workflow · 2 steps")]
    assert [cluster.place for cluster in graph.clusters.values()] == ["w"]


def test_a_wide_parallel_is_one_box_unless_unfolded() -> None:
    assert titles(build_graph(wide(24)))[1] == "arm_0"
    assert titles(build_graph(wide(1000))) == ["a", "1000 steps", "b"]
    assert len(titles(build_graph(wide(1000), unfold={"parallel-1"}))) == 1002
    assert titles(build_graph(wide(1000), unfold={"parallel-1"}, fold={"parallel-1"})) == ["a", "1000 steps", "b"]


def test_what_is_nested_too_deep_is_one_box() -> None:
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 1000))
    graph = build_graph(tower(5000))
    assert [node.sub for node in graph.nodes.values() if node.folded] == [f"workflow · {5000 - 32 + 1} steps"]


@pytest.mark.parametrize("name", ALL)
def test_every_graph_is_connected_and_one_way_but_for_loops(name: str) -> None:
    graph = build_graph(ALL[name])
    digraph = graph.digraph
    assert nx.is_weakly_connected(digraph)
    digraph.remove_edges_from([(u, v) for u, v, kind in digraph.edges(data="kind") if kind == "back"])
    assert nx.is_directed_acyclic_graph(digraph)
    assert [key for key, degree in digraph.in_degree() if degree == 0] == ["n0"]
    assert [node.kind for key, node in graph.nodes.items() if digraph.out_degree(key) == 0] == ["end"]


def test_paths_find_what_shows_them() -> None:
    graph = build_graph(EVERYTHING)
    assert graph.element_of("review/approve[2]") == graph.places["review/approve[]"]
    assert graph.places["review/approve"] == graph.places["review/approve[]"]
    assert graph.element_of("batch[3]/load") == graph.places["batch[]/load"]
    assert graph.element_of("batch[3]") == graph.places["batch"]
    assert graph.element_of("nowhere/at/all") is None


def test_a_workflow_with_everything_shows_every_place_of_its_plan() -> None:
    def made(id: str, **rules: object) -> object:
        return create_step(id=id, execute=lambda value: value, **rules)  # type: ignore[arg-type]

    inner = create_workflow(id="inner").then(made("a")).foreach(made("b"), concurrency=2)
    workflow = (
        create_workflow(id="w")
        .then(made("tried", retry=RetryPolicy(attempts=3), timeout=90), catch=made("caught"))
        .parallel([inner, links().then(made("c"))], catch=made("rescue"))
        .branch([(lambda _: True, made("d"))], otherwise=made("e"))
        .do_while(create_workflow(id="again").then(made("f")), lambda _: False)
        .sleep(5)
        .wait_for_event("go")
        .map(lambda value: [value])
        .foreach(links().then(made("g")).then(made("h")))
    )
    graph = build_graph(workflow)
    assert set(graph.places) == set(workflow.plan.places)
    assert [node.sub for node in graph.nodes.values() if node.title == "tried"] == [
        "step · 3 attempts · max 1 min 30 s"
    ]
    assert build_graph(workflow.plan.definition).places == graph.places == build_graph(workflow.plan).places


def test_nothing_to_draw_is_a_start_and_an_end() -> None:
    assert [node.kind for node in build_graph(definition()).nodes.values()] == ["start", "end"]
    assert [node.kind for node in build_graph({"id": "x"}).nodes.values()] == ["start", "end"]


def test_a_chain_of_foreach_in_a_foreach() -> None:
    graph = build_graph(definition(foreach("o", nested("o", foreach("i", step("i"))))))
    assert [(node.place, node.block) for node in graph.nodes.values() if node.shape == "stack"] == [
        ("o[]/i[]", "o[]/i")
    ]
    assert len(build_graph(chain(3)).edges) == 4
