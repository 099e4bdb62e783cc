"""``studio runs``, ``cancel`` and ``takeover``: runs that are there already, also those that another process has."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import signal
from pathlib import Path

import pytest

from engine import Engine
from studio.loader import load
from tests.cli.call import started, studio, wait_for

FLOWS = """
import asyncio
from engine import StepContext, create_workflow, step

@step
async def ask(name: str, ctx: StepContext) -> str:
    return f"{name} {await ctx.ask('Well?', str)}"

@step
async def work(seconds: float, ctx: StepContext) -> int:
    await asyncio.sleep(0 if ctx.attempt > 1 else seconds)
    return ctx.attempt

asks = create_workflow(id="asks", input_schema=str).then(ask)
works = create_workflow(id="works", input_schema=float).then(work)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    (tmp_path / "workflows.py").write_text(FLOWS, "utf-8")
    return tmp_path


def leave(folder: Path, *starts: tuple[str, str, object], paused: bool = False) -> None:
    """Runs with these ids, of these workflows, on these inputs (``None``: not started), in the usual store; at rest."""
    flows = load(str(folder / "workflows.py"))
    (folder / ".studio").mkdir(mode=0o700, exist_ok=True)

    async def run() -> None:
        async with Engine(flows.values(), store=f"sqlite:///{folder / '.studio' / 'studio.db'}") as engine:
            for run_id, workflow, input in starts:
                made = await engine.create_run(workflow, run_id=run_id)
                if input is not None:
                    await made.start(input, paused=paused)

    asyncio.run(run())


def test_runs_are_listed_newest_first_a_line_for_each(folder: Path) -> None:
    assert studio("runs", cwd=folder) == (0, "", "no run yet in .studio/studio.db\n")
    leave(folder, ("a-1", "asks", "Ada"), ("b-1", "works", 0), ("a-2", "asks", "Bob"))
    code, out, err = studio("runs", cwd=folder)
    assert (code, err) == (0, "")
    assert [re.split(r"\s{2,}", line)[:3] for line in out.splitlines()] == [
        ["a-2", "suspended", "asks"],
        ["b-1", "success", "works"],
        ["a-1", "suspended", "asks"],
    ]
    assert re.search(r"(just now|\d+ s ago)$", out)


def test_a_list_is_narrowed_and_read_by_programs(folder: Path) -> None:
    leave(folder, ("a-1", "asks", "Ada"), ("b-1", "works", 0), ("a-2", "asks", "Bob"))

    def ids(*words: str) -> tuple[int, list[str], str]:
        code, out, err = studio("runs", "--json", *words, cwd=folder)
        return code, [row["run_id"] for row in json.loads(out)], err

    assert ids("--status", "suspended") == (0, ["a-2", "a-1"], "")
    assert ids("--status", "success", "--status", "failed") == (0, ["b-1"], "")
    assert ids("--workflow", "works") == (0, ["b-1"], "")
    assert ids("--limit", "1") == (0, ["a-2"], "there are more; --limit 10 shows them\n")
    assert ids("--workflow", "none") == (0, [], "no run that fits in .studio/studio.db\n")
    (row,) = json.loads(studio("runs", "--json", "--workflow", "works", cwd=folder)[1])
    assert {key: row[key] for key in ("run_id", "workflow_id", "status", "tags", "blocked")} == {
        "run_id": "b-1",
        "workflow_id": "works",
        "status": "success",
        "tags": [],
        "blocked": None,
    }


def test_a_run_is_cancelled_by_enough_of_its_id_or_both_its_ends(folder: Path) -> None:
    leave(folder, ("abc-1", "asks", "Ada"), ("abd-2", "asks", "Bob"), ("b", "asks", "Cyd"))
    assert studio("cancel", "abc", "--reason", "twice", cwd=folder) == (0, "canceled abc-1\n", "")
    assert studio("cancel", "a…2", cwd=folder) == (0, "canceled abd-2\n", "")
    assert studio("cancel", "b", cwd=folder) == (0, "canceled b\n", "")
    said = "run abc-1 has ended already (canceled); nothing was changed\n"
    assert studio("cancel", "abc-1", cwd=folder) == (2, "", said)


def test_an_id_that_does_not_say_which_run_names_those_that_may_be_meant(folder: Path) -> None:
    leave(folder, ("abc-1", "asks", "Ada"), ("abd-2", "asks", "Bob"))
    said = "'ab' fits several runs: abd-2, abc-1; type more of the id\n"
    assert studio("cancel", "ab", cwd=folder) == (2, "", said)
    said = "there is no run 'abx-1'; is it one of these? abc-1, abd-2\n"
    assert studio("cancel", "abx-1", cwd=folder) == (2, "", said)


def test_a_run_is_cancelled_without_its_code(folder: Path) -> None:
    leave(folder, ("abc-1", "asks", "Ada"))
    assert studio("cancel", "abc", "--target", "studio.examples", cwd=folder) == (0, "canceled abc-1\n", "")


def test_a_run_of_another_process_is_cancelled_by_that_one(folder: Path) -> None:
    with started("run", "works", "--input", "60", cwd=folder) as running:
        run_id = wait_for(running, "  run ").split()[1]
        assert studio("cancel", run_id, cwd=folder) == (0, f"canceled {run_id}\n", "")
        assert running.wait(10) == 4


def test_a_run_whose_process_is_stuck_is_taken_over(folder: Path) -> None:
    """The stuck one can write no more of it, and says so when it wakes up."""
    with started("run", "works", "--input", "60", cwd=folder) as running:
        run_id = wait_for(running, "  run ").split()[1]
        wait_for(running, "  input ")
        running.send_signal(signal.SIGSTOP)
        code, out, err = studio("takeover", run_id[:30], cwd=folder)
        running.send_signal(signal.SIGCONT)
        assert (code, err) == (0, "")
        assert out.splitlines()[0] == f"  took over {run_id}"
        assert out.splitlines()[-2:] == ["  success", "      2"]
        shown, complaints = running.communicate(timeout=10)
        assert (running.returncode, shown.splitlines()[-2:]) == (0, ["  success", "      2"])
        assert complaints == "" or complaints.endswith("it goes on elsewhere\n")
    said = f"run {run_id} has ended (success); there is nothing to take over\n"
    assert studio("takeover", run_id, cwd=folder) == (2, "", said)


def test_a_run_is_not_taken_over_without_its_code(folder: Path) -> None:
    leave(folder, ("abc-1", "asks", "Ada"))
    code, out, err = studio("takeover", "abc", "--target", "studio.examples", cwd=folder)
    assert (code, out) == (2, "")
    assert err.startswith("run abc-1 is of workflow 'asks', whose code is not here (there is: weather, csv-import, ")
    assert studio("runs", "--json", cwd=folder)[1].count('"blocked": null') == 1


def test_a_pipe_that_is_closed_early_is_no_error(folder: Path) -> None:
    leave(folder, ("abc-1", "asks", "Ada"))
    with started("runs", cwd=folder) as running:
        assert running.stdout is not None
        running.stdout.close()
        assert (running.wait(10), running.stderr and running.stderr.read()) == (0, "")
        running.stdout = None


def test_a_store_may_have_any_name_and_is_named_so_that_a_shell_takes_it(folder: Path) -> None:
    code, out, _ = studio("run", "asks", "--input", '"Ada"', "--store", "my runs 50%41.db", cwd=folder)
    assert code == 3
    assert (folder / "my runs 50%41.db").exists()
    (words,) = re.findall(r"Go on with it: studio (.*)", out)
    assert studio(*shlex.split(words), "--answer", '"fine"', cwd=folder)[0] == 0
    assert studio("runs", "--store", "sqlite:///my%20runs%2050%2541.db", cwd=folder)[1].count("success") == 1
