"""The example that fails on purpose, and the ways on from there."""

from __future__ import annotations

from studio.examples.timesheet import timesheet_workflow
from tests.fixtures import OpenEngine, launch, statuses


async def test_a_month_without_the_odd_sheet_is_written(open_engine: OpenEngine) -> None:
    engine = await open_engine(timesheet_workflow)
    result = await (await launch(engine, timesheet_workflow, {"month": "may"})).result()
    assert result.result == ["Ada: 35.00 euros an hour", "Dan: 30.00 euros an hour"]


async def test_the_failed_step_shows_why_and_a_fork_with_another_input_goes_on(open_engine: OpenEngine) -> None:
    engine = await open_engine(timesheet_workflow)
    run = await launch(engine, timesheet_workflow, {})
    failed = await run.result()
    assert failed.error is not None
    assert (failed.status, failed.error["type"], failed.error["step"]) == (
        "failed",
        "ZeroDivisionError",
        "work_out_rate[2]",
    )
    assert "in per_hour" in failed.error["traceback"]
    odd = failed.steps["work_out_rate[2]"].input
    assert odd == {"name": "Cleo", "hours": 0.0, "euros": 1200.0}
    fork = await run.fork("work_out_rate[2]", input={**odd, "hours": 40})
    result = await fork.wait()
    assert (result.status, result.result) == (
        "success",
        [
            "Ada: 35.00 euros an hour",
            "Cleo: 30.00 euros an hour",
            "Dan: 30.00 euros an hour",
            "Bo: 28.00 euros an hour",
        ],
    )
    assert statuses(failed.steps)["sort_sheets"] == "success"
