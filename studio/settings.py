"""What the studio was started with: flags, each with a twin in the environment."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

PORT = 4111
STORE = ".studio/studio.db"
_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"0", "false", "no", "off"})


class SettingsError(Exception):
    """Settings with which the studio does not start; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the studio runs. ``target`` is what it serves: ``file.py``, a folder, ``package.module``, ``module:NAME``.

    ``store`` is a file or an URL. ``allowed_hosts`` are names besides its own under which browsers may reach it.
    """

    target: str | None = None
    host: str = "127.0.0.1"
    port: int = PORT
    store: str = STORE
    open: bool = True
    reload: bool = True
    token: str | None = None
    allowed_hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise ``SettingsError`` for what must not be."""
        if not 0 <= self.port <= 65535:
            raise SettingsError(f"--port {self.port}: a port is a number from 0 (any free one) to 65535")
        if not self.is_local and not self.token:
            raise SettingsError(
                f"--host {self.host} lets other machines in, and whoever gets in can run your workflows: "
                f"give them a token with --token or STUDIO_TOKEN, or leave --host out"
            )

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the studio."""
        if self.host.lower() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    @property
    def store_url(self) -> str:
        """What the engine takes as its store."""
        return self.store if "://" in self.store or self.store == ":memory:" else f"sqlite:///{self.store}"

    def make_folder(self) -> None:
        """Make the folder of the default store, for its owner's eyes only. Raises ``OSError``."""
        if self.store == STORE:
            Path(STORE).parent.mkdir(mode=0o700, exist_ok=True)

    def url(self, port: int) -> str:
        """The address of the first page."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - it only compares
        return f"http://[{host}]:{port}" if ":" in host.strip("[]") else f"http://{host}:{port}"


def read_settings(given: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    """Settings from flags (``None``: not given), else from ``STUDIO_*``, else the defaults.

    Raises ``SettingsError``.
    """
    chosen: dict[str, Any] = {}
    for field in fields(Settings):
        flag = given.get(field.name)
        variable = f"STUDIO_{field.name.upper()}"
        if flag is not None:
            chosen[field.name] = tuple(flag) if isinstance(flag, list) else flag
        elif environment.get(variable):
            chosen[field.name] = _understood(field.name, variable, environment[variable])
    return Settings(**chosen)


def _understood(name: str, variable: str, text: str) -> Any:
    if name == "port":
        if not text.isdecimal():
            raise SettingsError(f"{variable}={text}: a port is a number from 0 (any free one) to 65535")
        return int(text)
    if name in ("open", "reload"):
        if text.lower() not in _YES | _NO:
            raise SettingsError(f"{variable}={text}: say 1 or 0")
        return text.lower() in _YES
    if name == "allowed_hosts":
        return tuple(host.strip() for host in text.split(",") if host.strip())
    return text
