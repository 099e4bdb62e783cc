"""What a page needs of the application: ``hosting: Annotated[Hosting, Depends(hosting_of)]``."""

from __future__ import annotations

from fastapi.requests import HTTPConnection

from studio.hosting import Hosting
from studio.hub import Hub
from studio.presets import Presets
from studio.rendering import Rendering
from studio.settings import Settings


def hosting_of(connection: HTTPConnection) -> Hosting:
    """The engine and the catalog of the application that a request or a websocket came to."""
    hosting: Hosting = connection.app.state.hosting
    return hosting


def hub_of(connection: HTTPConnection) -> Hub:
    """The application's viewers."""
    hub: Hub = connection.app.state.hub
    return hub


def settings_of(connection: HTTPConnection) -> Settings:
    """What the application was started with."""
    settings: Settings = connection.app.state.settings
    return settings


def rendering_of(connection: HTTPConnection) -> Rendering:
    """What makes pages and partials of templates."""
    rendering: Rendering = connection.app.state.rendering
    return rendering


def presets_of(connection: HTTPConnection) -> Presets:
    """Inputs that were given a name."""
    presets: Presets = connection.app.state.presets
    return presets
