"""The studio's own application has no way past the guard."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel

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


def test_no_route_takes_a_body_of_any_type(app: Application) -> None:
    """Pages read forms by themselves; what the framework would read is JSON of a whole model, for programs only."""
    routes = [route.original_route for route in iter_route_contexts(app.routes)]
    bodies = [route for route in routes if isinstance(route, APIRoute) and route.body_field is not None]
    assert [route.path for route in bodies if not route.path.startswith(("/api/", "/mcp"))] == []
    annotations = [route.body_field.field_info.annotation for route in bodies if route.body_field is not None]
    assert [one for one in annotations if not (isinstance(one, type) and issubclass(one, BaseModel))] == []


def test_nothing_tells_what_there_is_and_nothing_debugs() -> None:
    """No list of routes, no page of documentation from another host, no traceback in an answer, no server's name."""
    with Hosting() as hosting:
        app = create_app(hosting)
        routes = {route.path for route in inventory(app)}
    assert routes.isdisjoint({"/docs/oauth2-redirect", "/redoc"})
    assert (app.debug, app.docs_url, app.redoc_url, app.openapi_url) == (False, None, None, None)
