"""Workflows whose every text is an attack on the page that shows it, and runs of each kind of them."""

from __future__ import annotations

import asyncio
import threading
from enum import Enum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine import RetryPolicy, StepContext, create_step, create_workflow
from engine.ids import is_valid_id
from tests.attacks.studio import Studio

GATE = threading.Event()
"""Lets the steps go on that a test wants to see running."""

# Each sets `__xss` if it is taken for anything but text. The first three have no slash: ids may not.
IMG = "<img src=x onerror=window.__xss=1>"
BREAK = "\"'><svg onload=window.__xss=2>"
HANDLER = "x' onmouseover='window.__xss=3' autofocus onfocus=window.__xss=3 x=\""
SCRIPT = "</script><script>window.__xss=4</script><style>*{display:none}</style>"
LINK = "javascript:window.__xss=5//"
TEMPLATE = "{{7*7}}{% raw %}${7*7}"
HTMX = "<b hx-get=/runs hx-trigger=load hx-on:load=window.__xss=6 data-hx-get=/runs hx-swap-oob=true id=main>x</b>"
PARTIAL = '<hx-partial hx-target="#main" hx-swap="innerHTML">swapped</hx-partial>'
MARKDOWN = "[x](javascript:window.__xss=7) ![x](http://elsewhere.test/x.png) <b onclick=window.__xss=7>b</b> `</code>`"
TURNED = "amount \u202e000,1 approve\u202c"
EVERY = (IMG, BREAK, HANDLER, SCRIPT, LINK, TEMPLATE, HTMX, PARTIAL, MARKDOWN, TURNED)
TEXT = " ".join(EVERY)

WORKFLOW = f"w {IMG}"
STEP = f"s {BREAK}"
EVENT = f"e {IMG}"
RUN = f"r {IMG}{BREAK}"
assert all(map(is_valid_id, (WORKFLOW, STEP, RUN)))


class Color(Enum):
    """A choice."""

    IMG = IMG
    BREAK = BREAK
    SCRIPT = SCRIPT


class Form(BaseModel):
    """A form whose words are attacks."""

    model_config = ConfigDict(title=SCRIPT, json_schema_extra={"description": TEXT})

    text: Annotated[str, Field(title=IMG, description=TEXT, examples=[TEXT])] = TEXT
    color: Annotated[Color, Field(title=BREAK)] = Color.SCRIPT
    one: Literal["<img src=x onerror=window.__xss=8>", "b"] = "b"
    pairs: Annotated[dict[str, str], Field(title=HANDLER)] = {TEXT: TEXT}
    rows: list[str] = [TEXT, SCRIPT]
    either: int | str = BREAK


class Hurt(Exception):
    """An error whose type, message and attributes are attacks."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.detail = {text: text}


Hurt.__name__ = Hurt.__qualname__ = f"Hurt{IMG}"


async def echo(data: Any, ctx: StepContext) -> Any:
    ctx.logger.info("%s", TEXT)
    ctx.logger.error("%s", SCRIPT)
    ctx.set_state(key=TEXT)
    await ctx.write({TEXT: SCRIPT})
    return {TEXT: [TEXT, SCRIPT, {"html": SCRIPT}], "plain": SCRIPT, "input": data}


async def wait(data: Any) -> Any:
    while not GATE.is_set():  # noqa: ASYNC110 - a threading event, which other threads set
        await asyncio.sleep(0.01)
    return data


async def hurt() -> None:
    raise Hurt(TEXT)


def ask_with(payload: Any) -> Any:
    async def ask(_: Any, ctx: StepContext) -> Any:
        return await ctx.ask(payload, Form, title=TEXT, label=IMG)

    return ask


async def pick_up(info: Any) -> None: ...


pick_up.__name__ = f"hook{IMG}"


def condition(_: Any) -> bool:
    return True


condition.__name__ = f"is{SCRIPT}"

SHOWS = (
    create_workflow(id=WORKFLOW, description=TEXT, input_schema=Form, on_finish=pick_up)
    .then(create_step(id=STEP, description=TEXT, execute=echo))
    .branch([(condition, create_step(id=f"arm {IMG}", execute=echo))], id=f"branch {IMG}")
    .map(lambda _: [TEXT])
    .foreach(create_step(id=f"item {BREAK}", execute=echo))
)
FAILS = create_workflow(id=f"fails {BREAK}", description=SCRIPT).then(
    create_step(id=STEP, execute=hurt, retry=RetryPolicy(attempts=2, delay=0.001))
)
ASKS = create_workflow(id=f"asks {IMG}").parallel(
    [
        create_step(id=f"text {IMG}", execute=ask_with(TEXT)),
        create_step(id=f"facts {IMG}", execute=ask_with({IMG: TEXT, "plain": SCRIPT})),
        create_step(id=f"data {IMG}", execute=ask_with([{TEXT: [TEXT]}])),
    ]
)
WAITS = create_workflow(id=f"waits {IMG}").wait_for_event(EVENT)
RUNS = create_workflow(id=f"runs {IMG}").then(create_step(id=STEP, execute=wait))
ALL = (SHOWS, FAILS, ASKS, WAITS, RUNS)


def populate(studio: Studio) -> None:
    """A run of each kind: ended well and badly, waiting for a person and for an event, paused, running, pending."""
    GATE.clear()
    # Its id is an attack, too; a tag as well.
    studio.runs["shows"] = studio.start(SHOWS.id, {}, run_id=RUN, tags=(TEXT[:200], IMG), resource_id=IMG)
    studio.runs["fails"] = studio.start(FAILS.id, {"x": TEXT})
    studio.runs["asks"] = studio.start(ASKS.id, TEXT)
    studio.runs["waits"] = studio.start(WAITS.id, TEXT, until="waiting")
    studio.runs["paused"] = studio.start(SHOWS.id, {"text": SCRIPT}, paused=True, breakpoints=(STEP,))
    studio.runs["running"] = studio.start(RUNS.id, {"x": SCRIPT}, until="running")
    engine = studio.hosting.engine
    created = studio.do(lambda: studio.hosting.act(lambda: engine.create_run(SHOWS.id)))
    studio.runs["pending"] = created.run_id
