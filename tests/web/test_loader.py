"""What is served: targets, modules that fail, and files that are saved while runs go on."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import DefinitionChanged
from studio.catalog import Catalog, Problem
from studio.hosting import Hosting
from studio.loader import TargetError, discover, discover_again, usual_target
from studio.reloading import Reloading
from tests.architecture.tree import ROOT
from tests.web.waiting import until

FLOW = """
from engine import create_workflow, step

@step
async def say(name: str) -> str:
    return f"{greeting} {{name}}"

{id} = create_workflow(id="{id}", input_schema=str).then(say)
"""


def write(path: Path, text: str) -> Path:
    """Save a file, as an editor does: later than it was before."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text, "utf-8")
    after = max(path.stat().st_mtime_ns, before + 1_000_000)
    os.utime(path, ns=(after, after))
    return path


def flow(id: str = "hello", greeting: str = "Hello") -> str:
    return FLOW.format(id=id, greeting=greeting)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder; modules that a test imports from it are forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def found(target: str | None) -> tuple[list[str], list[str]]:
    """Ids of the workflows of a target, and the modules with problems."""
    loaded = discover(target)
    return sorted(loaded.workflows), [problem.module for problem in loaded.problems]


# -- targets


def test_a_target_is_a_file_a_folder_a_module_a_package_or_one_name(folder: Path) -> None:
    write(folder / "shop_flows.py", flow("sell") + flow("buy"))
    write(folder / "more_flows.py", flow("give") + "from shop_flows import sell\n")
    write(folder / "test_flows.py", "raise AssertionError('a test is no workflow')")
    (folder / "pack").mkdir()
    write(folder / "pack" / "__init__.py", "")
    write(folder / "pack" / "one_flow.py", flow("one"))
    write(
        folder / "pack" / "engine_flow.py",
        flow("inner") + "from engine import Engine\napp = Engine([inner])\ndel inner",
    )
    assert found("shop_flows.py") == (["buy", "sell"], [])
    assert found("shop_flows") == (["buy", "sell"], [])
    assert found("shop_flows:buy") == (["buy"], [])
    assert found(str(folder)) == (["buy", "give", "sell"], [])
    assert found("pack") == (["inner", "one"], [])
    assert found("pack.engine_flow:app") == (["inner"], [])


def test_without_a_target_workflows_py_is_served_else_the_examples(folder: Path) -> None:
    assert usual_target() == "studio.examples"
    assert {"order", "weather"} < set(found(None)[0])
    write(folder / "workflows.py", flow("mine"))
    assert found(None) == (["mine"], [])


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("absent.py", "there is no file absent.py"),
        ("absent", "there is no module absent; name a file, a folder or a module"),
        ("shop_flows:none", "shop_flows has no 'none'; it has sell"),
        ("empty", "there is no Python file in empty"),
    ],
)
def test_a_target_that_is_not_there_is_refused(folder: Path, target: str, said: str) -> None:
    write(folder / "shop_flows.py", flow("sell"))
    (folder / "empty").mkdir()
    with pytest.raises(TargetError) as caught:
        discover(target)
    assert str(caught.value) == said


def test_a_module_that_fails_is_a_problem_with_its_traceback_and_the_others_work(folder: Path) -> None:
    write(folder / "good.py", flow("good"))
    bad = write(folder / "bad.py", "import json\n\ndef make():\n    return json.loads('{')\n\nmake()\n")
    torn = write(folder / "torn.py", "x = (\n")
    loaded = discover(".")
    assert sorted(loaded.workflows) == ["good"]
    one, two = loaded.problems
    assert (one.module, one.file, one.line, one.is_old) == ("bad.py", str(bad), 4, False)
    assert one.message.startswith("JSONDecodeError: Expecting property name")
    assert one.traceback.splitlines()[:5] == [
        "Traceback (most recent call last):",
        f'  File "{bad}", line 6, in <module>',
        "    make()",
        f'  File "{bad}", line 4, in make',
        "    return json.loads('{')",
    ]
    assert "json/decoder" not in one.traceback
    assert (two.module, two.file, two.line) == ("torn.py", str(torn), 1)
    assert {bad, torn, folder / "good.py"} <= loaded.files


def test_a_wrong_definition_is_a_problem_and_so_is_an_id_that_two_have(folder: Path) -> None:
    write(folder / "a_flows.py", flow("same"))
    write(folder / "b_flows.py", flow("same") + "wrong = create_workflow(id='wrong').then(say).then(say)")
    loaded = discover(".")
    assert list(loaded.workflows) == ["same"]
    twice, wrong = loaded.problems
    assert twice.message == (
        "two workflows have the id 'same': same in a_flows.py and same in b_flows.py; "
        "the first is served, give the other an id of its own"
    )
    assert wrong.message.startswith("DefinitionError: workflow 'wrong' has 1 problem:\n  - say: the id is used twice;")


def test_a_program_that_ends_itself_at_import_does_not_end_the_studio(folder: Path) -> None:
    write(folder / "ends.py", "import sys\nsys.exit(3)")
    assert found("ends.py") == ([], ["ends.py"])


def test_a_folder_named_engine_beside_the_file_is_named_with_ours(folder: Path) -> None:
    (folder / "engine").mkdir()
    write(folder / "engine" / "__init__.py", "")
    write(folder / "flows.py", flow("hello"))
    loaded = discover("flows.py")
    assert list(loaded.workflows) == ["hello"]
    ours = Path(sys.modules["engine"].__file__ or "").parent
    assert f"{folder / 'engine'} hides the package in {ours}" in loaded.problems[0].message


def test_another_module_of_our_engine_s_name_that_comes_first_is_named_with_ours(folder: Path) -> None:
    (folder / "engine").mkdir()
    write(folder / "engine" / "__init__.py", "")
    done = subprocess.run(
        [sys.executable, "-c", "import studio"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stderr.splitlines()[-1]
    hidden = f"finds {folder / 'engine' / '__init__.py'}, which hides the studio's own in {ROOT / 'engine'}; rename it"
    assert (done.returncode, hidden in last) == (1, True), done.stderr


def test_a_file_named_like_a_module_that_others_need_takes_nothing_from_them(folder: Path) -> None:
    write(folder / "json.py", flow("hello"))
    assert found("json.py") == (["hello"], [])
    import json  # noqa: PLC0415

    assert json.loads("1") == 1


# -- reload


async def answer(hosting: Hosting, id: str) -> object:
    run = await hosting.engine.create_run(id)
    return (await run.start("you")).unwrap()


async def test_a_saved_file_is_served_at_once_with_what_it_imports(folder: Path) -> None:
    write(folder / "words.py", "word = 'Hello'")
    text = flow("hello", "{word}").replace("from engine", "from words import word\nfrom engine", 1)
    write(folder / "flows.py", text)
    with Hosting(catalog=Catalog(discover("flows.py"))) as hosting:
        reloading = Reloading(hosting, "flows.py")
        assert await answer(hosting, "hello") == "Hello you"
        assert not reloading.once()
        write(folder / "words.py", "word = 'Howdy'")  # as long as before, and perhaps in the same second
        assert await asyncio.to_thread(reloading.once)
        assert (await answer(hosting, "hello"), hosting.catalog.version) == ("Howdy you", 2)
        write(folder / "flows.py", text + flow("second", "Bye"))
        assert await asyncio.to_thread(reloading.once)
        assert await answer(hosting, "second") == "Bye you"
        assert sorted(hosting.catalog.workflows) == ["hello", "second"]


async def test_a_failure_keeps_what_there_was_and_shows_its_traceback_until_it_is_mended(folder: Path) -> None:
    file = write(folder / "flows.py", flow("hello"))
    with Hosting(catalog=Catalog(discover("flows.py"))) as hosting:
        reloading = Reloading(hosting, "flows.py")
        write(file, "1 / 0\n" + flow("hello", "Bye"))
        assert await asyncio.to_thread(reloading.once)
        (problem,) = hosting.catalog.problems
        assert (problem.module, problem.line, problem.is_old) == ("flows.py", 1, True)
        assert "ZeroDivisionError" in problem.traceback
        assert await answer(hosting, "hello") == "Hello you"
        write(file, flow("hello", "Bye"))
        assert await asyncio.to_thread(reloading.once)
        assert (hosting.catalog.problems, await answer(hosting, "hello")) == ((), "Bye you")


async def test_one_file_of_a_folder_fails_and_the_others_are_new(folder: Path) -> None:
    write(folder / "a_flows.py", flow("first", "Old"))
    write(folder / "b_flows.py", flow("second", "Old"))
    before = discover(".")
    write(folder / "a_flows.py", "1 / 0")
    write(folder / "b_flows.py", flow("second", "New"))
    write(folder / "c_flows.py", flow("third", "New"))
    after = discover_again(".", before)
    assert {id: one is before.workflows.get(id) for id, one in after.workflows.items()} == {
        "first": True,
        "second": False,
        "third": False,
    }
    assert [(one.module, one.is_old) for one in after.problems] == [("a_flows.py", True)]


def test_a_workflow_that_was_taken_out_is_served_no_more(folder: Path) -> None:
    write(folder / "flows.py", flow("first") + flow("second"))
    before = discover("flows.py")
    write(folder / "flows.py", flow("second"))
    assert list(discover_again("flows.py", before).workflows) == ["second"]


def test_a_file_that_is_gone_keeps_what_there_was(folder: Path) -> None:
    file = write(folder / "flows.py", flow("first"))
    before = discover("flows.py")
    file.unlink()
    after = discover_again("flows.py", before)
    assert (list(after.workflows), after.problems) == (
        ["first"],
        (Problem("flows.py", "there is no file flows.py", is_old=True),),
    )


async def test_a_run_that_is_under_way_finishes_on_the_code_it_began_with(folder: Path) -> None:
    waits = """
import asyncio
from engine import create_workflow, step
gate = asyncio.Event()

@step
async def wait() -> str:
    await gate.wait()
    return "{word} " + (await helper())

async def helper() -> str:
    return "{word}"

waits = create_workflow(id="waits").then(wait)
"""
    file = write(folder / "flows.py", waits.format(word="old"))
    with Hosting(catalog=Catalog(discover("flows.py"))) as hosting:
        old = sys.modules["flows"]
        reloading = Reloading(hosting, "flows.py")
        run = await hosting.engine.create_run("waits")
        await hosting.act(lambda: run.start_soon(None))
        write(file, waits.format(word="new"))
        assert await asyncio.to_thread(reloading.once)
        hosting.loop.call_soon_threadsafe(old.gate.set)
        assert (await run.wait(5)).result == "old old"
        hosting.loop.call_soon_threadsafe(sys.modules["flows"].gate.set)
        assert (await (await hosting.engine.create_run("waits")).start()).result == "new new"


async def test_a_run_that_waits_for_an_answer_goes_on_with_the_code_that_was_saved(
    folder: Path, sqlite_url: str
) -> None:
    asks = """
from engine import StepContext, create_workflow, step

@step
async def ask(_: None, ctx: StepContext) -> str:
    return await ctx.ask("Who?", schema=str) + "{end}"

asks = create_workflow(id="asks").then(ask){more}
"""
    file = write(folder / "flows.py", asks.format(end="?", more=""))
    with Hosting(catalog=Catalog(discover("flows.py")), store=sqlite_url) as hosting:
        reloading = Reloading(hosting, "flows.py")
        one, two = [await hosting.engine.create_run("asks") for _ in range(2)]
        await hosting.act(one.start)
        await hosting.act(two.start)
        write(file, asks.format(end="!", more=""))
        assert await asyncio.to_thread(reloading.once)
        assert (await hosting.act(lambda: one.resume("you"))).result == "you!"
        write(file, asks.format(end="!", more="").replace("ask(", "question(").replace("then(ask)", "then(question)"))
        assert await asyncio.to_thread(reloading.once)
        with pytest.raises(DefinitionChanged, match="'ask'"):
            await hosting.act(lambda: two.resume("you"))
        assert (await two.status(), await hosting.engine.open_questions()) == ("suspended", 1)


def test_the_thread_that_watches_sees_a_save(folder: Path) -> None:
    write(folder / "flows.py", flow("first"))
    with Hosting(catalog=Catalog(discover("flows.py"))) as hosting:
        reloading = Reloading(hosting, "flows.py")
        reloading.start()
        write(folder / "flows.py", flow("second"))
        until(lambda: list(hosting.catalog.workflows) == ["second"], 3)
        reloading.stop()
