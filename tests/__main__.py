"""The test command: every gate, then every test.

``python -m tests`` is what CI runs; ``--fast`` leaves out the gates and the coverage. Other arguments go to pytest,
and then the coverage is shown but not demanded, since they choose tests.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.requires import PROGRAMS, is_ci, missing

ROOT = Path(__file__).parent.parent
COVERAGE = 95  # percent of lines and branches of the engine
OF_THE_ENGINE = ("architecture", "conformance", "examples", "faults", "properties", "rules", "typing", "unit")
OF_THE_STUDIO = ("attacks", "benchmarks", "browser", "cli", "web")
"""Folders of tests. To count lines makes tests slower, so it is done only where the engine's are meant."""

LAYERS = "from importlinter.cli import lint_imports_command as lint; lint()"  # it has no `python -m` form

GATES = {
    "ruff check": ["-m", "ruff", "check", "--quiet"],
    "ruff format": ["-m", "ruff", "format", "--check", "--quiet"],
    "mypy": ["-m", "mypy", "--no-error-summary"],
    "pyright": ["-m", "pyright"],
    "import layers": ["-c", LAYERS, "--no-cache", "--no-logo"],
}


def main(arguments: list[str]) -> int:
    """Run what is asked for; 0 if everything passed."""
    if {"-h", "--help"} & set(arguments):
        print(f"{__doc__}\nusage: python -m tests [--fast] [PYTEST ARGUMENT ...]")
        return 0
    fast = "--fast" in arguments
    chosen = [argument for argument in arguments if argument != "--fast"]
    install_programs()
    failed = [] if fast else refused()
    if not run_pytest(chosen, coverage=not fast):
        failed.append("pytest")
    print(f"failed: {', '.join(failed)}" if failed else "everything passed", flush=True)
    return 1 if failed else 0


def install_programs() -> None:
    """Get the programs that tests need and no Python package brings, where that is possible; name what is missing.

    In CI also the quickest one, where another would do.
    """
    absent = [name for name, (best, *_) in PROGRAMS.items() if not shutil.which(best)]
    wanted = absent if is_ci() else missing()
    if wanted and sys.platform == "linux" and os.geteuid() == 0 and Path("/usr/bin/apt-get").exists():
        apt_get("update")
        for name in wanted:
            for package in PROGRAMS[name]:
                if not shutil.which(package) and apt_get("install", "-y", "--no-install-recommends", package):
                    break
    if missing():
        fate = "FAIL (CI=true)" if is_ci() else "be SKIPPED"
        print(f"!! Not on this machine: {', '.join(missing())}. Tests that need it will {fate}.", flush=True)


def apt_get(*words: str) -> bool:
    """Call it, with nobody to ask; whether it did what it was asked for."""
    done = subprocess.run(
        ["apt-get", "-qq", *words],
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode == 0


def refused() -> list[str]:
    """The gates that do not pass. Each of them works on one core, so two go at a time."""
    with ThreadPoolExecutor(2) as two:
        passed = dict(zip(GATES, two.map(passes, GATES, GATES.values()), strict=True))
    return [name for name, good in passed.items() if not good]


def passes(name: str, command: list[str]) -> bool:
    """Run one gate, and print its line, with what it said if it failed."""
    started = time.monotonic()
    here = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # pyright asks the first python on PATH
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | {"PATH": here, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    passed = done.returncode == 0
    line = f"{'ok    ' if passed else 'FAILED'} {name} ({time.monotonic() - started:.1f} s)"
    print(line if passed else f"{line}\n{done.stdout}", flush=True)
    return passed


def run_pytest(chosen: list[str], *, coverage: bool) -> bool:
    """Run the tests; pytest's own lines go through, and its last one is the count."""
    command = [sys.executable, "-m", "pytest", "--dist", "worksteal", "-n"]
    cores = min(os.cpu_count() or 1, 8)
    counted = ["--cov", "--cov-report", "term"] if coverage else []
    if chosen:
        return run([*command, str(cores), *counted, *chosen])
    if coverage:
        counted += ["--cov-fail-under", str(COVERAGE)]
    engine = run([*command, str(cores), *counted, *(f"tests/{name}" for name in OF_THE_ENGINE)])
    waits = cores + cores // 2  # for servers and pages
    return run([*command, str(waits), *(f"tests/{name}" for name in OF_THE_STUDIO)]) and engine


def run(command: list[str]) -> bool:
    """Whether a command ends well. Bytecode is kept, as it is where people work: tests start many processes."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(command, cwd=ROOT, env=env, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
