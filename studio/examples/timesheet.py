"""A pay list with a mistake in it: it fails on purpose, so that you can find out why.

Shows: what is kept of a failure (the input of the step, the error with the lines that raised it, what had finished
before), and how to go on: open the run, choose the step that failed, read its input; then fork the run there with
another input. What had finished is kept.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from engine import create_workflow, step


class Sheet(BaseModel):
    """What one person has worked in a month, and what was paid for it."""

    name: str
    hours: float
    euros: float


MAY = [Sheet(name="Dan", hours=160, euros=4800), Sheet(name="Ada", hours=152, euros=5320)]
JUNE = [*MAY, Sheet(name="Cleo", hours=0, euros=1200), Sheet(name="Bo", hours=80, euros=2240)]


class Month(BaseModel):
    """Which list to write."""

    month: Literal["may", "june"] = Field(default="june", description="May can be written, June fails")


class Rate(BaseModel):
    """What somebody gets for an hour."""

    name: str
    euros_per_hour: float


@step
async def sort_sheets(month: Month) -> list[Sheet]:
    """All sheets of the month, by name."""
    return sorted(MAY if month.month == "may" else JUNE, key=lambda sheet: sheet.name)


def per_hour(euros: float, hours: float) -> float:
    """The pay of an hour. The mistake is here: somebody on leave has worked no hour at all."""
    return round(euros / hours, 2)


@step
async def work_out_rate(sheet: Sheet) -> Rate:
    """What this person gets for an hour."""
    return Rate(name=sheet.name, euros_per_hour=per_hour(sheet.euros, sheet.hours))


@step
async def write_list(rates: list[Rate]) -> list[str]:
    """A line for each person, the highest rate first."""
    ordered = sorted(rates, key=lambda rate: -rate.euros_per_hour)
    return [f"{rate.name}: {rate.euros_per_hour:.2f} euros an hour" for rate in ordered]


timesheet_workflow = (
    create_workflow(
        id="timesheet",
        input_schema=Month,
        description="Work out what people earn per hour. It fails on purpose: run it, and find out why",
    )
    .then(sort_sheets)
    .foreach(work_out_rate)
    .then(write_list)
    .commit()
)
