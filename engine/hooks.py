"""Calling a user's lifecycle hook."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any

from engine.errors import EngineError
from engine.result import RunInfo

log = logging.getLogger("engine")


async def call_hook(hook: Callable[[RunInfo], Any], info: RunInfo) -> None:
    """Call a hook and let through what it raises; what would end the whole program becomes an ``EngineError``."""
    try:
        made = hook(info)
        if inspect.isawaitable(made):
            await made
    except (SystemExit, KeyboardInterrupt) as error:
        raise EngineError(f"a hook of workflow {info.workflow_id!r} raised {type(error).__name__}: {error}") from error


async def call_quietly(hook: Callable[[RunInfo], Any], info: RunInfo) -> None:
    """Call a hook; what it raises is logged."""
    try:
        await call_hook(hook, info)
    except (asyncio.CancelledError, GeneratorExit):
        raise
    except BaseException:
        name = getattr(hook, "__name__", "hook")
        log.exception("%s of workflow %s failed for run %s", name, info.workflow_id, info.run_id)
