"""``studio runs``: what there is in a store."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import sys
from typing import Any

from engine import Page, RunRow
from studio.ending import screen_of
from studio.flags import Commands, add_json, add_store, count
from studio.log_lines import escaped_json
from studio.settings import STORE
from studio.store_of_runs import exists, open_engine
from studio.terminal import Terminal
from studio.wording import ago

STATUSES = ("pending", "running", "waiting", "suspended", "paused", "success", "failed", "canceled")
COLOURS = {"success": "32", "failed": "31", "suspended": "33", "paused": "33", "running": "36"}


def add(commands: Commands) -> None:
    """Declare it."""
    parser = commands.add(
        "runs", list_runs, "list runs, newest first", example="studio runs --status failed --status suspended"
    )
    parser.add_argument(
        "--status", action="append", choices=STATUSES, metavar="STATUS", help=f"{', '.join(STATUSES)}; may be repeated"
    )
    parser.add_argument("--workflow", metavar="ID", help="only runs of this workflow")
    parser.add_argument("--limit", type=count, metavar="N", help="how many (default: 20)")
    parser.otherwise(limit=20)
    add_store(parser)
    add_json(parser, "the list")


def list_runs(chosen: argparse.Namespace) -> int:
    """Print a line for each run: id, status, workflow, when it was made."""
    page: Page[RunRow] = Page([], None)
    if exists(chosen.store) or chosen.store != STORE:
        page = asyncio.run(_read(chosen))
    if chosen.json:
        rows = [_plain(row) for row in page.items]
        sys.stdout.write(escaped_json(json.dumps(rows, indent=2, ensure_ascii=False)) + "\n")
    else:
        screen = screen_of()
        for row in page.items:
            _show(screen, row)
    if not page.items:
        is_all = chosen.status is None and chosen.workflow is None
        sys.stderr.write(f"no run {'yet' if is_all else 'that fits'} in {chosen.store}\n")
    elif page.next is not None:
        sys.stderr.write(f"there are more; --limit {chosen.limit * 10} shows them\n")
    return 0


async def _read(chosen: argparse.Namespace) -> Page[RunRow]:
    async with open_engine(chosen.store) as engine:
        return await engine.list_runs(chosen.workflow, status=chosen.status, limit=chosen.limit)


def _show(screen: Terminal, row: RunRow) -> None:
    blocked = f"  blocked: {row.blocked}" if row.blocked else ""
    line = f"{row.run_id}  {row.status:<9}  {row.workflow_id:<20}  {ago(row.created_at)}{blocked}"
    screen.line(line, COLOURS.get(row.status, ""))


def _plain(row: RunRow) -> dict[str, Any]:
    """A row as JSON data."""
    found = dataclasses.asdict(row)
    return found | {"tags": list(row.tags)} | {key: found[key].isoformat() for key in ("created_at", "updated_at")}
