"""What README.md shows is what happens."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

README = (ROOT / "README.md").read_text("utf-8")
MISTAKES = {
    "wrong_step.py": ("    .branch", "    .then(book)\n    .branch"),
    "wrong_input.py": ("asyncio.run(main())", "print(asyncio, expenses.run_sync(240))"),
}


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The first workflow, saved as the README says."""
    file = tmp_path / "expenses.py"
    file.write_text(blocks("python")[0], "utf-8")
    for name, (right, wrong) in MISTAKES.items():
        assert right in blocks("python")[0]
        (tmp_path / name).write_text(blocks("python")[0].replace(right, wrong), "utf-8")
    return file


def call(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], cwd=cwd, capture_output=True, text=True, check=False)


def test_the_first_workflow_is_short_and_prints_what_is_said(script: Path) -> None:
    assert len([line for line in blocks("python")[0].splitlines() if line]) < 25
    done = call(script, cwd=script.parent)
    assert (done.returncode, done.stdout, done.stderr) == (0, blocks("text")[0], "")


def test_every_other_program_runs_beside_it_or_is_called_an_excerpt(script: Path) -> None:
    """In the order in which they stand: what one leaves in the database is there for the next."""
    said = []
    for number, block in enumerate(blocks("python")[1:], 1):
        if block.startswith("# an excerpt\n"):
            compile(block, "an excerpt", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            continue
        is_test = "def test_" in block
        file = script.parent / f"{'test_' if is_test else ''}block_{number}.py"
        file.write_text(block, "utf-8")
        command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", file.name] if is_test else [file.name]
        done = call(*command, cwd=script.parent)
        assert (number, done.returncode) == (number, 0), done.stdout + done.stderr
        said.append("" if is_test else done.stdout)
    assert said == ["suspended\n", "", "approve flight for 900.0 euros?\napproved\n", "{'total': 13, 'coupon': None}\n"]


def test_its_picture_is_the_one_shown(script: Path) -> None:
    done = call("-m", "engine", "graph", script.name, "--format", "mermaid", cwd=script.parent)
    assert (done.returncode, done.stdout) == (0, blocks("mermaid")[0])


def test_a_wrong_step_is_found_before_anything_runs(script: Path) -> None:
    done = call("wrong_step.py", cwd=script.parent)
    assert done.returncode == 1
    assert done.stderr.endswith(f"engine.errors.DefinitionError: {blocks('text')[1]}")


def test_mypy_accepts_it_and_finds_two_typical_mistakes(script: Path, tmp_path: Path, cache: pytest.Cache) -> None:
    files = [script, *(tmp_path / name for name in MISTAKES)]
    done = call("-m", "mypy", "--strict", "--cache-dir", cache.mkdir("mypy-readme"), *files, cwd=ROOT)
    assert set(re.findall(r"(\w+\.py):\d+: error", done.stdout)) == set(MISTAKES), done.stdout


def test_pyright_accepts_it_and_finds_two_typical_mistakes(script: Path, tmp_path: Path) -> None:
    files = [script, *(tmp_path / name for name in MISTAKES)]
    done = call("-m", "pyright", "--outputjson", "--pythonpath", sys.executable, *files, cwd=ROOT)
    found = json.loads(done.stdout)["generalDiagnostics"]
    assert {Path(one["file"]).name for one in found if one["severity"] == "error"} == set(MISTAKES), done.stdout


def test_every_file_and_command_that_it_names_exists() -> None:
    links = re.findall(r"\]\(((?!https?:)[^)#]+)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []
    said = call("-m", "engine", "--help", cwd=ROOT).stdout
    assert [word for word in re.findall(r"-m engine (\w+)", README) if word not in said] == []
