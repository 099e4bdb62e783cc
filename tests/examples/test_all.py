"""What holds for every bundled example."""

from __future__ import annotations

import ast
import tempfile
from pathlib import Path

import pytest

import studio.examples
from engine import Workflow
from studio.examples import EXAMPLES, Example
from tests.fixtures import OpenEngine, launch

MODULES = sorted(path for path in Path(studio.examples.__file__).parent.glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.workflow.id)
async def test_an_example_runs_to_its_end_on_its_sample(
    open_engine: OpenEngine, example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    engine = await open_engine(example.workflow)
    run = await launch(engine, example.workflow, example.input)
    result = await run.result()
    for answer in example.answers:
        assert result.status == "suspended"
        result = await run.resume(answer)
    assert (result.status, result.error is None) == (example.ends, example.ends == "success")


def test_each_module_is_listed_and_its_workflow_has_a_schema_and_a_line_about_it() -> None:
    workflows = [value for value in vars(studio.examples).values() if isinstance(value, Workflow)]
    assert {example.workflow.id for example in EXAMPLES} == {workflow.id for workflow in workflows}
    assert sorted(id.replace("-", "_") for id in (w.id for w in workflows)) == [path.stem for path in MODULES]
    assert [w.id for w in workflows if w.input_schema is None or not w.description] == []


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_an_example_explains_itself_and_is_short(module: Path) -> None:
    text = module.read_text("utf-8")
    tree = ast.parse(text)
    parts = [
        tree,
        *(node for node in tree.body if isinstance(node, ast.ClassDef | ast.AsyncFunctionDef | ast.FunctionDef)),
    ]
    assert [getattr(part, "name", module.stem) for part in parts if not ast.get_docstring(part)] == []
    assert len(text.splitlines()) < 135
