"""The store that the commands share with a studio, opened for one of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from engine import Engine, Workflow
from studio.flags import WrongCall
from studio.settings import STORE, make_folder, store_file, store_url


def exists(store: str) -> bool:
    """Whether there is such a store; what is no file is told by the engine that opens it."""
    file = store_file(store_url(store))
    return file is None or file.is_file()


@asynccontextmanager
async def open_engine(
    store: str, workflows: Iterable[Workflow[Any, Any]] = (), *, is_new: bool = False
) -> AsyncIterator[Engine]:
    """An engine over a store. What others left there is not this command's business, so it takes up nothing by itself.

    ``is_new``: make the store if there is none. Raises ``WrongCall``, ``StoreError``.
    """
    if is_new:
        make_folder(store)
    elif store == ":memory:":
        raise WrongCall("what ran in memory is gone with its process; name a file with --store")
    elif not exists(store):
        hint = "; name yours with --store" if store == STORE else ""
        raise WrongCall(f"there is no store {store}{hint}")
    async with Engine(workflows, store=store_url(store), recover=False) as engine:
        yield engine
