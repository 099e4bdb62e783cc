"""Find the workflows that a target names: a file, a module, or one name in either."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from engine import Engine, Workflow


class TargetError(Exception):
    """A target that can't be loaded or has no workflow; the message says what to do."""


def load(target: str) -> dict[str, Workflow[Any, Any]]:
    """The workflows of ``file.py``, ``package.module`` or ``module:NAME``, by id. Raises ``TargetError``."""
    where, colon, name = target.rpartition(":")
    if not colon or "/" in name or "\\" in name:  # a drive's colon is none of ours
        where, name = target, ""
    module = _module(where)
    if name and not hasattr(module, name):
        raise TargetError(f"{where} has no {name!r}; it has {', '.join(_names(module)) or 'no workflow'}")
    values = [getattr(module, name)] if name else list(vars(module).values())
    found: dict[str, Workflow[Any, Any]] = {}
    for value in values:
        if isinstance(value, Workflow):
            found[value.id] = value
        elif isinstance(value, Engine):
            found |= value.workflows
    if not found:
        raise TargetError(f"{target} has no workflow; make one with create_workflow(...) at its top level")
    return found


def _names(module: ModuleType) -> list[str]:
    return [name for name, value in vars(module).items() if isinstance(value, Workflow | Engine)]


def _module(where: str) -> ModuleType:
    try:
        if where.endswith(".py"):
            return _from_file(Path(where))
        if "" not in sys.path:
            sys.path.insert(0, str(Path.cwd()))  # as `python -m` does
        return importlib.import_module(where)
    except TargetError:
        raise
    except Exception as error:  # a user's module may raise anything
        place = traceback.extract_tb(error.__traceback__)[-1]
        at = "" if isinstance(error, SyntaxError | ImportError) else f" ({place.filename}, line {place.lineno})"
        raise TargetError(f"{where} can't be imported: {type(error).__name__}: {error}{at}") from error


def _from_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise TargetError(f"there is no file {path}")
    sys.path.insert(0, str(path.parent.resolve()))  # the file may import its neighbours
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # annotations are looked up there
    spec.loader.exec_module(module)
    return module
