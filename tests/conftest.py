"""What all tests share."""

from __future__ import annotations

import pytest

from tests.requires import is_ci, missing, requires_tool

pytest_plugins = ["tests.fixtures", "tests.web.process"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever uses the browser needs one on this machine."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(requires_tool("chromium"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose program is missing, or fail it where nothing may be skipped."""
    for mark in item.iter_markers("requires_tool"):
        if mark.args[0] in missing():
            reason = f"needs the program {mark.args[0]!r}, which is not on PATH"
            if is_ci():
                pytest.fail(reason, pytrace=False)
            pytest.skip(reason)
