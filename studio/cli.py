"""The command ``studio``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from studio import __version__

EXAMPLES = Path(__file__).parent / "examples"


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and do what it asks; the exit code."""
    parser = argparse.ArgumentParser(prog="studio", description="See and steer the workflows of a Python file.")
    parser.add_argument("--version", action="version", version=f"studio {__version__}")
    parser.parse_args(arguments)
    names = sorted(path.stem for path in EXAMPLES.glob("*.py") if not path.stem.startswith("_"))
    print(f"Bundled examples: {', '.join(names) or 'none yet'}")
    return 0
