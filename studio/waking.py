"""Waking everybody who waits."""

from __future__ import annotations

import asyncio


class Signal:
    """Wakes everybody who waits, each time."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def wake(self) -> None:
        """Wake those who wait now."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self) -> None:
        """Until the next :meth:`wake`."""
        await self._event.wait()
