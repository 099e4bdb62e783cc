"""Where things are: nothing over anything else, in order, whoever lays it out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from engine.graph import Graph, build_graph, fallback, graphviz, layout, to_json, to_svg
from engine.graph.geometry import PAD, Box, Layout, collisions, disorder
from engine.graph.labels import points_of, unclear
from tests.unit.graph_definitions import (
    ALL,
    DEPLOY,
    EVERYTHING,
    Garden,
    block,
    chain,
    definition,
    loop,
    nested,
    step,
    wide,
)


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    layout._cache.clear()


@pytest.mark.parametrize("name", ALL)
def test_our_own_layout_has_nothing_over_anything_else(name: str) -> None:
    graph = build_graph(ALL[name])
    made = fallback.lay_out(graph)
    assert (collisions(made, graph), disorder(made, graph)) == ([], [])
    assert all(
        0 <= point.x <= made.width and 0 <= point.y <= made.height for line in made.lines for point in line.points()
    )


@pytest.mark.parametrize("name", ALL)
def test_the_layout_that_serves_has_nothing_over_anything_else(name: str) -> None:
    graph = build_graph(ALL[name])
    made = layout.lay_out(graph)
    assert (collisions(made, graph), disorder(made, graph)) == ([], [])


def crossings(made: Layout, graph: Graph) -> list[str]:
    """Lines that run over a box that is neither of their ends."""
    boxes = {key: made.box(graph, key) for key in graph.nodes}
    return [
        f"{edge.source}->{edge.target} over {key}"
        for edge, line in zip(graph.edges, made.lines, strict=True)
        for key, box in boxes.items()
        if key not in (edge.source, edge.target)
        and any(box.left < p.x < box.right and box.top < p.y < box.bottom for p in points_of(line))
    ]


@pytest.mark.parametrize("seed", range(16))
def test_whatever_grows_is_laid_out_without_anything_over_anything(seed: int) -> None:
    graph = build_graph(Garden(seed).definition())
    made = fallback.lay_out(graph)
    assert (collisions(made, graph), disorder(made, graph), crossings(made, graph)) == ([], [], [])
    served = layout.lay_out(graph)
    assert (collisions(served, graph), disorder(served, graph)) == ([], [])


ARMS = (step("go_inside"), step("go_outside"), step("stay_home"))
CASES: dict[str, Any] = {"mode": "first", "conditions": ["rain_mm > 1", "is_warm"], "otherwise": "stay_home"}
LONG = "steps.check_stock.ok and steps.check_limit.ok"
FRAMED = definition(
    block("branch", "b", nested("fulfil", step("send")), step("no"), conditions=[LONG], otherwise="no", mode="all")
)


@pytest.mark.parametrize("name", [*ALL, "arms", "framed"])
@pytest.mark.parametrize("engine", ["auto", "own"])
def test_every_text_clearly_belongs_to_its_own_line(name: str, engine: str) -> None:
    more = {"arms": definition(block("branch", "branch-1", *ARMS, **CASES)), "framed": FRAMED}
    graph = build_graph((ALL | more)[name])
    made = layout.lay_out(graph, engine)
    assert unclear(made, graph) == []
    for edge, line, box in zip(graph.edges, made.lines, made.label_boxes(graph), strict=True):
        assert box is None or any(box.grown(8).meets(Box(*p, *p).grown(1)) for p in points_of(line)), edge.label


def test_arms_of_a_branch_are_not_read_as_one_expression() -> None:
    graph = build_graph(definition(block("branch", "branch-1", *ARMS, **CASES)))
    made = layout.lay_out(graph)
    assert made.engine == "graphviz"
    texts = sorted(box for box in made.label_boxes(graph) if box)
    assert min(right.left - left.right for left, right in pairwise(texts)) > 20


def test_a_condition_above_a_frame_does_not_make_it_wide() -> None:
    graph = build_graph(FRAMED)
    (frame,) = fallback.lay_out(graph).frames.values()
    assert frame.right - frame.left == graph.nodes["n2"].width + 2 * PAD


def test_graphviz_lays_out_what_is_simple() -> None:
    assert [layout.lay_out(build_graph(one)).engine for one in (DEPLOY, chain(30), wide(3))] == ["graphviz"] * 3


def test_what_graphviz_lays_out_badly_is_laid_out_by_us() -> None:
    graph = build_graph(EVERYTHING)
    theirs = graphviz.read(json.loads(layout._here(graphviz.source(graph))), graph)
    assert disorder(theirs, graph) != []
    assert layout.lay_out(graph).engine == "own"


def test_graphviz_gets_no_text_of_a_workflow() -> None:
    text = graphviz.source(
        build_graph(definition(step("secret_name"), loop("l", nested("l", step("x")), "secret_condition")))
    )
    assert "secret" not in text


def test_a_layout_is_kept() -> None:
    graph = build_graph(DEPLOY)
    assert layout.lay_out(graph) is layout.lay_out(build_graph(DEPLOY))
    assert layout.lay_out(graph, "own") is not layout.lay_out(graph)


def test_without_graphviz_our_own_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    assert layout.lay_out(build_graph(DEPLOY)).engine == "own"


@pytest.mark.parametrize("answer", [b"", b"{", b"{}", b'{"bb": "0,0,1,1", "objects": [], "edges": []}', b"[]"])
def test_an_answer_that_makes_no_sense_is_not_used(monkeypatch: pytest.MonkeyPatch, answer: bytes) -> None:
    monkeypatch.setattr(layout, "_here", lambda _: answer)
    assert layout.lay_out(build_graph(DEPLOY)).engine == "own"


def test_a_large_graph_is_laid_out_by_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "_here", None)
    assert layout.lay_out(build_graph(chain(200))).engine == "graphviz"


@pytest.mark.parametrize(
    "fate", ["raise SystemExit(3)", "import os; os.abort()", "import time; time.sleep(60)", "print('{')"]
)
def test_a_process_that_dies_or_hangs_harms_nobody(fate: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(fate, "utf-8")
    monkeypatch.setattr(layout.dot_process, "__file__", str(program))
    monkeypatch.setattr(layout, "SECONDS", 0.5)
    assert layout.lay_out(build_graph(chain(200))).engine == "own"


def test_while_graphviz_is_stuck_our_own_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "SECONDS", 0.01)
    with layout._one_at_a_time:
        assert layout.lay_out(build_graph(DEPLOY)).engine == "own"


def test_the_process_reads_dot_and_writes_json() -> None:
    command = [sys.executable, "-P", str(layout.dot_process.__file__)]
    done = subprocess.run(command, input=b"digraph { a -> b }", capture_output=True, check=True, timeout=30)
    assert [item["name"] for item in json.loads(done.stdout)["objects"]] == ["a", "b"]


def test_many_threads_get_the_same_picture() -> None:
    graphs = [build_graph(definition(*DEPLOY["root"]["children"], step(f"s{n}"), id=f"w{n}")) for n in range(6)]
    alone = [to_json(graph) for graph in graphs]
    barrier = threading.Barrier(6)

    def again(n: int) -> str:
        barrier.wait(5)
        layout._cache.clear()
        return to_json(graphs[n])

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(again, range(6))) == alone


def test_a_thousand_steps_are_quick() -> None:
    began = time.perf_counter()
    svg = to_svg(build_graph(chain(1000)))
    assert svg.count('role="listitem"') == 1000
    assert time.perf_counter() - began < 30


def test_ten_thousand_nodes_take_our_own_layout_no_time() -> None:
    graph = build_graph(chain(10_000))
    began = time.perf_counter()
    assert fallback.lay_out(graph).engine == "own"
    assert time.perf_counter() - began < 20
    assert layout.lay_out(graph).engine == "own"


def test_a_thousand_arms_unfolded() -> None:
    graph = build_graph(wide(1000), unfold={"parallel-1"})
    made = fallback.lay_out(graph)
    assert collisions(made, graph) == []


def test_a_long_chain_is_tall() -> None:
    made = layout.lay_out(build_graph(chain(30)))
    assert made.height > 30 * 60
    assert made.width < 300


SAME = """
import sys
from engine.graph import to_json, to_svg
from tests.unit.graph_definitions import DEPLOY, EVERYTHING
sys.stdout.write(to_svg(DEPLOY) + to_svg(EVERYTHING) + to_json(DEPLOY))
"""


def test_the_same_definition_gives_the_same_bytes() -> None:
    root = Path(layout.__file__).parents[2]
    said = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root), "PYTHONUTF8": "1"}
        done = subprocess.run([sys.executable, "-c", SAME], cwd=root, env=environment, capture_output=True, check=True)
        said.add(done.stdout)
    assert len(said) == 1
