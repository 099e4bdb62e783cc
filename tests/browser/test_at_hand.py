"""What is at hand on a page: the difference of the state, presets, keys, and where the file is."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Page, expect

from engine import StepContext, create_workflow, step
from tests.browser.barriers import faults
from tests.browser.hosted import Served
from tests.browser.test_debugging import Order
from tests.fixtures import add

LONG = "/srv/a-rather-long-folder/of-workflows/of-some-team/flows.py"


@step
async def count(data: dict[str, int], ctx: StepContext) -> dict[str, int]:
    ctx.set_state({"items": ["tea"] * data["n"]})
    return data


@step
async def pack(order: Order) -> dict[str, int]:
    return {"n": order.n}


@step
def broken(data: dict[str, int]) -> None:
    raise LookupError(data["n"])


WORKFLOWS = (
    create_workflow(id="counts").then(count).then(add("tie")),
    create_workflow(id="shop", input_schema=Order).then(pack),
    create_workflow(id="fails").then(add("first")).then(broken),
)


def start(served: Served) -> str:
    return served.start("counts", state={"items": []})


def test_d_shows_what_a_step_changed(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/runs/{start(served)}?step=count&tab=code")
    page.keyboard.press("d")
    expect(page).to_have_url(re.compile("tab=data#state-change$"))
    expect(page.locator("#state-change .old")).to_have_text("[]")
    expect(page.locator("#state-change .new")).to_contain_text('"tea"')
    expect(page.locator("#state-change")).to_be_in_viewport()
    page.keyboard.press("d")
    expect(page).to_have_url(re.compile("tab=data#state-change$"))


def test_the_help_lists_the_keys_of_the_page_and_no_others(served: Served, page: Page) -> None:
    for path in (f"/runs/{start(served)}?step=count", "/workflows/counts?step=count", "/runs", "/settings"):
        page.goto(served.url + path)
        page.wait_for_load_state("networkidle")
        there = page.evaluate(
            "[...new Set([...document.querySelectorAll('[data-key]')].map((one) => one.dataset.key).filter(Boolean))]"
        )
        page.keyboard.press("?")
        shown = page.locator("#keys .keys-list > div:visible")
        listed = [" ".join(row.locator("kbd").all_inner_texts()) for row in shown.all()]
        single = {key for keys in listed for key in ([keys] if keys.startswith(("g ", "Ctrl")) else keys.split())}
        others = {"j", "k", "Enter", "←", "↑", "↓", "→", "Ctrl ↵"}
        assert single - others == {key.replace("mod+k", "Ctrl K") for key in there}, path
        assert ("j" in single) is (page.locator("[data-row]").count() > 0), path
        page.keyboard.press("Escape")


def test_enter_beside_a_presets_name_keeps_it_and_it_is_chosen_again(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/workflows/shop")
    page.locator('[name="$.item"]').fill("kettle")
    page.locator("#launch-presets summary").click()
    page.locator('[name="_preset_name"]').fill("one kettle")
    page.locator('[name="_preset_name"]').press("Enter")
    expect(page.get_by_text("Kept as one kettle.")).to_be_visible()
    expect(page.locator('[name="$.item"]')).to_have_value("kettle")
    page.goto(f"{served.url}/workflows/shop")
    page.locator("#launch-presets summary").click()
    page.get_by_role("link", name="one kettle").click()
    expect(page.locator('[name="$.item"]')).to_have_value("kettle")
    page.get_by_role("button", name="Delete the preset one kettle").click()
    expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator("#launch-presets li")).to_have_count(0)
    expect(page.locator('[name="$.item"]')).to_have_value("kettle")


def test_a_long_path_stays_in_the_rail_and_its_end_is_seen(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/settings")
    page.locator(".light .source bdi").evaluate("(place, text) => { place.textContent = text; }", LONG)
    boxes: dict[str, Any] = page.evaluate(
        """() => Object.fromEntries([".rail", ".light .source", ".light .source bdi", "#light"].map((one) =>
           [one, document.querySelector(one).getBoundingClientRect().toJSON()]))"""
    )
    assert boxes[".light .source"]["right"] <= boxes[".rail"]["right"]
    assert boxes[".light .source bdi"]["right"] <= boxes[".light .source"]["right"] + 1  # its start is cut
    assert boxes[".light .source bdi"]["left"] < boxes[".light .source"]["left"]
    assert boxes["#light"]["height"] < 24
    assert page.locator("#light").get_attribute("title")


def test_all_tabs_of_the_inspector_stand_in_one_row(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/runs/{served.start('fails')}?step=broken&tab=error")
    tabs = page.locator("#inspector-tabs a")
    assert [tab.inner_text().split()[0] for tab in tabs.all()] == [
        "Data", "Error", "Attempts", "Events", "Logs", "Code", "State",
    ]  # fmt: skip
    page.locator("#inspector-tabs .num").evaluate_all("(all) => all.forEach((one) => { one.textContent = '1,204'; })")
    for width in (1440, 1280, 1024, 900, 390):
        page.set_viewport_size({"width": width, "height": 900})
        rows = page.locator("#inspector-tabs a").evaluate_all("(all) => all.map((one) => one.offsetTop)")
        assert len(set(rows)) == 1, width


def test_these_places_have_no_fault(served: Served, page: Page) -> None:
    run, failed = start(served), served.start("fails")
    page.set_viewport_size({"width": 390, "height": 900})
    for path in (
        f"/runs/{run}?step=count&tab=data", f"/runs/{failed}?step=broken&tab=error", f"/runs/{run}?step=count&tab=code",
        "/workflows/shop?tab=code", "/workflows/shop?preset=gone",
    ):  # fmt: skip
        page.goto(served.url + path)
        assert faults(page, 390, 1440) == []
