"""Who imports whom, and what ``import engine`` brings along."""

from __future__ import annotations

import subprocess
import sys

from tests.__main__ import GATES, ROOT

# Loaded where they are used: drawing, a SQLite store, the studio, adapters. The standard library's SQLite never.
LATE = """
    apsw fastapi jinja2 mcp networkx numpy psycopg pydantic_ai pygraphviz sqlite3 starlette studio temporalio uvicorn
"""


def test_every_module_keeps_to_its_layer() -> None:
    command = [sys.executable, *GATES["import layers"]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_importing_the_engine_loads_nothing_heavy() -> None:
    code = f"import sys, engine; print(*sorted(sys.modules.keys() & {set(LATE.split())}))"
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stderr, done.stdout.split()) == ("", [])
