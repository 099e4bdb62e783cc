"""Secrets in the variables of code that fails are looked for in all that is written and shown: 0 of them are found.

None of them stands in an input or an output, where the log keeps it by contract: only variables have them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import closing
from html import unescape
from io import StringIO
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from engine import chain, create_step, create_workflow, register_secret
from engine.redaction import HIDDEN
from studio.log_lines import LogLines
from tests.attacks.crawl import crawl
from tests.attacks.studio import Studio, studio
from tests.attacks.wire import heard

TYPED = "typed-in-a-local-3d90"
REGISTERED = "registered-in-a-local-77f1"
NAMED = [f"named-in-a-local-{number}" for number in range(8)]
SECRETS = [TYPED, REGISTERED, *NAMED]


class Login(BaseModel):
    user: str
    pin: SecretStr


class Client:
    """Says more of itself than it should."""

    def __init__(self, token: str) -> None:
        self.auth_token = token

    def __repr__(self) -> str:
        return f"<Client with {self.auth_token}>"


def call(client: Client, key: bytes, raw: str) -> None:
    text = f"{client!r} {key!r} {raw} " * 20
    lines = [text, {text: {(raw,): [key]}}]
    raise ConnectionError(f"refused {len(lines)}")


def variables(data: Login) -> dict[str, Any]:
    """What a careless step has in its hands."""
    return {"password": NAMED[0], "client": Client(NAMED[1]), "raw": f"{data.pin.get_secret_value()} {REGISTERED}"}


def sync(data: Login) -> None:
    has = variables(data)
    password, raw = has["password"], has["raw"]
    headers = [("Authorization", NAMED[2]), ("accept", password)]
    try:
        call(has["client"], password.encode(), raw)
    except ConnectionError as error:
        api_key = NAMED[3]
        raise ValueError(f"{len(headers)} {len(api_key)}") from error


async def together(data: Login) -> None:
    secret = {"deep": [NAMED[4], {"more": NAMED[5]}]}

    async def one(number: int, private_key: str) -> None:
        await asyncio.sleep(0)
        call(Client(NAMED[6]), f"{private_key} {secret}".encode(), f"{number} {data.pin.get_secret_value()}")

    async with asyncio.TaskGroup() as group:
        for number in range(2):
            group.create_task(one(number, NAMED[7]))


def again(data: Any) -> None:
    raise LookupError(str(data))


SYNC = create_workflow(id="sync", input_schema=Login).then(create_step(id="spills", execute=sync, input_schema=Login))
TOGETHER = create_workflow(id="together", input_schema=Login).then(
    chain().then(create_step(id="spills", execute=together, input_schema=Login)),
    catch=create_step(id="again", execute=again),
)


@pytest.fixture(scope="module")
def log() -> Iterator[StringIO]:
    """What the server writes to its terminal."""
    written = StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(LogLines())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, log: StringIO) -> Iterator[Studio]:
    register_secret(REGISTERED)
    with studio([SYNC, TOGETHER], tmp_path_factory.mktemp("locals") / "runs.db", locals=True) as made:
        for id in ("sync", "together"):
            made.runs[id] = made.start(id, {"user": "ada", "pin": TYPED})
        yield made


def leaks(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text or secret in unescape(text)]


def test_no_file_has_one_although_the_variables_are_kept(served: Studio) -> None:
    """The database, its log of writes, and whatever else is beside it."""
    for id in ("sync", "together"):
        result = served.do(served.run(served.runs[id]).result)
        error = next(record.error for path, record in result.steps.items() if path.endswith("spills"))
        assert error is not None
        assert {"sync": {"sync", "call"}, "together": {"together", "one", "call"}}[id] <= {
            frame["function"] for frame in error["frames"]
        }
        assert str(error["frames"]).count(HIDDEN) > 8
    files = [path for path in served.file.parent.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"runs.db", "runs.db-wal"}
    written = {path.name: path.read_bytes() for path in files}
    assert any(b'"locals"' in content for content in written.values())
    assert [name for name, content in written.items() if leaks(content.decode("utf-8", "replace"))] == []


def test_nothing_that_is_shown_or_sent_or_logged_has_one(served: Studio, log: StringIO) -> None:
    pages = list(crawl(served, most=60))
    assert {page.path: leaks(page.answer.text) for page in pages if leaks(page.answer.text)} == {}
    assert sum(">Locals<" in page.answer.text for page in pages) >= 2
    assert {"text/html", "application/x-ndjson"} <= {
        page.answer.headers.get("content-type", "").partition(";")[0] for page in pages
    }
    for run in served.runs.values():
        connection, answer = served.wire.handshake(f"/ws/runs/{run}?after=0")
        assert answer.status == 101
        with closing(connection):
            assert leaks(heard(connection)[1].decode("utf-8", "replace")) == []
    assert leaks(log.getvalue()) == []
