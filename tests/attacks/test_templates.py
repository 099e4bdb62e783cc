"""What is shown is escaped at one place, for all templates, and nothing goes around it."""

from __future__ import annotations

import ast
import re

import pytest

from studio.assets import Assets
from studio.rendering import Rendering, drawing
from tests.architecture.tree import ROOT, files, modules

TEMPLATES = [path for path in files() if path.parts[0] == "templates"]
MAKES_HTML = {"studio/rendering.py", "studio/app.py", "studio/guard_reply.py"}
"""Where a text becomes an answer of HTML: templates, and the two pages that must not need any."""


STUDIO = list(modules("studio"))


def calls(name: str) -> list[str]:
    """Where something of this name is called in the studio."""
    return [
        str(path)
        for path, module in STUDIO
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == name
    ]


def test_there_is_one_environment_and_it_escapes() -> None:
    assert calls("Environment") == ["studio/rendering.py"]
    assert Rendering(Assets()).environment.autoescape is True
    assert calls("from_string") + calls("Template") == []


def test_markup_is_made_at_one_place_of_pictures_only() -> None:
    assert calls("Markup") == ["studio/rendering.py"]
    for text in ("<b>x</b>", " <svg xmlns=", "<svg onload=x>", "<script>", ""):
        with pytest.raises(ValueError, match="no picture"):
            drawing(text)


def test_only_known_places_make_pages() -> None:
    """A page of HTML is rendered, or is one of the two that are escaped by hand."""
    made = set(calls("HTMLResponse"))
    pieces = {
        str(path)
        for path, module in STUDIO
        for node in ast.walk(module)
        if isinstance(node, ast.JoinedStr) and re.search(r"<[a-z!/]", "".join(map(_text, node.values)))
    }
    by_partials = {path for path in made if path.startswith("studio/pages/")}
    assert made - by_partials <= MAKES_HTML
    for path in by_partials | {path for path in pieces if path.startswith("studio/pages/")}:
        # what stands around a partial has nothing in it but names that are written in the program
        source = (ROOT / path).read_text("utf-8")
        assert "hx-partial" in source or ".partial(" in source or "page(" in source, path


def _text(part: ast.expr) -> str:
    return str(part.value) if isinstance(part, ast.Constant) else ""


RULES = {
    "an attribute without quotes": re.compile(r"<[^<>]*\s[\w:-]+=\{\{"),
    "a value within a script or a style": re.compile(r"<(?:script|style)[^>]*>[^<]*\{\{"),
    "an element or attribute by a value": re.compile(r"<\{\{|<[a-z]+\s+\{\{(?!\s*(?:said|attributes))"),
    "a value with quotes of the other kind": re.compile(r"=\'[^\'{]*\{\{[^\']*\}\}[^\']*\'"),
    "a way around the escape": re.compile(r"\|\s*(?:safe|forceescape|tojson|xmlattr|urlize)\b|autoescape"),
}


@pytest.mark.parametrize("rule", RULES)
def test_no_template_has(rule: str) -> None:
    found = []
    for path in TEMPLATES:
        text = re.sub(r"\{#.*?#\}", "", (ROOT / path).read_text("utf-8"), flags=re.DOTALL)
        found += [f"{path}: {match[0][:80]}" for match in RULES[rule].finditer(text)]
    # `block.kind` is one of two words of ours
    assert [one for one in found if not one.endswith(("<{{", "<{{ ")) or "prose.html" not in one] == []


def test_a_value_is_never_read_as_a_template() -> None:
    environment = Rendering(Assets()).environment
    made = environment.from_string('<p title="{{ value }}">{{ value }}</p>').render(value="{{7*7}}{% if 1 %}\"'><b>&")
    expected = "{{7*7}}{% if 1 %}&#34;&#39;&gt;&lt;b&gt;&amp;"
    assert made == f'<p title="{expected}">{expected}</p>'
