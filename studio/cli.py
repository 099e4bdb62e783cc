"""The command ``studio``."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence

from engine import EngineError, NotOwner, WorkflowMissing, redacted
from studio import __version__
from studio.commands import cancel, check, examples, graph, new, resume, run, runs, serve, takeover, verify
from studio.flags import WRONG_CALL, Commands, Parser, WrongCall, flags_again
from studio.loader import TargetError
from studio.log_lines import LogLines, printable
from studio.settings import SettingsError

INTERRUPTED = 130
ABOUT = """\
Without a command, or with a TARGET: open the studio in the browser, on TARGET, else on workflows.py, else on the
bundled examples. Every flag can be given in the environment too: --host as STUDIO_HOST."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and do what it asks; the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser, commands = make_parser()
    is_command = bool(words) and words[0] in {*commands.parsers, "-h", "--help", "--version"}
    chosen = parser.parse_args(words if is_command else ["open", *words])
    action: Callable[[argparse.Namespace], int] = chosen.action
    if logging.lastResort is not None:  # what is written where nobody has said how
        logging.lastResort.setFormatter(LogLines())
    try:
        return action(chosen)
    except BrokenPipeError:  # whoever read the output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except NotOwner:
        again = f"studio takeover {chosen.run}{flags_again(chosen)}"
        print(f"the process that has the run is alive but does not answer; take the run over: {again}", file=sys.stderr)
        return WRONG_CALL
    except (WrongCall, TargetError, SettingsError, EngineError, OSError) as error:
        said = printable(redacted(str(error)))
        print(f"{said}{_hint(error, words, commands)}", file=sys.stderr)
        return WRONG_CALL
    except KeyboardInterrupt:
        print(file=sys.stderr)
        if threading.active_count() > 1:
            _leave(INTERRUPTED)
        return INTERRUPTED


def make_parser() -> tuple[Parser, Commands]:
    """The parser of the command line, and its commands."""
    parser = Parser(prog="studio", description=ABOUT, example="studio expenses.py")
    parser.add_argument("--version", action="version", version=f"studio {__version__}")
    commands = Commands(parser)
    for module in (serve, run, runs, resume, cancel, takeover, graph, new, check, examples, verify):
        module.add(commands)
    return parser, commands


def _hint(error: Exception, words: Sequence[str], commands: Commands) -> str:
    """What a person may do about an error that does not know of the command line."""
    if isinstance(error, WorkflowMissing):
        return " (--target names the file that has it)"
    if not isinstance(error, TargetError) or not words or words[0] in commands.parsers:
        return ""
    near = difflib.get_close_matches(words[0], commands.parsers, n=1)  # it was taken for a target
    return f" (or is it the command `studio {near[0]}`?)" if near else ""


def _leave(code: int) -> None:
    """End now: a step that works in a thread would keep the process."""
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
