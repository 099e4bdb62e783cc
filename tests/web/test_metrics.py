"""Figures of steps: what the last runs of a workflow add up to."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from engine import RetryPolicy, StepContext, create_workflow, step
from studio.app import create_app
from studio.hosting import Hosting
from studio.pages import metrics as metrics_page
from studio.views.metrics import MetricsView, Tally, metrics_view, tally
from studio.views.workflows import quantile
from tests.fixtures import add

HOME = "http://127.0.0.1:4111"


@step(retry=RetryPolicy(attempts=3, delay=0.001))
async def shaky(data: dict[str, int], ctx: StepContext) -> dict[str, int]:
    if ctx.attempt <= data["n"]:
        raise ConnectionError("no answer")
    return data


shop = create_workflow(id="shop").then(add("first")).then(shaky).then(add("last"))


@pytest.fixture
def hosting(store_url: str) -> Iterator[Hosting]:
    with Hosting([shop, create_workflow(id="idle").then(add("a"))], store=store_url) as hosting:
        yield hosting


@pytest.fixture
def client(hosting: Hosting) -> Iterator[TestClient]:
    with TestClient(create_app(hosting), base_url=HOME) as client:
        yield client


def launch(hosting: Hosting, *numbers: int) -> list[str]:
    """A run for each number of failures at the shaky step, which it takes one more than (``add`` comes before)."""

    async def begin() -> list[str]:
        ids = []
        for number in numbers:
            run = await hosting.engine.create_run("shop")
            await run.start({"n": number})
            ids.append(run.run_id)
        return ids

    return asyncio.run_coroutine_threadsafe(begin(), hosting.loop).result(10)


def measured(hosting: Hosting, by: str = "") -> MetricsView:
    return asyncio.run(metrics_page.metrics_of(hosting, shop, by))


def test_executions_failures_and_retries_are_counted_by_step(hosting: Hosting) -> None:
    """Of three runs one fails for good at its third try, one works at the second, one at once."""
    good, slow, bad = launch(hosting, -1, 0, 9)
    view = measured(hosting, "retries")
    assert (view.runs, view.is_cut, view.measure) == (3, False, "retries")
    assert [(one.place, one.count, one.failures, one.retries) for one in view.steps] == [
        ("first", 3, 0, 0),
        ("shaky", 3, 1, 3),
        ("last", 2, 0, 0),
    ]
    assert [one.failed_href for one in view.steps] == ["", f"/runs/{bad}?step=shaky", ""]
    assert view.steps[1].longest_href in {f"/runs/{run}?step=shaky" for run in (good, slow, bad)}
    assert [one.share for one in view.steps] == [0.0, 1.0, 0.0]
    assert view.heat == {"first": (0, "0 retries"), "shaky": (4, "3 retries"), "last": (0, "0 retries")}


def test_the_time_of_a_step_is_that_in_which_it_worked() -> None:
    """Waits for a person, a timer or the next try are left out; rounds and items are executions of one place."""
    tallies: dict[str, Tally] = {}
    happened = [
        (0.0, "step.started", "ask"),
        (1.0, "step.suspended", "ask"),
        (101.0, "step.resumed", "ask"),
        (103.0, "step.succeeded", "ask"),
        (103.0, "step.started", "item[0]"),
        (103.5, "step.retrying", "item[0]"),
        (200.0, "step.started", "item[0]"),
        (200.5, "step.failed", "item[0]"),
        (200.0, "step.started", "item[1]"),
        (200.25, "step.succeeded", "item[1]"),
        (201.0, "step.started", "open"),
    ]
    tally("r", happened, tallies)
    assert tallies == {
        "ask": Tally(1, 0, 0, [3.0], (3.0, "r", "ask")),
        "item[]": Tally(2, 1, 1, [1.0, 0.25], (1.0, "r", "item[0]"), ("r", "item[0]")),
        "open": Tally(1),
    }


def test_levels_are_shares_of_the_largest() -> None:
    steps = [add(name) for name in ("a", "b", "c", "d")]
    flow = create_workflow(id="w").then(steps[0]).then(steps[1]).then(steps[2]).then(steps[3])
    tallies = {"a": Tally(1, seconds=[8.0]), "b": Tally(1, seconds=[4.0]), "c": Tally(1, seconds=[0.1])}
    view = metrics_view(flow, tallies, runs=1, events=9, is_cut=False, measure="nonsense")
    assert view.heat == {"a": (4, "p95 8 s"), "b": (2, "p95 4 s"), "c": (1, "p95 100 ms")}
    assert [one.count for one in view.steps] == [1, 1, 1, 0]


@pytest.mark.parametrize(("share", "found"), [(0.5, 2.0), (0.95, 4.0), (0.0, 1.0)])
def test_a_quantile_is_one_of_the_values(share: float, found: float) -> None:
    assert quantile([1.0, 2.0, 4.0], share) == found
    assert quantile([], share) is None


def test_what_is_read_has_a_bound_and_the_page_says_so(
    hosting: Hosting, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch(hosting, -1, -1, -1, -1)
    monkeypatch.setattr(metrics_page, "EVENTS", 12)
    view = measured(hosting)
    assert (view.runs, view.events, view.is_cut) == (2, 12, True)
    page = client.get("/workflows/shop?tab=metrics").text
    assert "The last 2 runs, as far as 12 events reach" in page


def test_the_page_has_the_figures_the_coloured_picture_and_its_choice_in_the_address(
    hosting: Hosting, client: TestClient
) -> None:
    launch(hosting, 9)
    page = client.get("/workflows/shop?tab=metrics&by=failures").text
    assert "The last 1 run" in page
    assert re.findall(r'<a class="chip" href="([^"]+)"( aria-current="true")?>', page) == [
        ("/workflows/shop?tab=metrics&amp;by=p95", ""),
        ("/workflows/shop?tab=metrics&amp;by=failures", ' aria-current="true"'),
        ("/workflows/shop?tab=metrics&amp;by=retries", ""),
    ]
    assert re.findall(r'data-heat="(\d)".*?<text[^>]*>([^<]+)<', page, re.DOTALL) == [
        ("0", "0 failures"),
        ("4", "1 failure"),
    ]
    assert "Nothing to measure yet" in client.get("/workflows/idle?tab=metrics").text


def test_a_chosen_step_is_in_the_address(hosting: Hosting, client: TestClient) -> None:
    launch(hosting, -1)
    href = measured(hosting).steps[1].href
    assert 'data-selected="shaky"' in client.get(href).text
    assert client.get("/workflows/shop?tab=metrics&step=<b>").status_code == 200
