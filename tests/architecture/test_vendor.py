"""What was taken from other packages is what they published, and nothing else was taken."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

from studio.assets import VENDORED
from tests.architecture.tree import ROOT, files

VENDOR = Path("static/vendor")
MANIFEST = tomllib.loads((ROOT / VENDOR / "VENDORED.toml").read_text("utf-8"))
LONGEST_LINE = 400


def test_vendored_files_are_as_published() -> None:
    told = {name: entry["sha256"] for package in MANIFEST["package"] for name, entry in package["files"].items()}
    assert {name: hashlib.sha256((ROOT / VENDOR / name).read_bytes()).hexdigest() for name in told} == told


def test_every_vendored_file_is_in_the_manifest() -> None:
    here = {path.relative_to(VENDOR).as_posix() for path in files() if path.is_relative_to(VENDOR)}
    assert here - {"VENDORED.toml"} == {name for package in MANIFEST["package"] for name in package["files"]}


def test_every_package_has_its_licence_beside_it() -> None:
    told = [
        (package["name"], package["version"], package["licence"], package["licence_file"] in package["files"])
        for package in MANIFEST["package"]
    ]
    assert told == [("htmx.org", "4.0.1", "0BSD", True), ("lucide-static", "1.62.0", "ISC", True)]


def test_what_is_vendored_is_served() -> None:
    assert {name for package in MANIFEST["package"] for name in package["files"] if name.endswith(".js")} == {*VENDORED}


def test_nothing_else_is_minified() -> None:
    ours = [path for path in files() if path.parts[0] in {"static", "templates"} and not path.is_relative_to(VENDOR)]
    lines = {path: (ROOT / path).read_text("utf-8").splitlines() for path in ours if path.suffix in {".js", ".css"}}
    assert [str(path) for path in ours if ".min." in path.name] == []
    assert [str(path) for path, texts in lines.items() if max(map(len, texts)) > LONGEST_LINE] == []
