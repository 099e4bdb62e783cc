"""Files of whoever writes workflows: opened in an editor, and shown around a line that failed."""

from __future__ import annotations

import os
import re
import sys
from html import unescape
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from engine import create_workflow, register_secret, step
from studio.app import create_app
from studio.hosting import Hosting
from studio.settings import Settings, SettingsError
from studio.user_files import LARGEST, lines_around, opener
from studio.views.faults import Frame, frames
from tests.web.hosted import ORIGIN, Studio


def file(folder: Path, name: str = "flows.py", text: str = "x = 1\n") -> str:
    made = folder / name
    made.write_text(text, "utf-8")
    return str(made)


# -- addresses


@pytest.mark.parametrize(
    ("editor", "address"),
    [
        ("vscode", "vscode://file{}:7"),
        ("cursor", "cursor://file{}:7"),
        ("zed", "zed://file{}:7"),
        ("pycharm", "pycharm://open?file={}&line=7"),
        ("none", ""),
    ],
)
def test_each_editor_has_its_address(tmp_path: Path, editor: str, address: str) -> None:
    named = file(tmp_path)
    assert opener(editor)(named, 7) == address.format(named)


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("a b&line=1#x?.py", "a%20b%26line%3D1%23x%3F.py"),
        ('"><script>.py', "%22%3E%3Cscript%3E.py"),
        ("javascript:alert(1).py", "javascript%3Aalert%281%29.py"),
        ("line\nend.py", "line%0Aend.py"),
        ("flows.py:99", "flows.py%3A99"),
        ("größe.py", "gr%C3%B6%C3%9Fe.py"),
        ("\udcff.py", "%FF.py"),
    ],
)
def test_a_files_name_stays_a_name(tmp_path: Path, name: str, quoted: str) -> None:
    assert opener("vscode")(file(tmp_path, name), 1) == f"vscode://file{tmp_path}/{quoted}:1"
    assert opener("pycharm")(str(tmp_path / name), 1) == f"pycharm://open?file={tmp_path}/{quoted}&line=1"


def test_only_files_of_the_user_that_are_there_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    href = opener("vscode")
    bad = [
        str(tmp_path / "gone.py"), str(tmp_path), str(tmp_path / "pipe.py"), "flows.py", "<string>", "", "a\0b",
        "/" + "x" * 5_000, f"/{file(tmp_path)}", "\\\\host\\share\\x.py", re.__file__, pytest.__file__,
        sys.modules["engine"].__file__ or "", "javascript:alert(1)",
    ]  # fmt: skip
    assert [name for name in bad if href(name, 1)] == []


def test_an_editor_that_is_not_known_is_refused_and_links_are_for_this_machine() -> None:
    with pytest.raises(SettingsError, match="it is one of vscode, cursor, zed, pycharm, none"):
        Settings(editor="javascript:")
    assert Settings().near_editor == "vscode"
    assert Settings(host="0.0.0.0", token="x" * 40).near_editor == "none"  # noqa: S104 - it only says so


# -- lines


def test_three_lines_before_and_after_are_shown_with_what_they_have_in_common_cut(tmp_path: Path) -> None:
    named = file(tmp_path, text="".join(f"    line {number}\n" for number in range(1, 10)))
    assert lines_around(named, 5, "line 5") == tuple((number, f"line {number}") for number in range(2, 9))
    assert lines_around(named, 1, "line 1") == tuple((number, f"line {number}") for number in range(1, 5))
    assert [number for number, _ in lines_around(named, 9, "line 9")] == [6, 7, 8, 9]
    blank = file(tmp_path, "blank.py", "\nfail()\n\n\nmore()\n")
    assert lines_around(blank, 2, "fail()") == ((1, ""), (2, "fail()"), (3, ""), (4, ""), (5, "more()"))
    assert lines_around(file(tmp_path, "end.py", "fail()\n\n\n"), 1, "fail()") == ((1, "fail()"),)


def test_a_file_that_has_changed_shows_the_one_line_that_the_traceback_has(tmp_path: Path) -> None:
    named = file(tmp_path, text="a\nb\nc\n")
    changed = Frame(named, 2, "f", "was", is_users=True)
    assert changed.lines == ((2, "was"),)
    assert Frame(named, 2, "f", "b", is_users=True).lines == ((1, "a"), (2, "b"), (3, "c"))
    assert Frame(named, 2, "f", "", is_users=True).lines == ()
    assert Frame(named, 99, "f", "b", is_users=True).lines == ((99, "b"),)


def test_a_text_that_looks_like_a_traceback_opens_no_other_file(tmp_path: Path) -> None:
    secret = file(tmp_path, "id_rsa", "BEGIN KEY\nMIIB\n")
    faked = f'  File "{secret}", line 1, in f\n    BEGIN KEY\n  File "/etc/passwd", line 1, in g\n    root\n'
    assert [frame.lines for frame in frames(faked)] == [((1, "BEGIN KEY"),), ((1, "root"),)]
    code = file(tmp_path, "settings.py", 'KEY = "sk-1"\n')
    guessed = f'  File "{code}", line 1, in f\n    KEY = ?\n  File "{code}", line 1, in f\n'
    assert [frame.lines for frame in frames(guessed)] == [((1, "KEY = ?"),), ()]


def test_what_can_not_be_read_as_code_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "bytes.py").write_bytes(b"# \xff\nx\n")
    assert lines_around(str(tmp_path / "bytes.py"), 2, "x") == ()
    with Path(tmp_path / "large.py").open("w", encoding="utf-8") as large:
        large.write("x\n")
        large.truncate(LARGEST + 1)
    assert lines_around(str(tmp_path / "large.py"), 1, "x") == ()


def test_secrets_beside_the_line_are_hidden(tmp_path: Path) -> None:
    register_secret("quite-a-secret-of-lines")
    named = file(tmp_path, text='key = "quite-a-secret-of-lines"\nfail()\n')
    assert lines_around(named, 2, "fail()") == ((1, 'key = "[redacted]"'), (2, "fail()"))


# -- pages


@step
def broken(data: dict[str, int]) -> None:
    here = data["n"]
    raise LookupError(here)


FAILS = create_workflow(id="fails").then(broken)


def links(html: str) -> list[str]:
    return [unescape(found) for found in re.findall(r'href="([a-z]+://[^"]+)"', html)]


@pytest.mark.parametrize("editor", ["vscode", "none"])
def test_pages_open_frames_and_code_in_the_editor_that_was_chosen(editor: str) -> None:
    settings = Settings(editor=editor)
    with Hosting([FAILS]) as hosting, TestClient(create_app(hosting, settings), base_url=ORIGIN) as client:
        at = Studio(hosting, client)
        run = at.start("fails", {"n": 7})
        raised = broken.execute.__code__.co_firstlineno + 3
        first = broken.execute.__code__.co_firstlineno
        wanted = [f"vscode://file{__file__}:{line}" for line in (raised, raised, first)]
        error, code = at.page(f"/runs/{run}"), at.page(f"/runs/{run}?step=broken&tab=code")
        found = [*links(error), *links(code), *links(at.page("/workflows/fails?tab=code"))]
        assert found == ([] if editor == "none" else wanted)
        assert f'data-copy="{__file__}:{raised}"' in error
        shown = re.findall(r'<li( class="at")?><span class="ln" aria-hidden="true">(\d+)</span>([^\n<]*)', error)
        assert [(mark, int(number)) for mark, number, _ in shown] == [
            (' class="at"' if number == raised else "", number) for number in range(raised - 3, raised + 4)
        ]
        assert ("VS Code" in at.page("/settings")) is (editor == "vscode")
