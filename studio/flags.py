"""The flags of the command line, each with a twin in the environment: ``--host`` and ``STUDIO_HOST``."""

from __future__ import annotations

import argparse
import json
import os
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from studio.settings import STORE

WRONG_CALL = 2
_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"0", "false", "no", "off"})
_OWN = frozenset({"help", "version"})


class WrongCall(Exception):
    """A call that can't be done as it was given; the message says what to do instead."""


class Parser(argparse.ArgumentParser):
    """Takes a flag from the command line, else from its variable, else from ``otherwise``.

    ``example`` is a line to copy, shown below the help.
    """

    def __init__(self, *, example: str = "", **options: Any) -> None:
        self.example = example
        self._otherwise: dict[str, Any] = {}
        self._told: list[str] = []
        super().__init__(**{"allow_abbrev": False, **options})
        self.formatter_class = argparse.RawDescriptionHelpFormatter
        self.epilog = f"example: {example}" if example else None

    def tell(self, text: str) -> None:
        """Say more below the example."""
        self.epilog = "\n".join(filter(None, [self.epilog, text]))

    def otherwise(self, **values: Any) -> None:
        """What flags are that nobody gives."""
        self._otherwise |= values

    def flags(self) -> tuple[argparse.Action, ...]:
        """All of its flags that have a twin."""
        return tuple(one for one in self._actions if one.option_strings and one.dest not in _OWN)

    def add_argument(self, *names: Any, **options: Any) -> argparse.Action:
        """Add a flag, whose help then names its twin, or a word."""
        action = super().add_argument(*names, **options)
        if action.option_strings and action.dest not in _OWN:
            action.help = f"{action.help} [{variable(action)}]"
        return action

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Fill in what the command line has left out."""
        found, rest = super().parse_known_args(args, namespace)
        for flag in self.flags():
            if getattr(found, flag.dest) is None:
                text = os.environ.get(variable(flag), "")
                given = self._understood(flag, text) if text else self._otherwise.get(flag.dest)
                setattr(found, flag.dest, given)
        return found, rest

    def _understood(self, flag: argparse.Action, text: str) -> Any:
        """What a variable means."""
        if flag.nargs == 0 or isinstance(flag, argparse.BooleanOptionalAction):
            if text.lower() not in _YES | _NO:
                self.error(f"{variable(flag)}={text}: say 1 or 0")
            return text.lower() in _YES
        if takes_several(flag):
            return [self._converted(flag, part.strip()) for part in text.split(",") if part.strip()]
        return self._converted(flag, text)

    def _converted(self, flag: argparse.Action, text: str) -> Any:
        convert: Any = flag.type or str
        try:
            value = convert(text)
        except (argparse.ArgumentTypeError, ValueError) as error:
            self.error(f"{variable(flag)}={text}: {error}")
        if flag.choices is not None and value not in flag.choices:
            self.error(f"{variable(flag)}={text}: it is one of {', '.join(map(str, flag.choices))}")
        return value

    def error(self, message: str) -> NoReturn:
        """One line, and where to find more."""
        self.exit(WRONG_CALL, f"{self.prog}: {message}\n(see {self.prog} --help)\n")


def variable(flag: argparse.Action) -> str:
    """The twin of a flag in the environment."""
    return f"STUDIO_{flag.dest.upper()}"


def takes_several(flag: argparse.Action) -> bool:
    """Whether a flag may be repeated; its variable then has them with commas between."""
    return isinstance(flag, argparse._AppendAction)


Action = Callable[[argparse.Namespace], int]


class Commands:
    """The commands of the command line, by name."""

    def __init__(self, parser: Parser) -> None:
        self._group: Any = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
        self.parsers: dict[str, Parser] = {}

    def add(self, name: str, action: Action, help: str, *, example: str) -> Parser:
        """A command: ``action`` does it, and returns the exit code; ``example`` is a line to copy."""
        parser: Parser = self._group.add_parser(
            name, help=help, description=f"{help[0].upper()}{help[1:]}.", example=example
        )
        parser.set_defaults(action=action)
        self.parsers[name] = parser
        return parser


# -- what several commands have


def add_target(parser: Parser, *, word: bool) -> None:
    """Where workflows are looked for, as ``--target``, and with ``word`` also without it."""
    if word:
        parser.add_argument(
            "place",
            nargs="?",
            metavar="TARGET",
            help="file.py, a folder, package.module or module:name (default: workflows.py, else the examples)",
        )
    parser.add_argument("--target", metavar="TARGET", help="the same" if word else "what has the workflow's code")


def target_of(chosen: argparse.Namespace) -> str | None:
    """The target that was named, if one was."""
    named: str | None = getattr(chosen, "place", None) or chosen.target
    return named


def add_store(parser: Parser) -> None:
    """Where runs are kept."""
    parser.add_argument("--store", metavar="URL", help=f"file or URL of the runs (default: {STORE})")
    parser.otherwise(store=STORE)


def add_json(parser: Parser, what: str) -> None:
    """For programs that read the output."""
    parser.add_argument("--json", action="store_true", default=None, help=f"{what} as JSON")


def count(text: str) -> int:
    """A number of things. Raises ``ArgumentTypeError``."""
    if not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError("a whole number from 1 to 10000")
    return int(text)


def port(text: str) -> int:
    """A port, as a number. Raises ``ArgumentTypeError``."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text}: a port is a number from 0 (any free one) to 65535")
    return int(text)


def read_json(flag: str, text: str) -> Any:
    """What ``JSON`` or ``@FILE`` after a flag means. Raises ``WrongCall``."""
    try:
        return json.loads(Path(text[1:]).read_text("utf-8") if text.startswith("@") else text)
    except OSError as error:
        raise WrongCall(f"{flag} {text}: {error.strerror}") from error
    except ValueError as error:
        hint = f"; a text has quotes: {flag} '\"{text}\"'" if text.isidentifier() else ""
        raise WrongCall(f"{flag} is not JSON: {error}{hint}") from error


def flags_again(chosen: argparse.Namespace) -> str:
    """The flags of a call that another command needs, to go on with what this one began."""
    target = target_of(chosen)
    words: Sequence[str] = [
        *([] if chosen.store == STORE else ["--store", chosen.store]),
        *([] if target is None else ["--target", target]),
    ]
    return "".join(f" {shlex.quote(word)}" for word in words)
