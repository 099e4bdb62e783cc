"""``studio check``: all that is wrong, with the places in the user's own files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.call import studio

HEAD = """
from engine import create_workflow, step

@step
async def say(name: str) -> str:
    return name

@step
async def count(name: str) -> int:
    return len(name)

"""
FIRST = "the first is served, give the other an id of its own"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.py").write_text(HEAD + "good = create_workflow(id='good').then(say)\n", "utf-8")
    return tmp_path


def test_nothing_wrong_is_said_and_0(folder: Path) -> None:
    assert studio("check", "good.py", cwd=folder) == (0, "nothing wrong with good\n", "")
    code, out, err = studio("check", cwd=folder)
    assert (code, out[:24], err) == (0, "nothing wrong with csv-i", "")


def test_all_wrong_definitions_are_named_with_a_remedy_each(folder: Path) -> None:
    text = HEAD + (
        "one = create_workflow(id='one').then(count).then(say).then(say)\n"
        "fine = create_workflow(id='fine').then(say)\n"
        "two = create_workflow(id='two').branch([('n >', say)])\n"
    )
    (folder / "bad.py").write_text(text, "utf-8")
    code, out, err = studio("check", "bad.py", cwd=folder)
    assert (code, out) == (1, "")
    assert "workflow 'one' has 2 problems:\n" in err
    assert "  - step 'say': expects str but gets int; " in err
    assert "  - say: the id is used twice; " in err
    assert "workflow 'two' has 1 problem:\n" in err
    assert err.endswith("\n2 problems; 1 workflow could be loaded\n")


def test_two_workflows_of_one_id_in_a_file_are_a_problem(folder: Path) -> None:
    (folder / "twice.py").write_text(
        HEAD + "a = create_workflow(id='same').then(say)\nb = create_workflow(id='same').then(count)\n", "utf-8"
    )
    code, _, err = studio("check", "twice.py", cwd=folder)
    assert (code, err.splitlines()[0]) == (
        1,
        f"twice.py: two workflows have the id 'same': a and b in twice.py; {FIRST}",
    )


def test_a_module_that_fails_is_shown_with_the_users_frames_and_the_others_are_checked(folder: Path) -> None:
    (folder / "bad.py").write_text("import json\n\ndef read():\n    return json.loads('{')\n\nread()\n", "utf-8")
    (folder / "torn.py").write_text("x = (\n", "utf-8")
    code, out, err = studio("check", ".", cwd=folder)
    assert (code, out) == (1, "")
    bad = folder / "bad.py"
    assert err.startswith(
        f"{bad}:4: Traceback (most recent call last):\n"
        f'  File "{bad}", line 6, in <module>\n    read()\n'
        f"  File \"{bad}\", line 4, in read\n    return json.loads('{{')\n"
    )
    assert "json/decoder" not in err
    assert f"{folder / 'torn.py'}:1:   File " in err
    assert err.endswith("2 problems; 1 workflow could be loaded\n")


def test_what_was_found_is_read_by_programs(folder: Path) -> None:
    (folder / "bad.py").write_text("1 / 0", "utf-8")
    code, out, err = studio("check", ".", "--json", cwd=folder)
    found = json.loads(out)
    assert (code, err, found["workflows"]) == (1, "", ["good"])
    assert [(one["module"], one["line"]) for one in found["problems"]] == [("bad.py", 1)]


def test_a_file_without_a_workflow_and_a_target_that_is_not_there(folder: Path) -> None:
    (folder / "empty.py").write_text("", "utf-8")
    said = "empty.py: it has no workflow; make one with create_workflow(...) at its top level\n"
    assert studio("check", "empty.py", cwd=folder) == (1, "", f"{said}\n1 problem; 0 workflows could be loaded\n")
    assert studio("check", "absent.py", cwd=folder) == (2, "", "there is no file absent.py\n")
