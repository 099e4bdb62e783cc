"""Every page has a twin for programs: the same data, at its address with .json behind it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import pytest
from starlette.testclient import TestClient

from engine import Run, StepContext, create_workflow, step
from studio.app import create_app, page_routers
from studio.hosting import Hosting
from studio.plain import Looks, plain, plain_text
from tests.fixtures import add

HOME = "http://127.0.0.1:4111"
POST = {"origin": HOME}


@step
async def ask(data: Any, ctx: StepContext) -> Any:
    return await ctx.ask({"amount": 3, "api_key": "abc-123-very-secret"}, int, title="How many?")


good = create_workflow(id="good", description="Adds", input_schema=dict[str, int]).then(add("first"))
asks = create_workflow(id="asks").then(ask)


@pytest.fixture
def hosting(store_url: str) -> Iterator[Hosting]:
    with Hosting([good, asks], store=store_url) as hosting:
        yield hosting


@pytest.fixture
def client(hosting: Hosting) -> Iterator[TestClient]:
    with TestClient(create_app(hosting), base_url=HOME, follow_redirects=False) as client:
        yield client


def launch(hosting: Hosting, workflow: str, **options: Any) -> Run:
    async def begin() -> Run:
        run = await hosting.engine.create_run(workflow, **options)
        await run.start({"n": 1})
        return run

    return asyncio.run_coroutine_threadsafe(begin(), hosting.loop).result(5)


def data_of(client: TestClient, path: str) -> Any:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json"), answer.text
    return answer.json()


def test_every_page_has_a_twin_and_says_where() -> None:
    """All pages that are read are registered with their twins; the rest are parts of pages, downloads and addresses
    that only lead on or ask again."""
    paths = {route.path for router in page_routers() for route in router.routes if "GET" in (route.methods or ())}
    twins = {path for path in paths if path.endswith(".json")}
    assert twins == {
        "/index.json", "/workflows.json", "/workflows/{id}.json", "/runs.json", "/runs/{run_id}.json",
        "/approvals.json", "/approvals/{token}.json", "/settings.json", "/openapi.json",
    }  # fmt: skip


@pytest.mark.parametrize("path", ["/", "/workflows/good?tab=runs", "/runs?status=success", "/approvals", "/settings"])
def test_a_page_names_its_twin(client: TestClient, path: str) -> None:
    (twin,) = re.findall(r'<link rel="alternate" type="application/json" href="([^"]+)">', client.get(path).text)
    assert client.get(twin).status_code == 200
    assert twin == {"/": "/workflows.json"}.get(path) or twin.replace(".json", "") == path


def test_workflows(client: TestClient, hosting: Hosting) -> None:
    run = launch(hosting, "good")
    data = data_of(client, "/workflows.json?q=good")
    assert data == data_of(client, "/index.json?q=good")
    (card,) = data["workflows"]
    assert (card["name"], card["runs"], card["questions"], card["success"]) == ("good", 1, 0, 1.0)
    assert card["bars"] == [{"status": "success", "href": f"/runs/{run.run_id}"}]
    assert "mini" not in card
    assert data["problems"] == []


def test_one_workflow_has_what_its_tab_has(client: TestClient, hosting: Hosting) -> None:
    run = launch(hosting, "good")
    data = data_of(client, "/workflows/good.json")
    assert {name: data[name] for name in ("id", "description", "counts")} == {
        "id": "good",
        "description": "Adds",
        "counts": {"success": 1},
    }
    assert data["input_schema"]["type"] == "object"
    assert [one["place"] for one in data["steps"]] == ["first"]
    assert "runs" not in data
    assert [one["run_id"] for one in data_of(client, "/workflows/good.json?tab=runs")["runs"]] == [run.run_id]
    assert data_of(client, "/workflows/good.json?tab=metrics")["metrics"]["steps"][0]["count"] == 1
    assert data_of(client, "/workflows/asks.json")["input_schema"] is None


def test_runs_with_the_same_filters_and_the_next_page(client: TestClient, hosting: Hosting) -> None:
    ids = [launch(hosting, "good", tags=("t",)).run_id for _ in range(52)]
    launch(hosting, "asks")
    first = data_of(client, "/runs.json?workflow=good&tag=t&status=success")
    second = data_of(client, f"/runs.json?workflow=good&tag=t&after={first['next']}")
    assert [one["run_id"] for one in first["runs"] + second["runs"]] == ids[::-1]
    assert (second["next"], first["counts"]) == (None, {"success": 52})
    assert set(first["runs"][0]) == {
        "run_id", "href", "workflow_id", "status", "blocked", "created_at", "seconds", "tags", "parent"
    }  # fmt: skip


def test_a_run(client: TestClient, hosting: Hosting) -> None:
    run = launch(hosting, "asks")
    data = data_of(client, f"/runs/{run.run_id}.json")
    assert (data["status"], data["input"], data["statuses"]) == ("suspended", {"n": 1}, {"ask": "suspended"})
    assert (data["run"]["run_id"], data["question"]["title"], data["step"]) == (run.run_id, "How many?", None)
    assert [event["seq"] for event in data["events"]] == list(range(1, data["seq"] + 1))
    assert data["steps"]["ask"]["status"] == "suspended"
    assert data_of(client, f"/runs/{run.run_id}.json?step=ask")["step"]["path"] == "ask"


def test_questions_and_one_of_them(client: TestClient, hosting: Hosting) -> None:
    run = launch(hosting, "asks")
    data = data_of(client, "/approvals.json?workflow=asks")
    (question,) = data["questions"]
    assert (data["total"], data["next"]) == (1, None)
    assert {name: question[name] for name in ("title", "step", "run_id", "schema")} == {
        "title": "How many?",
        "step": "ask",
        "run_id": run.run_id,
        "schema": {"type": "integer"},
    }
    assert question == data_of(client, f"/approvals/{question['token']}.json?run={run.run_id}")


def test_secrets_are_hidden_as_on_the_page(client: TestClient, hosting: Hosting) -> None:
    run = launch(hosting, "asks")
    here = f"/runs/{run.run_id}"
    (asked,) = (one["seq"] for one in data_of(client, f"{here}.json")["events"] if one["type"] == "step.suspended")
    for path in ("/approvals.json", *(f"{here}{rest}" for rest in (".json", ".json?step=ask", f"?event={asked}"))):
        said = client.get(path).text
        assert "[redacted]" in said
        assert "abc-123-very-secret" not in said


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/runs.json?status=nonsense", 400),
        ("/runs.json?after=nonsense", 400),
        ("/runs.json?since=tomorrow", 400),
        ("/approvals.json?after=nonsense", 400),
        ("/workflows/nobody.json", 404),
        ("/runs/nobody.json", 404),
        ("/approvals/nobody.json", 404),
        ("/nothing.json", 404),
    ],
)
def test_what_is_wrong_is_a_problem_in_json(client: TestClient, path: str, status: int) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["status"] == status


def test_an_answered_question_is_a_problem_that_says_so(client: TestClient, hosting: Hosting) -> None:
    run = launch(hosting, "asks")
    token = data_of(client, "/approvals.json")["questions"][0]["token"]
    client.post(f"/approvals/{token}?run={run.run_id}", data={"_mode": "json", "_json": "3"}, headers=POST)
    assert client.get(f"/approvals/{token}.json?run={run.run_id}").json()["title"] == "Not Found"
    assert "answered" in client.get(f"/approvals/{token}.json?run={run.run_id}").json()["detail"]


@dataclass(frozen=True, slots=True)
class Shown:
    name: str
    colour: Looks[str]
    parts: tuple[Any, ...] = ()


def test_a_view_is_its_fields_but_for_what_is_for_the_eye() -> None:
    at = datetime(2026, 1, 31, 18, tzinfo=UTC)
    view = Shown("a", "red", (Shown("b", "blue"), at, timedelta(seconds=2), float("nan"), frozenset({1}), {1: None}))
    assert plain(view) == {
        "name": "a",
        "parts": [{"name": "b", "parts": []}, "2026-01-31T18:00:00.000Z", 2.0, None, [1], {"1": None}],
    }
    assert json.loads(plain_text("\ud800")) == "\ud800"
    assert plain_text("\ud800").isascii()
    assert plain(Annotated) == str(Annotated)
