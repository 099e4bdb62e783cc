"""How often a failed step is tried again, and after what wait."""

from __future__ import annotations

import random
from dataclasses import dataclass

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
        if self.attempts < 1:
            raise ValueError(f"RetryPolicy(attempts={self.attempts}): at least 1, which means no retry")
        if self.delay < 0 or self.max_delay < 0 or self.backoff < 1:
            raise ValueError("RetryPolicy: delay and max_delay can't be negative, backoff can't be under 1")


NO_RETRY = RetryPolicy()


def wait_before_retry(policy: RetryPolicy, failures: int, error: BaseException) -> float | None:
    """Seconds to wait after ``failures`` failed tries, the last with ``error``; ``None``: no further try."""
    if failures >= policy.attempts or isinstance(error, (Fatal, DataError)) or not isinstance(error, policy.retry_on):
        return None
    wait = min(policy.delay * policy.backoff ** (failures - 1), policy.max_delay)
    # Up to half is taken off, so that many runs that failed together don't come back together.
    return wait * (1 - random.random() / 2) if policy.jitter and wait else wait  # noqa: S311 - not a secret
