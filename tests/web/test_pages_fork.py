"""Forking a run from a step on: the form with what the step got, what is kept, and deleting a run."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, Field, SecretStr

from engine import create_workflow, step
from tests.fixtures import add
from tests.web.hosted import POST, Studio, studio
from tests.web.test_pages_run import EACH, FAILS, TWO


class Order(BaseModel):
    item: str = Field(min_length=2)
    n: int = Field(ge=1)


class Sealed(BaseModel):
    n: int
    key: SecretStr


@step
async def take(data: dict[str, int]) -> Order:
    return Order(item="tea", n=data["n"])


@step
async def pack(order: Order) -> dict[str, Any]:
    return {"packed": f"{order.n} {order.item}"}


@step
async def use(sealed: Sealed) -> int:
    return sealed.n + len(sealed.key.get_secret_value())


@step
async def given(data: Any) -> Any:
    return data


SHOP = create_workflow(id="shop").then(take).then(pack)
ANY = create_workflow(id="any").then(given)
AS_IT_WAS = "Fork with the input as it was"
SEALED = create_workflow(id="sealed", input_schema=Sealed).then(use)


def forked(at: Studio, run: str, **fields: str) -> Any:
    return at.client.post(f"/runs/{run}/fork", data={name.replace("__", "$."): v for name, v in fields.items()}, **POST)


def lists(html: str) -> dict[str, list[str]]:
    """The lists of steps by their heading."""
    found = re.findall(r'<h3 class="label">(Runs again|Kept) · \d+</h3>(.*?)</section>', html, re.DOTALL)
    return {name: re.findall(r'<span class="mono">([^<]+)</span></a>', inner) for name, inner in found}


def test_the_form_shows_what_the_step_got_and_what_is_kept_and_what_runs_again() -> None:
    with studio(SHOP) as at:
        run = at.start("shop", {"n": 3})
        html = at.page(f"/runs/{run}/fork?step=pack")
        assert re.findall(r'name="(\$[^"]*)" value="([^"]*)"', html) == [("$.item", "tea"), ("$.n", "3")]
        assert lists(html) == {"Runs again": ["pack"], "Kept": ["take"]}
        assert AS_IT_WAS not in html  # that is what the form says
        assert re.findall(r'data-status="(\w+)" data-place="(\w+)"', html) == [("success", "take"), ("pending", "pack")]


def test_a_fork_with_another_input_runs_with_it_and_the_original_stays() -> None:
    with studio(SHOP) as at:
        run = at.start("shop", {"n": 3})
        answer = forked(at, run, _mode="form", step="pack", __item="coffee", __n="5")
        made = answer.headers["location"].removeprefix("/runs/")
        assert (answer.status_code, at.rest(made).result) == (303, {"packed": "5 coffee"})
        assert at.rest(run).result == {"packed": "3 tea"}


def test_an_input_that_only_python_takes_for_the_same_is_another() -> None:
    with studio(ANY) as at:
        run = at.start("any", {"flag": 1})
        answer = forked(at, run, _mode="json", step="given", _json='{"flag": true}')
        assert at.rest(answer.headers["location"].removeprefix("/runs/")).to_dict()["result"]["flag"] is True


def test_what_the_form_hides_by_its_name_is_as_it_was_unless_it_is_typed_anew() -> None:
    with studio(ANY) as at:
        was = {"user": "ada", "at": [{"api_key": "amber-lane-9", "n": 1}], "password": "blue-barn-8"}
        run = at.start("any", was)
        assert not re.search("amber-lane|blue-barn", at.page(f"/runs/{run}/fork?step=given"))
        made = [
            at.rest(forked(at, run, _mode="json", step="given", give=give, _json=said).headers["location"][6:]).result
            for said in ('{"user": "bob", "at": [{"n": 2}]}', '{"at": [], "password": "new"}')
            for give in ("input", "output")
        ]
        changed = {"user": "bob", "at": [{"api_key": "amber-lane-9", "n": 2}], "password": "blue-barn-8"}
        assert made == [changed, changed, {"at": [], "password": "new"}, {"at": [], "password": "new"}]


def test_a_wrong_input_is_said_beside_its_field_and_what_was_typed_stays() -> None:
    with studio(SHOP) as at:
        run = at.start("shop", {"n": 3})
        for text, said in (("many", "number"), ("0", "greater than or equal to 1")):
            answer = forked(at, run, _mode="form", step="pack", __item="<coffee>", __n=text)
            assert answer.status_code == 422
            assert 'value="&lt;coffee&gt;"' in answer.text
            assert said in re.sub(r"<[^>]+>", "", answer.text.partition('class="problems"')[2].partition("</div>")[0])
        switched = forked(at, run, _mode="form", _action="mode:json", step="pack", __item="coffee", __n="5")
        assert (switched.status_code, 'name="_json"' in switched.text) == (200, True)
        assert 'name="step" value="pack"' in switched.text


def test_without_a_step_the_page_asks_where_the_fork_begins() -> None:
    with studio(TWO) as at:
        run = at.start("two", {"n": 1})
        html = at.page(f"/runs/{run}/fork")
        assert re.findall(r'href="/runs/[^"]*/fork\?step=(\w+)"', html) == ["first", "second"]
        assert at.client.post(f"/runs/{run}/fork", data={"step": ""}, **POST).status_code == 409


def test_a_place_of_the_picture_is_one_of_its_items_and_others_are_kept() -> None:
    with studio(EACH) as at:
        run = at.start("each", [{"n": 1}, {"n": 2}])
        html = at.page(f"/runs/{run}/fork?step=item%5B1%5D")
        assert lists(html) == {"Runs again": ["item", "item[1]"], "Kept": ["item[0]"]}
        drawn = re.findall(r'data-status="(\w+)" data-place', html)
        assert drawn == ["pending"]  # one box stands for all of them, and not all are done
        assert 'name="step" value="item[' in at.page(f"/runs/{run}/fork?step=item%5B%5D")


def test_what_can_not_be_forked_is_said() -> None:
    skips = create_workflow(id="skips").branch([("n > 5", add("high"))], otherwise=add("low"))
    with studio(skips) as at:
        run = at.start("skips", {"n": 9})
        html = at.page(f"/runs/{run}/fork?step=low")
        assert 'role="alert"' in html
        assert "was skipped" in html
        assert forked(at, run, step="low").status_code == 409
        assert at.client.get("/runs/nobody/fork").status_code == 404


def test_a_secret_of_the_input_never_goes_to_the_page_and_is_kept_with_the_same_input() -> None:
    with studio(SEALED) as at:
        run = at.start("sealed", {"n": 1, "key": "open-sesame"})
        html = at.page(f"/runs/{run}/fork?step=use")
        assert "open-sesame" not in html
        assert 'type="password"' in html
        assert AS_IT_WAS in html
        same = forked(at, run, step="use").headers["location"].removeprefix("/runs/")
        assert at.rest(same).result == 12
        other = forked(at, run, _mode="form", step="use", __n="2", __key="another-key").headers["location"]
        assert at.rest(other.removeprefix("/runs/")).result == 13


def test_a_failed_step_is_tried_again_with_a_better_input() -> None:
    with studio(FAILS) as at:
        run = at.start("fails", {"n": 1})
        html = at.page(f"/runs/{run}/fork?step=broken")
        assert 'name="$.@0.key" value="n"' in html  # what it takes is a dict
        answer = forked(at, run, _mode="json", step="broken", _json='{"n": 99}')
        made = answer.headers["location"].removeprefix("/runs/")
        assert at.rest(made).error["message"] == "nothing at 99 <b>"


def test_a_fork_goes_on_after_a_step_with_the_output_that_is_given_for_it() -> None:
    with studio(SHOP, FAILS) as at:
        run = at.start("shop", {"n": 3})
        html = at.page(f"/runs/{run}/fork?step=take&give=output")
        assert re.findall(r'name="(\$[^"]*)" value="([^"]*)"', html) == [("$.item", "tea"), ("$.n", "3")]
        assert lists(html) == {"Runs again": ["pack"], "Kept": ["take"]}
        wrong = forked(at, run, _mode="form", give="output", step="take", __item="x", __n="5")
        assert (wrong.status_code, "at least 2" in wrong.text) == (422, True)
        made = forked(at, run, _mode="form", give="output", step="take", __item="milk", __n="5").headers["location"]
        assert at.rest(made.removeprefix("/runs/")).result == {"packed": "5 milk"}
        failed = at.start("fails", {"n": 3})
        made = forked(at, failed, _mode="json", give="output", step="broken", _json="null").headers["location"]
        assert at.rest(made.removeprefix("/runs/")).status == "success"


def test_delete_asks_first_with_and_without_a_script() -> None:
    with studio(TWO) as at:
        run = at.start("two", {"n": 1})
        html = at.page(f"/runs/{run}")
        head = html[html.index('id="run-actions"') :].partition("</header>")[0]
        assert f'<form class="bare" method="get" action="/runs/{run}/delete">' in head
        assert 'data-dialog="confirm-delete"' in head
        assert '<dialog id="confirm-delete"' in html
        asked = at.page(f"/runs/{run}/delete")
        assert f'method="post" action="/runs/{run}/delete"' in asked
        at.page(f"/runs/{run}")  # asking deletes nothing
        assert at.client.get("/runs/nobody/delete").status_code == 404
