"""The few words beside a label."""

from __future__ import annotations

from typing import Any

from studio.forms import texts
from studio.forms.nodes import MISSING, Node, Number


def of(node: Node) -> str:
    """``integer · ≥ 0``, ``optional``."""
    return joined(*node.about.rules, "optional" if _can_be_nothing(node) else "")


def joined(*words: str) -> str:
    """Those there are."""
    return " · ".join(filter(None, words))


def _can_be_nothing(node: Node) -> bool:
    """Whether to call it optional: what has a default of its own only ever changes."""
    return node.about.skipped or (not node.about.required and node.about.default in ("", [], {}))


def default_text(node: Node) -> str:
    """What a blank means where it means a default."""
    about = node.about
    if isinstance(node, Number) and not about.required and not about.nullable and about.default is not MISSING:
        return shown(about.default)
    return ""


def shown(value: Any) -> str:
    return value if isinstance(value, str) and value else texts.to_json(value, indent=None)
