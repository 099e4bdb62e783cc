"""Every address that a GET reaches: the routes filled in with what there is, and the links on their pages."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from itertools import product
from urllib.parse import urljoin, urlsplit

from tests.attacks.inventory import patterns
from tests.attacks.studio import Studio, segment
from tests.attacks.wire import Answer

LINKS = ("href", "src", "action", "hx-get", "hx-ws:connect")
MOST = 180


@dataclass(frozen=True)
class Page:
    """What came of an address."""

    path: str
    answer: Answer


def names(studio: Studio) -> dict[str, list[str]]:
    """What a part of an address may stand for, by the kind of thing."""
    return {
        "run": [*studio.runs.values()],
        "workflow": [*studio.hosting.catalog.workflows],
        "token": [question.token for question in studio.questions()],
    }


def filled(pattern: str, known: dict[str, list[str]]) -> Iterator[str]:
    """The addresses of a route: what it is about is told by its own words, or all there is is tried."""
    places = re.findall(r"\{(\w+)(?::\w+)?\}", pattern)
    kinds = [[kind for kind in known if kind in name.lower()] for name in places]
    first = next((kind for kind in known if f"/{kind}" in pattern), "token" if "approval" in pattern else "")
    choices = [
        [text for kind in found or ([first] if number == 0 and first else known) for text in known[kind]]
        for number, found in enumerate(kinds)
    ]
    for texts in product(*choices):
        path = pattern
        for text in texts:
            path = re.sub(r"\{[^}]*\}", segment(text).replace("\\", r"\\"), path, count=1)
        yield path


class _Links(HTMLParser):
    """The addresses in a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        is_post = tag == "form" and (dict(attrs).get("method") or "get").lower() == "post"
        self.found += [text for name, text in attrs if name in LINKS and text and not (is_post and name == "action")]


def links(page: Page) -> Iterable[str]:
    """Where a page leads, within the studio."""
    if "html" not in page.answer.headers.get("content-type", ""):
        return ()
    parser = _Links()
    parser.feed(page.answer.text)
    here = f"http://studio.test{page.path}"
    found = (urlsplit(urljoin(here, text)) for text in parser.found)
    return dict.fromkeys(
        one.path + (f"?{one.query}" if one.query else "") for one in found if one.netloc == "studio.test"
    )


def crawl(studio: Studio, most: int = MOST) -> Iterator[Page]:
    """Ask for everything that can be reached, each address once; the first of a kind come first."""
    known = names(studio)
    waiting = deque(path for pattern in patterns(studio.app) for path in filled(pattern, known))
    asked: set[str] = set()
    while waiting and len(asked) < most:
        path = waiting.popleft()
        if path in asked or path.startswith(("/ws", "/static/js")):
            continue
        asked.add(path)
        page = Page(path, studio.get(path))
        yield page
        waiting += [link for link in links(page) if link not in asked]
