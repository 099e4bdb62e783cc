"""What the engine costs: ``python -m tests.benchmarks``.

    python -m tests.benchmarks                      everything, about six minutes
    python -m tests.benchmarks --quick              everything with few repetitions, about a minute
    python -m tests.benchmarks --only chain,loop    these workloads
    python -m tests.benchmarks --json FILE          keep every measurement too
    python -m tests.benchmarks --peers PYTHON       other engines beside ours, where that interpreter can import them
    python -m tests.benchmarks --folder FOLDER      put the stores there: the disk decides what a commit costs
    python -m tests.benchmarks studio               what the studio feels like, instead; see its --help

Each contender has a process of its own, and they are asked in turn, one at a time. The floors are the least that the
same work can cost: ``floor`` awaits the functions and checks what goes in and out, ``floor-sqlite`` writes a row a step
in its own transaction, ``floor-full`` syncs it to disk as well. Ours runs in memory, on SQLite as it comes
(``ours-sqlite``), and with every commit synced (``ours-full``).

Costs are per step. ``us/step`` is time on the clock (median, then least), ``CPU`` is CPU time of all threads of the
contender's process. On a busy machine compare CPU time, and rather as a multiple of the floors' (``x memory``,
``x sqlite``), taken within one repetition. ``B written`` went through write calls, ``B stored`` is what the files hold
in the end. A goal is shown with ✓ or ✗; nothing fails by it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.benchmarks.peers import PEERS
from tests.benchmarks.race import Plan, Sample, race
from tests.benchmarks.report import Results, table

FULL = Plan(repetitions=9, seconds=0.4, cold=9)
QUICK = Plan(repetitions=3, seconds=0.05, cold=3)


def main(arguments: list[str]) -> int:
    """Measure, print the table; 0 unless an answer was wrong or a contender of ours failed."""
    if arguments[:1] == ["studio"]:
        from tests.benchmarks.studio import main as measure_studio  # noqa: PLC0415 it loads a browser

        return measure_studio(arguments[1:])
    asked = parse(arguments)
    base = QUICK if asked.quick else FULL
    plan = Plan(
        repetitions=asked.repetitions or base.repetitions,
        seconds=base.seconds if asked.scale == 1 else 0,
        cold=min(base.cold, asked.repetitions or base.cold),
        scale=asked.scale,
        only=frozenset(filter(None, asked.only.split(","))),
        peers=tuple(PEERS) if asked.peers else (),
        python=asked.peers or sys.executable,
    )
    began = time.monotonic()

    def tell(keys: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:6.1f} s  {keys}\n")

    with tempfile.TemporaryDirectory(prefix="benchmarks-", dir=asked.folder) as folder:
        samples = list(race(plan, Path(folder), tell))
    results = Results(samples)
    small = f"\nevery workload divided by {plan.scale}: these figures say little" if plan.scale > 1 else ""
    sys.stdout.write(f"{machine()}{small}\n\n{table(results)}\n")
    if asked.json:
        Path(asked.json).write_text(json.dumps(document(samples, results), indent=1), "utf-8")
    return int(any(row.wrong or (row.note and row.contender not in plan.peers) for row in results.rows()))


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few repetitions, about a minute")
    parser.add_argument("--only", default="", help="keys of workloads, with commas between")
    parser.add_argument("--json", metavar="FILE", help="write every measurement there")
    parser.add_argument("--peers", metavar="PYTHON", help="an interpreter that has other engines")
    parser.add_argument("--folder", help="where the stores are put while it runs")
    parser.add_argument("--repetitions", type=int, help="how often everything is measured")
    parser.add_argument("--scale", type=int, default=1, help="divide every workload's size by this, to try it out")
    return parser.parse_args(arguments)


def machine() -> str:
    """What this was measured on."""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{python}, {platform.system()}, {os.cpu_count()} cores{load}"


def document(samples: list[Sample], results: Results) -> dict[str, Any]:
    """Everything, for programs."""
    verdicts = results.verdicts()
    return {
        "machine": machine(),
        "rows": [asdict(row) for row in results.rows()],
        "goals": [{**asdict(one.goal), "value": one.value, "met": one.met} for one in verdicts],
        "samples": samples,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
