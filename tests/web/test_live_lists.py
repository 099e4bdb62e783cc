"""Lists that are looked at: what a page's own frames have, told from the page as it was made."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from html import unescape
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketTestSession

from engine import Run, RunRow, StepContext, create_workflow, step
from studio.app import create_app
from studio.catalog import Loaded
from studio.hosting import Hosting
from studio.live import LIST_VIEWS, ListMoment, ListView
from studio.pages import live_lists
from tests.fixtures import add
from tests.web.waiting import until

HOME = "http://127.0.0.1:4111"
POST = {"origin": HOME}


@step
async def ask(data: Any, ctx: StepContext) -> Any:
    return await ctx.ask("How many?", int, title="How many?")


@step
async def ask_twice(data: Any, ctx: StepContext) -> Any:
    return await ctx.ask("How many?", int, title="First?")


@step
async def ask_again(data: Any, ctx: StepContext) -> Any:
    return await ctx.ask("How many?", int, title="Second?")


good = create_workflow(id="good").then(add("first"))
asks = create_workflow(id="asks").then(ask)
twice = create_workflow(id="twice").then(ask_twice).then(ask_again)


class Frames:
    """What a socket says, as regions of the page: id -> HTML."""

    def __init__(self, socket: WebSocketTestSession) -> None:
        self._socket = socket

    def next(self) -> dict[str, str]:
        """The next frame, without the numbers of the navigation."""
        content = self._socket.receive_json()["content"]
        pattern = r'<hx-partial hx-target="\[id=&quot;(.*?)&quot;\]"[^>]*>(.*?)</hx-partial>'
        return dict(re.findall(pattern, content, re.DOTALL))

    def until(self, region: str, said: str) -> dict[str, str]:
        """The first frame that says something in a region."""
        return until(lambda: frame if said in text((frame := self.next()).get(region, "")) else None)


class Site:
    """A studio, and who looks at it."""

    def __init__(self, hosting: Hosting, client: TestClient) -> None:
        self.hosting = hosting
        self.client = client

    def act(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.hosting.loop).result(10)

    def launch(self, workflow: str, **options: Any) -> Run:
        """A run at rest."""

        async def begin() -> Run:
            run = await self.hosting.engine.create_run(workflow, **options)
            await run.start({"n": 1})
            return run

        return self.act(begin())

    def answer(self, run: Run, value: int = 3) -> None:
        self.act(run.resume(value))

    @contextmanager
    def watch(self, path: str, meanwhile: Callable[[], Any] = lambda: None) -> Iterator[tuple[str, Frames]]:
        """A page, and the frames of the socket that it opens; ``meanwhile`` is done before it does."""
        page = self.client.get(path).text
        (address,) = re.findall(r'hx-ws:connect="(/ws[^"]*)"', page)
        meanwhile()
        with self.client.websocket_connect(f"ws://127.0.0.1:4111{unescape(address)}", headers=POST) as socket:
            yield page, Frames(socket)

    def token(self, run: Run) -> str:
        (one,) = self.act(self.hosting.engine.suspensions(run.run_id)).items
        return one.token


@pytest.fixture
def site(store_url: str) -> Iterator[Site]:
    with (
        Hosting([good, asks, twice], store=store_url) as hosting,
        TestClient(create_app(hosting), base_url=HOME) as client,
    ):
        yield Site(hosting, client)


def text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_a_row_changes_in_place_and_the_chips_count_along(site: Site) -> None:
    waits, _ = site.launch("asks"), site.launch("good")
    with site.watch("/runs") as (page, frames):
        assert f'id="state-{waits.run_id}"' in page
        first = frames.next()
        assert sorted(first) == ["run-chips", "runs-fresh"]  # nothing has changed since the page was made
        assert text(first["runs-fresh"]) == ""
        site.answer(waits)
        frame = frames.until(f"state-{waits.run_id}", "success")
        assert sorted(frame) == ["run-chips", "runs-fresh", f"state-{waits.run_id}", f"took-{waits.run_id}"]
        assert text(frame["run-chips"]) == "all 2 success 2"


def test_what_changed_before_the_socket_was_open_is_in_its_first_frame(site: Site) -> None:
    waits = site.launch("asks")
    with site.watch("/runs", lambda: site.answer(waits)) as (_, frames):
        assert text(frames.next()[f"state-{waits.run_id}"]) == "success"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "2 new runs, show"),
        ("?status=success", "2 new runs, show"),
        ("?workflow=good", "2 new runs, show"),
        ("?tag=t", "1 new run, show"),
        ("?text=GOO", "2 new runs, show"),
        ("?workflow=asks", ""),
        ("?status=failed", ""),
        ("?text=nothing", ""),
        ("?until=2000-01-01", ""),
    ],
)
def test_new_runs_are_counted_if_the_filters_let_them_through(site: Site, query: str, said: str) -> None:
    site.launch("good", tags=("t",))

    def more() -> None:
        site.launch("good", tags=("t",))
        site.launch("good")

    with site.watch(f"/runs{query}", more) as (page, frames):
        assert 'id="runs-fresh"' in page
        bar = frames.next()["runs-fresh"]
        assert text(bar) == said
        assert (f'href="/runs{query}"' in bar) == bool(said)


def test_a_run_that_comes_to_a_status_is_new_to_the_list_of_that_status(site: Site) -> None:
    waits = site.launch("asks")
    with site.watch("/runs?status=success", lambda: site.answer(waits)) as (_, frames):
        assert text(frames.next()["runs-fresh"]) == "1 new run, show"


def test_the_table_of_one_workflow_is_live_too(site: Site) -> None:
    waits = site.launch("asks")
    with site.watch("/workflows/asks?tab=runs") as (page, frames):
        assert "1 waiting" in text(page)
        site.launch("good")
        frame = frames.next()
        assert text(frame["workflow-waiting"]) == "1 waiting"
        assert text(frame["runs-fresh"]) == ""
        site.answer(waits)
        frame = frames.until("workflow-waiting", "")
        assert (
            text(until(lambda: frame.get(f"state-{waits.run_id}") or frames.next().get(f"state-{waits.run_id}")))
            == "success"
        )


def test_a_card_shows_new_runs_and_what_waits_and_the_others_are_left_alone(site: Site) -> None:
    with site.watch("/") as (page, frames):
        assert page.count("No runs yet") == 3
        assert frames.next() == {}
        run = site.launch("asks")
        frame = frames.until("card-asks-state", "1 waiting")
        assert sorted(frame) == ["card-asks-runs", "card-asks-state"]
        assert f"/runs/{run.run_id}" in frame["card-asks-runs"]
        assert "runs 1" in text(frame["card-asks-runs"])


def test_after_a_reload_all_cards_are_new(site: Site) -> None:
    def reload() -> None:
        other = create_workflow(id="other").then(add("first"))
        site.hosting.catalog.replace(Loaded({"good": good, "other": other}))

    with site.watch("/", reload) as (_, frames):
        cards = frames.next()["cards"]
    assert re.findall(r'<h2><a href="([^"]+)">', cards) == ["/workflows/good", "/workflows/other"]


def test_a_new_question_comes_at_the_end_and_an_answered_one_says_so_where_it_is(site: Site) -> None:
    first = site.launch("asks")
    with site.watch("/approvals") as (page, frames):
        assert site.token(first) in page
        assert sorted(frames.next()) == ["questions-open"]
        second = site.launch("asks")
        frame = frames.until("questions-open", "2 open")
        assert sorted(frame) == ["questions-came", "questions-open"]
        token = site.token(second)
        assert re.findall(r'<article class="ask" id="([^"]+)"', frame["questions-came"]) == [f"ask-{token}"]

        gone = site.token(first)
        site.answer(first)
        frame = frames.until("questions-open", "1 open")
        assert sorted(frame) == [f"ask-{gone}", "questions-open"]
        assert text(frame[f"ask-{gone}"]) == "Answered. How many? Open run"
        assert f'id="ask-{gone}"' in frame[f"ask-{gone}"]


def test_a_question_that_came_and_was_answered_stays_where_it_was(site: Site) -> None:
    with site.watch("/approvals") as (page, frames):
        assert "Nothing waits for you" in page
        first = site.launch("twice")
        frame = frames.until("questions-came", "First?")
        token = site.token(first)
        site.answer(first)
        frame = frames.until("questions-came", "Second?")
        assert text(frame["questions-came"]).startswith("Answered. First? Open run twice /")
        assert f"ask-{token}" in frame


def test_a_question_of_a_canceled_run_is_no_longer_open(site: Site) -> None:
    first = site.launch("asks")
    gone = site.token(first)
    with site.watch("/approvals", lambda: site.act(first.cancel())) as (_, frames):
        assert text(frames.next()[f"ask-{gone}"]) == "No longer open. How many? Open run"


def test_new_questions_do_not_come_to_a_page_that_is_not_the_last(site: Site) -> None:
    for _ in range(21):
        site.launch("asks")
    with site.watch("/approvals", lambda: site.launch("asks")) as (_, frames):
        assert sorted(frames.next()) == ["questions-open"]


def test_an_address_that_means_nothing_gives_the_counters_alone(site: Site) -> None:
    for query in ("show=nothing", "show=runs&at=now", "show=runs&open=%2F%2F%00", "show=approvals&after=x", ""):
        with site.client.websocket_connect(f"ws://127.0.0.1:4111/ws?{query}", headers=POST) as socket:
            frame = socket.receive_json()
            assert (frame["counts"], "count-runs" in frame["content"]) == ({}, True), query


def test_a_look_that_fails_is_followed_by_another(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    store, failed = site.hosting.engine.store, list[bool]()
    open_questions = store.open_questions

    async def fails_once(*args: Any) -> int:
        if failed or args != (None,):
            return await open_questions(*args)
        failed.append(True)
        raise OSError("no room")

    with site.watch("/runs", lambda: monkeypatch.setattr(store, "open_questions", fails_once)) as (_, frames):
        assert text(frames.next()["run-chips"]) == "all 0"
    assert failed


def test_what_a_frame_failed_to_say_is_in_the_next(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    waits, said, failed = site.launch("asks"), live_lists._run, list[str]()

    def fails_once(row: RunRow) -> str:
        if not failed:
            failed.append(row.status)
            raise OSError("no room")
        return said(row)

    monkeypatch.setattr(live_lists, "_run", fails_once)
    with site.watch("/runs") as (_, frames):
        frames.next()
        site.answer(waits)
        until(lambda: failed)
        site.launch("good")
        assert text(frames.until(f"state-{waits.run_id}", "success")["run-chips"]) == "all 2 success 2"


def test_a_frame_is_made_once_for_pages_that_ask_alike(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def view(query: Mapping[str, str]) -> ListView:
        async def content(moment: ListMoment) -> str:
            made.append((query["n"], len(moment.newest)))
            return ""

        return content

    monkeypatch.setitem(LIST_VIEWS, "counted", view)
    address = "ws://127.0.0.1:4111/ws?show=counted&n="
    with (
        site.client.websocket_connect(f"{address}1", headers=POST) as one,
        site.client.websocket_connect(f"{address}1", headers=POST) as same,
        site.client.websocket_connect(f"{address}2", headers=POST) as other,
    ):
        for socket in (one, same, other):
            socket.receive_json()
        assert sorted(made) == [("1", 0), ("2", 0)]
        site.launch("asks")
        for socket in (one, same, other):
            until(lambda socket=socket: socket.receive_json()["questions"])
    assert made.count(("1", 1)) == made.count(("2", 1)) >= 1
