"""What lies where, how long it is, and what it never calls."""

from __future__ import annotations

import ast
import re

from tests.__main__ import OF_THE_ENGINE, OF_THE_STUDIO
from tests.architecture.tree import ROOT, files, modules

TOP = {
    ".ci",
    ".gitattributes",
    ".gitignore",
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "engine",
    "pyproject.toml",
    "requirements.lock",
    "static",
    "studio",
    "templates",
    "tests",
}
NAMELESS = {"common", "helper", "helpers", "manager", "misc", "util", "utils"}
LONGEST_FILE = 400
LONGEST_FUNCTION = 35  # 95 of 100 functions are shorter

UNSAFE_MODULES = {"dill", "marshal", "pickle", "shelve"}
UNSAFE_CALLS = {
    "asyncio.create_subprocess_shell",
    "eval",
    "exec",
    "os.popen",
    "os.system",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
    "yaml.load",
    "yaml.unsafe_load",
}


def test_the_top_level_has_its_names_and_no_others() -> None:
    assert {path.parts[0] for path in files()} - TOP == set()


def test_a_file_is_named_for_a_thing_of_the_domain() -> None:
    words = {path: re.split(r"[_/]", path.with_suffix("").as_posix()) for path in files() if path.suffix == ".py"}
    assert [str(path) for path in words if NAMELESS.intersection(words[path])] == []


def test_no_file_is_long() -> None:
    python = [path for path in files() if path.suffix == ".py"]
    lengths = {str(path): len((ROOT / path).read_text("utf-8").splitlines()) for path in python}
    assert {path: length for path, length in lengths.items() if length >= LONGEST_FILE} == {}


def test_functions_are_short() -> None:
    lengths = sorted(
        (node.end_lineno or node.lineno) - node.lineno + 1
        for _, module in modules("engine", "studio")
        for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    assert lengths[len(lengths) * 95 // 100] < LONGEST_FUNCTION


def test_no_text_becomes_code() -> None:
    found = [
        f"{path}:{node.lineno}: {what}"
        for path, module in modules("engine", "studio")
        for node in ast.walk(module)
        if isinstance(node, ast.Call | ast.Import | ast.ImportFrom)
        for what in unsafe(node)
    ]
    assert found == []


def unsafe(node: ast.Call | ast.Import | ast.ImportFrom) -> list[str]:
    """What this call or import does that could run a text as code or as a shell's command."""
    match node:
        case ast.Import():
            return [alias.name for alias in node.names if alias.name.partition(".")[0] in UNSAFE_MODULES]
        case ast.ImportFrom():
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            return [name for name in whole if name in UNSAFE_CALLS or name.partition(".")[0] in UNSAFE_MODULES]
        case ast.Call():
            shell = [word for word in node.keywords if word.arg == "shell" and ast.unparse(word.value) != "False"]
            called = ast.unparse(node.func).removeprefix("builtins.")
            return ["shell="] * bool(shell) + [called] * (called in UNSAFE_CALLS)


def test_unsafe_calls_are_recognised() -> None:
    bad = "import pickle.x\nfrom os import system\nrun(a, shell=True)\nbuiltins.eval(a)\n"
    good = "run(a, shell=False)\nre.compile(a)\nimport os"
    nodes = [
        node for node in ast.walk(ast.parse(bad + good)) if isinstance(node, ast.Call | ast.Import | ast.ImportFrom)
    ]
    assert [what for node in nodes for what in unsafe(node)] == ["pickle.x", "os.system", "shell=", "eval"]


def test_every_folder_of_tests_is_run() -> None:
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    assert folders == {*OF_THE_ENGINE, *OF_THE_STUDIO}
