"""The studio's own application has no way past the guard."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from studio.app import Application, create_app
from studio.guard import GuardRules
from studio.hosting import Hosting
from tests.attacks.conftest import TOKEN
from tests.attacks.inventory import inventory, reached


@pytest.fixture
def app() -> Iterator[Application]:
    """The studio with a token."""
    with Hosting() as hosting:
        yield create_app(hosting, rules=GuardRules(port=80, token=TOKEN, failures_per_second=1_000_000))


async def test_no_route_of_the_studio_is_reached_by_a_foreign_address(app: Application) -> None:
    kinds = {route.kind for route in inventory(app)}
    assert kinds == {"http", "websocket"}
    assert await reached(app, inventory(app)) == []


async def test_without_the_token_only_the_exempt_paths_answer(app: Application) -> None:
    """Websockets are refused before the token is asked for: they name no origin here."""
    open_routes = await reached(app, inventory(app), host=b"localhost", refusals={401, 403})
    assert {route.path for route in open_routes} == app.rules.exempt == {"/healthz"}
