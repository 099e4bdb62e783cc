"""The pages of workflows: cards, one workflow, and the form that starts a run."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field
from starlette.testclient import TestClient

from engine import StepContext, Workflow, create_workflow, step
from studio.app import create_app
from studio.catalog import Catalog, Loaded, Problem
from studio.examples import EXAMPLES
from studio.hosting import Hosting
from studio.loader import discover
from studio.settings import Settings
from studio.views.graph import mini, picture
from studio.views.workflows import sources
from tests.fixtures import add

HOME = "http://127.0.0.1:4111"
POST = {"origin": HOME}


class Order(BaseModel):
    item: str = Field(min_length=2)
    n: int = Field(default=1, ge=1)


@step
async def pack(order: Order) -> dict[str, int]:
    """Pack < it > up."""
    return {"n": order.n}


@step
async def confirm(count: dict[str, int], ctx: StepContext) -> dict[str, int]:
    """Ask whether it is so."""
    await ctx.ask("Really?", bool, title="Send it?")
    return count


def shop() -> Workflow[Any, Any]:
    inner = create_workflow(id="wrap").then(add("tie"))
    return create_workflow(id="shop", input_schema=Order, description="Sell <b>things</b>").then(pack).then(inner)


@pytest.fixture
def hosting(store_url: str) -> Iterator[Hosting]:
    with Hosting([shop(), create_workflow(id="asks").then(confirm)], store=store_url) as hosting:
        yield hosting


@pytest.fixture
def client(hosting: Hosting) -> Iterator[TestClient]:
    with TestClient(create_app(hosting), base_url=HOME, follow_redirects=False) as client:
        yield client


def launched(client: TestClient, id: str, **fields: str) -> str:
    """The id of a run started by the form."""
    data = {"_mode": "form", **{f"$.{name}": text for name, text in fields.items()}}
    answer = client.post(f"/workflows/{id}/runs", data=data, headers=POST)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].removeprefix("/runs/")


def status_of(hosting: Hosting, run_id: str) -> str:
    async def ask() -> str:
        run = await hosting.engine.get_run(run_id)
        return (await run.wait(5)).status

    return asyncio.run_coroutine_threadsafe(ask(), hosting.loop).result(5)


def runs_of(hosting: Hosting) -> int:
    return sum(asyncio.run(hosting.engine.counts()).values())


def test_every_workflow_is_a_card_with_its_text_escaped(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert re.findall(r'<h2><a href="([^"]+)">', page.text) == ["/workflows/shop", "/workflows/asks"]
    assert "Sell &lt;b&gt;things&lt;/b&gt;" in page.text
    assert page.text.count("No runs yet") == 2


def test_parts_of_others_are_folded_below_them() -> None:
    """They can be run, but are not what one looks for first; alone they are not folded."""
    inner = create_workflow(id="wrap").then(add("tie"))
    outer = create_workflow(id="gift", description="With a bow").then(inner)
    with Hosting([inner, outer]) as hosting, TestClient(create_app(hosting), base_url=HOME) as client:
        shown, _, folded = client.get("/").text.partition('<details class="opens parts"')
        alone = client.get("/?q=wrap").text
    heading = re.compile(r'<h2><a href="([^"]+)">')
    assert heading.findall(shown) == ["/workflows/gift"]
    assert heading.findall(folded.partition("</details>")[0]) == ["/workflows/wrap"]
    assert ("open" in folded.partition(">")[0], 'id="parts" open' in alone) == (False, True)


def test_the_examples_come_simplest_first_and_say_what_they_are() -> None:
    with Hosting(catalog=Catalog(discover("studio.examples"))) as hosting:
        with TestClient(create_app(hosting, Settings(target="studio.examples")), base_url=HOME) as client:
            page = client.get("/").text
        with TestClient(create_app(hosting, Settings(target="flows.py")), base_url=HOME) as client:
            assert "These are examples" not in client.get("/").text
    found = re.findall(r'<h2><a href="/workflows/([^"]+)">', page.partition("opens parts")[0])
    assert found == [one.workflow.id for one in EXAMPLES]
    assert "These are examples" in page


def test_a_card_shows_the_last_runs_and_what_waits(client: TestClient, hosting: Hosting) -> None:
    run_id = launched(client, "shop", item="tea")
    assert status_of(hosting, run_id) == "success"
    waiting = client.post("/workflows/asks/runs", data={"_mode": "json", "_json": '{"n": 1}'}, headers=POST)
    assert status_of(hosting, waiting.headers["location"].removeprefix("/runs/")) == "suspended"
    page = client.get("/").text
    assert f'<a href="/runs/{run_id}" aria-label="success' in page
    assert "1 waiting" in page
    assert "100 %" in page


def test_the_filter_is_in_the_address(client: TestClient) -> None:
    assert "/workflows/asks" in (page := client.get("/?q=ASK").text)
    assert '<h2><a href="/workflows/shop">' not in page
    assert 'value="ASK"' in page
    assert "No workflow is called so" in client.get("/?q=<nothing>").text


def test_a_module_that_fails_to_import_is_a_card_and_the_others_stay() -> None:
    problem = Problem("billing.py", "SyntaxError: no", "billing.py", 14, 'File "billing.py", line 14\n    <oops>')
    catalog = Catalog(Loaded({"shop": shop()}, (problem,)))
    with Hosting(catalog=catalog) as hosting, TestClient(create_app(hosting), base_url=HOME) as client:
        page = client.get("/").text
    assert "/workflows/shop" in page
    assert "can't be loaded" in page.replace("&#39;", "'")
    assert "&lt;oops&gt;" in page


def test_without_a_workflow_the_page_says_what_to_do() -> None:
    with Hosting() as hosting, TestClient(create_app(hosting), base_url=HOME) as client:
        page = client.get("/").text
    assert "No workflow yet" in page
    assert "studio new my_project" in page


@pytest.mark.parametrize(
    ("tab", "has"),
    [("graph", 'data-workflow="shop"'), ("runs", "No runs yet"), ("code", "async"), ("no", "data-graph")],
)
def test_every_tab_has_an_address(client: TestClient, tab: str, has: str) -> None:
    page = client.get(f"/workflows/shop?tab={tab}")
    assert page.status_code == 200
    assert has in page.text
    assert 'action="/workflows/shop/runs"' in page.text


def test_a_selected_step_is_in_the_address_and_shows_its_code(client: TestClient) -> None:
    page = client.get("/workflows/shop?step=pack").text
    assert 'data-selected="pack"' in page
    assert re.search(r'data-place="pack" formaction="/workflows/shop\?step=pack"[^>]* aria-current="true">', page)
    assert "Pack &lt; it &gt; up." in page
    assert '<span class="text">Pack &lt; it &gt; up.</span></button>' in page  # in the list of steps
    assert client.get("/workflows/shop/runs").headers["location"] == "/workflows/shop?tab=runs"
    assert client.get("/workflows/shop?step=nothing<b>").status_code == 200


def test_an_unknown_workflow_is_not_found(client: TestClient) -> None:
    assert client.get("/workflows/nobody").status_code == 404
    assert client.post("/workflows/nobody/runs", headers=POST).status_code == 404


def test_run_starts_it_and_leads_to_the_run(client: TestClient, hosting: Hosting) -> None:
    run_id = launched(client, "shop", item="tea", n="3")
    assert status_of(hosting, run_id) == "success"
    assert f'href="/runs/{run_id}"' in client.get("/workflows/shop?tab=runs").text


def test_run_paused_at_start_waits_before_the_first_step(client: TestClient, hosting: Hosting) -> None:
    data = {"_mode": "form", "$.item": "tea", "$.n": "1", "_paused": "1"}
    answer = client.post("/workflows/shop/runs", data=data, headers=POST)
    run_id = answer.headers["location"].removeprefix("/runs/")
    assert status_of(hosting, run_id) == "paused"


@pytest.mark.parametrize(
    ("n", "message"),
    [("many", "number"), ("0", "greater than or equal to 1")],
    ids=["unreadable", "refused by the engine"],
)
def test_a_wrong_input_is_said_beside_its_field_and_nothing_is_lost(
    client: TestClient, hosting: Hosting, n: str, message: str
) -> None:
    data = {"_mode": "form", "$.item": "a <kettle>", "$.n": n, "_paused": "1"}
    answer = client.post("/workflows/shop/runs", data=data, headers=POST)
    assert answer.status_code == 422
    assert 'value="a &lt;kettle&gt;"' in answer.text
    assert f'value="{n}"' in answer.text
    assert 'name="_paused" value="1" form="launch" checked' in answer.text
    assert message in re.sub(r"<[^>]+>", "", answer.text.partition('class="problems"')[2].partition("</div>")[0])
    assert runs_of(hosting) == 0


def test_the_json_editor_is_a_button_and_starts_nothing(client: TestClient, hosting: Hosting) -> None:
    data = {"_mode": "form", "$.item": "tea", "$.n": "2", "_action": "mode:json"}
    answer = client.post("/workflows/shop/runs", data=data, headers=POST)
    assert answer.status_code == 200
    assert 'name="_json"' in answer.text
    assert "&#34;tea&#34;" in answer.text
    assert runs_of(hosting) == 0


def test_a_launch_from_another_site_is_refused(client: TestClient, hosting: Hosting) -> None:
    answer = client.post("/workflows/shop/runs", data={"$.item": "tea"}, headers={"origin": "http://evil.test"})
    assert answer.status_code == 403
    assert runs_of(hosting) == 0


def test_the_picture_takes_statuses_by_path() -> None:
    view = picture(shop(), {"pack": "success", "wrap": "running", "wrap/tie": "running"}, selected="wrap/tie")
    assert [(item.place, item.status) for item in view.outline] == [("pack", "success"), ("wrap/tie", "running")]
    assert (view.selected, view.legend, picture(shop()).legend) == ("wrap/tie", ("success", "running"), ())
    going = picture(shop(), {"pack": "paused"}, follows=True)
    assert going.legend == ("success", "running", "suspended", "failed", "paused", "skipped")  # what may come as well
    assert 'data-status="running"' in view.svg


def test_a_stored_definition_is_drawn_like_its_workflow() -> None:
    workflow = shop()
    assert picture(workflow.plan.definition).svg == picture(workflow).svg


def test_the_small_picture_has_a_box_for_each_step_within_its_frame() -> None:
    arms = create_workflow(id="arms").parallel([add(f"a{number}") for number in range(9)]).then(add("last"))
    small = mini(arms)
    assert small.steps == len(small.boxes) == 10
    assert len(small.lines) == 9
    assert all(
        box.x >= 0 and box.x + box.width <= 120 and box.y >= 0 and box.y + box.height <= 64 for box in small.boxes
    )
    assert mini(create_workflow(id="one").then(add("a"))).lines == ()


def test_the_small_picture_of_a_long_workflow_has_as_many_boxes_as_can_be_told_apart() -> None:
    long = create_workflow(id="long")
    for number in range(200):
        long = long.then(add(f"s{number}"))
    small = mini(long)
    assert (small.steps, len(small.boxes), len(small.lines)) == (200, 24, 23)


def test_code_is_shown_line_by_line_and_escaped(client: TestClient) -> None:
    shown = {source.name: source for source in sources(shop())}
    lines = ["".join(span.text for span in line) for _, line in shown["pack"].lines]
    assert lines == [
        "@step",
        "async def pack(order: Order) -> dict[str, int]:",
        '    """Pack < it > up."""',
        '    return {"n": order.n}',
    ]
    assert "Pack &lt; it &gt; up." in client.get("/workflows/shop?tab=code").text


def test_code_that_has_no_file_says_so() -> None:
    names: dict[str, Any] = {}
    exec("async def made(x: dict) -> dict:\n    return x\n", names)  # noqa: S102 - code that has no file
    (source,) = sources(create_workflow(id="w").then(step(names["made"])))
    assert (source.lines, source.note) == ((), "Its source can't be read: it was made by a program.")


def test_settings_say_what_is_served_and_hide_the_token(hosting: Hosting) -> None:
    settings = Settings(target="flows.py", token="hush-hush-hush-hush-hush-hush-hush-hush")
    with TestClient(create_app(hosting, settings), base_url=HOME) as client:
        client.get(client.app.guard.link())
        page = client.get("/settings").text
    assert all(word in page for word in ("flows.py", "sqlite:///.studio/studio.db", HOME, "Python"))
    assert "hush" not in page


def test_a_line_to_copy_works_where_the_studio_was_started(hosting: Hosting) -> None:
    """It names the target and the store, if they are not what a command takes without being told."""
    settings = Settings(target="my flows.py", store="runs.db")
    with TestClient(create_app(hosting, settings), base_url=HOME) as client:
        page = client.get("/workflows/shop?tab=runs").text
        assert unescape(page).count("studio run shop --target 'my flows.py' --store sqlite:///runs.db") == 2
        assert "studio runs --store sqlite:///runs.db" in client.get("/runs?tag=none").text
        assert "studio check --target 'my flows.py'<" in unescape(client.get("/?q=none").text)
    with TestClient(create_app(hosting), base_url=HOME) as client:
        assert '<code tabindex="0">studio run shop</code>' in client.get("/workflows/shop?tab=runs").text


@pytest.mark.parametrize(
    ("target", "shown"), [(".", "my_flows"), ("./", "my_flows"), ("flows.py", "flows.py"), ("/", "/")]
)
def test_what_is_served_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, shown: str) -> None:
    (tmp_path / "my_flows").mkdir()
    monkeypatch.chdir(tmp_path / "my_flows")
    with Hosting([]) as hosting:
        html = TestClient(create_app(hosting, Settings(target=target)), base_url=HOME).get("/").text
    assert re.findall(r'<span class="source"><bdi dir="ltr">([^<]*)</bdi>', html) == [shown]
