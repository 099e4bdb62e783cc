"""Whatever comes from others is fixed: by hash, in the package, from no other place at run time."""

from __future__ import annotations

import base64
import hashlib
import re
import tomllib

from studio.assets import Assets
from tests.architecture.tree import ROOT, files

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
ADDRESS = re.compile(r"(?:https?|wss?):\\?/\\?/([\w.-]+)|(?:src|href|url|@import)\s*[=(]?\s*[\"']?//", re.IGNORECASE)
NAMES_ONLY = {"www.w3.org"}
"""Not an address: what XML calls its vocabularies."""


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", name)[0]).lower()  # type: ignore[index]


def test_every_dependency_is_locked_with_hashes() -> None:
    wanted = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]
    locked = {plain(line): line for line in LOCK.splitlines() if re.match(r"[a-z0-9]", line)}
    assert {plain(one) for one in wanted} - locked.keys() == set()
    entries = re.split(r"\n(?=[a-z0-9])", "\n".join(line for line in LOCK.splitlines() if not line.startswith("#")))
    assert [entry.partition(" ")[0] for entry in entries if entry and "--hash=sha256:" not in entry] == []
    assert not re.search(r"(?:git\+|file:|@ |https?:|--index|--find-links|--extra)", "\n".join(entries))


def test_installing_runs_no_code_of_ours() -> None:
    assert not (ROOT / "setup.py").exists()
    assert "hooks" not in PROJECT["tool"]["hatch"].get("build", {})
    assert "hooks" not in PROJECT["tool"]["hatch"].get("metadata", {})
    assert PROJECT["build-system"]["build-backend"] == "hatchling.build"


def test_nothing_that_is_served_names_another_host() -> None:
    """Style sheets, scripts, modules, pictures and templates, the vendored ones too."""
    served = [path for path in files() if path.parts[0] in {"static", "templates"} and path.suffix != ".toml"]
    found = [
        f"{path}: {match[0]}"
        for path in served
        if path.suffix in {".css", ".js", ".html", ".svg"}
        for match in ADDRESS.finditer((ROOT / path).read_text("utf-8"))
        if match[1] not in NAMES_ONLY
    ]
    assert [one for one in found if "vendor" not in one] == []
    assert [one for one in found if "vendor" in one] == []


def test_the_vendored_script_is_sent_as_it_was_published() -> None:
    """The bytes that a browser gets are those whose hash is in the list, joined and nothing else."""
    vendored = tomllib.loads((ROOT / "static/vendor/VENDORED.toml").read_text("utf-8"))
    told = {name: sha for package in vendored["package"] for name, sha in _hashes(package) if name.endswith(".js")}
    assets = Assets()
    sent = assets._files[assets.names["vendor.js"]].body
    for name, sha in told.items():
        whole = (ROOT / "static/vendor" / name).read_bytes()
        assert hashlib.sha256(whole).hexdigest() == sha
        assert whole.strip() in sent
    rest = sent
    for name in told:
        rest = rest.replace((ROOT / "static/vendor" / name).read_bytes().strip(), b"")
    assert rest.strip(b"\n;\t ") == b"", base64.b64encode(rest[:200])


def _hashes(package: dict[str, object]) -> list[tuple[str, str]]:
    entries = package["files"]
    assert isinstance(entries, dict)
    return [(name, entry["sha256"]) for name, entry in entries.items()]
