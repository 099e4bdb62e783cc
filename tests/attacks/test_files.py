"""What the studio writes is its owner's alone, whatever the umask, and it writes nowhere else than it says."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT
from tests.web.process import Studio

TOKEN = "files-token-" + "y" * 30
FLOWS = """
from engine import create_step, create_workflow
async def echo(data): return {"secret-of-a-run": "x" * 3_000_000}
flow = create_workflow(id="flow").then(create_step(id="echo", execute=echo))
"""
COMMAND = [sys.executable, "-c", "import sys; from studio.cli import main; sys.exit(main())"]


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the studio is started; a umask that lets everybody read, and others."""
    made = tmp_path / "here"
    made.mkdir()
    (made / "flows.py").write_text(FLOWS, "utf-8")
    monkeypatch.chdir(made)
    before = os.umask(request.param)
    yield made
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_files_of_a_studio_are_its_owners_alone(folder: Path) -> None:
    """While it runs and afterwards: database, log, locks; and the token is in none of them."""
    served = Studio("flows.py", "--port", "0", STUDIO_OPEN="0", STUDIO_TOKEN=TOKEN)
    try:
        assert served.get("/")[0] == 401
        assert served.get("/", Authorization=f"Bearer {TOKEN}")[0] == 200
        home = folder / ".studio"
        files = [path for path in home.rglob("*") if path.is_file()]
        assert {path.suffix for path in files} >= {".db", ".db-wal", ".lock"}
        assert {path.name: oct(mode(path)) for path in files if mode(path) != 0o600} == {}
        folders = [home, *(path for path in home.rglob("*") if path.is_dir())]
        assert {path.name: oct(mode(path)) for path in folders if mode(path) != 0o700} == {}
        assert [path.name for path in files if TOKEN.encode() in path.read_bytes()] == []
        written = {path.name for path in folder.iterdir()} - {"__pycache__"}
        assert written == {"flows.py", ".studio"}
    finally:
        served.close()
    assert TOKEN not in "\n".join(served.said)
    arguments = Path(f"/proc/{os.getpid()}/cmdline").read_bytes()
    assert TOKEN.encode() not in arguments


def test_what_a_command_writes_is_its_owners_alone(folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = ["run", "flow", "flows.py", "--input", "null", "--store", "sqlite:///runs.db"]
    subprocess.run([*COMMAND, *words], env=environment, capture_output=True, timeout=30, check=True)
    assert oct(mode(folder / "runs.db")) == oct(0o600)


@pytest.mark.parametrize("name", ["studio.db", "studio.db-wal", "studio.db.owners"])
def test_a_link_in_the_place_of_a_file_is_refused(tmp_path: Path, name: str) -> None:
    """Whoever can make a link there could have the studio write into any file of its owner."""
    victim = tmp_path / "victim"
    victim.write_text("untouched", "utf-8")
    (tmp_path / ".studio").mkdir()
    (tmp_path / ".studio" / name).symlink_to(victim)
    (tmp_path / "flows.py").write_text(FLOWS, "utf-8")
    done = subprocess.run(
        [*COMMAND, "serve", "flows.py", "--port", "0"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "STUDIO_OPEN": "0"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "symbolic link" in done.stdout + done.stderr
    assert victim.read_text("utf-8") == "untouched"
