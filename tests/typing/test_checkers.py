"""What mypy and pyright say of the public types."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FILES = ("chains.py", "mistakes.py")

Found = set[tuple[str, int]]


def marked() -> Found:
    """The lines that are marked as mistakes."""
    texts = {name: (HERE / name).read_text("utf-8").splitlines() for name in FILES}
    return {(name, number) for name in FILES for number, line in enumerate(texts[name], 1) if line.endswith("# error")}


def run(*command: str) -> str:
    """What a checker writes."""
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


def mypy(cache: Path) -> Found:
    """Where mypy finds errors."""
    files = [str(HERE / name) for name in FILES]
    told = run(
        "mypy", "--cache-dir", str(cache), "--no-error-summary", "--disable-error-code", "unused-awaitable", *files
    )
    lines = re.findall(r"^(.+?):(\d+): error:", told, re.MULTILINE)
    return {(Path(path).name, int(number)) for path, number in lines}


def pyright(cache: Path) -> Found:
    """Where pyright finds errors."""
    told = json.loads(run("pyright", "--outputjson", *(str(HERE / name) for name in FILES)))
    errors = [one for one in told["generalDiagnostics"] if one["severity"] == "error"]
    return {(Path(one["file"]).name, one["range"]["start"]["line"] + 1) for one in errors}


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_right_chains_pass_and_each_typical_mistake_is_found(
    checker: Callable[[Path], Found], cache: pytest.Cache
) -> None:
    # A cache of its own: two runs of mypy over one cache disturb each other.
    assert checker(cache.mkdir("mypy")) == marked()
