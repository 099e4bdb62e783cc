"""The benchmarks run: every contender gives the right answers, and the table has all its lines. No time is judged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import main
from tests.benchmarks.report import GOALS
from tests.benchmarks.workloads import COLD, HEATS


def test_every_contender_does_every_workload_and_answers_rightly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = tmp_path / "found.json"

    assert (
        main(["--quick", "--scale", "100", "--repetitions", "1", "--json", str(found), "--folder", str(tmp_path)]) == 0
    )

    said = json.loads(found.read_text("utf-8"))
    everything = [
        (workload.key, contender, 0, "")
        for workload in (*(workload for heat in HEATS for workload in heat), COLD)
        for contender in workload.contenders
    ]
    rows = [(row["workload"], row["contender"], row["wrong"], row["note"]) for row in said["rows"]]
    goals = [(goal["workload"], goal["contender"], goal["what"]) for goal in said["goals"] if goal["value"] is not None]
    assert rows == everything
    assert goals == [(goal.workload, goal.contender, goal.what) for goal in GOALS]
    table = capsys.readouterr().out
    assert [line.split()[0] for line in table.splitlines() if line.startswith("  ") and "us/step  " not in line] == [
        contender for _, contender, _, _ in everything
    ]
