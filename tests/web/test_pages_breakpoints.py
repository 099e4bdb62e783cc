"""Breakpoints on the page of a run: setting them, where they are shown, and what a run that stopped at one says."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from engine import Breakpoint, Run, create_workflow
from studio.hosting import Hosting
from tests.fixtures import add
from tests.web.hosted import POST, Studio, status, studio
from tests.web.test_pages_run import EACH, TWO

THREE = create_workflow(id="three").then(add("first")).then(add("second")).then(add("third"))


def points(at: Studio, run: str) -> tuple[Breakpoint, ...]:
    found: tuple[Breakpoint, ...] = at.read(run, Run.breakpoints)
    return found


def listed(html: str) -> list[str]:
    """The list of breakpoints below the picture, as it reads."""
    inner = html[html.index('id="run-breaks"') :].partition("</div>")[0]
    return [re.sub(r"<[^>]+>", "", text).strip() for text in re.findall(r"<span>((?:before|after) .*?)</span>", inner)]


def dots(html: str) -> list[str]:
    """The places of the picture that have a dot."""
    return re.findall(r'<g class="node"[^>]* data-place="([^"]*)"[^>]* data-breakpoint=""', html)


def test_a_breakpoint_is_set_and_taken_away_by_the_inspectors_buttons() -> None:
    with studio(THREE) as at:
        run = at.start("three", {"n": 0}, paused=True)
        html = at.page(f"/runs/{run}?view=timeline&step=second")
        assert re.findall(r'data-key="b"[^>]*aria-pressed="(\w+)"', html) == ["false"]
        asked = {"view": "timeline", "step": "second", "tab": "data"}
        answer = at.press(run, "breakpoints", do="add", at="second", when="before", **asked)
        assert (answer.status_code, answer.headers["location"]) == (
            303,
            f"/runs/{run}?view=timeline&step=second&tab=data",
        )
        assert points(at, run) == (Breakpoint("second"),)
        html = at.page(answer.headers["location"])
        assert re.findall(r'data-key="b"[^>]*aria-pressed="(\w+)"', html) == ["true"]
        assert listed(html) == ["before second"]
        at.press(run, "breakpoints", do="add", at="second", when="before", **asked)  # once is enough
        at.press(run, "breakpoints", do="add", at="second", when="after", **asked)
        assert points(at, run) == (Breakpoint("second"), Breakpoint("second", "after"))
        at.press(run, "breakpoints", do="remove", at="second", when="before", **asked)
        assert points(at, run) == (Breakpoint("second", "after"),)


def test_breakpoints_are_shown_in_the_picture_the_list_the_outline_and_the_timeline() -> None:
    with studio(THREE) as at:
        run = at.start("three", {"n": 0}, breakpoints=["second", Breakpoint("second", "after")])
        html = at.page(f"/runs/{run}")
        assert dots(html) == ["second"]
        assert listed(html) == ["before second", "after second"]
        assert 'data-breaks="[&#34;second&#34;]"' in html
        outline = html[html.index('id="run-outline"') :].partition("</nav>")[0]
        assert outline.count(">breakpoint before and after</span>") == 1
        lanes = html[html.index('id="timeline"') :].partition("</section>")[0]
        assert re.findall(r'class="name" title="(\w+)"', lanes) == ["first", "second"]
        assert lanes.count('aria-label="breakpoint before and after"') == 1
        journal = at.page(f"/runs/{run}?view=journal")
        assert journal.count('aria-label="breakpoint before and after"') == 1


def test_a_run_that_stopped_at_a_breakpoint_says_before_which_step_and_how_to_go_on() -> None:
    with studio(THREE) as at:
        run = at.start("three", {"n": 0}, breakpoints=["second", Breakpoint("second", "after")])
        seen = []
        for verb in ("continue", "continue"):
            html = at.page(f"/runs/{run}")
            stop = html[html.index('id="run-stop"') :].partition("</div></div>")[0]
            seen.append(" ".join(re.sub(r"<[^>]+>", "", stop.partition(">")[2]).split()))
            assert 'data-selected="' + ("second" if len(seen) == 1 else "third") in html
            at.press(run, verb)
            at.rest(run)
        assert seen == [
            "Stopped before second (breakpoint). Continue C, one step S",
            "Stopped after second (breakpoint). Continue C, one step S",
        ]
        html = at.page(f"/runs/{run}")
        assert (status(html), 'id="run-stop"' in html, listed(html)) == ("success", False, [])


def test_a_run_that_is_held_without_a_breakpoint_is_paused_before_its_next_step() -> None:
    with studio(THREE) as at:
        run = at.start("three", {"n": 0}, breakpoints=["first"])
        at.press(run, "step")
        at.rest(run)
        html = at.page(f"/runs/{run}")
        stop = html[html.index('id="run-stop"') :].partition("</div></div>")[0]
        assert "Paused before" in stop
        assert "(breakpoint)" not in stop
        assert re.findall(r'data-status="held" data-place="(\w+)"', html) == ["second"]


def test_one_breakpoint_holds_every_item_of_a_foreach() -> None:
    with studio(EACH) as at:
        run = at.start("each", [{"n": 1}, {"n": 2}], paused=True)
        at.press(run, "breakpoints", do="add", at="item[1]", when="before")
        assert points(at, run) == (Breakpoint("item"),)
        html = at.page(f"/runs/{run}?step=item%5B0%5D")
        assert dots(html) == ["item[]"]
        assert re.findall(r'data-key="b"[^>]*aria-pressed="(\w+)"', html) == ["true"]


def test_a_breakpoint_may_have_a_condition_and_a_round() -> None:
    with studio(EACH) as at:
        run = at.start("each", [{"n": 1}, {"n": 2}, {"n": 3}], paused=True)
        assert "only in round 2" in at.page(f"/runs/{run}?step=item%5B2%5D")
        asked = {"at": "item[2]", "when": "before", "view": "graph", "step": "item[2]"}
        at.press(run, "breakpoints", **asked, **{"if": " n > 1 "})
        assert points(at, run) == (Breakpoint("item", condition="n > 1"),)
        at.press(run, "breakpoints", **asked, round="1", **{"if": "n > 1"})
        assert points(at, run) == (Breakpoint("item", iteration=2, condition="n > 1"),)
        assert listed(at.page(f"/runs/{run}")) == ["before item in round 2, if n &gt; 1"]
        answer = at.press(run, "breakpoints", **asked, **{"if": "n >"})
        assert (answer.status_code, 'role="alert"' in answer.text) == (409, True)
        at.press(run, "continue")
        at.rest(run)
        stop = at.page(f"/runs/{run}").partition('id="run-stop"')[2].partition("</div></div>")[0]
        assert "item[2]" in stop
        assert "(breakpoint)" in stop


def test_a_step_may_have_breakpoints_in_several_rounds_and_each_is_taken_away_for_itself() -> None:
    with studio(EACH) as at:
        run = at.start("each", [{"n": 1}, {"n": 2}, {"n": 3}], paused=True)
        for number in (0, 2):
            at.press(run, "breakpoints", at=f"item[{number}]", when="before", round="1")
        at.press(run, "breakpoints", at="item[2]", when="before", round="1", **{"if": "n > 1"})
        assert points(at, run) == (Breakpoint("item", iteration=0), Breakpoint("item", iteration=2, condition="n > 1"))
        html = at.page(f"/runs/{run}")
        assert listed(html) == ["before item in round 0", "before item in round 2, if n &gt; 1"]
        assert re.findall(r'name="in" value="(\d*)"', html) == ["0", "2"]
        at.press(run, "breakpoints", do="remove", at="item", when="before", **{"in": "2"})
        assert points(at, run) == (Breakpoint("item", iteration=0),)
        at.press(run, "breakpoints", do="remove", at="item", when="before", **{"in": ""})  # there is none of that kind
        assert points(at, run) == (Breakpoint("item", iteration=0),)
        at.press(run, "breakpoints", at="item[1]", when="before")  # in every round, so it takes the place of the other
        assert points(at, run) == (Breakpoint("item"),)
        at.press(run, "breakpoints", do="remove", at="item[1]", when="before")
        assert points(at, run) == ()


def test_a_breakpoint_is_durable(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path}/runs.db"

    async def begin(hosting: Hosting) -> str:
        run = await hosting.engine.create_run("three")
        await hosting.act(lambda: run.start_soon({"n": 0}, breakpoints=["second"]))
        await run.wait(10)
        return run.run_id

    async def told(hosting: Hosting, run_id: str) -> tuple[str, tuple[Breakpoint, ...]]:
        run = await hosting.engine.get_run(run_id)
        return await run.status(), await run.breakpoints()

    with Hosting([THREE], store=url) as hosting:
        run_id = asyncio.run(begin(hosting))
    with Hosting([THREE], store=url) as hosting:
        assert asyncio.run(told(hosting, run_id)) == ("paused", (Breakpoint("second"),))


def test_what_is_no_step_or_comes_too_late_is_said() -> None:
    with studio(TWO) as at:
        run = at.start("two", {"n": 0}, paused=True)
        answer = at.press(run, "breakpoints", at="nowhere", when="before")
        assert (answer.status_code, "has no &#39;nowhere&#39;" in answer.text) == (409, True)
        assert at.press(run, "breakpoints", at="first", when="sometimes").status_code == 400
        assert at.press(run, "breakpoints").status_code == 400
        at.press(run, "continue")
        at.rest(run)
        assert at.press(run, "breakpoints", at="first", when="before").status_code == 409
        assert 'data-key="b"' not in at.page(f"/runs/{run}?step=first")


@pytest.mark.parametrize("verb", ["step", "breakpoints"])
def test_with_a_script_a_button_brings_the_changed_parts_and_the_address(verb: str) -> None:
    with studio(THREE) as at:
        run = at.start("three", {"n": 0}, paused=True)
        data = {"view": "graph", "step": "third", "tab": "data", "at": "third", "when": "before"}
        headers = {**POST["headers"], "hx-request": "true"}
        answer = at.client.post(f"/runs/{run}/{verb}", data=data, headers=headers)
        assert answer.status_code == 200
        assert re.findall(r'hx-target="#([\w-]+)"', answer.text) == [
            "run-status", "run-facts", "run-actions", "run-banner", "run-breaks", "run-events", "timeline",
            "timeline-total", "run-outline", "run-problem", "inspector", "run-question", "run-views",
            "inspector-tabs", "follow",
        ]  # fmt: skip
        stays = verb == "breakpoints"
        where = f"/runs/{run}?view=graph" + ("&step=third&tab=data" if stays else "")
        assert answer.headers["hx-replace-url"] == where
        assert ("before third" in listed(answer.text)) == stays


def test_parts_of_the_picture_that_were_open_stay_open() -> None:
    inner = create_workflow(id="inner").then(add("a")).then(add("b"))
    with studio(create_workflow(id="outer").then(inner)) as at:
        run = at.start("outer", {"n": 0}, paused=True)
        was = f"{at.client.base_url}/runs/{run}?view=graph&step=inner%2Fa&open=inner"
        data = {"view": "graph", "step": "inner/a", "tab": "data", "at": "inner/a", "when": "before"}
        headers = {**POST["headers"], "referer": was}
        answer = at.client.post(f"/runs/{run}/breakpoints", data=data, headers=headers, follow_redirects=False)
        assert answer.headers["location"] == f"/runs/{run}?view=graph&step=inner%2Fa&tab=data&open=inner"
        assert dots(at.page(answer.headers["location"])) == ["inner/a"]
        headers = {**POST["headers"], "hx-request": "true", "hx-current-url": was}
        answer = at.client.post(f"/runs/{run}/step", data=data, headers=headers)
        assert answer.headers["hx-replace-url"] == f"/runs/{run}?view=graph&open=inner"


@pytest.mark.parametrize("page", ["http://[", "x?open=%ff&open=inner#?open=a", ""])
def test_whatever_page_a_request_says_it_comes_from_a_button_works(page: str) -> None:
    with studio(TWO) as at:
        run = at.start("two", {"n": 0}, paused=True)
        headers = {**POST["headers"], "hx-request": "true", "hx-current-url": page}
        data = {"view": "graph", "at": "first", "when": "before"}
        assert at.client.post(f"/runs/{run}/breakpoints", data=data, headers=headers).status_code == 200


def test_with_a_script_what_is_refused_is_said_in_the_banner() -> None:
    with studio(TWO) as at:
        run = at.start("two", {"n": 0})
        headers = {**POST["headers"], "hx-request": "true"}
        answer = at.client.post(f"/runs/{run}/pause", data={"view": "graph"}, headers=headers)
        assert (answer.status_code, 'role="alert"' in answer.text, "<html" in answer.text) == (409, True, False)
