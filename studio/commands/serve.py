"""``studio [open] [TARGET]`` for whoever writes workflows, ``studio serve [TARGET]`` for servers."""

from __future__ import annotations

import argparse

from studio.flags import Commands, Parser, add_store, add_target, port, target_of
from studio.settings import EDITORS, read_settings

TOKEN = "STUDIO_TOKEN keeps a token out of the list of processes, where --token shows it."  # noqa: S105


def add(commands: Commands) -> None:
    """Declare both."""
    here = commands.add(
        "open",
        open_studio,
        "open the studio in the browser; what `studio` alone does",
        example="studio expenses.py --port 8000",
    )
    _add_flags(here)
    here.otherwise(open=True, reload=True, locals=True)
    server = commands.add(
        "serve",
        open_studio,
        "the same for servers: opens no browser, loads no file again, keeps no variables with errors",
        example="studio serve expenses.py --store /var/lib/expenses/runs.db",
    )
    _add_flags(server)
    server.otherwise(open=False, reload=False, locals=False)


def _add_flags(parser: Parser) -> None:
    add_target(parser, word=True)
    parser.add_argument("--host", metavar="HOST", help="where to listen (default: 127.0.0.1, this machine only)")
    parser.add_argument("--port", type=port, metavar="PORT", help="default: 4111, or the next one that is free")
    add_store(parser)
    switch = argparse.BooleanOptionalAction
    parser.add_argument("--open", action=switch, help="open a browser, if there is a screen")
    parser.add_argument("--reload", action=switch, help="load files again when they are saved")
    parser.add_argument("--locals", action=switch, help="keep with an error what the variables of your code were")
    parser.add_argument("--token", metavar="TOKEN", help="what others need to get in; 32 characters or more")
    parser.add_argument(
        "--allowed-host",
        action="append",
        dest="allowed_hosts",
        metavar="NAME",
        help="another name of this machine, for instance that of a proxy; may be repeated",
    )
    parser.add_argument(
        "--editor",
        choices=tuple(EDITORS),
        metavar="EDITOR",
        help=f"what opens a file from a page: {', '.join(EDITORS)} (default: vscode)",
    )
    parser.tell(TOKEN)


def open_studio(chosen: argparse.Namespace) -> int:
    """Serve the studio until a signal ends the process."""
    settings = read_settings(vars(chosen) | {"target": target_of(chosen)})
    from studio.server import serve  # noqa: PLC0415 it loads the web server

    serve(settings)
