"""Secrets are looked for in everything that is shown or written: 0 of them are found."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from html import unescape
from io import StringIO
from pathlib import Path

import pytest

from engine import register_secret
from engine.redaction import HIDDEN, redacted_text
from studio.log_lines import LogLines
from tests.architecture.tree import ROOT
from tests.attacks import secret_flows
from tests.attacks.crawl import Page, crawl
from tests.attacks.secret_flows import ASKS, FAILS, MINTS, SHOWN_NOWHERE, TYPED
from tests.attacks.studio import Studio, studio
from tests.attacks.wire import heard


@pytest.fixture(scope="module")
def log() -> Iterator[StringIO]:
    """What the server writes to its terminal."""
    written = StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(LogLines())
    loggers = [logging.getLogger(name) for name in ("studio", "engine", "uvicorn", "asyncio")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    yield written
    for logger, level in zip(loggers, levels, strict=True):
        logger.removeHandler(handler)
        logger.setLevel(level)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, log: StringIO) -> Iterator[Studio]:
    """Runs that were given secrets: one by the form, the others by a program."""
    register_secret(secret_flows.REGISTERED)
    with studio([ASKS, FAILS, MINTS], tmp_path_factory.mktemp("secrets") / "runs.db") as made:
        form = {"_mode": "json", "_json": json.dumps(secret_flows.value())}
        answer = made.post("/workflows/asks/runs", form)
        assert answer.status == 303, answer.text
        made.runs["form"] = answer.headers["location"].rpartition("/")[2].partition("?")[0]
        made.do(lambda: made.run(made.runs["form"]).wait(10))
        made.runs["asks"] = made.start("asks", secret_flows.value())
        made.runs["fails"] = made.start("fails", secret_flows.value())
        made.runs["mints"] = made.start("mints")
        yield made


def leaks(text: str) -> list[str]:
    """The secrets that are in a text, as it is or as a page or JSON writes it."""
    forms = (text, unescape(text))
    return [secret for secret in SHOWN_NOWHERE if any(secret in form for form in forms)]


@pytest.fixture(scope="module")
def pages(served: Studio) -> list[Page]:
    return list(crawl(served, most=200))


def test_no_page_no_fragment_and_no_download_has_a_secret(pages: list[Page]) -> None:
    """HTML, JSON, lines of JSON: whatever a GET gives. What hides them is there, so that they were not just absent."""
    assert {page.path: leaks(page.answer.text) for page in pages if leaks(page.answer.text)} == {}
    assert sum(HIDDEN in page.answer.text for page in pages) > 10
    kinds = {page.answer.headers.get("content-type", "").partition(";")[0] for page in pages}
    assert {"text/html", "application/x-ndjson"} <= kinds


def test_no_frame_has_a_secret(served: Studio) -> None:
    for run in served.runs.values():
        connection, answer = served.wire.handshake(f"/ws/runs/{run}?after=0")
        assert answer.status == 101
        with closing(connection):
            _, payload = heard(connection)
            assert leaks(payload.decode("utf-8", "replace")) == []


def test_a_form_that_is_asked_again_sends_no_typed_secret_back(served: Studio) -> None:
    wrong = {**secret_flows.value(), "user": 7}
    answer = served.post("/workflows/asks/runs", {"$.user": "", "$.pin": TYPED, "$.headers": "{", "_mode": "form"})
    assert answer.status == 422
    assert TYPED not in answer.text
    answer = served.post("/workflows/asks/runs", {"_mode": "json", "_json": json.dumps(wrong)})
    assert answer.status == 422


def test_a_secret_by_its_type_is_in_no_file(served: Studio) -> None:
    files = [path for path in served.file.parent.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"runs.db", "runs.db-wal"}
    assert [path.name for path in files if TYPED.encode() in path.read_bytes()] == []
    held = b"".join(path.read_bytes() for path in files)
    assert secret_flows.NAMED["api_key"].encode() in held  # by contract: the log keeps what steps get


def test_the_servers_log_has_no_secret(served: Studio, log: StringIO, pages: list[Page]) -> None:
    logging.getLogger("studio").error("could not call with %s", secret_flows.NAMED)
    try:
        raise secret_flows.Refused(secret_flows.NAMED)
    except secret_flows.Refused:
        logging.getLogger("studio").exception("failed")
    text = log.getvalue()
    assert "could not call with" in text
    assert "the key" in text
    assert leaks(text) == []


def test_the_terminal_shows_no_secret(tmp_path: Path) -> None:
    """``studio run``: input, steps, log lines, questions, and how it ends."""
    flows = tmp_path / "flows.py"
    flows.write_text("from tests.attacks.secret_flows import ASKS, FAILS, MINTS\n", "utf-8")
    command = [sys.executable, "-c", "import sys; from studio.cli import main; sys.exit(main())", "run"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MY_API_KEY": secret_flows.OF_ENVIRONMENT}
    for id in ("asks", "fails"):
        words = [id, str(flows), "--input", json.dumps(secret_flows.value())]
        done = subprocess.run(
            [*command, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=30, check=False
        )
        said = done.stdout + done.stderr
        assert "careless" in said
        found = leaks(said.replace(secret_flows.REGISTERED, ""))  # nobody has registered it in that process
        assert (id, found, secret_flows.OF_ENVIRONMENT in said) == (id, [], False)


@pytest.mark.parametrize(
    "text",
    ["a" * 200_000 + "=", "a=" * 100_000, "a-" * 100_000, "password='" * 20_000, "password=\"" * 20_000, "://" * 60_000,
     "token: bearer " * 10_000, "bearer " * 30_000, "api_key:" + " " * 200_000, "secret" * 30_000, "key=" * 50_000,
     "'" * 200_000 + ":", "authorization: " * 15_000, "x" * 50 + "token" * 40_000],
)  # fmt: skip
def test_no_text_takes_long_to_look_through(text: str) -> None:
    began = time.perf_counter()
    redacted_text(text)
    assert time.perf_counter() - began < 1.5


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{'api_key': 'sk-abc'}", "{'api_key': '[redacted]'}"),
        ('{"password": "x y z", "b": 1}', '{"password": "[redacted]", "b": 1}'),
        ("password=hunter2&x=1", "password=[redacted]&x=1"),
        ("Authorization: Bearer abc123def456", "Authorization: Bearer [redacted]"),
        ("postgres://u:p4ss@h/db", "postgres://u:[redacted]@h/db"),
        ("https://h.test/x?api_key=abc123&y=2", "https://h.test/x?api_key=[redacted]&y=2"),
        ("sent Bearer eyJhbGciOi1.x.y on", "sent Bearer [redacted] on"),
        ("unexpected token: foo", "unexpected token: foo"),
        ("def f(token: str) -> None:", "def f(token: str) -> None:"),
        ("max_tokens=5 of 7", "max_tokens=5 of 7"),
        ("the author: ada99", "the author: ada99"),
        ("keyboard=qwerty", "keyboard=qwerty"),
    ],
)
def test_secrets_are_told_from_innocent_words(text: str, shown: str) -> None:
    assert redacted_text(text) == shown
