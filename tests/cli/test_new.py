"""``studio new``: what it makes works as it is."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT
from tests.cli.call import ENVIRONMENT, desk, started, studio, wait_for

FILES = [".gitignore", "README.md", "test_workflows.py", "workflows.py"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    code, out, err = studio("new", "my-flows", cwd=tmp_path)
    assert (code, err) == (0, "")
    assert sorted(out.splitlines()[:4]) == [str(Path("my-flows", name)) for name in FILES]
    assert out.splitlines()[4:] == ["", "Next:  cd my-flows", "       studio", "       pytest"]
    return tmp_path / "my-flows"


def test_its_files_are_there_and_name_it(project: Path) -> None:
    assert sorted(path.name for path in project.iterdir()) == FILES
    assert [path.name for path in project.iterdir() if "{{" in path.read_text("utf-8")] == []
    assert (project / "README.md").read_text("utf-8").startswith("# my-flows\n")


def test_its_test_passes(project: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio"]
    done = subprocess.run(command, cwd=project, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1].partition(" in ")[0]) == (0, "3 passed"), done.stdout


def test_studio_serves_it(project: Path) -> None:
    with started("--port", "0", cwd=project) as running:
        url = wait_for(running, "Studio on ").split()[-1]
        assert wait_for(running, "serves ") == "  serves workflows.py: expenses\n"
        with urllib.request.urlopen(f"{url}/workflows/expenses", timeout=10) as page:  # noqa: S310
            assert "train ticket" in page.read().decode()
        running.send_signal(signal.SIGTERM)
        assert running.wait(10) == 0


def test_it_runs_on_its_defaults_and_asks(project: Path) -> None:
    assert studio("check", cwd=project) == (0, "nothing wrong with expenses\n", "")
    with desk("run", "expenses", cwd=project) as person:
        person.read_until("Enter for train ticket]: ")
        person.type("\n")
        person.read_until("Enter for 240]: ")
        person.type("\n")
        person.read_until("Pay 240 euros?")
        person.read_until("[yes or no]: ")
        person.type("y\n")
        person.read_until("Enter for none]: ")
        person.type("\n")
        person.read_until("      paid 240 euros for train ticket\r\n")
        assert person.process.wait(10) == 0
    assert studio("run", "expenses", cwd=project)[0] == 3


def test_its_code_pleases_ruff_and_mypy(project: Path) -> None:
    for words in (["ruff", "check"], ["ruff", "format", "--check"], ["mypy", "--strict", "--cache-dir", ".cache"]):
        command = [sys.executable, "-m", *words, "workflows.py", "test_workflows.py"]
        done = subprocess.run(command, cwd=project, env=ENVIRONMENT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_is_overwritten(project: Path) -> None:
    (project / "workflows.py").write_text("mine", "utf-8")
    said = "my-flows is there already, and nothing in it is overwritten; take another name\n"
    assert studio("new", "my-flows", cwd=project.parent) == (2, "", said)
    assert (project / "workflows.py").read_text("utf-8") == "mine"
    (project.parent / "file").write_text("mine", "utf-8")
    assert studio("new", "file", cwd=project.parent)[0] == 2
    (project.parent / "empty").mkdir()
    assert studio("new", "empty", cwd=project.parent)[0] == 0


@pytest.mark.parametrize("name", ["", "..", "-x y", "a b", "a:b"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    code, out, err = studio("new", "--", name, cwd=tmp_path)
    said = f"{name!r} is no name for a folder; take letters, digits, '-', '_' and '.'\n"
    assert (code, out, err) == (2, "", said)
    assert list(tmp_path.iterdir()) == []


def test_what_it_copies_is_in_the_package() -> None:
    assert sorted(path.name for path in (ROOT / "studio" / "project").iterdir()) == [
        "README.md.txt",
        "dot-gitignore.txt",
        "test_workflows.py.txt",
        "workflows.py.txt",
    ]
