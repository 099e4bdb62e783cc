"""The page of a run: what it shows in each state, and what each button does."""

from __future__ import annotations

import asyncio
import re
import threading
from contextlib import suppress

import pytest

from engine import RetryPolicy, Run, StepContext, create_workflow, step
from studio.hosting import EngineBlocked
from studio.views.run_head import header
from tests.fixtures import add, fail
from tests.web.hosted import Studio, status, studio
from tests.web.waiting import until


def buttons(html: str) -> set[str]:
    """What can be pressed in the head of the page."""
    head = html[html.index('id="run-actions"') :].partition("</header>")[0]
    return set(re.findall(r'action="/runs/[^/"]+/(\w+)"', head))


@step(description="Ask how <many> more")
async def ask(data: dict[str, int], ctx: StepContext) -> dict[str, int]:
    answer = await ctx.ask({"n": data["n"]}, dict[str, int], title="How many more?")
    return {"n": data["n"] + answer["more"]}


@step
def broken(data: dict[str, int]) -> None:
    raise LookupError(f"nothing at {data['n']} <b>")


TWO = create_workflow(id="two").then(add("first")).then(add("second"))
ASKS = create_workflow(id="asks").then(add("first")).then(ask)
FAILS = create_workflow(id="fails").then(add("first")).then(broken)
EVENT = create_workflow(id="event").wait_for_event("go").then(add("first"))
EACH = create_workflow(id="each").foreach(add("item"), concurrency=2)


# -- states


def test_a_run_that_succeeded_shows_its_steps_its_data_and_what_can_be_done_now() -> None:
    with studio(TWO) as at:
        run = at.start("two", {"n": 1})
        html = at.page(f"/runs/{run}?step=second")
        assert (status(html), buttons(html)) == ("success", {"rerun", "delete"})
        assert '<span class="key">&#34;n&#34;</span>: <span class="number">3</span>' in html
        assert 'href="/workflows/two"' in html
        assert "/ws/runs/" not in html  # it has ended: nothing to follow
        assert re.findall(r'<a class="lane is-(\w+)[^>]*>\s*<span class="name" title="(\w+)"', html) == [
            ("success", "first"),
            ("success", "second"),
        ]


def test_a_suspended_run_shows_its_question_first_and_selects_the_step_that_asks() -> None:
    with studio(ASKS) as at:
        run = at.start("asks", {"n": 1})
        html = at.page(f"/runs/{run}")
        assert (status(html), buttons(html)) == ("suspended", {"pause", "rerun", "cancel"})
        assert html.index("How many more?") < html.index('id="inspector"')
        assert 'data-selected="ask"' in html
        assert '<p class="muted said">Ask how &lt;many&gt; more</p>' in html
        assert f'hx-ws:connect="/ws/runs/{run}?after=' in html


def test_a_failed_run_opens_on_its_error_the_users_frames_first() -> None:
    with studio(FAILS) as at:
        run = at.start("fails", {"n": 7})
        html = at.page(f"/runs/{run}")
        assert (status(html), buttons(html)) == ("failed", {"rerun", "delete"})
        assert "LookupError" in html
        assert "nothing at 8 &lt;b&gt;" in html
        inner = html[html.index('id="inspector"') :]
        assert inner.index("test_pages_run.py") < inner.index("invoke.py")
        assert "raise LookupError(" in inner
        code = at.page(f"/runs/{run}?step=broken&tab=code")
        assert '<li class="at">' in code


def test_a_paused_run_is_stepped_to_its_end_and_then_only_what_makes_sense_is_left() -> None:
    with studio(TWO) as at:
        run = at.start("two", {"n": 1}, paused=True)
        html = at.page(f"/runs/{run}")
        assert (status(html), buttons(html)) == ("paused", {"step", "continue", "rerun", "cancel"})
        seen = []
        for _ in range(2):
            answer = at.press(run, "step", view="journal")
            assert (answer.status_code, answer.headers["location"]) == (303, f"/runs/{run}?view=journal")
            seen.append((at.rest(run).status, at.read(run, Run.statuses)["first"]))
        assert seen == [("paused", "success"), ("success", "success")]


def test_a_run_that_waits_for_an_event_says_so_and_can_be_canceled() -> None:
    with studio(EVENT) as at:
        run = at.start("event", {"n": 1}, wait=False)
        until_waiting(at, run)
        html = at.page(f"/runs/{run}")
        assert (status(html), buttons(html)) == ("waiting", {"pause", "rerun", "cancel"})
        assert at.press(run, "cancel").status_code == 303
        html = at.page(f"/runs/{run}")
        assert (status(html), buttons(html)) == ("canceled", {"rerun", "delete"})


def until_waiting(at: Studio, run: str) -> None:
    async def wait() -> None:
        async for event in (await at.hosting.engine.get_run(run)).events():
            if event.type == "run.waiting":
                return

    asyncio.run(wait())


def test_a_run_that_never_started_can_only_be_canceled() -> None:
    with studio(TWO) as at:
        run = asyncio.run(at.hosting.engine.create_run("two")).run_id
        html = at.page(f"/runs/{run}")
        assert (status(html), buttons(html)) == ("pending", {"cancel"})
        assert "Nothing has begun yet." in html
        assert at.press(run, "cancel").status_code == 303
        html = at.page(f"/runs/{run}")
        assert (status(html), buttons(html)) == ("canceled", {"delete"})


def test_a_run_of_a_thousand_steps_opens_on_its_last() -> None:
    long = create_workflow(id="long")
    for number in range(1000):
        long = long.then(add(f"s{number}"))
    with studio(long) as at:
        run = at.start("long", {"n": 0})
        html = at.page(f"/runs/{run}")
        assert status(html) == "success"
        assert html.count('<a class="lane') == 200
        assert "800 earlier steps left out" in html
        early = at.page(f"/runs/{run}?step=s0&tab=attempts")  # what is long ago is found all the same
        assert '<b class="num">1</b><span class="pill is-success"' in early


def test_a_run_that_is_being_canceled_says_so_and_is_not_canceled_again() -> None:
    shown = header("r", "w", "running", is_canceling=True)
    assert [(button.label, button.is_disabled) for button in shown.groups[-1]] == [("Canceling…", True)]
    assert [(button.busy, button.is_live) for button in header("r", "w", "running").groups[-1]] == [
        ("Canceling…", True)
    ]


# -- actions


def test_pause_continue_and_rerun() -> None:
    with studio(ASKS, TWO) as at:
        run = at.start("two", {"n": 1}, paused=True)
        assert at.press(run, "continue").headers["location"] == f"/runs/{run}"
        assert at.rest(run).result == {"n": 3}
        again = at.press(run, "rerun").headers["location"]
        assert again.startswith("/runs/")
        assert again != f"/runs/{run}"
        assert at.rest(again.removeprefix("/runs/")).result == {"n": 3}
        asks = at.start("asks", {"n": 1})
        assert at.press(asks, "pause").status_code == 303


def test_fork_goes_to_a_new_run_that_keeps_what_was_before_the_chosen_step() -> None:
    with studio(TWO) as at:
        run = at.start("two", {"n": 1})
        html = at.page(f"/runs/{run}?step=second")
        assert f'href="/runs/{run}/fork?step=second"' in html
        answer = at.press(run, "fork", step="second")
        made = answer.headers["location"].removeprefix("/runs/")
        assert (answer.status_code, at.rest(made).result) == (303, {"n": 3})
        assert f'href="/runs/{run}"' in at.page(f"/runs/{made}")  # where it comes from


def test_delete_goes_back_to_the_list_and_the_run_is_gone() -> None:
    with studio(TWO) as at:
        run = at.start("two", {"n": 1})
        answer = at.press(run, "delete")
        assert (answer.status_code, answer.headers["location"]) == (303, "/runs")
        at.page(f"/runs/{run}", 404)
        assert at.press(run, "pause").status_code == 404


def test_what_the_engine_refuses_is_said_on_the_page() -> None:
    with studio(TWO, ASKS) as at:
        run = at.start("two", {"n": 1})
        for verb in ("pause", "step", "continue", "cancel"):
            answer = at.press(run, verb)
            assert (answer.status_code, status(answer.text)) == (409, "success")
            assert 'role="alert"' in answer.text
            assert "Traceback" not in answer.text
        assert at.press(run, "fork", step="nowhere").status_code == 409
        asks = at.start("asks", {"n": 1})
        assert at.press(asks, "delete").status_code == 409
        assert at.press(run, "explode").status_code == 404
        assert at.client.post(f"/runs/{run}/cancel", headers={"origin": "http://evil.test"}).status_code == 403


def test_while_a_step_blocks_the_engine_the_page_shows_and_a_button_says_why_nothing_happened() -> None:
    free = threading.Event()

    @step
    async def greedy() -> None:
        free.wait(10)

    with studio(create_workflow(id="greedy").then(greedy)) as at:

        async def begin() -> str:
            run = await at.hosting.engine.create_run("greedy")
            with suppress(EngineBlocked):
                await at.hosting.act(run.start_soon)
            return run.run_id

        run = asyncio.run(begin())
        try:
            until(at.hosting.engine_trouble)
            html = at.page(f"/runs/{run}")
            assert (status(html), 'id="trouble"' in html) == ("running", True)
            answer = at.press(run, "pause")
            assert answer.status_code == 503
            assert "Nothing was changed" in answer.text
        finally:
            free.set()


# -- views


def test_the_journal_reads_like_the_program() -> None:
    with studio(FAILS) as at:
        html = at.page(f"/runs/{at.start('fails', {'n': 7})}?view=journal")
        journal = html[html.index('id="journal"') :].partition("</ol>")[0]
        calls = re.findall(r'<a class="call"[^>]*>([^<]*)</a> <span class="gives">([^<]*)<', journal)
        assert calls == [
            ("first(n)", "→ {n}"),
            ("broken(n)", "→ LookupError: nothing at 8 &lt;b&gt;"),
        ]


def test_attempts_are_segments_with_the_waits_between_them() -> None:
    tried = fail("tried", retry=RetryPolicy(attempts=3, delay=0.01))
    with studio(create_workflow(id="retries").then(tried)) as at:
        run = at.start("retries")
        html = at.page(f"/runs/{run}?view=timeline&tab=attempts")
        assert re.findall(r'<rect class="span is-(\w+)( waits)?"', html) == [
            ("failed", ""), ("retrying", " waits"), ("failed", ""), ("retrying", " waits"), ("failed", ""),
        ]  # fmt: skip
        inspector = html[html.index('id="inspector"') :].partition("</aside>")[0]
        assert re.findall(r'<b class="num">(\d)</b><span class="pill is-(\w+)"', inspector) == [
            ("1", "failed"), ("2", "failed"), ("3", "failed"),
        ]  # fmt: skip


def test_a_branch_tells_why_it_went_where_it_went() -> None:
    flow = create_workflow(id="branches").branch([("n > 5", add("high"))], otherwise=add("low"))
    with studio(flow) as at:
        html = at.page(f"/runs/{at.start('branches', {'n': 9})}?step=branch-1")
        why = html[html.index(">Why</h3>") :].partition("</section>")[0]
        assert "high" in why
        assert status_of_place(html, "low") == "skipped"


def status_of_place(html: str, place: str) -> str:
    """What the list of steps says of a place."""
    found = re.search(rf'<a data-place="{re.escape(place)}" class="is-(\w+)"', html)
    assert found
    return found[1]


def test_a_foreach_has_a_picker_of_its_items() -> None:
    with studio(EACH) as at:
        run = at.start("each", [{"n": 1}, {"n": 2}, {"n": 3}])
        html = at.page(f"/runs/{run}?step=item%5B1%5D")
        picker = html[html.index('aria-label="Iterations"') :].partition("</nav>")[0]
        assert re.findall(r"step=([^&\"]*)", picker) == ["item%5B0%5D", "item%5B1%5D", "item%5B2%5D"]
        assert picker.count('aria-current="true"') == 1
        assert "</svg>1</a>" in picker
        by_place = at.page(f"/runs/{run}?step=item%5B%5D")  # a place of the picture: one of its items
        assert 'data-selected="item[]"' in by_place


def test_logs_of_a_step_are_shown() -> None:
    @step
    def tells(data: None, ctx: StepContext) -> None:
        ctx.logger.warning("half <full>")

    with studio(create_workflow(id="logs").then(tells)) as at:
        html = at.page(f"/runs/{at.start('logs')}?step=tells&tab=logs")
        assert "half &lt;full&gt;" in html
        assert "warning" in html


def test_regions_leave_out_what_the_viewer_has_already() -> None:
    with studio(ASKS) as at:
        run = at.start("asks", {"n": 1})
        html = at.page(f"/runs/{run}")
        found = re.search(r'id="follow" hidden data-address="([^"]+)"', html)
        assert found
        again = at.page(found[1].replace("&amp;", "&"))
        assert re.findall(r'hx-target="#([\w-]+)"', again) == [
            "run-status", "run-facts", "run-actions", "run-banner", "run-breaks", "run-events", "timeline",
            "timeline-total", "run-outline", "run-views", "inspector-tabs", "follow",
        ]  # fmt: skip
        fresh = at.page(f"/runs/{run}/regions")
        assert {"inspector", "run-question"} <= set(re.findall(r'hx-target="#([\w-]+)"', fresh))


def test_regions_leave_out_what_became_of_a_button_and_are_compressed() -> None:
    with studio(ASKS) as at:
        run = at.start("asks", {"n": 1})
        answer = at.client.get(f"/runs/{run}/regions", headers={"accept-encoding": "gzip"})
        assert answer.headers["content-encoding"] == "gzip"
        targets = re.findall(r'hx-target="#([\w-]+)"', answer.text)
        assert ("run-banner" in targets, "run-problem" in targets) == (True, False)
        refused = at.press(run, "delete", view="graph", step="ask", tab="data")
        assert refused.status_code == 409
        said = refused.text.partition('id="run-problem"')[2].partition('id="run-banner"')[0]
        assert 'role="alert"' in said
        assert f'href="/runs/{run}?view=graph&amp;step=ask&amp;tab=data" data-close>Dismiss' in said


@pytest.mark.parametrize(("tab", "kept"), [("events", "&tab=events"), ("logs", "&tab=logs"), ("data", ""), ("", "")])
def test_without_a_script_step_and_continue_keep_the_tab_that_was_chosen(tab: str, kept: str) -> None:
    with studio(TWO) as at:
        run = at.start("two", {"n": 1}, paused=True)
        for verb in ("step", "continue"):
            answer = at.press(run, verb, view="journal", step="first", tab=tab)
            assert (answer.status_code, answer.headers["location"]) == (303, f"/runs/{run}?view=journal{kept}")
        at.rest(run)
        assert 'aria-current="page">Data' in at.page(f"/runs/{run}?step=&tab=code")  # only a step has code


def test_an_unknown_run_and_a_wrong_window_are_told_plainly() -> None:
    with studio(TWO) as at:
        at.page("/runs/nobody", 404)
        at.page("/runs/nobody/events.ndjson", 404)
        run = at.start("two", {"n": 1})
        at.page(f"/runs/{run}?before=0", 400)
        at.page(f"/runs/{run}?view=nonsense&tab=nonsense&step=nowhere&before=99999")
