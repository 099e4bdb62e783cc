"""Where runs are kept: in memory, or in a SQLite file."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, unquote

from engine.errors import StoreError
from engine.store import Store

DURABILITY = ("normal", "full", "relaxed")
_FORMS = "use ':memory:', 'sqlite:///file.db' (relative), 'sqlite:////folder/file.db' (absolute) or a Store"


def open_store(where: str | Path | Store) -> Store:
    """The store that a text or path names; a store is given back as it is. Nothing is opened yet.

    ``?durability=normal|full|relaxed`` after the name of a SQLite file says how safe its commits are. Raises
    ``StoreError`` for anything else.
    """
    if isinstance(where, Path):
        return _sqlite(where, {})
    if not isinstance(where, str):
        if hasattr(where, "append") and hasattr(where, "claim"):
            return where
        raise StoreError(f"a {type(where).__name__} does not name a store; {_FORMS}")
    name, _, query = where.partition("?")
    if name in (":memory:", "sqlite:///:memory:"):
        from engine.stores.memory import MemoryStore  # noqa: PLC0415 only what is used is loaded

        _options(where, query, known=())
        return MemoryStore()
    if not name.startswith("sqlite:///") or name == "sqlite:///":
        raise StoreError(f"{where!r} does not name a store; {_FORMS}")
    return _sqlite(Path(unquote(name.removeprefix("sqlite:///"))), _options(where, query, known=("durability",)))


def _sqlite(path: Path, options: dict[str, str]) -> Store:
    from engine.stores.sqlite import SqliteStore  # noqa: PLC0415 it loads apsw

    return SqliteStore(path, **options)


def _options(where: str, query: str, known: tuple[str, ...]) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := sorted(set(options) - set(known)):
        takes = f"it takes {', '.join(known)}" if known else "it takes none"
        raise StoreError(f"{where!r} has an unknown option {unknown[0]!r}; {takes}")
    durability = options.get("durability", "normal")
    if durability not in DURABILITY:
        raise StoreError(f"{where!r}: durability is one of {', '.join(DURABILITY)}, not {durability!r}")
    return options
