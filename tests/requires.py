"""Programs that some tests need and no Python package brings.

A test says ``@requires_tool("strace")``; one that takes the fixture ``browser`` needs "chromium" without saying so.
Where the program is missing the test is skipped, and fails when CI=true.
"""

from __future__ import annotations

import os
import shutil

import pytest

PROGRAMS = {"chromium": ("chromium-headless-shell", "chromium"), "strace": ("strace",)}
"""The programs that will do, each of them a Debian package of that name. The first one is the quickest."""


def requires_tool(name: str) -> pytest.MarkDecorator:
    """Mark a test that can't run without the program ``name``; ``tests/conftest.py`` acts on it."""
    if name not in PROGRAMS:
        raise LookupError(f"add {name!r} and its Debian package to PROGRAMS, so that the test command can install it")
    return pytest.mark.requires_tool(name)


def path_of(name: str) -> str | None:
    """Where the program is that ``name`` asks for: the first of those that will do."""
    return next(filter(None, map(shutil.which, PROGRAMS[name])), None)


def missing() -> list[str]:
    """What there is no program for on this machine's PATH."""
    return [name for name in PROGRAMS if path_of(name) is None]


def is_ci() -> bool:
    """Whether nothing may be skipped."""
    return os.environ.get("CI", "").lower() == "true"
