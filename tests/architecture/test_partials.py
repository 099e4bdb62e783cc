"""What every template keeps to: one root for a partial, inputs that are told, nothing that the page's policy blocks."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import nodes
from jinja2.meta import find_undeclared_variables

from studio.assets import Assets
from studio.rendering import Rendering
from tests.architecture.tree import ROOT, files

TEMPLATES = [path for path in files() if path.parts[0] == "templates"]
PARTIALS = [path for path in TEMPLATES if path.parts[1] in {"partials", "fields"}]
SCRIPTS = [path for path in files() if path.parts[:2] == ("static", "js")]
VOID = {"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
INPUTS = re.compile(r"\{# inputs: ((?:\w+: [^,#]+(?:\[[^#]*\])?(?:, )?)*|none) #\}")

FORBIDDEN = {
    "a style in an attribute": re.compile(r"\sstyle\s*=", re.IGNORECASE),
    "a handler in an attribute": re.compile(r"<[^>]*\son[a-z]+\s*=", re.IGNORECASE),
    "a style element": re.compile(r"<style", re.IGNORECASE),
    "a script inside the page": re.compile(r"<script(?![^>]*\ssrc=)", re.IGNORECASE),
    "markup that is not escaped": re.compile(r"\|\s*safe\b|Markup\(|autoescape", re.IGNORECASE),
    "a value that is run as code": re.compile(r"hx-on\b|hx-on:|hx-live|(?:js|javascript):", re.IGNORECASE),
    "a name of htmx 2": re.compile(
        r"hx-ext\b|hx-vars\b|hx-disabled-elt|hx-disinherit|hx-inherit\b|hx-history|hx-params|hx-request\b|hx-prompt"
        r"|(?<![:\w-])ws-(?:connect|send)|sse-connect|HX-Trigger|htmx:(?:before|after)[A-Z]\w+|hx-swap-oob=\"morph"
    ),
    "an address": re.compile(r"\b(?:https?|wss?):\\?/\\?/(?!www\.w3\.org/)", re.IGNORECASE),
    "a folder of a protocol without a name": re.compile(r"(?:src|href)\s*=\s*[\"']//"),
}


def found(path: Path) -> list[str]:
    """What a file has and may not have."""
    text = (ROOT / path).read_text("utf-8")
    rules = FORBIDDEN.items()
    return [
        f"{path}:{number}: {what}"
        for number, line in enumerate(text.splitlines(), 1)
        for what, bad in rules
        if bad.search(line)
    ]


def test_templates_have_nothing_that_is_forbidden() -> None:
    assert [fault for path in TEMPLATES for fault in found(path)] == []


def test_scripts_ask_no_other_host_and_write_no_markup() -> None:
    written = re.compile(
        r"\.(?:inner|outer)HTML\b|insertAdjacentHTML|document\.write|\beval\(|new Function|setAttribute\(\s*[\"']style"
    )
    texts = {path: (ROOT / path).read_text("utf-8") for path in SCRIPTS}
    assert [str(path) for path, text in texts.items() if written.search(text)] == []
    assert [str(path) for path, text in texts.items() if FORBIDDEN["an address"].search(text)] == []


def test_forbidden_things_are_recognised() -> None:
    bad = [
        '<p style="x">', '<a onclick="x">', "<style>", "<script>", "{{ x|safe }}",
        '<p hx-on:click="x">', "javascript:x",
        '<div hx-ext="ws">', "htmx:afterSwap", '<a href="https://example.org">', '<img src="//example.org/x">',
    ]  # fmt: skip
    assert [text for text in bad if not any(rule.search(text) for rule in FORBIDDEN.values())] == []
    good = '<script src="/x.js" defer></script><p data-on="x" class="style">hx-ws:connect htmx:after:swap</p>'
    assert [what for what, rule in FORBIDDEN.items() if rule.search(good)] == []


def test_markup_comes_in_at_one_place() -> None:
    uses = [
        f"{path}: {line.strip()}"
        for path in files()
        if path.parts[0] == "studio" and path.suffix == ".py"
        for line in (ROOT / path).read_text("utf-8").splitlines()
        if re.search(r"\bMarkup\(|\|safe|autoescape=(?!True)", line)
    ]
    assert [use.partition(":")[0] for use in uses] == ["studio/rendering.py"]


class Roots(HTMLParser):
    """Counts the elements at the top of a text, with their ids."""

    def __init__(self) -> None:
        super().__init__()
        self.depth = 0
        self.roots: list[str] = []
        self.loose = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.depth == 0:
            self.roots.append(dict(attrs).get("id") or "")
        self.depth += tag not in VOID

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.depth -= tag not in VOID

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag not in VOID

    def handle_data(self, data: str) -> None:
        if self.depth == 0:
            self.loose += data.strip()


def roots(source: str) -> Roots:
    """The elements at the top of a template. What it computes stands as ``x``; of several ways, all are looked at."""
    text = re.sub(r"\{#.*?#\}|\{%.*?%\}", "", source, flags=re.DOTALL)
    parser = Roots()
    parser.feed(re.sub(r"\{\{.*?\}\}", "x", text, flags=re.DOTALL))
    return parser


@pytest.mark.parametrize("path", PARTIALS, ids=str)
def test_a_partial_has_one_root_and_tells_its_inputs(path: Path) -> None:
    source = (ROOT / path).read_text("utf-8")
    told = INPUTS.fullmatch(source.partition("\n")[0])
    assert told, f"{path}: the first line is {{# inputs: name: Type, ... #}}"
    if path.parts[1] == "partials":
        parser = roots(source)
        assert parser.loose == ""
        assert len(parser.roots) == 1, f"{path}: {len(parser.roots)} roots"
        assert parser.roots[0], f"{path}: the root has no id"
    names = set(re.findall(r"(\w+): ", told[1]))
    environment = Rendering(Assets()).environment
    assert find_undeclared_variables(environment.parse(source)) - names - set(environment.globals) == set()


def test_every_template_compiles() -> None:
    environment = Rendering(Assets()).environment
    for path in TEMPLATES:
        environment.get_template(path.relative_to("templates").as_posix())


def test_templates_take_nothing_unknown_from_others() -> None:
    """A name that is imported from macros, and every file that is included or extended, is there."""
    environment = Rendering(Assets()).environment
    missing = []
    for path in TEMPLATES:
        tree = environment.parse((ROOT / path).read_text("utf-8"))
        for taken in tree.find_all(nodes.FromImport):
            assert isinstance(taken.template, nodes.Const)
            there = {
                macro.name
                for macro in environment.parse((ROOT / "templates" / taken.template.value).read_text("utf-8")).find_all(
                    nodes.Macro
                )
            }
            names = {name if isinstance(name, str) else name[0] for name in taken.names}
            missing += [f"{path}: {name}" for name in names - there]
        for whole in tree.find_all((nodes.Include, nodes.Extends)):
            if isinstance(whole.template, nodes.Const) and not (ROOT / "templates" / whole.template.value).is_file():
                missing.append(f"{path}: {whole.template.value}")
    assert missing == []
