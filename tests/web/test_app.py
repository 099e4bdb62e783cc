"""The application around the pages: what it answers when something is wrong, and what stands outermost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Body
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient

from engine import AlreadyEnded, create_workflow
from studio.app import Application, create_app
from studio.hosting import EngineBlocked, Hosting, Trouble
from tests.fixtures import add

HOME = "http://127.0.0.1:4111"


class Count(BaseModel):
    n: int


router = APIRouter()


@router.get("/api/broken")
@router.get("/broken")
async def broken() -> None:
    raise LookupError("the secret place")


@router.get("/api/ended")
async def ended() -> None:
    raise AlreadyEnded("run 'x' has ended")


@router.get("/api/blocked")
async def blocked() -> None:
    raise EngineBlocked(Trouble(1.5, "r", "w", "s", "flows.py", 7, "s"), under_way=False)


@router.get("/api/gone")
async def gone() -> None:
    raise HTTPException(410, "It was deleted.")


@router.post("/api/counts")
async def count(body: Annotated[Count, Body()]) -> int:
    return body.n


@pytest.fixture(scope="module")
def app() -> Iterator[Application]:
    with Hosting([create_workflow(id="w").then(add("a"))]) as hosting:
        app = create_app(hosting)
        app.include_router(router)
        yield app


@pytest.fixture(scope="module")
def client(app: Application) -> Iterator[TestClient]:
    with TestClient(app, base_url=HOME) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "status", "title", "detail"),
    [
        ("/api/nowhere", 404, "Not Found", "There is no such page."),
        ("/api/ended", 409, "Not possible now", "run 'x' has ended"),
        ("/api/gone", 410, "Gone", "It was deleted."),
    ],
)
def test_programs_get_problem_json(client: TestClient, path: str, status: int, title: str, detail: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json() == {"type": "about:blank", "title": title, "status": status, "detail": detail}


def test_a_blocked_engine_is_503_with_step_and_line(client: TestClient) -> None:
    answer = client.get("/api/blocked")
    assert (answer.status_code, answer.json()["detail"]) == (
        503,
        (
            "step 's' of workflow 'w' has blocked the engine for 1.5 s at flows.py, line 7, in s; other runs wait for "
            "it. Make it a plain function (it gets a thread), or await there. Nothing was changed; try again after "
            "that."
        ),
    )


def test_a_body_that_does_not_fit_is_400_with_the_field(client: TestClient) -> None:
    answer = client.post("/api/counts", json={"n": "many"}, headers={"origin": HOME})
    assert (answer.status_code, answer.json()["errors"]) == (
        400,
        [
            {
                "path": "body.n",
                "message": "Input should be a valid integer, unable to parse string as an integer",
            }
        ],
    )


@pytest.mark.parametrize("path", ["/broken", "/api/broken"])
def test_a_fault_of_ours_is_a_number_for_the_person_and_a_traceback_for_the_log(
    client: TestClient, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    answer = client.get(path)
    found: Any = re.search(r"failure ([0-9a-f]{8}): GET", caplog.text)
    assert (answer.status_code, found.group(1) in answer.text) == (500, True)
    assert "the secret place" in caplog.text
    assert [word for word in ("secret", "Traceback", "LookupError") if word in answer.text] == []


def test_a_page_that_is_not_there_is_a_page(client: TestClient) -> None:
    answer = client.get("/nowhere")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is no such page." in answer.text


def test_the_guard_is_outermost(client: TestClient) -> None:
    for path in ("/", "/nowhere", "/broken", "/healthz", "/static/none"):
        answer = client.get(path)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert client.get(path, headers={"host": "other.test"}).status_code in (403, 421)


def test_assets_are_served(client: TestClient, app: Application) -> None:
    for name in ("app.css", "vendor.js"):
        assert client.get(app.state.assets.url(name)).status_code == 200


def test_no_documentation_is_served_that_loads_from_elsewhere(client: TestClient) -> None:
    assert [client.get(path).status_code for path in ("/docs/oauth2-redirect", "/redoc")] == [404] * 2
    assert "://" not in client.get("/docs").text.replace(HOME, "")
