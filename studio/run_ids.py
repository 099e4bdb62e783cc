"""Find the run that a person means: by its id, the beginning of it, or both ends with ``...`` between."""

from __future__ import annotations

from difflib import SequenceMatcher

from engine import Engine, Run, UnknownRun
from studio.flags import WrongCall

NEWEST = 100
SHOWN = 5


async def find_run(engine: Engine, text: str) -> Run:
    """The only run that fits. Raises ``WrongCall``, naming those that may be meant."""
    try:
        return await engine.get_run(text)
    except UnknownRun:
        found = await _fitting(engine, text)
    if len(found) == 1:
        return await engine.get_run(found[0])
    if found:
        more = " and others" if len(found) > SHOWN else ""
        raise WrongCall(f"{text!r} fits several runs: {', '.join(found[:SHOWN])}{more}; type more of the id")
    near = await _near(engine, text)
    hint = f"; is it one of these? {', '.join(near)}" if near else "; there is no run at all"
    raise WrongCall(f"there is no run {text!r}{hint}")


async def _fitting(engine: Engine, text: str) -> list[str]:
    """Ids that begin so, or have these two ends; a few more than can be shown at most."""
    head, _, tail = text.replace("...", "…").partition("…")
    found: list[str] = []
    after: str | None = None
    while (head or tail) and len(found) <= SHOWN:
        page = await engine.list_runs(text=head or tail, limit=NEWEST, after=after)
        ids = [row.run_id for row in page.items]
        found += [id for id in ids if id.startswith(head) and id.endswith(tail)]
        after = page.next
        if after is None:
            break
    return found


async def _near(engine: Engine, text: str) -> list[str]:
    """The ids among the newest that are most like it."""
    ids = [row.run_id for row in (await engine.list_runs(limit=NEWEST)).items]
    return sorted(ids, key=lambda id: -SequenceMatcher(None, text, id[: len(text)]).ratio())[:3]
