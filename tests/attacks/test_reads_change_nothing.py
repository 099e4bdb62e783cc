"""Whoever only reads changes nothing: all that GET, HEAD and OPTIONS reach leaves the store as it was."""

from __future__ import annotations

from tests.attacks.crawl import crawl, filled, names
from tests.attacks.inventory import inventory
from tests.attacks.studio import Studio, segment


def test_a_crawl_of_every_page_leaves_the_store_as_it_was(served: Studio) -> None:
    before = served.content()
    pages = list(crawl(served))
    strange = [(page.path, page.answer.status) for page in pages if page.answer.status not in {200, 303, 307, 404}]
    assert strange == []
    kinds = {page.path.split("?")[0].split("/")[1] for page in pages if page.answer.status == 200}
    assert kinds >= {"", "runs", "workflows", "approvals", "settings"}
    assert served.content() == before


def test_what_is_posted_can_not_be_had_by_reading(served: Studio) -> None:
    """The address of every action, asked for by each method that browsers take for harmless."""
    before = served.content()
    routes = {route.path for route in inventory(served.app) if route.method in {"POST", "PUT", "PATCH", "DELETE"}}
    verbs = ("pause", "step", "continue", "cancel", "rerun", "fork", "delete", "bulk")
    paths = [f"/runs/{segment(run)}/{verb}" for run in served.runs.values() for verb in verbs]
    paths += [path for route in routes for path in filled(route.replace("/x", "/{it}", 1), names(served))]
    found = {(method, served.wire.ask(method, path).status) for path in paths for method in ("GET", "HEAD", "OPTIONS")}
    assert {status for method, status in found if method == "OPTIONS"} <= {404, 405}
    assert {status for _, status in found} <= {200, 303, 307, 404, 405}
    assert served.content() == before


def test_the_check_would_notice_a_change(served: Studio) -> None:
    before = served.content()
    assert served.post(f"/runs/{segment(served.runs['paused'])}/cancel").status == 303
    assert served.content() != before
