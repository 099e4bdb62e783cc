"""The form that starts a run: breakpoints, what was typed, and the input of another run."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, Field, SecretStr

from engine import Breakpoint, Run, create_workflow, step
from tests.fixtures import add
from tests.web.hosted import POST, Studio, studio


class Order(BaseModel):
    item: str = Field(min_length=2)
    n: int = Field(default=1, ge=1)


class Sealed(BaseModel):
    n: int
    key: SecretStr


@step
async def pack(order: Order) -> dict[str, int]:
    return {"n": order.n}


@step
async def use(sealed: Sealed) -> int:
    return sealed.n


SHOP = create_workflow(id="shop", input_schema=Order).then(pack).then(add("tie"))
FREE = create_workflow(id="free").then(add("first"))
SEALED = create_workflow(id="sealed", input_schema=Sealed).then(use)
TYPED = {"_mode": "form", "$.item": "a <kettle>", "$.n": "2"}


def sent(at: Studio, path: str, data: dict[str, Any]) -> Any:
    return at.client.post(path, data=data, **POST)


def stops(html: str) -> list[str]:
    """The chips of the form."""
    return re.findall(r'name="_break" value="([^"]+)"', html)


def dots(html: str) -> list[str]:
    return re.findall(r'<g class="node"[^>]* data-place="([^"]*)"[^>]* data-breakpoint=""', html)


def pressed(html: str) -> list[tuple[str, str, str]]:
    """The button of the chosen step: what it sends, and whether it is on."""
    return re.findall(r'name="(_break_\w+)" value="([^"]+)" [^>]*data-key="b" aria-pressed="(\w+)"', html)


def test_a_breakpoint_is_chosen_at_a_step_and_taken_away_again() -> None:
    with studio(SHOP) as at:
        html = at.page("/workflows/shop?step=tie")
        assert (stops(html), pressed(html)) == ([], [("_break_add", "tie", "false")])
        html = sent(at, "/workflows/shop?step=tie", {**TYPED, "_break": "pack", "_break_add": "tie"}).text
        assert (stops(html), dots(html)) == (["pack", "tie"], ["pack", "tie"])
        assert pressed(html) == [("_break_remove", "tie", "true")]
        assert 'value="a &lt;kettle&gt;"' in html  # what was typed stays
        html = sent(at, "/workflows/shop?step=tie", {**TYPED, "_break": ["pack", "tie"], "_break_remove": "pack"}).text
        assert stops(html) == ["tie"]


def test_a_run_stops_at_the_chosen_breakpoints() -> None:
    with studio(SHOP) as at:
        answer = sent(at, "/workflows/shop/runs", {**TYPED, "_break": ["tie", "nowhere"]})
        run = answer.headers["location"].removeprefix("/runs/")
        assert at.rest(run).status == "paused"
        assert at.read(run, Run.breakpoints) == (Breakpoint("tie"),)
        assert "Stopped before" in at.page(f"/runs/{run}")


def test_a_run_may_stop_after_a_step_too() -> None:
    with studio(SHOP) as at:
        html = sent(at, "/workflows/shop?step=pack", {**TYPED, "_break": "tie", "_break_add": "after:pack"}).text
        assert stops(html) == ["tie", "after:pack"]
        assert dots(html) == ["pack", "tie"]
        assert pressed(html) == [("_break_add", "pack", "false")]
        buttons = re.findall(r'name="(_break_\w+)" value="([^"]+)" [^>]*aria-pressed="(\w+)"', html)
        assert buttons == [("_break_add", "pack", "false"), ("_break_remove", "after:pack", "true")]
        assert 'formaction="/workflows/shop?step=tie&amp;_break=tie&amp;_break=after%3Apack"' in html
        answer = sent(at, "/workflows/shop/runs", {**TYPED, "_break": ["after:pack", "after:nowhere"]})
        run = answer.headers["location"].removeprefix("/runs/")
        assert at.rest(run).status == "paused"
        assert at.read(run, Run.breakpoints) == (Breakpoint("pack", "after"),)
        assert "Stopped after" in at.page(f"/runs/{run}")


def test_breakpoints_and_what_was_typed_survive_another_step_another_tab_and_a_refused_input() -> None:
    with studio(SHOP) as at:
        data = {**TYPED, "_break": "tie", "_paused": "1"}
        for path in ("/workflows/shop?step=pack", "/workflows/shop?tab=runs", "/workflows/shop?tab=code"):
            answer = sent(at, path, data)
            assert answer.status_code == 200
            assert 'value="a &lt;kettle&gt;"' in answer.text
            assert 'name="_paused" value="1" form="launch" checked' in answer.text
            assert stops(answer.text) == ["tie"]
            assert 'class="problems"' not in answer.text
        refused = sent(at, "/workflows/shop/runs", {**data, "$.n": "many"})
        assert (refused.status_code, stops(refused.text)) == (422, ["tie"])


def test_without_a_script_steps_and_tabs_send_the_form() -> None:
    with studio(SHOP) as at:
        html = at.page("/workflows/shop?_break=tie")
        plain = "".join(re.findall(r"<noscript>(.*?)</noscript>", html, re.DOTALL))
        steps = html[html.index('aria-label="Steps">') :].partition("</nav>")[0]
        sends = re.compile(r'<button type="submit" form="launch"[^>]* formaction="([^"]+)" formnovalidate')
        where = [found.replace("&amp;", "&") for found in sends.findall(plain)]
        assert where[:3] == [f"/workflows/shop?tab={tab}&_break=tie" for tab in ("graph", "runs", "code")]
        where = [found.replace("&amp;", "&") for found in sends.findall(steps)]
        assert where == [f"/workflows/shop?step={place}&_break=tie" for place in ("pack", "tie")]
        assert html.count('data-place="pack"') == 2  # in the picture, and in one list


def test_breakpoints_are_in_the_address_and_what_is_no_step_is_left_out() -> None:
    with studio(SHOP) as at:
        html = at.page("/workflows/shop?step=pack&_break=tie&_break=nowhere&_break=tie")
        assert (stops(html), dots(html)) == (["tie"], ["tie"])
        assert 'formaction="/workflows/shop?step=tie&amp;_break=tie"' in html
        answer = sent(at, "/workflows/shop?step=pack", {**TYPED, "_break_add": "pack"})
        assert answer.headers["hx-replace-url"] == "/workflows/shop?tab=graph&step=pack&_break=pack"


def test_a_run_is_edited_and_run_again_with_its_input_and_the_form_says_whose_it_is() -> None:
    with studio(SHOP, SEALED) as at:
        run = at.start("shop", {"item": "tea", "n": 7})
        assert f'href="/workflows/shop?from={run}"' in at.page(f"/runs/{run}")
        html = at.page(f"/workflows/shop?from={run}")
        assert re.findall(r'name="(\$[^"]*)" value="([^"]*)"', html) == [("$.item", "tea"), ("$.n", "7")]
        assert f'With the input of <a href="/runs/{run}">' in html
        assert "Secrets are asked" not in html
        again = sent(at, "/workflows/shop?step=pack", {**TYPED, "_from": run}).text
        assert f'name="_from" value="{run}"' in again
        assert at.client.get("/workflows/shop?from=nobody").status_code == 404
        assert at.client.get(f"/workflows/sealed?from={run}").status_code == 404


def test_secrets_of_another_run_are_asked_for_anew() -> None:
    with studio(SEALED) as at:
        run = at.start("sealed", {"n": 7, "key": "open-sesame"})
        html = at.page(f"/workflows/sealed?from={run}")
        assert ("open-sesame" in html, "Secrets are asked for anew." in html) == (False, True)
        assert 'name="$.n" value="7"' in html


def test_what_is_secret_in_an_input_without_fields_is_left_out_and_said() -> None:
    with studio(FREE, SEALED) as at:
        run = at.start(
            "free", {"n": 7, "login": {"user": "me", "password": "open-sesame"}, "tokens": [{"api_key": "k"}]}
        )
        html = at.page(f"/workflows/free?from={run}")
        assert "open-sesame" not in html
        assert "Left out, because it is secret: <code>login.password, tokens.0.api_key</code>." in html
        run = at.start("sealed", {"n": 7, "key": "open-sesame"})
        assert "Left out" not in at.page(f"/workflows/sealed?from={run}")  # there is a field that asks for it
        run = at.start("free", {"logins": [{"password": "x"}] * 9})
        assert "logins.5.password and 3 more</code>." in at.page(f"/workflows/free?from={run}")
        run = at.start("free", {"n": 7})
        assert "Left out" not in at.page(f"/workflows/free?from={run}")


def test_past_inputs_are_listed_once_each_the_newest_first() -> None:
    with studio(SHOP) as at:
        runs = [at.start("shop", {"item": item, "n": 1}) for item in ("tea", "milk", "tea")]
        html = at.page("/workflows/shop/inputs")
        past = html[html.index('id="past-inputs"') :].partition("</section>")[0]
        assert re.findall(r'href="/workflows/shop\?from=([^"]+)"', past) == [runs[2], runs[1]]
        assert "&#34;item&#34;: &#34;tea&#34;" in past
        for number in range(12):
            at.start("shop", {"item": "tea", "n": number + 2})
        assert at.page("/workflows/shop/inputs").count('href="/workflows/shop?from=') == 10


def test_a_workflow_without_runs_has_no_past_inputs() -> None:
    with studio(SHOP) as at:
        assert "No run of this workflow has begun yet." in at.page("/workflows/shop/inputs")
        assert at.client.get("/workflows/nobody/inputs").status_code == 404
        assert at.client.post("/workflows/nobody", **POST).status_code == 404
