"""No text names a machine, and addresses are only those that are meant to be read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.tree import ROOT, files

# A folder of somebody's machine: a home, or where a build was run.
PLACE = re.compile(r"(?<![\w.~])/(?:Users|home|root|work|workspace|builds)/[\w.-]|\b[A-Z]:\\+Users\\")
ADDRESS = re.compile(r"\b(?:https?|wss?|ftp|git|ssh)://(?:[^/\s@\"'`<>]*@)?([\w.-]*\w)", re.IGNORECASE)
READ_BY_PEOPLE = {"keepachangelog.com", "semver.org", "www.apache.org", "www.w3.org"}
NOBODY = re.compile(r"127(\.\d+){3}|0\.0\.0\.0|(.*\.)?(example(\.com|\.org|\.net)?|test|testserver|invalid|localhost)")


def texts() -> Iterator[tuple[Path, int, str]]:
    """Every line of every text of ours, but for this file's."""
    for path in files():
        content = (ROOT / path).read_bytes()
        if path.parts[:2] != ("static", "vendor") and ROOT / path != Path(__file__) and b"\0" not in content:
            for number, line in enumerate(content.decode("utf-8").splitlines(), 1):
                yield path, number, line


def test_no_text_names_a_place_on_a_machine() -> None:
    assert [f"{path}:{number}: {line.strip()}" for path, number, line in texts() if PLACE.search(line)] == []


def test_addresses_are_for_people_or_lead_nowhere() -> None:
    found = [(f"{path}:{number}", host) for path, number, line in texts() for host in ADDRESS.findall(line)]
    assert [(where, host) for where, host in found if host not in READ_BY_PEOPLE and not NOBODY.fullmatch(host)] == []


def test_the_lock_has_hashes_and_no_addresses() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    lines = [line for line in lock.splitlines() if not line.startswith("#")]
    entry = re.compile(r"[a-z0-9-]+==[\w.]+(?: ; [\w.'<>=! ]+)? \\|    --hash=sha256:[0-9a-f]{64}(?: \\)?")
    assert [line for line in lines if not entry.fullmatch(line)] == []


def test_ci_runs_the_command_of_the_readme() -> None:
    last = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()[-1]
    assert last.endswith("python -m tests")
    assert f"```sh\n{last}\n```" in (ROOT / "README.md").read_text("utf-8")
