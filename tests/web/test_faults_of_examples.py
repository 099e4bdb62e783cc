"""Whose lines an error shows: those of a user's files, and of the bundled examples, which stand for them."""

from __future__ import annotations

from pathlib import Path

import pytest

import engine
import studio
from studio.examples.timesheet import timesheet_workflow
from studio.views.faults import fault, frames


async def test_the_error_of_an_example_shows_its_lines_the_innermost_first() -> None:
    found = fault((await timesheet_workflow.run({})).error)
    assert found is not None
    assert [(Path(frame.file).name, frame.function) for frame in found.users] == [
        ("timesheet.py", "per_hour"),
        ("timesheet.py", "work_out_rate"),
    ]
    assert found.users[0].text == "return round(euros / hours, 2)"


@pytest.mark.parametrize(
    ("file", "is_users"),
    [
        (f"{Path(engine.__file__).parent}/run.py", False),
        (f"{Path(engine.__file__).parent}_flows.py", True),
        (f"{Path(studio.__file__).parent}/server.py", False),
        (f"{Path(studio.__file__).parent}/examples/order.py", True),
        ("project/.venv/lib/site-packages/pydantic/main.py", False),
        ("project/flows.py", True),
    ],
)
def test_whose_a_frame_is(file: str, is_users: bool) -> None:
    (frame,) = frames(f'  File "{file}", line 3, in work\n    do()')
    assert frame.is_users is is_users
