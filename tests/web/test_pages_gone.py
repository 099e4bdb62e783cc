"""Runs of workflows whose code is gone: what they did is shown by the definition that they have recorded."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest
from starlette.testclient import TestClient

from engine import create_workflow
from studio.app import create_app
from studio.hosting import Hosting
from tests.fixtures import add
from tests.web.hosted import ORIGIN, POST
from tests.web.test_pages_run import TWO

OTHER = create_workflow(id="other").then(add("first"))


@contextmanager
def opened(file: Path) -> Iterator[TestClient]:
    """A studio that has the store, and not the code of its runs."""
    with Hosting([OTHER], store=f"sqlite:///{file}") as hosting, TestClient(create_app(hosting), base_url=ORIGIN) as at:
        yield at


@pytest.fixture(params=["ended", "paused"])
def left(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, str]:
    """A store with one run, and its id."""
    file = tmp_path / "runs.db"

    async def begin(hosting: Hosting) -> str:
        run = await hosting.engine.create_run("two")
        stops = ["second"] if request.param == "paused" else []
        await hosting.act(lambda: run.start_soon({"n": 1}, breakpoints=stops))
        await run.wait(10)
        return run.run_id

    with Hosting([TWO], store=f"sqlite:///{file}") as hosting:
        return file, asyncio.run(begin(hosting))


def test_a_run_whose_code_is_gone_is_drawn_as_it_was_recorded(left: tuple[Path, str]) -> None:
    file, run = left
    with opened(file) as at:
        html = at.get(f"/runs/{run}").text
        assert re.findall(r'data-status="\w+" data-place="(\w+)"', html) == ["first", "second"]
        assert re.findall(r'<a data-place="(\w+)"', html) == ["first", "second"]
        assert "is not loaded" in html
        assert at.get(f"/runs/{run}?view=journal&step=first&tab=code").status_code == 200
        assert at.get(f"/runs/{run}/regions").status_code == 200
        page = at.get(f"/runs/{run}/fork?step=first").text
        assert ('role="alert"' in page, "No picture" in page) == (True, True)
        answer = at.post(f"/runs/{run}/rerun", **POST)
        assert (answer.status_code, 'role="alert"' in answer.text) == (409, True)


def test_a_run_that_has_not_recorded_its_definition_says_so_plainly(left: tuple[Path, str]) -> None:
    file, run = left
    connection = apsw.Connection(str(file))
    connection.execute("DELETE FROM definitions")
    connection.execute("UPDATE runs SET version = NULL")
    connection.close()
    with opened(file) as at:
        answer = at.get(f"/runs/{run}")
        assert answer.status_code == 200
        assert "No picture of this run" in answer.text
        assert "step.started" in answer.text[answer.text.index('id="events-table"') :]
        chosen = at.get(f"/runs/{run}?event=2").text
        assert re.findall(r'<tr aria-current="true"><td class="num"><a[^>]*>(\d+)<', chosen) == ["2"]
        assert 'id="event" aria-label="Event 2"' in chosen
        assert f'href="/runs/{run}?view=graph&amp;event=3&amp;tab=events#event"' in chosen
        succeeded = at.get(f"/runs/{run}/events.ndjson").text.count("step.succeeded")
        assert succeeded == answer.text.count('<td class="tight mono">step.succeeded')
