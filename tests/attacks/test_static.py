"""Static files are those of one folder, and cheap."""

from __future__ import annotations

import time

import pytest

from tests.attacks.studio import studio
from tests.attacks.wire import Wire

UP = ["..", "%2e%2e", "%2E%2e", ".%2e", "%252e%252e", "..%00", "..%5c", "....", "..;", "%c0%ae%c0%ae"]
SLASH = ["/", "%2f", "\\", "%5c"]
TRAVERSALS = [f"/static/{up}{slash}canary.txt" for up in UP for slash in SLASH] + [
    "/static//../canary.txt",
    "/static/./../canary.txt",
    "/static/x/../../canary.txt",
    "/static/out.txt",
    "/static/%2fetc/passwd",
    "/static//etc/passwd",
    "/static/app.css/../../canary.txt",
    "/static/app.css%00.txt",
    "/static/",
    "/static",
]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_path_leads_out_of_the_folder(wire: Wire, path: str) -> None:
    answer = wire.ask(path=path)
    assert answer.status in {400, 404, 405, 307}
    assert b"canary" not in answer.body
    assert b"root:" not in answer.body


def test_many_ranges_cost_nothing(wire: Wire) -> None:
    began = time.perf_counter()
    answer = wire.ask(path="/static/app.css", Range="bytes=" + ",".join(f"{n}-{n}" for n in range(0, 4000, 3)))
    assert time.perf_counter() - began < 5
    assert answer.status in {200, 206, 400, 416}
    assert len(answer.body) < 1_000_000


def test_a_file_is_served_with_the_headers_of_every_response(wire: Wire) -> None:
    answer = wire.ask(path="/static/app.css", Sec_Fetch_Site="same-origin")
    assert (answer.status, answer.text) == (200, "body {}" * 1000)
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert wire.ask(path="/static/app.css", Sec_Fetch_Site="same-site").status == 403


def test_the_studios_own_files_are_those_it_has_and_cheap(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The same against what the studio really serves: a path is looked up among known ones."""
    with studio([], tmp_path_factory.mktemp("static") / "runs.db") as served:
        for path in TRAVERSALS:
            answer = served.get(path)
            assert answer.status in {400, 404, 405, 307}, path
            assert b"root:" not in answer.body
        address = served.app.state.assets.url("app.css")
        began = time.perf_counter()
        ranges = "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 4000, 3))
        answer = served.get(address, Range=ranges)
        assert time.perf_counter() - began < 5
        assert answer.status in {200, 206, 400, 416}
        assert len(answer.body) < 1_000_000
        assert served.get(address, Sec_Fetch_Site="cross-site").status == 403
