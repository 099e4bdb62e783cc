"""The data of a step: what it changed in the shared state of its run."""

from __future__ import annotations

import operator
import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel

from engine import Event, Run, StepContext, create_workflow, reduce, step
from studio.pages import run_regions
from studio.views.state_change import Change, StateChange, folded, state_change
from tests.fixtures import add
from tests.web.hosted import Studio, studio


class Basket(BaseModel):
    items: Annotated[list[str], reduce(operator.add)] = []
    total: int = 0
    api_key: str = "sk-first-of-them"


@step(state_schema=Basket)
async def fill(data: dict[str, int], ctx: StepContext) -> dict[str, int]:
    ctx.set_state({"items": ["tea" * 3_000], "total": data["n"]})
    return data


@step(state_schema=Basket)
async def more(data: dict[str, int], ctx: StepContext) -> dict[str, int]:
    ctx.set_state({"items": ["<kettle>"], "api_key": "sk-second-of-them"})
    return data


@step(state_schema=Basket)
async def look(data: dict[str, int], ctx: StepContext) -> dict[str, int]:
    return data


SHOP = create_workflow(id="shop", state_schema=Basket).then(fill).then(more).then(look)
NESTED = create_workflow(id="nested", state_schema=Basket).then(SHOP)
AT = datetime(2026, 1, 1, tzinfo=UTC)
STATELESS = create_workflow(id="stateless").then(add("first"))


def told(at: Studio, run: str, path: str) -> StateChange | None:
    return at.read(run, lambda found: state_change(found, path, most=5_000))


def shown(html: str) -> list[tuple[str, str, str]]:
    """The rows of the table, in words."""
    rows = re.findall(
        r'<th scope="row">(.*?)</th><td class="old">(.*?)</td><td class="new">(.*?)</td>', html, re.DOTALL
    )
    return [tuple(" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in row) for row in rows]  # type: ignore[misc]


def test_a_step_shows_the_keys_that_it_changed_before_and_after_without_secrets() -> None:
    with studio(SHOP) as at:
        run = at.start("shop", {"n": 3})
        html = at.page(f"/runs/{run}?step=more")
        keys = [row[0] for row in shown(html)]
        assert keys == ["items", "api_key"]
        assert "&lt;kettle&gt;" in shown(html)[0][2]
        assert shown(html)[1][1:] == ("&#34;[redacted]&#34;", "&#34;[redacted]&#34;")
        assert "of-them" not in html
        assert 'href="#state-change"' in html
        assert "The whole state" in html


def test_a_list_that_only_grows_is_put_together_again() -> None:
    with studio(SHOP) as at:
        run = at.start("shop", {"n": 3})
        changed = [event for event in events(at, run) if event.type == "state.changed"]
        assert changed[1].data["appended"] == {"items": 1}
        found = told(at, run, "more")
        assert found is not None
        assert found.changes[0] == Change(
            "items", ["tea" * 3_000], ["tea" * 3_000, "<kettle>"], was=True, is_there=True
        )
        assert found.after == {"items": ["tea" * 3_000, "<kettle>"], "total": 3, "api_key": "[redacted]"}
        assert found.has_ended


def events(at: Studio, run: str) -> list[Event]:
    async def read(found: Run) -> list[Event]:
        return [event async for event in found.events(follow=False)]

    return at.read(run, read)


def test_a_step_that_changes_nothing_says_so_and_a_block_has_what_its_steps_changed() -> None:
    with studio(SHOP, NESTED) as at:
        run = at.start("nested", {"n": 3})
        assert "Nothing in it changed." in at.page(f"/runs/{run}?step=shop/look")
        block = told(at, run, "shop")
        assert block is not None
        assert [(one.key, one.note) for one in block.changes] == [("items", ""), ("total", ""), ("api_key", "")]


def test_a_run_without_state_shows_nothing_of_it() -> None:
    with studio(STATELESS) as at:
        html = at.page(f"/runs/{at.start('stateless', {'n': 1})}?step=first&tab=data")
        assert "state-change" not in html
        assert 'data-key="d"' not in html


def test_d_leads_to_the_difference_from_another_tab() -> None:
    with studio(SHOP) as at:
        run = at.start("shop", {"n": 3})
        html = at.page(f"/runs/{run}?step=more&tab=code")
        href = f"/runs/{run}?view=graph&amp;step=more&amp;tab=data#state-change"
        assert re.search(f'href="{re.escape(href)}" data-key="d"', html)


def test_a_step_that_is_too_far_from_the_start_says_so(monkeypatch: Any) -> None:
    monkeypatch.setattr(run_regions, "MOST_READ", 3)
    with studio(SHOP) as at:
        run = at.start("shop", {"n": 3})
        assert "The step began after the first" in at.page(f"/runs/{run}?step=more")
        assert "As of the first" in at.page(f"/runs/{run}?step=fill")


def event(seq: int, type: str, path: str | None = None, **data: Any) -> Event:
    return Event(seq, "r", AT, type, path, None, data)


def test_what_others_wrote_meanwhile_is_told_apart() -> None:
    found = folded(
        [
            event(1, "run.started", state={"a": 1, "b": 1, "gone": 1}),
            event(2, "step.started", "one"),
            event(3, "state.changed", "two", changes={"a": 2, "b": 2}),
            event(4, "state.changed", "one", changes={"b": 3, "c": {"x": []}}),
            event(5, "state.changed", "one", changes={}, removed=["gone"]),
            event(6, "step.succeeded", "one"),
            event(7, "state.changed", "two", changes={"a": 9}),
        ],
        "one",
    )
    assert found == StateChange(
        (
            Change("a", 1, 2, was=True, is_there=True, note="by other steps"),
            Change("b", 1, 3, was=True, is_there=True, note="with other steps"),
            Change("gone", 1, None, was=True, is_there=False),
            Change("c", None, {"x": []}, was=False, is_there=True),
        ),
        {"a": 1, "b": 1, "gone": 1},
        {"a": 2, "b": 3, "c": {"x": []}},
        has_ended=True,
        seq=5,
    )


def test_a_step_that_has_not_begun_has_none() -> None:
    assert folded([event(1, "run.started", state={"a": 1})], "one") is None
    with studio(SHOP) as at:
        run = at.start("shop", {"n": 3}, paused=True)
        assert "state-change" not in at.page(f"/runs/{run}?step=fill&tab=data")
