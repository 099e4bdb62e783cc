"""A child of the process has copies of everything, and must use none of it."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable
from typing import NoReturn, Protocol

import apsw

from engine.errors import StoreError


class Forked(Protocol):
    """Something that is told in the child."""

    def forked(self) -> None: ...


open_stores: weakref.WeakSet[Forked] = weakref.WeakSet()
"""Stores that a child must not use."""


class Closed:
    """In the place of the connections of a store that can't be used."""

    def __init__(self, why: str) -> None:
        self._why = why

    def __getattr__(self, name: str) -> NoReturn:
        raise StoreError(self._why)


def keep(connections: Iterable[apsw.Connection]) -> None:
    """Never close these here: in a child, that would take the parent's locks, or its log, away."""
    import ctypes  # noqa: PLC0415 nobody else needs it

    for connection in connections:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


def _in_the_child() -> None:
    for store in list(open_stores):
        store.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_the_child)
