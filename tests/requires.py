"""Programs that some tests need and no Python package brings.

A test says ``@requires_tool("strace")``. Where the program is missing the test is skipped, and fails when CI=true.
"""

from __future__ import annotations

import os
import shutil

import pytest

PROGRAMS = {"chromium": "chromium", "strace": "strace"}  # program -> Debian package


def requires_tool(name: str) -> pytest.MarkDecorator:
    """Mark a test that can't run without the program ``name``; ``tests/conftest.py`` acts on it."""
    if name not in PROGRAMS:
        raise LookupError(f"add {name!r} and its Debian package to PROGRAMS, so that the test command can install it")
    return pytest.mark.requires_tool(name)


def missing() -> list[str]:
    """The programs that are not on this machine's PATH."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


def is_ci() -> bool:
    """Whether nothing may be skipped."""
    return os.environ.get("CI", "").lower() == "true"
