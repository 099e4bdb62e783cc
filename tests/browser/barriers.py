"""What axe-core finds on a page, of level A or AA."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
ALL = {"runOnly": {"type": "tag", "values": LEVELS}, "resultTypes": ["violations"]}
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}, "resultTypes": ["violations"]}
"""What can differ between light and dark."""

HEIGHT = 900

RUN = """async (options) => {
    do await new Promise(requestAnimationFrame);
    while (document.querySelector("[data-canvas]:not([data-ready])"));
    await Promise.all(document.getAnimations().map((one) => one.finished.catch(() => null)));
    const { violations } = await axe.run(document, options);
    return violations.map((one) => `${one.id}: ${one.nodes[0].html} ${one.nodes[0].any[0]?.message}`);
}"""


def barriers(page: Page) -> list[str]:
    """What axe finds on what is shown, in both schemes."""
    found = []
    for scheme, options in (("light", ALL), ("dark", COLOURS)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        found += [f"{scheme} {page.url} {one}" for one in axe(page, options)]
    return found


def axe(page: Page, options: Mapping[str, Any] = ALL) -> list[str]:
    """What axe finds on what is shown as it is."""
    page.emulate_media(reduced_motion="reduce")  # it waits for what moves to come to rest
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE_SCRIPT)
    return list(page.evaluate(RUN, options))


def faults(page: Page, *widths: int) -> list[str]:
    """Barriers, and what is wider than the page, in windows of these widths. The page is not loaded again for each."""
    found = []
    for width in widths:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        found += [f"{width} {one}" for one in [*barriers(page), *overflow(page)]]
    return found


def overflow(page: Page) -> list[str]:
    """Whether there is something beside what the window shows."""
    return [f"{page.url} is too wide"] if page.evaluate("document.documentElement.scrollWidth > innerWidth") else []
