"""The files of this repository."""

from __future__ import annotations

import ast
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
UNTRACKED = {".git", ".venv", ".studio", "__pycache__", "build", "dist"}


@cache
def files() -> tuple[Path, ...]:
    """Every file that is tracked or would be (in an unpacked archive: every file), relative to the root."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
        found = [Path(name) for name in names if name and (ROOT / name).is_file()]
    else:
        everything = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
        found = [path for path in everything if not UNTRACKED.intersection(path.parts) and not path.match("*_cache/**")]
    return tuple(sorted(found))


def modules(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    """Every Python file below these top-level folders, parsed."""
    for path in files():
        if path.suffix == ".py" and path.parts[0] in folders:
            yield path, ast.parse((ROOT / path).read_text("utf-8"))
