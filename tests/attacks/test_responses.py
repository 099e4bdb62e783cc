"""Every response says what a browser may do with it, and tells nothing it need not."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

import pytest

from tests.attacks.conftest import Served
from tests.attacks.site import broken
from tests.attacks.wire import Answer, Wire

PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


def guarded(answer: Answer) -> dict[str, str]:
    """The headers that are the guard's business."""
    ours = (
        "content-security-policy",
        "x-content-type",
        "cross-origin",
        "referrer",
        "server",
        "access-control",
        "x-guard",
    )
    return {name: value for name, value in answer.headers.items() if name.startswith(ours)}


HEADERS = {
    "content-security-policy": PAGE,
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
}


def test_every_response_has_the_same_headers(wire: Wire) -> None:
    connection, refused = wire.handshake(Origin="http://evil.test")
    connection.close()
    answers = {
        "page": wire.ask(),
        "head": wire.ask("HEAD"),
        "unknown": wire.ask(path="/none"),
        "file": wire.ask(path="/static/app.css"),
        "docs": wire.ask(path="/docs"),
        "foreign": wire.ask(Host="evil.test"),
        "method": wire.ask("TRACE"),
        "wrong method": wire.ask("DELETE"),
        "form": wire.ask("POST", "/runs/1/start", b"a", Content_Type="text/plain"),
        "no http": wire.raw(b"x\r\n\r\n"),
        "socket": refused,
    }
    assert {name: guarded(answer) for name, answer in answers.items()} == dict.fromkeys(answers, HEADERS)


def test_a_document_of_a_workflow_is_sandboxed(wire: Wire) -> None:
    policy = "sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    policy += "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    assert guarded(wire.ask(path="/drawing")) == {**HEADERS, "content-security-policy": policy}


def test_a_failure_has_a_number_and_only_the_log_has_its_cause(
    start: Callable[..., Served], caplog: pytest.LogCaptureFixture
) -> None:
    wire = start(app=broken).wire
    page = wire.ask(path="/runs/1", Accept="text/html")
    problem = json.loads(wire.ask("POST", "/api/echo", b"{}", Content_Type="application/json").text)
    assert (page.status, problem["status"], guarded(page)) == (500, 500, HEADERS)
    assert "secret" not in page.text + repr(problem)
    assert "Traceback" not in page.text
    failures = [record for record in caplog.records if record.name == "studio.guard"]
    numbers = [record.args[0] for record in failures if isinstance(record.args, tuple)]
    assert [record.levelno for record in failures] == [logging.ERROR] * 2
    assert [str(numbers[0]) in page.text, str(numbers[1]) in problem["detail"]] == [True, True]
    assert "a secret of the program" in caplog.text


def test_people_get_a_page_and_programs_a_problem(wire: Wire) -> None:
    page = wire.ask(Host="evil.test", Accept="text/html,application/xhtml+xml,*/*;q=0.8")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.text.startswith('<!doctype html><html lang="en">')
    for asked in (wire.ask(Host="evil.test", Accept="application/json"), wire.ask(path="/api/echo", Host="evil.test")):
        problem = json.loads(asked.text)
        assert asked.headers["content-type"] == "application/problem+json"
        assert (problem["type"], problem["title"], problem["status"]) == ("about:blank", "Forbidden", 403)


def test_no_refusal_repeats_what_it_was_sent(wire: Wire) -> None:
    mark = "<img src=x onerror=alert(1)>"
    asked = [
        wire.ask(path=f"/?{mark.replace(' ', '+')}", Host=mark),
        wire.ask(Origin=mark, Accept=mark, Sec_Fetch_Site=mark),
        wire.form("/runs/1/start", Origin=mark),
        wire.ask("POST", "/api/echo", b"{}", Content_Type=mark),
    ]
    assert [answer.status for answer in asked] == [403, 403, 403, 415]
    assert [answer.text.count("onerror") for answer in asked] == [0] * 4
