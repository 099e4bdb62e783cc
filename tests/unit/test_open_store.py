"""The name of a store, and what it opens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.errors import StoreError
from engine.stores import open_store
from engine.stores.memory import MemoryStore
from engine.stores.sqlite import SqliteStore


def test_names_of_stores() -> None:
    assert isinstance(open_store(":memory:"), MemoryStore)
    assert isinstance(open_store("sqlite:///:memory:"), MemoryStore)
    for name in ("sqlite:///runs.db", "sqlite:////tmp/runs.db?durability=full", Path("runs.db")):
        assert isinstance(open_store(name), SqliteStore)
    store = MemoryStore()
    assert open_store(store) is store


async def test_a_name_may_be_relative_and_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store("sqlite:///a%20b%3F.db")
    await store.open()
    assert (tmp_path / "a b?.db").exists()
    await store.close()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("postgres://localhost/x", "does not name a store"),
        ("runs.db", "sqlite:///"),
        ("sqlite:///", "does not name"),
        ("sqlite://runs.db", "does not name"),
        ("sqlite:///x.db?durability=none", "normal, full, relaxed"),
        ("sqlite:///x.db?sync=1", "unknown option 'sync'"),
        (":memory:?durability=full", "takes none"),
        (7, "a int does not name"),
    ],
)
def test_what_names_no_store_is_told_what_would(name: Any, words: str) -> None:
    with pytest.raises(StoreError, match=words):
        open_store(name)
