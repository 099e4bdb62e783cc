"""The list of runs: filters, pages, and what is done with several at once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.testclient import TestClient

from engine import StepContext, create_workflow, step
from studio.app import create_app
from studio.hosting import Hosting
from tests.fixtures import add, fail

ORIGIN = "http://127.0.0.1:4111"
HEADERS = {"origin": ORIGIN}


@step
async def ask(data: Any, ctx: StepContext) -> Any:
    return await ctx.ask("How many?", int)


WORKFLOWS = (
    create_workflow(id="good").then(add("first")),
    create_workflow(id="bad").then(fail("broken")),
    create_workflow(id="asks").then(ask),
)


@contextmanager
def opened() -> Iterator[tuple[Hosting, TestClient]]:
    with Hosting(WORKFLOWS) as hosting, TestClient(create_app(hosting), base_url=ORIGIN) as client:
        yield hosting, client


def launch(hosting: Hosting, *workflows: str, tags: tuple[str, ...] = ()) -> list[str]:
    """Runs at rest, oldest first."""

    async def begin() -> list[str]:
        ids = []
        for workflow in workflows:
            run = await hosting.engine.create_run(workflow, tags=tags)
            await hosting.act(lambda run=run: run.start_soon({"n": 1}))
            await run.wait(10)
            ids.append(run.run_id)
        return ids

    return asyncio.run(begin())


def rows(html: str) -> list[str]:
    """The ids of the rows."""
    return re.findall(r'name="run" value="([^"]+)"', html)


def status_of(hosting: Hosting, run_id: str) -> str:
    async def ask_it() -> str:
        return await (await hosting.engine.get_run(run_id)).status()

    return asyncio.run(ask_it())


def test_an_empty_store_says_what_to_do_next() -> None:
    with opened() as (_, client):
        html = client.get("/runs").text
        assert "No runs yet" in html
        assert html.count('class="line"') == 1
        assert rows(html) == []


def test_runs_are_shown_newest_first_and_counted_by_status() -> None:
    with opened() as (hosting, client):
        ids = launch(hosting, "good", "good", "bad", "asks")
        html = client.get("/runs").text
        assert rows(html) == ids[::-1]
        found = re.findall(r'<a class="chip[^>]* href="([^"]+)"[^>]*>.*?<span class="num">(\d+)<', html)
        assert found == [
            ("/runs", "4"), ("/runs?status=suspended", "1"),
            ("/runs?status=failed", "1"), ("/runs?status=success", "2"),
        ]  # fmt: skip


def test_every_filter_is_in_the_address_and_they_join() -> None:
    with opened() as (hosting, client):
        [good, bad] = launch(hosting, "good", "bad", tags=("nightly",))
        [other] = launch(hosting, "good")
        shown = {
            query: rows(client.get(f"/runs?{query}").text)
            for query in (
                "status=failed", "workflow=good", "tag=nightly", "workflow=good&tag=nightly", f"text={other}",
                "since=2000-01-01T00:00", "until=2000-01-01T00:00", "status=&workflow=&tag=&text=&since=&until=",
            )
        }  # fmt: skip
        assert shown == {
            "status=failed": [bad],
            "workflow=good": [other, good],
            "tag=nightly": [bad, good],
            "workflow=good&tag=nightly": [good],
            f"text={other}": [other],
            "since=2000-01-01T00:00": [other, bad, good],
            "until=2000-01-01T00:00": [],
            "status=&workflow=&tag=&text=&since=&until=": [other, bad, good],
        }
        assert "No run fits" in client.get("/runs?tag=nobody").text
        html = client.get("/runs?workflow=good&tag=nightly").text
        assert 'href="/runs?status=success&amp;workflow=good&amp;tag=nightly"' in html  # a chip keeps the rest


def test_a_filter_that_there_is_not_is_a_400() -> None:
    with opened() as (_, client):
        for query in ("status=nonsense", "since=tomorrow", "after=nonsense"):
            assert client.get(f"/runs?{query}").status_code == 400, query


def test_pages_follow_each_other_without_a_gap() -> None:
    with opened() as (hosting, client):
        ids = launch(hosting, *["good"] * 53)
        html = client.get("/runs?workflow=good").text
        older = re.search(r'href="(/runs\?[^"]*after=[^"]+)"', html)
        assert older
        link = older[1].replace("&amp;", "&")
        assert parse_qs(urlsplit(link).query)["workflow"] == ["good"]
        assert rows(html) + rows(client.get(link).text) == ids[::-1]


def test_several_runs_are_canceled_rerun_and_deleted_at_once() -> None:
    with opened() as (hosting, client):
        asks = launch(hosting, "asks", "asks")
        body = {"do": "cancel", "run": asks, "query": "workflow=asks"}
        answer = client.post("/runs/bulk", data=body, headers=HEADERS, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/runs?workflow=asks")
        assert [status_of(hosting, run) for run in asks] == ["canceled", "canceled"]

        client.post("/runs/bulk", data={"do": "rerun", "run": asks}, headers=HEADERS)
        assert len(rows(client.get("/runs").text)) == 4

        asked = client.post("/runs/bulk", data={"do": "delete", "run": asks}, headers=HEADERS)
        assert "Delete 2 runs?" in asked.text
        assert re.findall(r'name="run" value="([^"]+)"', asked.text) == asks
        assert len(rows(client.get("/runs").text)) == 4
        client.post("/runs/bulk", data={"do": "delete", "run": asks, "sure": "yes"}, headers=HEADERS)
        assert set(rows(client.get("/runs").text)).isdisjoint(asks)


def test_what_could_not_be_done_is_said_and_the_rest_is_done() -> None:
    with opened() as (hosting, client):
        good, asks = launch(hosting, "good", "asks")
        answer = client.post("/runs/bulk", data={"do": "cancel", "run": [good, asks]}, headers=HEADERS)
        assert answer.status_code == 409
        assert f"1 of 2 could not be done: run &#39;{good}&#39; has ended" in answer.text
        assert status_of(hosting, asks) == "canceled"
        assert client.post("/runs/bulk", data={"do": "explode"}, headers=HEADERS).status_code == 400
        elsewhere = {"do": "cancel", "run": [good], "query": "after=x&next=//evil.test"}
        assert "evil.test" not in client.post("/runs/bulk", data=elsewhere, headers=HEADERS).text
