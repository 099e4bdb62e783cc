"""The settings as a page shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from studio.loader import BUNDLED
from studio.settings import EDITORS, Settings
from studio.wording import plural


@dataclass(frozen=True, slots=True)
class Fact:
    """One line: what it is, its value, and the flag or variable that sets it."""

    name: str
    value: str
    set_by: str = ""


@dataclass(frozen=True, slots=True)
class SettingsView:
    """``started`` can be changed at the next start; ``versions`` are as they are."""

    started: tuple[Fact, ...]
    versions: tuple[Fact, ...]


def settings_view(
    settings: Settings, *, target: str, address: str, loads: int, files: int, versions: Sequence[tuple[str, str]]
) -> SettingsView:
    """What there is to say. The token itself is never shown."""
    reload = "when a file is saved" if settings.reload else "no"
    if target.partition(":")[0] == BUNDLED:
        reload = "never: they are the examples"
    loaded = plural(loads, "time") + (f" from {plural(files, 'file')}" if files else "")
    started = (
        Fact("Serves", target, "TARGET, STUDIO_TARGET"),
        Fact("Store", settings.store_url, "--store, STUDIO_STORE"),
        Fact("Address", address, "--host, STUDIO_HOST, --port, STUDIO_PORT"),
        Fact("Reload", f"{reload}; loaded {loaded}", "--reload, STUDIO_RELOAD"),
        Fact("Variables", "kept with errors" if settings.locals else "not kept", "--locals, STUDIO_LOCALS"),
        Fact("Editor", EDITORS[settings.near_editor] or "no links", "--editor, STUDIO_EDITOR"),
        Fact("Sign in", "with a token" if settings.token else "not needed: this machine only", "--token, STUDIO_TOKEN"),
    )
    return SettingsView(started, tuple(Fact(name, version) for name, version in versions))
