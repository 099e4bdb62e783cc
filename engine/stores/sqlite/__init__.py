"""Runs in a SQLite file, safe over a crash and between processes. Importing this loads apsw."""

from engine.stores.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
