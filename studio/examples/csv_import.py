"""Import a CSV file: check every row, let a person decide about the bad ones, write the good ones.

Shows: ``foreach`` with several items at once, ``ask`` (the run waits for an answer, for as long as it takes),
``result_of``, and a write that may safely happen twice.
"""

from __future__ import annotations

import csv
import json
import re
import tempfile
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from engine import StepContext, create_workflow, step

CONTACTS = Path(__file__).parent / "data" / "contacts.csv"
COLUMNS = ("name", "email", "born")


class Import(BaseModel):
    """What to read, and where to write."""

    source: Path = Field(default=CONTACTS, description="A CSV file with the columns name, email and born")
    target: Path | None = Field(default=None, description="The JSON file to write; if left out, in a temporary folder")


class Row(BaseModel):
    """One line of the file, as it stands there."""

    line: int
    name: str = ""
    email: str = ""
    born: str = ""


class Checked(BaseModel):
    """A row and what is wrong with it."""

    row: Row
    faults: list[str]


class Decision(BaseModel):
    """What to do about the rows with faults."""

    bad_rows: Literal["leave out", "import anyway", "stop"] = Field(
        default="leave out", description="What shall happen to the rows with faults?"
    )


class Imported(BaseModel):
    """What was written, and what was not."""

    target: Path
    written: int
    left_out: list[int]


@step
def read_rows(order: Import) -> list[Row]:
    """Read the file, without judging it."""
    with order.source.open(encoding="utf-8", newline="") as file:
        lines = enumerate(csv.DictReader(file), start=2)  # line 1 has the names of the columns
        return [Row(line=line, **{key: cells.get(key) or "" for key in COLUMNS}) for line, cells in lines]


@step
async def check_row(row: Row) -> Checked:
    """Say everything that is wrong with one row."""
    faults = [] if row.name.strip() else ["the name is missing"]
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", row.email):
        faults.append(f"{row.email!r} is not an e-mail address")
    try:
        date.fromisoformat(row.born or "1970-01-01")
    except ValueError:
        faults.append(f"{row.born!r} is not a date")
    return Checked(row=row, faults=faults)


@step
async def decide(checked: list[Checked], ctx: StepContext) -> list[Row]:
    """Keep the good rows; ask a person about the others. Without faults nobody is asked."""
    good = [one.row for one in checked if not one.faults]
    bad = [one for one in checked if one.faults]
    if not bad:
        return good
    faults = {f"line {one.row.line}": one.faults for one in bad}
    decision = await ctx.ask({"good rows": len(good), "faults": faults}, Decision, title=f"{len(bad)} rows have faults")
    if decision.bad_rows == "stop":
        ctx.bail(None)  # ends the run here, and nothing is written
    return good if decision.bad_rows == "leave out" else [one.row for one in checked]


@step
def write_rows(rows: list[Row], ctx: StepContext) -> Imported:
    """Write the rows. A crash in the middle leaves no half file, and doing it again gives the same one."""
    target: Path = ctx.init.target or Path(tempfile.gettempdir()) / f"studio-{ctx.run_id}" / "contacts.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    found = ctx.result_of(read_rows) or []
    unfinished = target.with_name(target.name + ".part")
    people = [row.model_dump(exclude={"line"}) for row in rows]
    unfinished.write_text(json.dumps(people, indent=2, ensure_ascii=False) + "\n", "utf-8")
    unfinished.replace(target)
    kept = {row.line for row in rows}
    return Imported(target=target, written=len(rows), left_out=[row.line for row in found if row.line not in kept])


csv_import_workflow = (
    create_workflow(id="csv-import", input_schema=Import, description="Import a CSV file, and ask about its bad rows")
    .then(read_rows)
    .foreach(check_row, concurrency=4)
    .then(decide)
    .then(write_rows)
    .commit()
)
