"""A form as a browser has it: its controls as they stand, and what it sends for them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from studio.assets import Assets
from studio.forms import FormView
from studio.rendering import Rendering

RENDERING = Rendering(Assets())
PICKERS = {
    "date": re.compile(r"\d{4}-\d\d-\d\d"),
    "time": re.compile(r"\d\d:\d\d(:\d\d(\.\d{1,3})?)?"),
    "datetime-local": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?"),
}
VOID = {"input", "br", "path", "rect", "circle", "line", "ellipse"}

Items = list[tuple[str, str]]


def html_of(view: FormView) -> str:
    return RENDERING.partial("partials/form.html", form=view)


def sent(view: FormView, **buttons: str) -> Items:
    """What a browser sends for an untouched form."""
    return Page(html_of(view)).items(**buttons)


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    text: str = ""


@dataclass
class Page(HTMLParser):
    """What was parsed: every element in order, with the text directly in it."""

    html: str
    elements: list[Element] = field(default_factory=list)
    open: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.html.replace("\r\n", "\n").replace("\r", "\n"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open:
            self.open[-1].text += data

    def of(self, *tags: str) -> list[Element]:
        return [one for one in self.elements if one.tag in tags]

    def items(self, **buttons: str) -> Items:
        """Names and texts of the successful controls, in their order, then of the button."""
        found: Items = []
        options = iter(self.of("option"))
        counts = self._options()
        for one in self.of("input", "select", "textarea"):
            name, kind = one.attributes.get("name", ""), one.attributes.get("type", "text")
            if one.tag == "select":
                own = [next(options).attributes for _ in range(counts.pop(0))]
                chosen = [option for option in own if "selected" in option] or own[:1]
                found += [(name, option["value"]) for option in chosen[-1:]]
            elif one.tag == "textarea":
                found.append((name, _lines(one.text.removeprefix("\n"))))
            elif kind not in ("checkbox", "radio") or "checked" in one.attributes:
                found.append((name, _clean(kind, one.attributes.get("value", ""))))
        return [*found, *(("_action", value) for value in buttons.values())]

    def _options(self) -> list[int]:
        counts: list[int] = []
        for one in self.of("select", "option"):
            if one.tag == "select":
                counts.append(0)
            else:
                counts[-1] += 1
        return counts


def _lines(text: str) -> str:
    return text.replace("\n", "\r\n")


def _clean(kind: str, value: str) -> str:
    """What the control makes of its value: pickers wipe out what they can't show, one line has no breaks."""
    if kind == "hidden":
        return _lines(value)
    if kind in PICKERS:
        return value if PICKERS[kind].fullmatch(value) else ""
    return value.replace("\n", "")


def typed(items: Items, **texts: str) -> Items:
    """The items with other texts in their controls, by dotted path with ``__`` for the dot."""
    new = {f"$.{name.replace('__', '.')}" if name else "$": text for name, text in texts.items()}
    kept = [(name, new.pop(name, text)) for name, text in items]
    return [*kept, *new.items()]
