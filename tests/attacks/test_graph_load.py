"""Pictures of what is large, and many of them at once: bounded in time and in processes, and others notice little."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from engine import Workflow, create_step, create_workflow
from engine.graph import build_graph, layout, to_svg
from tests.attacks.studio import Studio, studio
from tests.unit.graph_definitions import Garden

LARGE = 5_000
PICTURES = 100


async def echo(data: Any) -> Any:
    return data


def chain(id: str, steps: int) -> Workflow[Any, Any]:
    made: Any = create_workflow(id=id)
    for number in range(steps):
        made = made.then(create_step(id=f"s{number}", execute=echo))
    return made.commit()  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """One workflow of thousands of steps, and some that are laid out by a process of their own."""
    workflows = [chain("large", LARGE), *(chain(f"middle{number}", 160 + number) for number in range(6))]
    with studio(workflows, tmp_path_factory.mktemp("load") / "runs.db") as made:
        yield made


def drawing_processes() -> int:
    """How many processes lay out graphs now."""
    found = 0
    for entry in Path("/proc").iterdir():
        try:
            found += b"dot_process.py" in (entry / "cmdline").read_bytes() if entry.name.isdecimal() else 0
        except OSError:
            continue  # it has just ended
    return found


def test_a_hundred_pictures_at_once_take_two_processes_and_leave_room_for_others(served: Studio) -> None:
    layout._cache.clear()
    seen: list[int] = []
    waited: list[float] = []
    is_over = threading.Event()

    def look() -> None:
        while not is_over.wait(0.05):
            seen.append(drawing_processes())
            began = time.perf_counter()
            assert served.get("/healthz").status == 200
            waited.append(time.perf_counter() - began)

    looking = threading.Thread(target=look)
    looking.start()
    with ThreadPoolExecutor(16) as pool:
        paths = [f"/workflows/middle{number % 6}?tab=graph" for number in range(PICTURES)]
        answers = list(pool.map(lambda path: served.get(path).status, paths))
    is_over.set()
    looking.join()
    assert answers == [200] * PICTURES
    assert max(seen) <= 2
    assert max(waited) < 8  # on a busy machine; if pictures were drawn on the server's loop it would be all the time
    assert len(layout._cache) >= 6


def test_a_picture_of_five_thousand_steps_is_there_in_time_and_kept(served: Studio) -> None:
    """No Graphviz at that size: our own layout serves, once for all who look."""
    began = time.perf_counter()
    first = served.get("/workflows/large?tab=graph")
    assert first.status == 200
    assert time.perf_counter() - began < 25
    assert first.text.count('role="listitem"') >= 100
    assert drawing_processes() == 0


@pytest.mark.parametrize("seed", range(40, 52))
def test_whatever_is_nested_in_whatever_is_drawn_in_time(seed: int) -> None:
    """Random definitions, as somebody could plant them in a file of runs."""
    definition = Garden(seed).definition()
    began = time.perf_counter()
    assert to_svg(definition).startswith("<svg")
    assert time.perf_counter() - began < 8


def test_a_deep_definition_is_drawn_or_refused_in_time() -> None:
    inner: dict[str, Any] = {"id": "s", "kind": "step"}
    for number in range(60):
        inner = {"id": f"w{number}", "kind": "workflow", "children": [inner, {"id": f"s{number}", "kind": "step"}]}
    began = time.perf_counter()
    graph = build_graph({"id": "deep", "description": "", "schemas": {}, "root": inner})
    assert to_svg(graph).count("<g") > 60
    assert time.perf_counter() - began < 8


def test_the_kept_layouts_are_few() -> None:
    for number in range(layout.KEPT + 20):
        layout.lay_out(build_graph(Garden(number).definition()), "own")
    assert len(layout._cache) <= layout.KEPT
