"""Templates become text here: the one Jinja environment, its filters, and what every page has around its content."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import CodeType
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket, BytecodeCache
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from studio import wording
from studio.assets import Assets
from studio.json_view import json_view
from studio.packing import packed
from studio.settings import EDITORS
from studio.user_files import opener

_SURROGATE = re.compile("[\ud800-\udfff]")
LONGEST = 4_000
"""How many characters of a text the ``cut`` filter lets through."""

STATUSES = {
    "pending": ("pending", "pending"), "running": ("running", "running"), "retrying": ("retrying", "retrying"),
    "success": ("success", "success"), "bailed": ("success", "ended early"), "failed": ("failed", "failed"),
    "suspended": ("suspended", "waiting for you"), "waiting": ("waiting", "waiting"), "paused": ("paused", "paused"),
    "held": ("paused", "held"), "skipped": ("skipped", "skipped"), "canceled": ("canceled", "canceled"),
    "interrupted": ("interrupted", "interrupted"),
}  # fmt: skip
"""Status -> the icon and the word that say it."""


@dataclass(frozen=True, slots=True)
class NavItem:
    """An entry of the main navigation. ``count`` is a number of things, ``hot`` one that waits for a person."""

    name: str
    label: str
    href: str
    key: str
    count: int | None = None
    hot: bool = False


@dataclass(frozen=True, slots=True)
class Jump:
    """Where the palette leads."""

    label: str
    href: str
    hint: str = ""
    icon: str = "workflow"


@dataclass(frozen=True, slots=True)
class Shell:
    """What stands around every page. A count that is not known is left out."""

    here: str = ""
    source: str = ""
    workflows: int | None = None
    runs: int | None = None
    approvals: int | None = None
    jumps: tuple[Jump, ...] = ()
    counters: str = ""
    """The address of the socket that carries the counters; empty: the page is not live."""
    twin: str = ""
    """The address of the same page for programs, if there is one."""

    @property
    def entries(self) -> tuple[NavItem, ...]:
        return (
            NavItem("workflows", "Workflows", "/", "g w", self.workflows),
            NavItem("runs", "Runs", "/runs", "g r", self.runs),
            NavItem("approvals", "Approvals", "/approvals", "g a", self.approvals, hot=bool(self.approvals)),
            NavItem("settings", "Settings", "/settings", "g s"),
        )

    @property
    def entry(self) -> Mapping[str, NavItem]:
        return {item.name: item for item in self.entries}


@dataclass(frozen=True, slots=True)
class Cut:
    """A text that may have been cut: what is shown of it, and how long it is."""

    text: str
    length: int
    left: int


def cut(text: object, most: int = LONGEST) -> Cut:
    """At most ``most`` characters of ``text``."""
    whole = str(text)
    return Cut(whole[:most], len(whole), max(0, len(whole) - most))


class Compiled(BytecodeCache):
    """Templates that are compiled, for every rendering of this process."""

    def __init__(self) -> None:
        self._code: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._code.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._code[bucket.key, bucket.checksum] = bucket.code


_COMPILED = Compiled()


class Rendering:
    """Renders pages and partials. A name that a template uses and nobody gave is an error."""

    def __init__(self, assets: Assets, *, now: Callable[[], float] = time.time, editor: str = "none") -> None:
        self.assets = assets
        self._now = now
        self.environment = Environment(
            loader=FileSystemLoader(assets.templates),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            bytecode_cache=_COMPILED,
        )
        self.environment.filters.update(
            ago=lambda at: wording.ago(at, now()),
            clock=wording.clock,
            count=wording.count,
            cut=cut,
            duration=wording.duration,
            exact=wording.exact,
            iso=wording.iso,
            json_view=json_view,
            per_cent=wording.per_cent,
            short_id=wording.short_id,
            size=wording.size,
        )
        self.environment.globals.update(
            asset=assets.url,
            drawing=drawing,
            editor_href=opener(editor),
            editor_name=EDITORS[editor],
            no_icon=no_icon,
            plural=wording.plural,
            status_of=status_of,
        )
        self.environment.globals["shell"] = Shell()

    def warm(self) -> None:
        """Compile all templates, so that who opens a page first does not wait for it."""
        for name in self.environment.list_templates():
            self.environment.get_template(name)

    def page(self, request: Request, template: str, context: Mapping[str, Any], status: int = 200) -> HTMLResponse:
        """A whole page. ``context`` has ``title`` and, where they are known, the ``shell``'s counts."""
        return packed(request, HTMLResponse(self._render(template, {"request": request, **context}), status))

    def partial(self, template: str, **context: Any) -> str:
        """A piece of a page, for a page or a live frame."""
        return self._render(template, context)

    def _render(self, template: str, context: Mapping[str, Any]) -> str:
        text = self.environment.get_template(template).render(context)
        return _SURROGATE.sub("\ufffd", text)  # half a character can't be sent


def status_of(status: str) -> tuple[str, str]:
    """The icon and the word of a status; one that is not known says its own name."""
    return STATUSES.get(status, ("info", status))


def no_icon(name: str) -> str:
    """Called by the icons' macro for a name that it does not know."""
    raise LookupError(f"there is no icon {name!r}; draw it in macros/icons.html")


def drawing(svg: str) -> Markup:
    """A picture that :func:`engine.graph.to_svg` drew: the one text that is markup.

    The engine escapes every text in it and puts no script, link, style or foreign object there.
    """
    if not svg.startswith("<svg xmlns="):
        raise ValueError("this is no picture of engine.graph")
    return Markup(svg)  # noqa: S704  the only place: a test counts them
