"""What axe-core finds on a page, of level A or AA."""

from __future__ import annotations

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
ALL = {"runOnly": {"type": "tag", "values": LEVELS}, "resultTypes": ["violations"]}
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}, "resultTypes": ["violations"]}
"""What can differ between light and dark."""

RUN = """async (options) => {
    await new Promise(requestAnimationFrame);
    await Promise.all(document.getAnimations().map((one) => one.finished.catch(() => null)));
    const { violations } = await axe.run(document, options);
    return violations.map((one) => `${one.id}: ${one.nodes[0].html} ${one.nodes[0].any[0]?.message}`);
}"""


def barriers(page: Page) -> list[str]:
    """What axe finds on what is shown, in both schemes."""
    found = []
    for scheme, options in (("light", ALL), ("dark", COLOURS)):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        if page.evaluate("typeof axe") == "undefined":
            page.evaluate(AXE_SCRIPT)
        found += [f"{scheme} {page.url} {one}" for one in page.evaluate(RUN, options)]
    return found
