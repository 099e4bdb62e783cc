"""What the tests of faults share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.processes import Zygote


@pytest.fixture(scope="session")
def killer() -> Iterator[Zygote]:
    """A process whose children die."""
    zygote = Zygote()
    yield zygote
    zygote.close()
