"""What the studio was started with."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import unquote

PORT = 4111
STORE = ".studio/studio.db"
FILE = "sqlite:///"

EDITORS = {"vscode": "VS Code", "cursor": "Cursor", "zed": "Zed", "pycharm": "PyCharm", "none": ""}
"""What ``--editor`` may say, and what it is called on pages."""


class SettingsError(Exception):
    """Settings with which the studio does not start; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the studio runs. ``target`` is what it serves: ``file.py``, a folder, ``package.module``, ``module:NAME``.

    ``store`` is a file or an URL. ``allowed_hosts`` are names besides its own under which browsers may reach it.
    ``locals`` keeps the variables of the user's code with errors. ``editor`` is one of ``EDITORS``; links to it open
    files of this machine.
    """

    target: str | None = None
    host: str = "127.0.0.1"
    port: int = PORT
    store: str = STORE
    open: bool = True
    reload: bool = True
    token: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    locals: bool = False
    editor: str = "vscode"

    def __post_init__(self) -> None:
        """Raise ``SettingsError`` for what must not be."""
        if not 0 <= self.port <= 65535:
            raise SettingsError(f"--port {self.port}: a port is a number from 0 (any free one) to 65535")
        if self.editor not in EDITORS:
            raise SettingsError(f"--editor {self.editor}: it is one of {', '.join(EDITORS)}")
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
    def near_editor(self) -> str:
        """The editor, if whoever reads the pages sits at this machine."""
        return self.editor if self.is_local else "none"

    @property
    def store_url(self) -> str:
        """What the engine takes as its store."""
        return store_url(self.store)

    def make_folder(self) -> None:
        """Make the folder of the default store, for its owner's eyes only. Raises ``OSError``."""
        make_folder(self.store)

    def url(self, port: int) -> str:
        """The address of the first page."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - it only compares
        return f"http://[{host}]:{port}" if ":" in host.strip("[]") else f"http://{host}:{port}"


def read_settings(given: Mapping[str, Any]) -> Settings:
    """Settings from flags (``None``: not given). Raises ``SettingsError``."""
    chosen: dict[str, Any] = {}
    for field in fields(Settings):
        value = given.get(field.name)
        if value is not None:
            chosen[field.name] = tuple(value) if isinstance(value, list) else value
    return Settings(**chosen)


def store_url(store: str) -> str:
    """What the engine takes as its store, for a file or an URL."""
    if "://" in store or store == ":memory:":
        return store
    return FILE + store.replace("%", "%25")  # an URL says other letters with it


def store_file(url: str) -> Path | None:
    """The file of a store; ``None`` for one that is no file."""
    name = unquote(url.removeprefix(FILE).partition("?")[0])
    return Path(name) if url.startswith(FILE) and name not in ("", ":memory:") else None


def make_folder(store: str) -> None:
    """Make the folder of the default store, for its owner's eyes only. Raises ``OSError``."""
    if store == STORE:
        Path(STORE).parent.mkdir(mode=0o700, exist_ok=True)
