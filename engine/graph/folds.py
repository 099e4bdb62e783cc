"""Which parts of a workflow are one box in its picture."""

from __future__ import annotations

from dataclasses import dataclass

from engine.graph.words import Part

WIDE = 24
"""A parallel or a branch with more arms is one box, unless it is unfolded: then a grid."""
DEEP = 32
"""What is nested deeper is one box."""


@dataclass(frozen=True, slots=True)
class Folds:
    """What is one box. ``nested``: workflows in workflows, but for those in ``unfold``; ``whole``: nothing at all."""

    fold: frozenset[str] = frozenset()
    unfold: frozenset[str] = frozenset()
    nested: bool = False
    whole: bool = False

    def can_open(self, part: Part) -> bool:
        """Whether a part is opened and folded one by one."""
        return self.is_wide(part) or (self.nested and part.get("kind") == "workflow" and bool(part.get("children")))

    def is_wide(self, part: Part) -> bool:
        """Whether a part has too many arms to be drawn unasked."""
        return part.get("kind") in ("parallel", "branch") and len(part.get("children") or ()) > WIDE

    def hides(self, part: Part, place: str) -> bool:
        """Whether a part is one box."""
        if self.whole:
            return False
        return place in self.fold or (self.can_open(part) and place not in self.unfold)
