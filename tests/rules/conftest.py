"""What the tests of the rules share."""

from __future__ import annotations

from tests.rules.process import life, nursery

__all__ = ["life", "nursery"]
