"""What changes something, and every websocket, comes from the studio's own pages or from no page."""

from __future__ import annotations

import pytest

from tests.attacks.wire import Wire

START = "/runs/1/start"
STARTED = "start 1 [('a', '1')]"


def foreign(wire: Wire) -> list[str]:
    """Origins that are not the studio's page."""
    return [
        "http://evil.test",
        "null",
        "",
        f"https://{wire.host}",
        f"http://127.0.0.1:{wire.port + 1}",
        f"http://localhost:{wire.port}",
        f"http://evil.test:{wire.port}",
        f"{wire.origin}.evil.test",
        f"{wire.origin}/",
        f"{wire.origin}, http://evil.test",
        "file://",
        "[",
        "\xff",
    ]


def test_a_form_on_another_page_starts_nothing(wire: Wire, seen: list[str]) -> None:
    answers = {origin: wire.form(START, Origin=origin).status for origin in foreign(wire)}
    assert answers == dict.fromkeys(answers, 403)
    assert seen == []


@pytest.mark.parametrize("site", ["cross-site", "same-site", "SAME-ORIGIN", "", "x"])
def test_a_browser_that_names_another_site_changes_nothing(wire: Wire, seen: list[str], site: str) -> None:
    """Another port of this machine is the same site, and yet a stranger."""
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert wire.ask(method, START, b"", Sec_Fetch_Site=site, Origin=wire.origin).status == 403
    assert wire.form(START, Sec_Fetch_Site=site).status == 403
    assert wire.form(START, Sec_Fetch_Site=site, Sec_Fetch_Mode="no-cors").status == 403
    assert wire.form(START, Sec_Fetch_Site=site, Sec_Fetch_Mode="navigate", Sec_Fetch_Dest="document").status == 403
    assert seen == []


def test_own_pages_and_programs_start_runs(wire: Wire, seen: list[str]) -> None:
    assert wire.form(START, Sec_Fetch_Site="same-origin", Origin=wire.origin).status == 201
    assert wire.form(START, Sec_Fetch_Site="none").status == 201
    assert wire.form(START, Origin=wire.origin.upper().replace("HTTP", "http")).status == 201
    assert wire.form(START).status == 201
    assert seen == [STARTED] * 4


def test_a_websocket_names_the_studios_origin(wire: Wire, seen: list[str]) -> None:
    paths = ("/ws", "/ws/runs/1")
    answers = {(path, origin): wire.upgrade(path, Origin=origin) for path in paths for origin in foreign(wire)}
    assert answers == dict.fromkeys(answers, 403)
    assert wire.upgrade(Origin="", Authorization="Bearer x") == 403
    assert wire.upgrade(Sec_Fetch_Site="same-site") == 403
    assert seen == []
    assert [wire.upgrade(path, Sec_Fetch_Site="same-origin") for path in paths] == [101, 101]


def test_another_page_can_link_here_but_not_load_from_here(wire: Wire, seen: list[str]) -> None:
    link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    assert wire.ask(**link).status == 200
    assert seen == ["GET /"]
    loads = [
        {**link, "Sec_Fetch_Dest": "iframe"},
        {**link, "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "image"},
        {**link, "Sec_Fetch_Mode": "cors", "Sec_Fetch_Dest": "empty"},
        {"Sec_Fetch_Site": "same-site"},
    ]
    assert [wire.ask(**load).status for load in loads] == [403] * 4
    assert wire.ask("HEAD", **link).status == 403
    assert seen == ["GET /"]


def test_no_other_origin_is_ever_allowed_to_read(wire: Wire) -> None:
    preflight = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Private_Network": "true"}
    answers = [
        wire.ask("OPTIONS", START, Origin="http://evil.test", **preflight),
        wire.ask("OPTIONS", START, Origin="http://evil.test", Sec_Fetch_Site="cross-site", **preflight),
        wire.ask(Origin="http://evil.test"),
        wire.ask(path="/none", Origin="null"),
    ]
    assert [[name for name in answer.headers if name.startswith("access-control")] for answer in answers] == [[]] * 4
