"""The guard stands before every route that walking the application finds."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from studio.guard import Guard, GuardRules
from tests.attacks.conftest import Served
from tests.attacks.inventory import Route, inventory, reached
from tests.attacks.site import Site
from tests.attacks.wire import Wire


def test_the_walk_finds_routes_of_each_kind() -> None:
    async def bare(scope: Any, receive: Any, send: Any) -> None: ...

    outer = Starlette(routes=[Mount("/inner", app=Site().app), Mount("/bare", app=bare)])
    expected = {
        Route("http", "GET", "/inner/"),
        Route("http", "POST", "/inner/api/echo"),
        Route("http", "POST", "/inner/runs/x/start"),
        Route("http", "GET", "/inner/openapi.json"),
        Route("websocket", "GET", "/inner/ws/runs/x"),
        Route("http", "GET", "/bare/x"),
        Route("websocket", "GET", "/bare/x"),
    }
    assert expected - set(inventory(outer)) == set()
    assert inventory(Guard(outer, GuardRules(port=80))) == inventory(outer)


async def test_a_foreign_address_reaches_no_route() -> None:
    app = Site().app
    assert await reached(Guard(app, GuardRules(port=80)), inventory(app)) == []


async def test_the_walk_would_notice_a_way_in() -> None:
    """The check is no ornament: with the right address it finds the routes that answer."""
    app = Site().app
    found = await reached(Guard(app, GuardRules(port=80)), inventory(app), host=b"localhost")
    assert Route("http", "GET", "/") in found


def test_an_application_that_hides_its_routes_is_not_taken_for_an_empty_one() -> None:
    async def bare(scope: Any, receive: Any, send: Any) -> None: ...

    with pytest.raises(LookupError, match="shows no routes"):
        inventory(Guard(bare, GuardRules(port=80)))


def test_every_route_refuses_a_foreign_address_on_the_wire(shared: Served, wire: Wire, seen: list[str]) -> None:
    for route in inventory(shared.guard):
        if route.kind == "http":
            assert wire.ask(route.method, route.path, Host="evil.test").status == 403, route
        else:
            assert wire.upgrade(route.path, Host="evil.test") == 403, route
    assert seen == []
