"""What the journeys share: one browser and one studio, the real command over a real store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from studio.hosting import Hosting
from tests.browser.hosted import Served, served_by, watched
from tests.browser.journeys import Journey, Site
from tests.chromium import chromium


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One browser for the folder. Tests take contexts of it, which know nothing of each other."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A studio that serves ``served/flows.py``; every test looks at runs of its own."""
    made = Site(tmp_path_factory.mktemp("site"))
    yield made
    made.close()


@pytest.fixture
def journey(browser: Browser, site: Site) -> Iterator[Journey]:
    """A person at the shared studio. Nothing may complain and nothing may be asked of any other host."""
    made = Journey(browser, site)
    yield made
    made.end()


@pytest.fixture(scope="module")
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    """A studio that serves the ``WORKFLOWS`` of the test's module."""
    with Hosting(request.module.WORKFLOWS) as hosting, served_by(hosting) as made:
        yield made


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that may complain of nothing."""
    yield from watched(browser.new_context(viewport={"width": 1440, "height": 900}))
