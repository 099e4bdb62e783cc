"""``studio verify DB``: check a database of runs."""

from __future__ import annotations

import argparse
import subprocess
import sys

from studio.flags import Commands


def add(commands: Commands) -> None:
    """Declare it."""
    parser = commands.add(
        "verify", verify, "check a database of runs, reading only", example="studio verify .studio/studio.db"
    )
    parser.add_argument("database", metavar="DB", help="file or URL")


def verify(chosen: argparse.Namespace) -> int:
    """Check a database. The engine does it on its own command line, which is its public door."""
    return subprocess.run([sys.executable, "-m", "engine", "verify", chosen.database], check=False).returncode
