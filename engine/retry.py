"""How often a failed step is tried again, and after what wait."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from engine.errors import DataError, Fatal


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Retries of a step.

    ``attempts`` counts all tries (1 = no retry). The wait before try ``n + 1`` is ``delay * backoff ** (n - 1)``
    seconds, at most ``max_delay``; ``jitter`` takes a random part off it, up to half. ``retry_on`` names the
    exceptions that are worth another try. Validation errors and ``Fatal`` are never retried.
    """

    attempts: int = 1
    delay: float = 0.0
    backoff: float = 2.0
    max_delay: float = 60.0
    jitter: bool = True
    retry_on: tuple[type[BaseException], ...] = (Exception,)

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for what can't be followed."""
        attempts: object = self.attempts
        if not isinstance(attempts, int) or isinstance(attempts, bool) or attempts < 1:
            raise ValueError(f"RetryPolicy(attempts={attempts!r}): a whole number of at least 1, which means no retry")
        for name, least in (("delay", 0), ("max_delay", 0), ("backoff", 1)):
            given: object = getattr(self, name)
            if not isinstance(given, (int, float)) or isinstance(given, bool) or not least <= given < math.inf:
                raise ValueError(f"RetryPolicy({name}={given!r}): a number of at least {least}")
        object.__setattr__(self, "retry_on", _exceptions(self.retry_on))


def _exceptions(given: Any) -> tuple[type[BaseException], ...]:
    listed = (given,) if isinstance(given, type) else given
    kinds = tuple(listed) if isinstance(listed, Iterable) and not isinstance(listed, str) else (listed,)
    if not all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds):
        raise ValueError(
            f"RetryPolicy(retry_on={given!r}): give exception classes, such as (ConnectionError, TimeoutError)"
        )
    return kinds


NO_RETRY = RetryPolicy()


def wait_before_retry(policy: RetryPolicy, failures: int, error: BaseException) -> float | None:
    """Seconds to wait after ``failures`` failed tries, the last with ``error``; ``None``: no further try."""
    if failures >= policy.attempts or isinstance(error, (Fatal, DataError)) or not isinstance(error, policy.retry_on):
        return None
    wait = min(policy.delay * policy.backoff ** (failures - 1), policy.max_delay)
    # Up to half is taken off, so that many runs that failed together don't come back together.
    return wait * (1 - random.random() / 2) if policy.jitter and wait else wait  # noqa: S311 - not a secret
