"""The engine's command line: ``python -m engine graph TARGET`` and ``python -m engine verify DB``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Read the command line and do what it asks; the exit code."""
    parser = argparse.ArgumentParser("python -m engine", description="Draw workflows, check databases of runs.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    graph = commands.add_parser("graph", help="draw a workflow")
    verify = commands.add_parser("verify", help="check a database of runs, reading only", add_help=False)
    verify.add_argument("rest", nargs=argparse.REMAINDER)
    # Each command loads what it needs: Graphviz, or SQLite.
    if arguments[:1] == ["verify"]:
        from engine.verify import main as verify_store  # noqa: PLC0415

        return verify_store(arguments[1:])
    from engine.graph import cli  # noqa: PLC0415

    cli.add_arguments(graph)
    return cli.run(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
