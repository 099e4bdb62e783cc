"""Pictures are drawn beside the web server's loop, two at a time: a large one takes seconds; others are served."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

AT_ONCE = 2
"""More would take the loop's turns away from it; and Graphviz gets as many processes."""

_PAINTERS = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="painter")


async def painted(draw: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """What ``draw`` returns, from another thread."""
    return await asyncio.get_running_loop().run_in_executor(_PAINTERS, partial(draw, *arguments, **options))
