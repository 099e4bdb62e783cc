"""The pages of questions: all that are open, one by its address, and what becomes of an answer."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field
from starlette.testclient import TestClient

from engine import RunResult, StepContext, Suspension, create_workflow, step
from studio.app import create_app
from studio.hosting import Hosting
from studio.views.approvals import Fact, question_view
from studio.views.prose import Block, Piece, blocks, pieces
from studio.wording import NONE
from tests.web.browser_form import RENDERING
from tests.web.waiting import until

HOME = "http://127.0.0.1:4111"
POST = {"origin": HOME}


class Decision(BaseModel):
    verdict: Literal["yes", "no"]
    limit: int = Field(ge=0, le=100)
    names: list[str] = []


@step
async def approve(cost: dict[str, Any], ctx: StepContext) -> dict[str, Any]:
    decision = await ctx.ask({"cost": cost["n"], "who": "<i>me</i>"}, Decision, title=f"Pay {cost['n']} & go?")
    return decision.model_dump()


pay = create_workflow(id="pay").then(approve)


@pytest.fixture
def hosting(store_url: str) -> Iterator[Hosting]:
    with Hosting([pay], store=store_url) as hosting:
        yield hosting


@pytest.fixture
def client(hosting: Hosting) -> Iterator[TestClient]:
    with TestClient(create_app(hosting), base_url=HOME, follow_redirects=False) as client:
        yield client


def asked(hosting: Hosting, n: int = 7) -> Suspension:
    """A run that waits for an answer."""

    async def ask() -> Suspension:
        run = await hosting.engine.create_run("pay")
        assert (await run.start({"n": n})).status == "suspended"
        (question,) = (await hosting.engine.suspensions(run.run_id)).items
        return question

    return asyncio.run_coroutine_threadsafe(ask(), hosting.loop).result(5)


def ended(hosting: Hosting, run_id: str) -> RunResult:
    async def wait() -> RunResult:
        return await (await hosting.engine.get_run(run_id)).wait(5)

    return asyncio.run_coroutine_threadsafe(wait(), hosting.loop).result(5)


def events(hosting: Hosting, run_id: str, type: str) -> list[dict[str, Any]]:
    async def read() -> list[dict[str, Any]]:
        run = await hosting.engine.get_run(run_id)
        return [event.data async for event in run.events(follow=False) if event.type == type]

    return asyncio.run_coroutine_threadsafe(read(), hosting.loop).result(5)


def form(**fields: str) -> dict[str, str]:
    return {"_mode": "form", **{f"$.{name}": text for name, text in fields.items()}}


def address(question: Suspension, *, back: str = "") -> str:
    return f"/approvals/{question.token}?run={question.run_id}" + (f"&back={back}" if back else "")


def test_without_a_question_the_page_says_how_one_comes(client: TestClient) -> None:
    page = client.get("/approvals")
    assert page.status_code == 200
    assert "Nothing waits for you" in page.text


def test_all_questions_oldest_first_each_with_its_form_and_its_address(client: TestClient, hosting: Hosting) -> None:
    first, second = asked(hosting, 1), asked(hosting, 2)
    page = client.get("/approvals").text
    assert re.findall(r'<article class="([^"]+)" id="ask-([^"]+)"', page) == [
        ("ask now", first.token),
        ("ask", second.token),
    ]
    for one in (first, second):
        assert f'action="/approvals/{one.token}?run={one.run_id}&amp;back=list"' in page
        assert f'href="/approvals/{one.token}?run={one.run_id}"' in page
        assert f'href="/runs/{one.run_id}"' in page
    assert "Pay 1 &amp; go?" in page
    assert "&lt;i&gt;me&lt;/i&gt;" in page
    assert "<title>(2) Approvals" in page


def test_more_questions_than_fit_are_on_the_next_page(client: TestClient, hosting: Hosting) -> None:
    known = [asked(hosting, n).token for n in range(22)]
    first = client.get("/approvals").text
    (more,) = re.findall(r'href="(/approvals\?workflow=&amp;after=[^"]+)"', first)
    second = client.get(more.replace("&amp;", "&")).text
    found = [re.findall(r'<article class="[^"]+" id="ask-([^"]+)"', page) for page in (first, second)]
    assert (len(found[0]), found[0] + found[1]) == (20, known)
    assert client.get("/approvals?after=nonsense").status_code == 400


def test_questions_of_one_workflow(client: TestClient, hosting: Hosting) -> None:
    question = asked(hosting)
    assert question.token in client.get("/approvals?workflow=pay").text
    assert question.token not in client.get("/approvals?workflow=other").text


@pytest.mark.parametrize("knows_run", [True, False], ids=["with its run", "by its token alone"])
def test_one_question_has_a_page(client: TestClient, hosting: Hosting, knows_run: bool) -> None:
    question = asked(hosting)
    page = client.get(address(question) if knows_run else f"/approvals/{question.token}")
    assert page.status_code == 200
    assert "Pay 7 &amp; go?" in page.text
    assert 'name="$.verdict"' in page.text


@pytest.mark.parametrize(
    ("back", "leads_to"), [("", "/runs/{}"), ("list", "/approvals?answered={}")], ids=["page", "list"]
)
def test_an_answer_resumes_the_run_and_is_noted(client: TestClient, hosting: Hosting, back: str, leads_to: str) -> None:
    question = asked(hosting)
    answer = client.post(address(question, back=back), data=form(verdict="yes", limit="5"), headers=POST)
    assert (answer.status_code, answer.headers["location"]) == (303, leads_to.format(question.run_id))
    assert ended(hosting, question.run_id).unwrap() == {"verdict": "yes", "limit": 5, "names": []}
    assert [data["by"] for data in events(hosting, question.run_id, "step.resumed")] == ["studio"]
    assert "Answered." in client.get(f"/approvals?answered={question.run_id}").text
    assert "Answered." not in client.get("/approvals?answered=nobody").text


@pytest.mark.parametrize(("limit", "message"), [("lots", "number"), ("101", "less than or equal to 100")])
def test_an_invalid_answer_asks_again_with_all_that_was_typed(
    client: TestClient, hosting: Hosting, limit: str, message: str
) -> None:
    question = asked(hosting)
    answer = client.post(address(question, back="list"), data=form(verdict="no", limit=limit), headers=POST)
    assert answer.status_code == 422
    assert message in re.sub(r"<[^>]+>", "", answer.text.partition('class="problems"')[2].partition("</div>")[0])
    assert f'value="{limit}"' in answer.text
    assert re.search(r'value="no"[^>]* checked', answer.text)
    assert "&amp;back=list" in answer.text
    again = client.post(address(question), data=form(verdict="no", limit="100"), headers=POST)
    assert again.status_code == 303
    assert ended(hosting, question.run_id).unwrap()["limit"] == 100


def test_a_row_is_added_without_a_script_and_nothing_is_answered(client: TestClient, hosting: Hosting) -> None:
    question = asked(hosting)
    page = client.get(address(question)).text
    (add,) = re.findall(r'name="_action" value="(add[^"]*)"', page)
    answer = client.post(address(question), data=form(verdict="no") | {"_action": add}, headers=POST)
    assert answer.status_code == 200
    assert answer.text.count('name="$.names.') > page.count('name="$.names.')
    assert events(hosting, question.run_id, "step.resumed") == []


def test_a_second_answer_is_told_that_there_was_one(client: TestClient, hosting: Hosting) -> None:
    question = asked(hosting)
    client.post(address(question), data=form(verdict="yes", limit="1"), headers=POST)
    ended(hosting, question.run_id)
    second = client.post(address(question), data=form(verdict="no", limit="2"), headers=POST)
    assert second.status_code == 409
    assert "This question was answered" in second.text
    assert "By studio" in second.text
    assert f'href="/runs/{question.run_id}"' in second.text
    for where in (address(question), f"/approvals/{question.token}"):
        looked = client.get(where)
        assert (looked.status_code, "This question was answered" in looked.text) == (404, True)
    assert ended(hosting, question.run_id).unwrap()["verdict"] == "yes"


def test_a_question_of_a_cancelled_run_is_no_longer_open(client: TestClient, hosting: Hosting) -> None:
    question = asked(hosting)

    async def cancel() -> None:
        await (await hosting.engine.get_run(question.run_id)).cancel("enough")

    asyncio.run_coroutine_threadsafe(cancel(), hosting.loop).result(5)
    answer = client.post(address(question), data=form(verdict="no", limit="2"), headers=POST)
    assert answer.status_code == 409
    assert "no longer open" in answer.text


@pytest.mark.parametrize("query", ["", "?run=nobody"])
def test_an_unknown_question_is_not_found(client: TestClient, query: str) -> None:
    page = client.get(f"/approvals/no-such{query}")
    assert page.status_code == 404
    assert "There is no such open question" in page.text


def test_an_answer_from_another_site_is_refused(client: TestClient, hosting: Hosting) -> None:
    question = asked(hosting)
    data = form(verdict="yes", limit="1")
    assert client.post(address(question), data=data, headers={"origin": "http://evil.test"}).status_code == 403
    assert events(hosting, question.run_id, "step.resumed") == []


def test_the_count_of_open_questions_follows(client: TestClient, hosting: Hosting) -> None:
    question = asked(hosting)
    with client.websocket_connect("ws://127.0.0.1:4111/ws", headers=POST) as socket:
        assert 'id="count-approvals" data-count="1"' in socket.receive_json()["content"]
        client.post(address(question), data=form(verdict="yes", limit="1"), headers=POST)
        until(lambda: 'id="count-approvals" data-count="0"' in socket.receive_json()["content"])


MANY = {str(number): number for number in range(25)}


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        ("Two.", {"text": (Block("p", ((Piece("", "Two."),),)),)}),
        (
            {"n": 1, "ok": True, "none": None, "of": []},
            {"facts": (Fact("n", ("1",)), Fact("ok", ("yes",)), Fact("none", (NONE,)), Fact("of", (NONE,)))},
        ),
        ({"n": [1, "a"]}, {"facts": (Fact("n", ("1", "a"), is_list=True),)}),
        (
            {"rows": 3, "faults": {"line 2": ["no name"]}},
            {"facts": (Fact("rows", ("3",)), Fact("faults", facts=(Fact("line 2", ("no name",)),)))},
        ),
        ({"a": {"b": {"c": 1}}}, {"data": {"a": {"b": {"c": 1}}}}),
        ({"n": [[1]]}, {"data": {"n": [[1]]}}),
        ({"n": [0] * 13}, {"data": {"n": [0] * 13}}),
        (MANY, {"data": MANY}),
        ([1, 2], {"data": [1, 2]}),
        (0, {"data": 0}),
        ({}, {}),
        (None, {}),
    ],
)
def test_what_is_asked_about_is_shown_by_its_shape(hosting: Hosting, payload: Any, shown: dict[str, Any]) -> None:
    view = question_view(replace(asked(hosting), payload=payload))
    empty: dict[str, Any] = {"text": (), "facts": (), "data": None}
    assert {name: getattr(view, name) for name in empty} == empty | shown


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("**742** of `n`", [("b", "742"), ("", " of "), ("code", "n")]),
        ("snake_case_name and _so_", [("", "snake_case_name and "), ("i", "so")]),
        ("2 * 3 ** 4", [("", "2 * 3 ** 4")]),
        ("", []),
    ],
)
def test_a_line_of_markdown(text: str, found: list[tuple[str, str]]) -> None:
    assert [(piece.kind, piece.text) for piece in pieces(text)] == found


def test_a_text_of_markdown() -> None:
    text = "# Cost\nOne\ntwo\n\n- a\n- b\n1. c\n```py\n<x>\n\n  y\n```\nend"
    found = [(one.kind, ["".join(piece.text for piece in line) for line in one.lines]) for one in blocks(text)]
    assert found == [
        ("h", ["Cost"]),
        ("p", ["One", "two"]),
        ("ul", ["a", "b"]),
        ("ol", ["c"]),
        ("pre", ["<x>", "", "  y"]),
        ("p", ["end"]),
    ]


def test_a_long_text_is_cut_and_says_so() -> None:
    assert blocks("x" * 30_000)[-1].lines == ((Piece("", "\N{HORIZONTAL ELLIPSIS} 10,000 more characters"),),)


def test_markdown_is_shown_and_its_letters_are_escaped(client: TestClient, hosting: Hosting) -> None:
    view = question_view(replace(asked(hosting), title="**Pay** <b>", payload="- `<i>`\n\n```\n<script>\n```"))
    html = RENDERING.partial("partials/question.html", question=view)
    assert "<b>Pay</b> &lt;b&gt;" in html
    assert "<li><code>&lt;i&gt;</code></li>" in html
    assert "<code>&lt;script&gt;</code></pre>" in html


def test_while_a_step_blocks_the_engine_an_answer_is_not_lost(store_url: str) -> None:
    """The page says what blocks it, keeps what was typed, and the same form works afterwards."""
    free = threading.Event()

    @step
    async def block(_: Any) -> None:
        free.wait(20)

    with Hosting([pay, create_workflow(id="blocks").then(block)], store=store_url) as hosting:
        question = asked(hosting)
        with TestClient(create_app(hosting), base_url=HOME, follow_redirects=False) as client:
            started = client.post("/workflows/blocks/runs", data={"_mode": "json", "_json": "1"}, headers=POST)
            assert started.status_code == 303
            refused = client.post(address(question), data=form(verdict="yes", limit="5"), headers=POST)
            assert refused.status_code == 503
            assert "blocked the engine" in refused.text
            assert 'value="5"' in refused.text
            assert 'id="trouble"' in until(lambda: client.get("/").text if hosting.engine_trouble() else "")
            free.set()
            until(lambda: hosting.engine_trouble() is None)
            assert client.post(address(question), data=form(verdict="yes", limit="5"), headers=POST).status_code == 303
        assert ended(hosting, question.run_id).unwrap()["limit"] == 5
