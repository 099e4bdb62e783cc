"""The events of a run: by windows, as a file, and one that is chosen."""

from __future__ import annotations

import json
import re

from engine import create_workflow
from tests.fixtures import add
from tests.web.hosted import ORIGIN, studio

TWO = create_workflow(id="two").then(add("first")).then(add("second"))
EACH = create_workflow(id="each").foreach(add("item"), concurrency=2)


def seqs(html: str) -> list[int]:
    table = html[html.index('id="events-table"') :].partition("</table>")[0]
    return [int(number) for number in re.findall(r'<td class="num"><a[^>]*>(\d+)</a></td>', table)]


def test_events_come_in_windows_and_as_a_file() -> None:
    items = [{"n": number} for number in range(150)]
    with studio(EACH) as at:
        run = at.start("each", items)
        html = at.page(f"/runs/{run}?step=&tab=events")
        total = len(at.client.get(f"/runs/{run}/events.ndjson").text.splitlines())
        assert seqs(html) == list(range(total, total - 200, -1))
        older = re.search(r'href="([^"]*before=\d+[^"]*)"[^>]*><svg.*?<span>Older', html)
        assert older
        html = at.page(older[1].replace("&amp;", "&"))
        assert seqs(html) == list(range(total - 200, 0, -1))
        found = at.client.get(f"/runs/{run}/events.ndjson")
        assert found.headers["content-type"].startswith("application/x-ndjson")
        assert [json.loads(text)["seq"] for text in found.text.splitlines()] == list(range(1, total + 1))


def chosen(html: str) -> dict[str, object]:
    """What a page says of the chosen event: row, step, data, and where the events beside it are."""
    row = re.search(r'<tr aria-current="true"><td class="num"><a[^>]*>(\d+)<', html)
    detail = html.partition('<section class="event stack"')[2].partition("</section>")[0]
    step = re.search(r'id="inspector" data-of="([^"]*)"', html)
    bar = html.partition('id="run-events"')[2]
    beside = {key: re.search(rf'event=(\d+|last)[^>]*data-key="\{key}"', bar) for key in "[]"}
    return {
        "row": int(row[1]) if row else None,
        "step": step and step[1],
        "words": re.findall(r'<span class="(?:text|number)">([^<]*)</span>', detail),
        "beside": tuple(found and (found[1] if found[1] == "last" else int(found[1])) for found in beside.values()),
    }


def test_an_event_is_chosen_by_its_number_with_its_step_and_its_data() -> None:
    """At the ends there is nothing to go on to; with none chosen one begins at an end."""
    with studio(TWO) as at:
        run = at.start("two", {"n": 1})
        events = [json.loads(text) for text in at.client.get(f"/runs/{run}/events.ndjson").text.splitlines()]
        last = len(events)
        (done,) = (one["seq"] for one in events if (one["type"], one["path"]) == ("step.succeeded", "second"))
        html = at.page(f"/runs/{run}?event={done}")
        assert chosen(html) == {"row": done, "step": "second", "words": ["3"], "beside": (done - 1, done + 1)}
        assert re.search(r'<a class="lane [^>]*step=second[^>]*aria-current="true"', html)
        assert 'data-selected="second"' in html
        assert chosen(at.page(f"/runs/{run}?event=1"))["beside"] == (None, 2)
        assert chosen(at.page(f"/runs/{run}?event={last}")) | {"words": []} == {
            "row": last, "step": "", "words": [], "beside": (last - 1, None)
        }  # fmt: skip
        assert chosen(at.page(f"/runs/{run}?step=first")) == {
            "row": None, "step": "first", "words": [], "beside": ("last", 1)
        }  # fmt: skip
        for nothing in (last + 1, 10**30):
            assert chosen(at.page(f"/runs/{run}?event={nothing}&step=first")) == chosen(
                at.page(f"/runs/{run}?step=first")
            )
        assert at.client.get(f"/runs/{run}.json?event={done}").json()["event"]["data"] == {"output": {"n": 3}}
        at.page(f"/runs/{run}?event=0", 400)
        answer = at.client.get(f"/runs/{run}?event=last&view=journal", follow_redirects=False)  # then it is one event
        assert answer.headers["location"] == f"/runs/{run}?view=journal&event={last}&tab=events#event"
        assert at.client.get(f"/runs/{run}.json?event=last&type=run.created").json()["event"]["seq"] == 1


def test_the_event_stays_in_other_tabs_and_views_and_the_tab_with_other_events() -> None:
    with studio(TWO) as at:
        run = at.start("two", {"n": 1})
        html = at.page(f"/runs/{run}?event=4&view=journal&open=x&tab=code").replace("&amp;", "&")
        assert f'href="/runs/{run}?view=journal&event=5&tab=code&open=x#event" data-key="]"' in html
        assert f'href="/runs/{run}?view=journal&event=4&tab=logs&open=x"' in html
        assert f'href="/runs/{run}?view=graph&event=4&tab=code&open=x"' in html
        assert f'href="/runs/{run}?view=journal&step=first&tab=code&open=x"' in html  # another step: no event
        html = at.page(f"/runs/{run}?step=first").replace("&amp;", "&")
        assert f'href="/runs/{run}?view=graph&event=1&tab=events#event" data-key="]"' in html


def test_the_event_stays_when_a_breakpoint_is_set_and_goes_when_the_run_goes_on() -> None:
    with studio(TWO) as at:
        run = at.start("two", {"n": 1}, paused=True)
        here = {"origin": ORIGIN, "hx-request": "true", "hx-current-url": f"{ORIGIN}/runs/{run}?event=1&tab=events"}
        form = {"view": "graph", "step": "", "tab": "events", "at": "second", "when": "before"}
        for verb, where in (("breakpoints", "&event=1&tab=events"), ("step", "&tab=events")):
            answer = at.client.post(f"/runs/{run}/{verb}", data=form, headers=here)
            assert answer.headers["hx-replace-url"] == f"/runs/{run}?view=graph{where}"
        here["hx-current-url"] = f"{ORIGIN}/runs/{run}?event={'9' * 5000}"
        assert at.client.post(f"/runs/{run}/breakpoints", data=form, headers=here).status_code == 200


def test_a_chosen_event_far_back_is_read_with_its_window_alone() -> None:
    """The window is the same for all events in it, so that from one to the next the table stays."""
    items = [{"n": number} for number in range(150)]
    with studio(EACH) as at:
        run = at.start("each", items)
        assert seqs(at.page(f"/runs/{run}?event=7")) == list(range(200, 0, -1))
        assert seqs(at.page(f"/runs/{run}?event=100")) == list(range(200, 0, -1))
        assert chosen(at.page(f"/runs/{run}?event=201"))["beside"] == (200, 202)
