"""What all tests share."""

from __future__ import annotations

import pytest

from tests.requires import is_ci, missing

pytest_plugins = ["tests.fixtures", "tests.web.process"]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose program is missing, or fail it where nothing may be skipped."""
    for mark in item.iter_markers("requires_tool"):
        if mark.args[0] in missing():
            reason = f"needs the program {mark.args[0]!r}, which is not on PATH"
            if is_ci():
                pytest.fail(reason, pytrace=False)
            pytest.skip(reason)
