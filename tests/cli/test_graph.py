"""``studio graph``: the format is that of the file's name."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from engine import create_workflow, graph
from studio.cli import main

BEGIN = {"svg": "<svg ", "dot": "digraph ", "mermaid": "flowchart TD", "json": "{"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("form", BEGIN)
def test_a_workflow_is_drawn_in_each_format(folder: Path, capfdbinary: pytest.CaptureFixture[bytes], form: str) -> None:
    assert main(["graph", "weather", "--format", form]) == 0
    drawn = capfdbinary.readouterr().out
    assert main(["graph", "weather", "--format", form, "-o", "picture"]) == 0
    assert (drawn[: len(BEGIN[form])].decode(), capfdbinary.readouterr().out) == (BEGIN[form], b"")
    assert (folder / "picture").read_bytes() == drawn


@pytest.mark.parametrize(
    ("name", "begin"),
    [("a.svg", "<svg "), ("a.SVG", "<svg "), ("a.dot", "digraph "), ("a.mmd", "flowchart TD"), ("a.json", "{")],
)
def test_the_name_of_the_file_says_the_format(folder: Path, name: str, begin: str) -> None:
    assert main(["graph", "weather", "-o", name]) == 0
    assert (folder / name).read_text("utf-8").startswith(begin)


def test_a_png_is_one(folder: Path) -> None:
    assert main(["graph", "order", "-o", "order.png"]) == 0
    picture = (folder / "order.png").read_bytes()
    width, height = struct.unpack(">II", picture[16:24])
    assert (picture[:8], picture[12:16]) == (b"\x89PNG\r\n\x1a\n", b"IHDR")
    assert (300 < width < 3000, 600 < height < 6000) == (True, True)


@pytest.mark.parametrize("text", ["<b>", '"', "\\N", "ünïcödé ☃", "a && b", "{|}", "#"])
def test_any_text_can_be_in_a_png(text: str) -> None:
    flow = create_workflow(id="odd").map(lambda _: None, id=f"x {text} y")
    assert graph.to_png(flow).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("-o a.svg --format png", "a.svg is to be svg by its name, and --format says png; leave one of them out\n"),
        ("-o a.pdf", "a.pdf does not say in which format; end it with .svg, .png, "),
        ("-o picture", "picture does not say in which format; "),
        ("-o absent/a.svg", "[Errno 2] No such file or directory: 'absent/a.svg'"),
    ],
)
def test_what_can_not_be_drawn_says_why(
    folder: Path, capsys: pytest.CaptureFixture[str], words: str, said: str
) -> None:
    assert main(["graph", "weather", *words.split()]) == 2
    assert capsys.readouterr().err[: len(said)] == said
    assert list(folder.iterdir()) == []


def test_where_graphviz_can_not_draw_an_svg_is_proposed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """A module of that name that fails stands for one that is not installed."""
    (folder / "pygraphviz.py").write_text("raise ImportError('not here')", "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    assert main(["graph", "weather", "-o", "a.png"]) == 2
    assert capsys.readouterr().err == (
        "no PNG of 'weather': Graphviz can't draw it (ImportError: not here); "
        "draw it as SVG, which every browser shows\n"
    )
