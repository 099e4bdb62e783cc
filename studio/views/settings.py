"""The settings as a page shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from studio.settings import Settings
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
    loaded = plural(loads, "time")
    started = (
        Fact("Serves", target, "TARGET, STUDIO_TARGET"),
        Fact("Store", settings.store_url, "--store, STUDIO_STORE"),
        Fact("Address", address, "--host, --port"),
        Fact("Reload", f"{reload}; loaded {loaded}" + (f" from {plural(files, 'file')}" if files else ""), "--reload"),
        Fact("Sign in", "with a token" if settings.token else "not needed: this machine only", "--token, STUDIO_TOKEN"),
    )
    return SettingsView(started, tuple(Fact(name, version) for name, version in versions))
