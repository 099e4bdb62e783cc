"""The wheel: built without a network, installed in a clean environment, and started."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

import studio
from tests.architecture.tree import ROOT, files

BIN = "Scripts" if sys.platform == "win32" else "bin"
ASK = """
from importlib.metadata import version
from pathlib import Path
import engine, studio
home = Path(engine.__file__).parent
assert home.parent == Path(studio.__file__).parent.parent
typed = [(home.parent / name / "py.typed").exists() for name in ("engine", "studio")]
print(home.parent, *typed, version("agentic-studio"))
"""


def output(*command: str | Path, cwd: Path) -> str:
    """What a program printed; the test fails with all of it if it ended with an error."""
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout.strip()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this repository."""
    folder = tmp_path_factory.mktemp("wheel")
    output(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    return next(folder.glob("*.whl"))


def test_the_wheel_has_both_packages_and_the_studios_files(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    here = {path.as_posix() for path in files() if path.parts[0] in {"engine", "studio", "templates", "static"}}
    inside = {f"studio/{name}" if name.startswith(("templates/", "static/")) else name for name in here}
    assert packed == inside


def test_the_wheel_runs_where_nothing_else_is_installed(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "clean", with_pip=True)
    python = tmp_path / "clean" / BIN / "python"
    output(python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", wheel, cwd=tmp_path)
    # What it depends on is lent by this environment, after its own packages.
    packages = Path(output(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path))
    (packages / "lent.pth").write_text(sysconfig.get_path("platlib") + "\n", "utf-8")

    said = output(python, "-I", "-W", "error", "-c", ASK, cwd=tmp_path).split()
    assert said == [str(packages), "True", "True", studio.__version__]
    assert output(tmp_path / "clean" / BIN / "studio", "--version", cwd=tmp_path) == f"studio {studio.__version__}"
