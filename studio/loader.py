"""Find the workflows that a target names: a file, a folder of files, a module, or one name in a module."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import pkgutil
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import engine as package
from engine import Engine, Workflow
from studio.catalog import Loaded, Problem

BUNDLED = "studio.examples"
USUAL = "workflows.py"

_importing = threading.RLock()
"""What is in ``sys.modules`` is exchanged while a target is loaded: by one thread at a time."""


class TargetError(Exception):
    """A target that can't be loaded or has no workflow; the message says what to do."""


def load(target: str | None) -> dict[str, Workflow[Any, Any]]:
    """The workflows of a target that can be used, by id. Raises ``TargetError``, also if there is none."""
    loaded = discover(target)
    if not loaded.workflows:
        named = target or usual_target()
        raise TargetError(problems_of(loaded) or _none_in(named))
    return dict(loaded.workflows)


def pick(target: str | None, id: str) -> dict[str, Workflow[Any, Any]]:
    """The workflows of a target, with the one of this id among them. Raises ``TargetError``."""
    loaded = discover(target)
    if id in loaded.workflows:
        return dict(loaded.workflows)
    named = target or usual_target()
    said = [f"{named} has no workflow {id!r}; it has {', '.join(loaded.workflows)}"] if loaded.workflows else []
    if not said and not loaded.problems:
        said.append(_none_in(named))
    if target is None and named != BUNDLED and id in discover(BUNDLED).workflows:
        said.append(f"the example of that name needs --target {BUNDLED}")
    raise TargetError("\n".join([*said, *filter(None, [problems_of(loaded)])]))


def _none_in(target: str) -> str:
    return f"{target} has no workflow; make one with create_workflow(...) at its top level"


def problems_of(loaded: Loaded) -> str:
    """What is wrong with a target, a problem after the other."""
    return "\n".join(_told(problem) for problem in loaded.problems)


def _told(problem: Problem) -> str:
    is_import = problem.traceback and not problem.message.startswith("DefinitionError: ")
    return f"{problem.module} can't be imported: {problem.message}" if is_import else problem.message


def usual_target() -> str:
    """What is served if no target is named: ``workflows.py`` in the current folder, else the bundled examples."""
    return USUAL if Path(USUAL).is_file() else BUNDLED


def split_target(target: str) -> tuple[str, str]:
    """The module, file or folder of a target, and the name in it (``""``: all of them)."""
    where, colon, name = target.rpartition(":")
    if not colon or "/" in name or "\\" in name:  # a drive's colon is none of ours
        return target, ""
    return where, name


def _workflows(module: ModuleType, name: str, where: str) -> Iterator[tuple[str, Workflow[Any, Any]]]:
    """The workflows at a module's top level, and those of its engines, each with the name that has it."""
    if name and not hasattr(module, name):
        raise TargetError(f"{where} has no {name!r}; it has {', '.join(_names(module)) or 'no workflow'}")
    for given, value in [(name, getattr(module, name))] if name else list(vars(module).items()):
        if isinstance(value, Workflow):
            yield given, value
        elif isinstance(value, Engine):
            yield from ((given, workflow) for workflow in value.workflows.values())


def _names(module: ModuleType) -> list[str]:
    return [name for name, value in vars(module).items() if isinstance(value, Workflow | Engine)]


def _message(error: BaseException, frames: list[traceback.FrameSummary]) -> str:
    """An error in a line, with where it was raised if that says something."""
    is_plain = not frames or isinstance(error, SyntaxError | ImportError)
    at = "" if is_plain else f" ({frames[-1].filename}, line {frames[-1].lineno})"
    return f"{type(error).__name__}: {error}{at}"


def _module(where: str) -> ModuleType:
    if where.endswith(".py"):
        return _from_file(Path(where))
    if "" not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # as `python -m` does
    return importlib.import_module(where)


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise TargetError(f"there is no file {path}")
    folder = str(path.parent.resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)  # the file may import its neighbours
    name = _free_name(path)
    if name in sys.modules and _is_from(sys.modules[name], path):
        return sys.modules[name]  # another file has imported it just now
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TargetError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # annotations are looked up there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _is_from(module: ModuleType, path: Path) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and Path(file).resolve() == path.resolve()


def _free_name(path: Path) -> str:
    """A module name for a file: its own, unless that is somebody else's (``json.py``, ``engine.py``)."""
    is_free = path.stem not in sys.modules or _is_from(sys.modules[path.stem], path)
    return path.stem if is_free and path.stem not in sys.stdlib_module_names else f"{path.stem}_file"


# -- a whole target, with what is wrong in it


@dataclass
class _Search:
    """What is being found."""

    root: Path
    workflows: dict[str, Workflow[Any, Any]] = field(default_factory=dict)
    homes: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    files: set[Path] = field(default_factory=set)

    def take(self, home: str, found: Iterable[tuple[str, Workflow[Any, Any]]]) -> None:
        """Keep workflows of a module that are right; note a problem for each of the others."""
        for name, workflow in found:
            known = self.workflows.get(workflow.id)
            if known is workflow:
                continue
            try:
                workflow.commit()
            except Exception as error:  # noqa: BLE001 - a wrong definition, or what a user's schema raises
                self.add(home, error)
                continue
            if known is not None:
                self.problems.append(self._twice(workflow.id, home, name))
                continue
            self.workflows[workflow.id] = workflow
            self.homes[workflow.id] = home
            self.names[workflow.id] = name

    def _twice(self, id: str, home: str, name: str) -> Problem:
        """Two workflows of one id: the first is served."""
        first, where = self.names[id], self.homes[id]
        both = f"{first} and {name} in {home}" if where == home else f"{first} in {where} and {name} in {home}"
        file = getattr(sys.modules.get(home), "__file__", None) or home
        remedy = "the first is served, give the other an id of its own"
        return Problem(home, f"two workflows have the id {id!r}: {both}; {remedy}", file)

    def add(self, home: str, error: BaseException) -> None:
        frames = [one for one in traceback.extract_tb(error.__traceback__) if self._is_users(one.filename)]
        self.files |= {Path(one.filename) for one in frames}
        last = (frames[-1].filename, frames[-1].lineno) if frames else (None, None)
        if isinstance(error, SyntaxError) and error.filename:
            last = (error.filename, error.lineno)
            self.files.add(Path(error.filename))
        lines = [*traceback.format_list(frames), *traceback.format_exception_only(error)]
        head = ["Traceback (most recent call last):\n"] if frames else []
        self.problems.append(Problem(home, _message(error, frames), last[0], last[1], "".join([*head, *lines])))

    def _is_users(self, file: str) -> bool:
        return Path(file).is_relative_to(self.root)


def discover(target: str | None = None) -> Loaded:
    """All workflows of a target, and a ``Problem`` for each module that fails. Raises ``TargetError``: no such target.

    A folder and a package are searched one level deep.
    """
    where, name = split_target(target or usual_target())
    with _importing:
        search = _Search(_root(where))
        known = set(sys.modules)
        with _no_bytecode():
            for home in _modules_of(where, search):
                try:
                    search.take(home, _workflows(_module(home), name, where))
                except TargetError:
                    raise
                except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's module may raise anything
                    search.add(home, error)
        search.files |= {file for _, file in users_modules(search.root, known)}
    search.problems += _hidden_engine(search.root)
    return Loaded(search.workflows, tuple(search.problems), search.homes, frozenset(search.files))


def _root(where: str) -> Path:
    """The folder of the user's own modules."""
    path = Path(where)
    if path.is_dir():
        return path.resolve()
    if where.endswith(".py"):
        return path.parent.resolve()
    with contextlib.suppress(Exception):  # importing its parents may raise anything; it is told when it is loaded
        spec = importlib.util.find_spec(where.partition(".")[0])
        if spec is not None and spec.origin is not None:
            file = Path(spec.origin)
            return (file.parent if spec.submodule_search_locations else file).parent.resolve()
    return Path.cwd()


def _modules_of(where: str, search: _Search) -> list[str]:
    """What to import for a target."""
    path = Path(where)
    if path.is_dir():
        search.files.add(path.resolve())
        files = sorted(path.glob("*.py"))
        if not files:
            raise TargetError(f"there is no Python file in {path}")
        return [str(file) for file in files if not file.stem.startswith(("test_", "_")) and file.stem != "conftest"]
    if where.endswith(".py"):
        if not path.is_file():
            raise TargetError(f"there is no file {path}")
        search.files.add(path.resolve())
        return [where]
    if str(Path.cwd()) not in sys.path and "" not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        spec = importlib.util.find_spec(where)
    except ModuleNotFoundError:
        spec = None
    except Exception:  # noqa: BLE001 - a package above it fails: importing it tells how
        return [where]
    if spec is None:
        raise TargetError(f"there is no module {where}; name a file, a folder or a module")
    inner = pkgutil.iter_modules(spec.submodule_search_locations or [], f"{where}.")
    return [where, *(one.name for one in inner if not one.name.rpartition(".")[2].startswith("_"))]


def users_modules(root: Path, besides: Iterable[str] = ()) -> list[tuple[str, Path]]:
    """Modules that are loaded from below ``root``, installed packages left out, with their files."""
    others = set(besides)
    found = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name in others or not isinstance(file, str) or not file.endswith(".py"):
            continue
        path = Path(file).resolve()
        if path.is_relative_to(root) and not {"site-packages", ".venv"} & set(path.relative_to(root).parts):
            found.append((name, path))
    return found


@contextlib.contextmanager
def _no_bytecode() -> Iterator[None]:
    """Leave no compiled files: one that is as old as its source, to the second, would be taken for it."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def _hidden_engine(root: Path) -> list[Problem]:
    """A module ``engine`` beside the user's files: in a program of theirs it is what ``import engine`` means."""
    ours = Path(package.__file__).parent.resolve()
    for theirs in (root / "engine", root / "engine.py"):
        is_there = theirs.is_file() or (theirs / "__init__.py").is_file() or any(theirs.glob("*.py"))
        if is_there and theirs.resolve() != ours:
            said = (
                f"{theirs} hides the package in {ours} from every program started beside it; "
                f"give it another name (here, `import engine` means the package)"
            )
            return [Problem("engine", said, str(theirs))]
    return []


# -- again, beside what is there


def discover_again(target: str | None, before: Loaded) -> Loaded:
    """Import the user's modules anew, beside the old ones, which live on in whatever still runs.

    Workflows of a module that fails now stay as they were in ``before``, and its problem is marked ``is_old``. If
    nothing can be loaded, the old modules go on being what ``import`` finds.
    """
    where, _ = split_target(target or usual_target())
    with _importing:
        root = _root(where)
        old = {name: sys.modules[name] for name, _ in users_modules(root, _not_users())}
        for name, module in old.items():
            _forget_compiled(module)
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        try:
            after = discover(target)
        except TargetError as error:
            after = Loaded(problems=(Problem(where, str(error)),), files=before.files)
        failed = {problem.module for problem in after.problems}
        if failed:
            for name, module in old.items():
                sys.modules.setdefault(name, module)
    return _merged(before, after, failed)


def _merged(before: Loaded, after: Loaded, failed: set[str]) -> Loaded:
    """What loads now, and of the modules that fail what they had before."""
    kept = {id: before.workflows[id] for id, home in before.homes.items() if home in failed and id not in after.homes}
    if not kept and not (failed and not after.workflows):
        return after
    if not after.workflows:
        kept = dict(before.workflows)
    homes = {**{id: before.homes[id] for id in kept if id in before.homes}, **after.homes}
    old = {home for id, home in homes.items() if id in kept}
    problems = tuple(_aged(problem, problem.module in old or not after.workflows) for problem in after.problems)
    return Loaded({**kept, **after.workflows}, problems, homes, after.files | before.files)


def _aged(problem: Problem, is_old: bool) -> Problem:
    return Problem(problem.module, problem.message, problem.file, problem.line, problem.traceback, is_old)


def _not_users() -> set[str]:
    """Names that are never imported again, wherever they lie: the program itself, the package and the studio."""
    return {name for name in sys.modules if name.partition(".")[0] in ("__main__", "engine", "studio")}


def _forget_compiled(module: ModuleType) -> None:
    cached = getattr(module, "__cached__", None)
    if isinstance(cached, str):
        with contextlib.suppress(OSError):
            Path(cached).unlink(missing_ok=True)
