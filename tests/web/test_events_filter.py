"""Some of a run's events: by type, step and text, and as they were at a moment."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs

from engine import create_workflow, step
from tests.fixtures import add, fail
from tests.web.hosted import ORIGIN, Studio, studio
from tests.web.test_pages_events import EACH, TWO, seqs

BREAKS = create_workflow(id="breaks").then(add("first")).then(fail("broken"))


@step
def tells(data: Any) -> Any:
    return data | {"api_key": "abc-123-hidden", "word": "Sésame"}


def listed(at: Studio, run: str, query: str) -> list[tuple[str, str | None]]:
    """Types and steps of what is listed, oldest first: the page, its twin and the file say the same."""
    events = at.client.get(f"/runs/{run}.json?tab=events&{query}").json()["events"]
    html = at.page(f"/runs/{run}?step=&tab=events&{query}")
    file = at.client.get(f"/runs/{run}/events.ndjson?{query}").text.splitlines()
    assert [one["seq"] for one in events] == [json.loads(one)["seq"] for one in file]
    assert [one["seq"] for one in events] == (list(reversed(seqs(html))) if events else [])
    return [(one["type"], one["path"]) for one in events]


def links(html: str) -> dict[str, str]:
    """Where the links and chips of the list lead, by what they say."""
    part = html.partition('id="events-table"')[2].partition('<div class="pager">')[0]
    found = re.findall(r'<a [^>]*href="([^"]*)"[^>]*>(.*?)</a>', part, re.DOTALL)
    return {" ".join(re.sub(r"<[^>]*>", " ", said).split()): unescape(href) for href, said in found}


def test_events_are_listed_by_type_step_and_text() -> None:
    with studio(BREAKS, TWO) as at:
        run = at.start("breaks", {"n": 1})
        assert listed(at, run, "type=step.failed&type=run.failed") == [("step.failed", "broken"), ("run.failed", None)]
        assert listed(at, run, "path=first") == [("step.started", "first"), ("step.succeeded", "first")]
        assert listed(at, run, "path=first&type=step.started&find=%22N%22") == [("step.started", "first")]
        assert listed(at, run, "find=ValueERROR&type=step.failed") == [("step.failed", "broken")]
        assert (
            listed(at, run, "type=nonsense") == listed(at, run, "path=nowhere") == listed(at, run, "find=nowhere") == []
        )


def test_what_is_hidden_is_not_found() -> None:
    """Else a secret could be guessed letter by letter."""
    with studio(create_workflow(id="tells").then(tells)) as at:
        run = at.start("tells", {})
        assert [kind for kind, _ in listed(at, run, "find=s%C3%A9same")] == ["step.succeeded", "run.succeeded"]
        assert listed(at, run, "find=abc-123") == []


def test_a_chip_takes_a_type_more_and_away_again_and_all_links_keep_what_is_asked() -> None:
    with studio(TWO) as at:
        run = at.start("two", {"n": 1})
        html = at.page(f"/runs/{run}?step=first&tab=events&open=x&find=n")
        more = links(html)["step.started 2"]
        assert parse_qs(more.partition("?")[2]) == {
            "view": ["graph"], "step": ["first"], "tab": ["events"], "open": ["x"], "find": ["n"],
            "type": ["step.started"],
        }  # fmt: skip
        html = at.page(more)
        assert 'aria-current="true">step.started<span class="num">2<' in html
        assert parse_qs(links(html)["step.started 2"].partition("?")[2]) == parse_qs(
            "view=graph&step=first&tab=events&find=n&open=x"
        )
        assert links(at.page(links(html)["only this step"]))["only first"] == more
        assert "&tab=logs&type=step.started&find=n&open=x" in unescape(html)  # in other tabs, too
        form = html.partition('role="search" aria-label="Events"')[2].partition("<label")[0]
        assert re.findall(r'name="(\w+)" value="([^"]*)"', form) == [
            ("view", "graph"), ("step", "first"), ("tab", "events"), ("type", "step.started"), ("open", "x")
        ]  # fmt: skip


def test_nothing_that_fits_is_said_with_a_way_out() -> None:
    with studio(TWO) as at:
        run = at.start("two", {"n": 1})
        html = at.page(f"/runs/{run}?step=&tab=events&find=nowhere")
        assert "No event fits" in html
        assert links(html)["Show all events"] == f"/runs/{run}?view=graph&step=&tab=events"
        assert seqs(at.page(links(html)["Show all events"]))[-1] == 1


def beside(html: str) -> list[int | str | None]:
    bar = html.partition('id="run-events"')[2]
    found = [re.search(rf'event=(\d+|last)[^>]*data-key="\{key}"', bar) for key in "[]"]
    return [one and (one[1] if one[1] == "last" else int(one[1])) for one in found]


def test_previous_and_next_go_through_what_is_listed() -> None:
    """Also from one window to the next, and not to what was not asked for."""
    with studio(TWO, EACH) as at:
        run = at.start("two", {"n": 1})
        begun = [one["seq"] for one in at.client.get(f"/runs/{run}.json?type=step.started").json()["events"]]
        assert beside(at.page(f"/runs/{run}?type=step.started&step=")) == ["last", begun[0]]
        answer = at.client.get(f"/runs/{run}?type=step.started&event=last", follow_redirects=False)
        assert f"event={begun[1]}&" in answer.headers["location"]
        assert beside(at.page(f"/runs/{run}?type=step.started&event={begun[0]}")) == [None, begun[1]]
        assert beside(at.page(f"/runs/{run}?type=step.started&event={begun[1]}")) == [begun[0], None]
        run = at.start("each", [{"n": number} for number in range(120)])
        ends = at.client.get(f"/runs/{run}/events.ndjson?type=step.succeeded&find=output").text.splitlines()
        places = [json.loads(one)["seq"] for one in ends]
        edge = next(place for place in places if place > 200)  # the first one of the second window
        before = places[places.index(edge) - 1]
        for place, at_hand in ((before, 1), (edge, 0)):
            html = at.page(f"/runs/{run}?type=step.succeeded&find=output&tab=logs&event={place}")
            assert beside(html)[at_hand] == (edge, before)[at_hand == 0]


def page_beside(html: str, way: str) -> str | None:
    """Where the pager leads."""
    found = re.search(rf'href="([^"]*)"[^>]*>(?:(?!</a>).)*<span>{way}</span>', html.partition('class="pager"')[2])
    return found and unescape(found[1])


def test_windows_of_what_is_listed_join() -> None:
    with studio(EACH) as at:
        run = at.start("each", [{"n": number} for number in range(210)])
        file = at.client.get(f"/runs/{run}/events.ndjson?type=step.started").text.splitlines()
        wanted = [json.loads(one)["seq"] for one in file]
        assert len(wanted) == 211
        first = at.page(f"/runs/{run}?step=&tab=events&type=step.started")
        assert (seqs(first), page_beside(first, "Newer")) == (wanted[:-201:-1], None)
        rest = at.page(page_beside(first, "Older") or "")
        assert (seqs(rest), page_beside(rest, "Older")) == (wanted[10::-1], None)
        assert seqs(at.page(page_beside(rest, "Newer") or "")) == wanted[:-201:-1]


def test_a_frozen_list_stays_as_it_was_and_counts_what_came() -> None:
    """What came is counted if it would be listed; the rest of the page goes on; the state is in the address."""
    with studio(TWO) as at:
        run = at.start("two", {"n": 1}, paused=True)
        html = at.page(f"/runs/{run}?step=&tab=events")
        last = max(seqs(html))
        form = re.search(
            r'<form class="bare" method="get"[^>]*>((?:<input[^>]*>)*)<button[^>]*aria-pressed="false"', html
        )
        assert form
        sent = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form[1]))
        assert sent == {"view": "graph", "step": "", "tab": "events", "frozen": str(last)}
        at.press(run, "continue")
        at.rest(run)
        frozen = at.page(f"/runs/{run}?step=&tab=events&frozen={last}")
        assert seqs(frozen) == list(range(last, 0, -1))
        total = len(at.client.get(f"/runs/{run}/events.ndjson").text.splitlines())
        assert links(frozen)[f"{total - last} new events, show"] == f"/runs/{run}?view=graph&step=&tab=events"
        assert 'aria-pressed="true"' in frozen
        assert 'data-status="success"' in frozen.partition('id="run-status"')[2][:100]
        assert "1 new event, show" in at.page(f"/runs/{run}?step=&tab=events&frozen={last}&type=run.succeeded")
        assert beside(at.page(f"/runs/{run}?event={last}&frozen={last}")) == [last - 1, None]
        assert ", show" not in at.page(f"/runs/{run}?step=&tab=events&frozen={10**30}")
        at.page(f"/runs/{run}?frozen=0", 400)


def test_an_open_page_asks_for_the_same_list_again() -> None:
    """What has happened is asked for with filter and frozen event; a button leaves them where they are."""
    with studio(TWO) as at:
        run = at.start("two", {"n": 1}, paused=True)
        html = at.page(f"/runs/{run}?step=&tab=events&type=step.started&type=log&find=n&path=first&frozen=3")
        follow = re.search(r'id="follow" hidden data-address="([^"]*)"', html)
        assert follow
        asked = parse_qs(unescape(follow[1]).partition("?")[2])
        assert [asked[name] for name in ("type", "path", "find", "frozen")] == [
            ["step.started", "log"],
            ["first"],
            ["n"],
            ["3"],
        ]
        parts = at.page(unescape(follow[1]))
        assert "step.succeeded" not in parts.partition('id="events-table"')[2].partition("</table>")[0]
        here = {
            "origin": ORIGIN,
            "hx-request": "true",
            "hx-current-url": f"{ORIGIN}/runs/{run}?tab=events&type=log&frozen=3",
        }
        form = {"view": "graph", "step": "", "tab": "events"}
        answer = at.client.post(f"/runs/{run}/step", data=form, headers=here)
        assert answer.headers["hx-replace-url"] == f"/runs/{run}?view=graph&tab=events&type=log&frozen=3"
