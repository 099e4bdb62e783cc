"""The browser that tests and benchmarks use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from tests.requires import path_of

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """It is quit afterwards. Until then the thread has a running loop: no test may start another one in it."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path_of("chromium"), args=FLAGS)
        try:
            yield started
        finally:
            started.close()
