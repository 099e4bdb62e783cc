"""What the studio feels like: ``python -m tests.benchmarks studio``.

    python -m tests.benchmarks studio                       everything, about four minutes
    python -m tests.benchmarks studio --only start,lists    these parts: start, pages, lists, viewers
    python -m tests.benchmarks studio --runs 10000          lists over so many runs (default: a million)
    python -m tests.benchmarks studio --kept FOLDER         where the file with those runs is kept (600 MB)
    python -m tests.benchmarks studio --json FILE           keep the figures too

The studio is the real command in a process of its own, pages are opened by Chromium, which has nothing kept. A goal
is shown with ✓ or ✗; nothing fails by it. On a busy machine everything takes longer: the load is in the first line.
What the browser itself takes to show anything, a line of text, is measured beside the pages, in the same browser.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks.figures import Figure, figures_table
from tests.benchmarks.studio_lists import lists
from tests.benchmarks.studio_pages import pages
from tests.benchmarks.studio_start import starts
from tests.benchmarks.studio_viewers import viewers


def main(arguments: list[str]) -> int:
    """Measure, and print the table."""
    asked = parse(arguments)
    found: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="benchmarks-studio-") as folder:
        for name, part in parts(asked, Path(folder)).items():
            if asked.only and name not in asked.only.split(","):
                continue
            for figure in part():
                sys.stderr.write(f"  {name}: {figure.what}\n")
                found.append(figure)
    met = [one.met for one in found if one.met is not None]
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    sys.stdout.write(f"{load}\n\n{figures_table(found)}\n\n{sum(met)} of {len(met)} goals met\n")
    if asked.json:
        Path(asked.json).write_text(json.dumps([asdict(one) for one in found], indent=1), "utf-8")
    return 0


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks studio",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", default="", help="names of parts, with commas between")
    parser.add_argument("--runs", type=int, default=1_000_000, help="runs in the lists")
    parser.add_argument("--viewers", type=int, default=200, help="viewers of one run")
    parser.add_argument("--events", type=int, default=500, help="events of that run")
    parser.add_argument("--repetitions", type=int, default=5, help="how often most is measured")
    parser.add_argument("--kept", type=Path, default=Path(tempfile.gettempdir()) / "benchmarks-runs")
    parser.add_argument("--json", metavar="FILE", help="write the figures there")
    return parser.parse_args(arguments)


def parts(asked: argparse.Namespace, folder: Path) -> dict[str, Callable[[], Iterator[Figure]]]:
    """What can be measured, in order."""
    times = asked.repetitions
    return {
        "start": lambda: starts(folder, times),
        "pages": lambda: pages(folder, times),
        "lists": lambda: lists(folder / "lists", kept=asked.kept, count=asked.runs, repetitions=times),
        "viewers": lambda: viewers(folder, (1, asked.viewers), asked.events),
    }
