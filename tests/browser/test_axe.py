"""No page of the studio has a barrier that axe-core finds, of level A or AA, in the light and in the dark."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from studio.app import page_routers
from tests.browser.barriers import barriers
from tests.browser.journeys import Journey, Site, journey_of, status

BROKEN = 'from engine import create_workflow\n\nraise LookupError("no price list here")\n'
NOT_PAGES = re.compile(r"ndjson|regions|\.json|/svg|\.png|download")
"""Addresses that give no whole page."""

EMPTY = ("/", "/runs", "/approvals", "/workflows/quiet", "/workflows/quiet?tab=runs", "/settings", "/docs")
WORKFLOWS = (
    "/",
    "/?q=nothing+is+called+so",
    "/workflows/everything",
    "/workflows/fails?tab=runs",
    "/workflows/state?tab=code",
    "/workflows/nested?step=inner",
    "/workflows/wide",
    "/workflows/rounds",
    "/workflows/fails/inputs",
    "/workflows/fails/presets",
)
ERRORS = ("/nothing/here", "/runs/none", "/workflows/none", "/approvals/none?run=none", "/runs?after=nonsense")
LISTS = ("/runs", "/runs?status=failed", "/runs?workflow=quiet", "/approvals", "/approvals?workflow=quiet")
RUNS = {
    "fails": (
        "",
        "/fork",
        "/fork?step=first",
        "/delete",
        "?view=timeline",
        "?view=journal",
        *(f"?step=looks_up&tab={tab}" for tab in ("data", "error", "code")),
    ),
    "flaky": (
        "?step=calls&tab=attempts",
        "?step=calls&tab=logs",
        "?event=3",
        "?event=3&tab=data",
        "?tab=events",
        "?tab=state",
    ),
    "rounds": ("", "?step=round%5B1%5D/grow", "?view=journal"),
    "two": ("", "?view=timeline"),
    "nap": ("",),
    "wide": ("",),
    "nested": ("?step=inner/in_a",),
    "walk": ("",),
}
PAUSED = {"walk"}


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A studio of its own: it begins with nothing, and one of its files can't be loaded."""
    made = Site(tmp_path_factory.mktemp("audited"), broken=BROKEN)
    yield made
    made.close()


@pytest.fixture(scope="module")
def auditor(browser: Browser, audited: Site) -> Iterator[Journey]:
    with journey_of(browser, audited, allowed="status of (4..)") as made:
        yield made


@pytest.fixture(scope="module")
def runs(audited: Site, auditor: Journey) -> dict[str, str]:
    """A run of each workflow, as far as it comes."""
    made = {id: audited.run(id, **({"_paused": "1"} if id in PAUSED else {})) for id in RUNS}
    for id, run in made.items():
        auditor.goto(f"/runs/{run}")
        word = {"two": "waiting", "nap": "waiting", "fails": "failed"}.get(id, "success|paused")
        expect(status(auditor.page)).to_contain_text(re.compile(word))
    return made


def audit(auditor: Journey, paths: tuple[str, ...]) -> list[str]:
    """The barriers of all these addresses, and those without one heading of the first level."""
    found = []
    for path in paths:
        page = auditor.goto(path)
        found += barriers(page)
        headings = page.get_by_role("heading", level=1).count()
        found += [f"{path}: {headings} headings of the first level"] if headings != 1 else []
    return found


def test_pages_on_which_nothing_is_yet(auditor: Journey) -> None:
    assert audit(auditor, EMPTY) == []


def test_workflows_and_a_file_that_can_not_be_loaded(auditor: Journey, runs: dict[str, str]) -> None:
    assert audit(auditor, WORKFLOWS) == []
    expect(auditor.goto("/").get_by_role("article").filter(has_text="can't be loaded")).to_contain_text("no price list")


def test_lists_and_errors(auditor: Journey, runs: dict[str, str]) -> None:
    assert audit(auditor, LISTS + ERRORS) == []


@pytest.mark.parametrize("workflow", RUNS)
def test_the_page_of_a_run(auditor: Journey, runs: dict[str, str], workflow: str) -> None:
    """In its views, and with each tab of its inspector."""
    assert audit(auditor, tuple(f"/runs/{runs[workflow]}{query}" for query in RUNS[workflow])) == []


def test_one_question_open_and_answered(auditor: Journey, runs: dict[str, str]) -> None:
    page = auditor.goto("/approvals")
    link = page.get_by_role("article").first.get_by_role("heading").get_by_role("link").get_attribute("href") or ""
    assert audit(auditor, (link,)) == []
    page.get_by_text("no", exact=True).click()
    page.get_by_role("button", name=re.compile("^Send answer")).last.click()
    page.wait_for_url(re.compile("/runs/"))
    assert audit(auditor, (link,)) == []


def test_a_form_that_was_refused_and_the_json_editor(auditor: Journey) -> None:
    page = auditor.goto("/workflows/everything")
    page.get_by_role("button", name=re.compile("^Run( |$)")).last.click()
    expect(page.get_by_role("alert")).to_be_visible()
    found = barriers(page)
    page.get_by_role("button", name="Edit as JSON").click()
    expect(page.get_by_role("textbox", name="Value as JSON")).to_be_visible()
    assert found + barriers(page) == []


@pytest.mark.parametrize(("key", "name"), [("?", "Keys"), ("Control+k", "Go to")])
def test_dialogs(auditor: Journey, key: str, name: str) -> None:
    page = auditor.goto("/settings")
    page.keyboard.press(key)
    expect(page.get_by_role("dialog", name=name)).to_be_visible()
    assert barriers(page) == []


def test_no_page_is_left_out() -> None:
    """Every address that gives a page is among those above."""
    routes = [route for router in page_routers() for route in router.routes if "GET" in getattr(route, "methods", ())]
    seen = [
        *(path.partition("?")[0] for path in (*EMPTY, *WORKFLOWS, *ERRORS, *LISTS)),
        *(f"/runs/{id}{query.partition('?')[0]}" for id, queries in RUNS.items() for query in queries),
    ]
    matched = {
        path: [route.path for route in routes if route.path_regex.fullmatch(path)][:1]  # type: ignore[attr-defined]
        for path in seen
    }
    covered = {found for several in matched.values() for found in several}
    redirects = {"/workflows/{id}/runs"}
    pages = {route.path for route in routes} - redirects  # type: ignore[attr-defined]
    assert {path for path in pages if not NOT_PAGES.search(path)} - covered == set()
