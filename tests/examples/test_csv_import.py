"""The example of an import with a person's decision."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine import Engine, InvalidResume
from studio.examples.csv_import import CONTACTS, csv_import_workflow
from tests.fixtures import OpenEngine, launch

ADA = {"name": "Ada Archer", "email": "ada@example.org", "born": "1990-12-10"}
BEN = {"name": "Ben Boatman", "email": "ben at example.org", "born": "1985-03-02"}
CLEO = {"name": "Cleo Carver", "email": "cleo@example.org", "born": "2001-02-28"}
DAN = {"name": "Dan Dyer", "email": "dan@example.org", "born": "1979-02-30"}
EVE = {"name": "Eve Etcher", "email": "eve@example.org", "born": ""}
QUESTION = {
    "good rows": 3,
    "faults": {
        "line 3": ["'ben at example.org' is not an e-mail address"],
        "line 5": ["'1979-02-30' is not a date"],
    },
}


@pytest.mark.parametrize(
    ("answer", "written", "left_out"),
    [("leave out", [ADA, CLEO, EVE], [3, 5]), ("import anyway", [ADA, BEN, CLEO, DAN, EVE], [])],
)
async def test_a_person_decides_about_the_bad_rows(
    open_engine: OpenEngine, tmp_path: Path, answer: str, written: list[dict[str, str]], left_out: list[int]
) -> None:
    target = tmp_path / "out" / "people.json"
    engine = await open_engine(csv_import_workflow)
    run = await launch(engine, csv_import_workflow, {"target": str(target)})
    (asked,) = (await engine.suspensions(run.run_id)).items
    assert (asked.path, asked.title, asked.payload) == ("decide", "2 rows have faults", QUESTION)

    with pytest.raises(InvalidResume, match="bad_rows"):
        await run.resume({"bad_rows": "burn them"})
    result = await run.resume({"bad_rows": answer})
    assert (result.status, result.result) == (
        "success",
        {"target": str(target), "written": len(written), "left_out": left_out},
    )
    assert json.loads(target.read_text("utf-8")) == written
    assert [file.name for file in target.parent.iterdir()] == ["people.json"]


async def test_stop_ends_the_run_and_writes_nothing(open_engine: OpenEngine, tmp_path: Path) -> None:
    engine = await open_engine(csv_import_workflow)
    run = await launch(engine, csv_import_workflow, {"target": str(tmp_path / "people.json")})
    result = await run.resume({"bad_rows": "stop"})
    assert (result.status, result.result, result.steps["decide"].status) == ("success", None, "bailed")
    assert not (tmp_path / "people.json").exists()


async def test_without_faults_nobody_is_asked(open_engine: OpenEngine, tmp_path: Path) -> None:
    source, target = tmp_path / "good.csv", tmp_path / "people.json"
    source.write_text("name,email,born,extra\nAda Archer,ada@example.org,1990-12-10,x,too many\n", "utf-8")
    engine = await open_engine(csv_import_workflow)
    run = await launch(engine, csv_import_workflow, {"source": str(source), "target": str(target)})
    result = await run.result()
    assert (result.status, result.result) == ("success", {"target": str(target), "written": 1, "left_out": []})


async def test_the_question_outlives_the_process_that_asked_it(sqlite_url: str, tmp_path: Path) -> None:
    async with Engine([csv_import_workflow], store=sqlite_url) as engine:
        run = await launch(engine, csv_import_workflow, {"source": str(CONTACTS), "target": str(tmp_path / "p.json")})
    async with Engine([csv_import_workflow], store=sqlite_url) as engine:
        again = await engine.get_run(run.run_id)
        result = await again.resume({})
    assert (result.status, result.result["written"], result.steps["check_row"].attempts) == ("success", 3, 1)
