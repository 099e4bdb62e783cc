"""Facts that are written a little later than their caller goes on."""

from __future__ import annotations

from collections.abc import Sequence

from engine.events import Fact


class Deferred:
    """What became of facts for which nobody waits; until then they are read from memory."""

    def __init__(
        self,
        unwritten: dict[str, list[Fact]],
        failed: dict[str, BaseException],
        run_id: str,
        facts: Sequence[Fact],
    ) -> None:
        self._unwritten = unwritten
        self._failed = failed
        self._run_id = run_id
        self._count = len(facts)
        unwritten[run_id] = unwritten.get(run_id, []) + list(facts)

    def done(self) -> bool:
        return False

    def set_result(self, _: object, /) -> None:
        left = self._unwritten[self._run_id][self._count :]
        if left:
            self._unwritten[self._run_id] = left
        else:
            del self._unwritten[self._run_id]

    def set_exception(self, error: BaseException, /) -> None:
        """The next append of the run raises it: somebody waits for that one."""
        self._failed.setdefault(self._run_id, error)
        self.set_result(None)
