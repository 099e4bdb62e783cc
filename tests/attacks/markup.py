"""What a page is made of, read as a browser reads it: is there anything that no template has put there?"""

from __future__ import annotations

import re
from html.parser import HTMLParser

TAKES_ADDRESS = {"href", "src", "action", "formaction", "xlink:href", "data", "poster", "hx-get", "hx-post", "srcdoc"}
NEVER = {"iframe", "object", "embed", "base", "foreignobject", "style", "img", "image", "animate", "set"}


EDITOR = re.compile(r"(?:vscode|cursor|zed)://file/[\w/.%~-]+:\d+|pycharm://open\?file=/[\w/.%~-]+&line=\d+")
"""All of it but the scheme is quoted."""


class Reader(HTMLParser):
    """Collects what is wrong in ``faults``, and what a person reads in ``text``."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in NEVER or (tag == "script" and not given.get("src", "").startswith("/static/")):
            self.faults.append(f"<{tag}>")
        for name, value in given.items():
            if name.startswith("on") or name == "style" or "hx-on" in name:
                self.faults.append(f"<{tag} {name}>")
            elif name in TAKES_ADDRESS and not is_ours(value):
                self.faults.append(f"<{tag} {name}={value[:60]}>")

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> Reader:
    """Read a page, or a piece of one."""
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


def is_ours(address: str) -> bool:
    """Whether an address leads nowhere but into the studio, or opens a line of a file in an editor."""
    inside = address.startswith(("/", "#", "?")) and not address.startswith("//")
    return inside or EDITOR.fullmatch(address) is not None
