"""A file of runs that somebody else has written into: what is in it is data, whatever it says that it is."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from engine import Engine, StepContext, create_step, create_workflow
from tests.attacks.crawl import crawl
from tests.attacks.markup import read
from tests.attacks.studio import Studio, studio

CANARY = "planted.txt"


class Reduced:
    """Makes a pickle that makes a file."""

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return (open, (CANARY, "w"))


def payloads() -> list[bytes]:
    """What makes other programs run something, in the forms in which they store it."""
    call = f"touch {CANARY}"
    code = f"__import__('os').system('{call}')"
    objects: list[Any] = [
        {"lc": 1, "type": "constructor", "id": ["os", "system"], "kwargs": {"command": call}},
        {"lc": 2, "type": "constructor", "id": ["builtins", "eval"], "method": ["__call__"], "args": [code]},
        {"lc": 1, "type": "secret", "id": ["PATH"]},
        {"__type__": "os.system", "args": [call]},
        {"__class__": "subprocess.Popen", "__init__": [call], "__data__": {}},
        {"__classname__": "os.system", "__version__": 1, "__data__": call},
        {"py/reduce": [{"py/function": "os.system"}, {"py/tuple": [call]}]},
        {"py/object": "os.system", "py/newargs": [call]},
        {"py/object/apply:os.system": [call]},
        {"py/repr": f"os/{code}"},
        {"$type": "System.Windows.Data.ObjectDataProvider", "MethodName": "Start"},
        {"@type": "java.lang.Runtime", "exec": call},
        {"_type": "module", "path": "os", "name": "system"},
        {"!!python/object/apply:os.system": [call]},
        {"cls": "builtins.exec", "value": code},
        {"$engine:call": ["os.system", call]},
        {"$engine:type": "os.system", "$engine:args": [call]},
        {"$engine:pickle": "gASVIAAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAhlY2hvIHBvcJSFlFKULg=="},
        {"$engine:int": code},
        {"$engine:int": "9" * 5000},
        {"$engine:float": code},
        {"$engine:str": "\\N{BOMB}\\x"},
        {"$engine:key:$engine:int": "0xff"},
        {"$ref": "file:///etc/passwd"},
        {"$ref": "http://elsewhere.test/schema.json"},
        {"__proto__": {"polluted": True}, "constructor": {"prototype": {"polluted": True}}},
        code,
        "{{ self.__init__.__globals__.__builtins__.open('" + CANARY + "', 'w') }}",
        "cos\nsystem\n(S'" + call + "'\ntR.",
    ]
    raw = [
        pickle.dumps(Reduced(), 0), pickle.dumps(Reduced(), 4), b"\xc7\x05\x01os.sy", b"!!python/object/apply:os.x [x]",
        b"c__builtin__\neval\n(S'1'\ntR.", b"\x80\x05", b"", b"null\x00", b"[" * 5000, b"{", b"\xff\xfe",
    ]  # fmt: skip
    return [json.dumps(one).encode() for one in objects] + raw


PAYLOADS = payloads()


async def ask(data: Any, ctx: StepContext) -> Any:
    return await ctx.ask({"what": data}, dict[str, int], title="Go on?")


WORKFLOW = create_workflow(id="planted").map(lambda data: data).then(create_step(id="ask", execute=ask))


async def a_file(path: Path) -> None:
    """A run for each payload, with it in the place of the run's input, of a step's output, and of a question."""
    async with Engine([WORKFLOW], store=f"sqlite:///{path}") as engine:
        for number in range(len(PAYLOADS)):
            run = await engine.create_run(WORKFLOW, run_id=f"r{number}", tags=("t",))
            await run.start({"n": "planted here"})


def plant(path: Path) -> None:
    """Write the payloads over what was stored."""
    with closing(apsw.Connection(str(path))) as connection:
        for number, payload in enumerate(PAYLOADS):
            key = number + 1
            connection.execute(
                "UPDATE events SET value = ?, blob = NULL, ref = NULL WHERE run = ?"
                " AND type IN ('run.started', 'step.succeeded', 'step.suspended')",
                (payload, key),
            )
        connection.execute("UPDATE definitions SET body = ?", (PAYLOADS[0].decode(),))


@pytest.fixture
async def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    await a_file(tmp_path / "runs.db")
    plant(tmp_path / "runs.db")
    return tmp_path / "runs.db"


@pytest.fixture
def served(planted: Path) -> Iterator[Studio]:
    with studio([WORKFLOW], planted) as made:
        made.runs = {str(number): f"r{number}" for number in range(len(PAYLOADS))}
        yield made


def test_there_are_thirty() -> None:
    assert len(PAYLOADS) >= 30


def test_planted_data_is_shown_as_data_and_runs_nothing(served: Studio, planted: Path) -> None:
    """Every page says what it is, or that it can't be read; no page fails for it, and nothing is made of it."""
    found = {page.path: page.answer for page in crawl(served, most=200)}
    assert {path: answer.status for path, answer in found.items() if answer.status >= 500} == {}
    assert [fault for answer in found.values() for fault in read(answer.text).faults] == []
    shown = "".join(answer.text for path, answer in found.items() if path.startswith("/runs/"))
    assert "constructor" in shown
    assert "py/reduce" in shown
    assert "polluted" in shown
    assert sorted(path.name for path in planted.parent.iterdir() if CANARY in path.name) == []


def test_whoever_answers_a_planted_question_runs_nothing(served: Studio, planted: Path) -> None:
    for run in served.runs.values():
        for verb in ("rerun", "cancel"):
            assert served.post(f"/runs/{run}/{verb}").status < 500
    assert not (planted.parent / CANARY).exists()
