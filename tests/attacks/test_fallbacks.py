"""Where data can't be shown nicely it is shown as text: what reads it never fails, and lets no markup through."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Event
from engine.codec import encode_plain, plain
from studio.assets import Assets
from studio.json_view import JsonView, json_view
from studio.rendering import Rendering
from studio.views.events import brief, line
from studio.views.faults import fault, frames
from studio.views.journal import given as given_text
from studio.views.journal import short
from studio.views.prose import blocks, pieces
from studio.views.workflows import _spans
from tests.attacks import hostile
from tests.attacks.markup import read
from tests.unit.codec_samples import json_values

TEXTS = st.text() | st.sampled_from(
    [*hostile.EVERY, "```\n</pre><script>x</script>", "**<b>**", "`<`", "- <img>", "# <h1>"]
)
RENDERING = Rendering(Assets())
MACROS = """{% from "macros/data.html" import json, said, code %}{% from "macros/prose.html" import prose, line %}
{{ json(value, label) }}{{ said(label) }}{{ prose(blocks) }}{{ line(pieces) }}{{ code(lines, 1, label) }}"""


class Strange:
    """What no JSON is: its text is an attack, or there is none."""

    def __init__(self, text: str | None) -> None:
        self.text = text

    def __str__(self) -> str:
        if self.text is None:
            raise ValueError("no text")
        return self.text


@settings(max_examples=80, deadline=None)
@given(TEXTS, st.lists(TEXTS, max_size=3))
def test_texts_of_every_kind_are_shown_as_texts(text: str, more: list[str]) -> None:
    """Markdown, JSON, source, tracebacks: each by the macro that shows it."""
    value: Any = {text: more, "list": [text, {"deep": text}]}
    lines = [(number, one) for number, one in enumerate([text, *more], 1)]
    shown = RENDERING.environment.from_string(MACROS).render(
        value=value, label=text, blocks=blocks("\n".join([text, *more])), pieces=pieces(text), lines=lines
    )
    assert read(shown).faults == []
    tags = {"script", "img", "svg", "b onclick", "hx-partial", "style"}
    assert [tag for tag in tags if f"<{tag}" in shown] == []


@settings(max_examples=60, deadline=None)
@given(json_values)
def test_data_of_every_kind_is_shown(stored: Any) -> None:
    value = plain(encode_plain(stored))
    assert isinstance(json_view(value), JsonView)
    short(value), given_text(value), brief({"output": value})
    event = Event(1, "r", datetime.now(UTC), "step.succeeded", "a", 1, {"output": value})
    assert line(event).count("\n") == 1


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_source_and_tracebacks_of_every_kind_are_shown(text: str) -> None:
    """A lexer that stumbles, a traceback that is none."""
    shown = "".join(span.text for one in _spans(text) for span in one)
    assert "".join(shown.split()) == "".join(text.removeprefix("\ufeff").split())  # line ends are made alike
    frames(f'  File "{text}", line 1, in {text}\n    {text}\n')
    found = fault({"type": text, "message": text, "traceback": text})
    assert found is not None
    assert found.type == (text or "Error")


@pytest.mark.parametrize("text", [hostile.IMG, hostile.SCRIPT])
def test_what_is_no_json_is_shown_by_its_text(text: str) -> None:
    shown = RENDERING.environment.from_string('{% from "macros/data.html" import json %}{{ json(value) }}').render(
        value={"x": [Strange(text), {1: Strange(text)}, float("nan"), 10**5000, {text}]}
    )
    assert read(shown).faults == []
    assert text in read(shown).text
    assert f"{text[:8]}" not in shown
