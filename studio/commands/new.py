"""``studio new NAME``: a project to begin with."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from studio.flags import Commands, WrongCall

PROJECT = Path(__file__).parents[1] / "project"
"""The files of a project as they are copied; a name that ends in ``.txt`` loses that."""


def add(commands: Commands) -> None:
    """Declare it."""
    parser = commands.add(
        "new", make, "make a folder with a workflow, its test and a README", example="studio new my-flows"
    )
    parser.add_argument("name", metavar="NAME", help="the folder to make; it must not exist, or be empty")


def make(chosen: argparse.Namespace) -> int:
    """Make the folder."""
    folder = Path(chosen.name)
    if not re.fullmatch(r"\w[\w.-]*", folder.name):
        raise WrongCall(f"{chosen.name!r} is no name for a folder; take letters, digits, '-', '_' and '.'")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise WrongCall(f"{folder} is there already, and nothing in it is overwritten; take another name")
    folder.mkdir(parents=True, exist_ok=True)
    for source in sorted(PROJECT.glob("*.txt")):
        name = source.stem.replace("dot-", ".")
        text = source.read_text("utf-8").replace("{{name}}", folder.name)
        with (folder / name).open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
        sys.stdout.write(f"{folder / name}\n")
    sys.stdout.write(f"\nNext:  cd {folder}\n       studio\n       pytest\n")
    return 0
