"""Pages in a browser: what comes over the wire, when something is seen, and how much of it one change touches."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Browser, Page

from tests.benchmarks.figures import Figure
from tests.benchmarks.studio_site import site
from tests.benchmarks.studio_start import processor_time
from tests.chromium import chromium
from tests.web.process import Studio
from tests.web.waiting import until

EVENTS = 20_000
NOTHING = "/static/nothing"
"""A page that is a line of text, and needs nothing else."""

WATCH = """
(() => {
  const now = () => performance.timeOrigin + performance.now();
  const seen = (window.seen = {});
  const signs = {
    event: '.node[data-place]:is([data-status=running], [data-status=success])',
    end: '#run-status [data-status=success]',
  };
  addEventListener('click', () => sessionStorage.setItem('click', now()), true);
  const look = () => {
    for (const [name, sign] of Object.entries(signs)) {
      if (name in seen || !document.querySelector(sign)) continue;
      seen[name] = 0;
      requestAnimationFrame(() => { seen[name] = now() - Number(sessionStorage.getItem('click')); });
    }
  };
  new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true });
})();
"""
"""Notes when the click was, and when its effects were drawn."""

TOUCHED = """
(() => {
  const touched = (window.touched = { graph: new Set(), page: new Set() });
  const came = new Set();
  const isPart = (node) => [...came].some((one) => one !== node && one.contains(node));
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes) for (const node of addedNodes) came.add(node);
    for (const { target, addedNodes } of changes) {
      for (const node of [target, ...addedNodes]) {
        const element = node.nodeType === 1 ? node : node.parentElement;
        if (isPart(node) || element?.closest('[data-since]')) continue;
        touched.page.add(node);
        if (element?.closest('svg.graph, #graph, [data-graph]')) touched.graph.add(node);
      }
    }
  }).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
})();
"""
"""Notes every node of the page that changes, or is put in with what is in it; clocks do not count."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A page that was opened by a browser that had nothing kept."""

    requests: int
    sent: int
    paint: float
    loaded: float
    processor: float
    """What the server and the page's own thread have used, in ms: about what it takes where nobody else works."""


def opened(browser: Browser, studio: Studio, path: str) -> Opened:
    """Open a page once."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    line = context.new_cdp_session(page)
    line.send("Network.enable")
    line.send("Performance.enable", {"timeDomain": "threadTicks"})
    sizes: list[float] = []
    line.on("Network.loadingFinished", lambda done: sizes.append(done["encodedDataLength"]))
    before = processor_time(studio.process.pid)
    page.goto(studio.url + path, wait_until="load")
    paint = until(lambda: page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime"))
    page.wait_for_timeout(300)
    loaded = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    spent = {one["name"]: one["value"] for one in line.send("Performance.getMetrics")["metrics"]}["TaskDuration"]
    spent += processor_time(studio.process.pid) - before
    context.close()
    return Opened(len(sizes), int(sum(sizes)), paint, loaded, spent * 1000)


def opens(what: str, those: list[Opened]) -> Figure:
    """How long a page takes to open."""
    processor = median(one.processor for one in those)
    return Figure(
        f"{what} opens", median(one.loaded for one in those), "ms", 1500, note=f"processor {processor:.0f} ms"
    )


def pages(folder: Path, repetitions: int) -> Iterator[Figure]:
    """Everything that takes a browser."""
    with chromium() as browser, site(folder / "pages") as studio:
        yield from weights(browser, studio, repetitions)
        yield from clicks(browser, studio, max(5, repetitions))
        yield from graphs(browser, studio, repetitions)
        yield from long_run(browser, studio, repetitions)
        yield from idle(browser, studio)


def weights(browser: Browser, studio: Studio, repetitions: int) -> Iterator[Figure]:
    """What each page weighs, and when it is first drawn."""
    run, asks = studio.launch("quick", 1), studio.launch("asks", 1)
    studio.ended(run)
    shown = {
        "workflows": "/",
        "a workflow": "/workflows/quick",
        "runs": "/runs",
        "a run": f"/runs/{run}",
        "a question": f"/runs/{asks}",
        "questions": "/approvals",
    }
    opened(browser, studio, "/")  # what the browser does once in its life is no page's
    floors, found = [], {name: list[Opened]() for name in shown}
    for _ in range(repetitions):
        floors.append(opened(browser, studio, NOTHING))
        for name, path in shown.items():
            found[name].append(opened(browser, studio, path))
    floor = median(one.paint for one in floors)
    yield Figure("a line of text: first paint", floor, "ms", note="the browser and the machine, without a page of ours")
    for name, those in found.items():
        yield Figure(f"{name}: requests", max(one.requests for one in those), "", 13)
        yield Figure(f"{name}: over the wire", max(one.sent for one in those) / 1000, "kB", 150)
        processor = median(one.processor for one in those)
        paint = median(one.paint for one in those)
        note = f"{paint - floor:.0f} ms more than a line of text; processor {processor:.0f} ms, until at rest"
        yield Figure(f"{name}: first paint", paint, "ms", 300, note=note)


def clicks(browser: Browser, studio: Studio, repetitions: int) -> Iterator[Figure]:
    """From the click on Run to what it does."""
    events, ends = [], []
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_init_script(WATCH)
    page = context.new_page()
    for _ in range(repetitions):
        page.goto(f"{studio.url}/workflows/quick")
        page.locator("#launch textarea").first.fill("1")
        page.locator("button.primary[form=launch], #launch button.primary").first.click()
        page.wait_for_url(f"{studio.url}/runs/*")
        until(lambda: page.evaluate("seen.event > 0 && seen.end > 0"))
        events.append(page.evaluate("seen.event"))
        ends.append(page.evaluate("seen.end"))
    context.close()
    yield Figure("click on Run to first event drawn", median(events), "ms", 100)
    yield Figure("click on Run to end drawn (3 steps)", median(ends), "ms")


def graphs(browser: Browser, studio: Studio, repetitions: int) -> Iterator[Figure]:
    """Large pictures: opening them, and a change."""
    for name, title in (("wide", "100 arms"), ("long", "1,000 steps")):
        yield opens(f"{title}: workflow, the first time,", [opened(browser, studio, f"/workflows/{name}")])
        again = [opened(browser, studio, f"/workflows/{name}") for _ in range(repetitions)]
        yield opens(f"{title}: workflow", again)
        yield Figure(f"{title}: workflow, over the wire", max(one.sent for one in again) / 1000, "kB", 150)
        run = begin(studio, name, paused=True)
        shown = [opened(browser, studio, f"/runs/{run}") for _ in range(repetitions)]
        yield opens(f"{title}: run", shown)
        yield Figure(f"{title}: run, over the wire", max(one.sent for one in shown) / 1000, "kB", 150)
        _, page = touched_by_a_step(browser, studio, run)
        yield Figure(f"{title}: nodes of the page touched by the first step", page, "", note="of 100 arms all begin")
        graph, page = touched_by_a_step(browser, studio, run)
        yield Figure(f"{title}: nodes of the picture touched by a step", graph, "", 20)
        yield Figure(f"{title}: nodes of the page touched by a step", page, "", 20)
        press(studio, run, "cancel")


def touched_by_a_step(browser: Browser, studio: Studio, run: str) -> tuple[int, int]:
    """How many nodes change when a run that is held does one step."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(f"{studio.url}/runs/{run}", wait_until="load")
    page.wait_for_selector("#light[data-state=live]", state="attached")
    page.wait_for_timeout(500)
    page.evaluate(TOUCHED)
    press(studio, run, "step")
    page.wait_for_selector('.node[data-status="success"]', state="attached")
    page.wait_for_timeout(1500)  # whatever comes after
    found = page.evaluate(
        "[touched.graph, touched.page].map((those) => [...those].filter((node) => node.isConnected).length)"
    )
    context.close()
    return int(found[0]), int(found[1])


def long_run(browser: Browser, studio: Studio, repetitions: int) -> Iterator[Figure]:
    """A run with a long log."""
    run = studio.launch("writes", EVENTS)
    studio.ended(run)
    first = opened(browser, studio, f"/runs/{run}")
    yield opens(f"run of {EVENTS:,} events, the first time,", [first])
    yield opens(f"run of {EVENTS:,} events", [opened(browser, studio, f"/runs/{run}") for _ in range(repetitions)])
    yield Figure(f"run of {EVENTS:,} events: over the wire", first.sent / 1000, "kB", 150)


def idle(browser: Browser, studio: Studio, seconds: int = 10) -> Iterator[Figure]:
    """What a page that nothing happens on asks for."""
    run = studio.launch("asks", 1)
    for name, path in (("workflows", "/"), ("a run that waits", f"/runs/{run}")):
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        counts = Counts(page)
        page.goto(studio.url + path, wait_until="load")
        page.wait_for_timeout(2000)
        counts.requests = counts.received = 0
        page.wait_for_timeout(seconds * 1000)
        context.close()
        yield Figure(f"{name}, idle: requests a minute", counts.requests * 60 / seconds, "", 0)
        yield Figure(f"{name}, idle: bytes on sockets a minute", counts.received * 60 / seconds, "B")


class Counts:
    """What a page asks for and is sent."""

    def __init__(self, page: Page) -> None:
        self.requests = 0
        self.received = 0
        page.on("request", self._on_request)
        page.on("websocket", lambda socket: socket.on("framereceived", self._on_frame))

    def _on_request(self, _: Any) -> None:
        self.requests += 1

    def _on_frame(self, frame: Any) -> None:
        self.received += len(frame)


def begin(studio: Studio, workflow: str, *, paused: bool) -> str:
    """Start a run that holds before its first step."""
    body = b"_mode=form&%24=1" + (b"&_paused=1" if paused else b"")
    address = f"{studio.url}/workflows/{workflow}/runs"
    request = urllib.request.Request(address, body, headers={"origin": studio.url})  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return str(answer.url).rpartition("/")[2]


def press(studio: Studio, run: str, verb: str) -> None:
    """Press a button of a run, as another viewer."""
    address = f"{studio.url}/runs/{run}/{verb}"
    request = urllib.request.Request(address, b"", headers={"origin": studio.url})  # noqa: S310
    with urllib.request.urlopen(request, timeout=60):  # noqa: S310
        pass
