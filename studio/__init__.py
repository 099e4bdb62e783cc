"""The studio: a web application that shows workflows and runs, and lets people answer them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

__version__ = "0.1.0"


def _check_engine() -> None:
    """Raise ``ImportError`` if another module has the engine's name and comes first."""
    found = find_spec("engine")
    ours = Path(__file__).parent.parent / "engine" / "__init__.py"
    origin = None if found is None else found.origin
    if ours.is_file() and (origin is None or not Path(origin).samefile(ours)):
        theirs = origin or (next(iter(found.submodule_search_locations or ["?"])) if found else "nothing")
        raise ImportError(
            f"`import engine` finds {theirs}, which hides the studio's own in {ours.parent}; "
            f"rename it, or start the command `studio` in place of a Python file beside it"
        )


_check_engine()
