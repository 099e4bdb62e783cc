"""The studio's own files: where they lie, what they are called for a browser, and how they are sent.

Everything is read once and kept in memory under names that hold a hash of the content, so that a browser may keep it
for ever. Several stylesheets are served as one, and so are the vendored scripts.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from engine.graph import RULES

STYLES = ("tokens", "base", "layout", "controls", "forms", "cards", "tables", "timeline", "graph", "print")
"""The stylesheets in the order in which they are served, as one."""
VENDORED = ("htmx.min.js", "hx-ws.min.js")
"""The vendored scripts in the order in which they are served, as one."""
PREFIX = "/static"
FOREVER = "public, max-age=31536000, immutable"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class AssetsMissing(Exception):
    """The studio's templates or static files are not where they belong."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent."""

    body: bytes
    packed: bytes
    media_type: str


class Assets:
    """Finds templates and static files, names them and, as an ASGI application, sends them."""

    def __init__(self, home: Path | None = None) -> None:
        """``home``: the folder of this package; what it needs lies in it (installed) or beside it (a checkout)."""
        package = home or Path(__file__).parent
        self.templates = _folder(package, "templates")
        self.static = _folder(package, "static")
        self._files: dict[str, Asset] = {}
        self._names: dict[str, str] = {}
        self._add_one("app.css", _stylesheet(self.static / "css"))
        self._add_one("vendor.js", _joined(self.static / "vendor", VENDORED))
        for image in sorted((self.static / "images").iterdir()):
            self._add_one(image.name, image.read_bytes())
        self._add_modules(self.static / "js")

    def url(self, name: str) -> str:
        """The address of ``app.css``, ``vendor.js``, ``icon.svg`` or ``js/app.js``."""
        if name not in self._names:
            raise AssetsMissing(f"there is no asset {name!r}; there are {', '.join(sorted(self._names))}")
        return f"{PREFIX}/{self._names[name]}"

    @property
    def names(self) -> Mapping[str, str]:
        """Name -> the path below ``/static`` under which it is sent."""
        return self._names

    def _add_one(self, name: str, body: bytes) -> None:
        stem, _, suffix = name.rpartition(".")
        self._add(name, f"{stem}.{_digest([body])}.{suffix}", body)

    def _add_modules(self, folder: Path) -> None:
        """Modules name each other by relative paths, so all of them lie in one folder named for all of them."""
        bodies = {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.js"))}
        digest = _digest([part for name, body in bodies.items() for part in (name.encode(), body)])
        for name, body in bodies.items():
            self._add(f"js/{name}", f"{digest}/js/{name}", body)

    def _add(self, name: str, path: str, body: bytes) -> None:
        self._names[name] = path
        self._files[path] = Asset(body, gzip.compress(body, 9, mtime=0), MEDIA_TYPES[Path(name).suffix])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers below ``/static``; mount it there. A path is looked up among the known ones, never on the disk."""
        request = Request(scope, receive)
        root = scope.get("root_path", "")
        path = scope["path"].removeprefix(root).removeprefix(PREFIX).removeprefix("/")
        await self.response(request, path)(scope, receive, send)

    def response(self, request: Request, path: str) -> Response:
        """The answer to a request for a path below ``/static``."""
        if request.method not in {"GET", "HEAD"}:
            return PlainTextResponse("Only GET and HEAD.", 405, headers={"Allow": "GET, HEAD"})
        asset = self._files.get(path)
        if asset is None:
            return PlainTextResponse("There is no such file.", 404)
        headers = {"Cache-Control": FOREVER, "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff"}
        packed = "gzip" in request.headers.get("accept-encoding", "")
        if packed:
            headers["Content-Encoding"] = "gzip"
        return Response(asset.packed if packed else asset.body, headers=headers, media_type=asset.media_type)


def _folder(package: Path, name: str) -> Path:
    """``<package>/name`` in an installed package, else ``<package>/../name`` in a checkout."""
    places = [package / name, package.parent / name]
    for place in places:
        if place.is_dir():
            return place
    raise AssetsMissing(f"the studio has no {name}/: looked for {' and '.join(map(str, places))}; install it again")


def _stylesheet(folder: Path) -> bytes:
    """All stylesheets as one. What the engine says of its pictures is nested, so that it colours nothing else."""
    parts = [_read(folder / f"{name}.css").decode() for name in STYLES]
    parts.insert(STYLES.index("graph"), f"svg.workflow {{\n{RULES}\n}}\n")
    return "\n".join(parts).encode()


def _joined(folder: Path, names: Iterable[str]) -> bytes:
    return b";\n".join(_read(folder / name) for name in names)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AssetsMissing(f"the studio's file {path} can't be read: {error.strerror}; install it again") from error


def _digest(parts: Iterable[bytes]) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(b"%d:" % len(part) + part)
    return found.hexdigest()[:12]
