"""A process that has imported the engine and forks a child for each line of its input: starting Python takes too long.

Input, one JSON object a line: ``{"call": "module:function", "arguments": [...], "kill": [syscall, n]}``. Output: the
child's exit code, negative if a signal ended it. Under ``strace`` that kills at the call number ``PATIENCE`` of some
syscall, ``kill`` names the one to die at: the child makes empty calls until only ``n`` are left.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import engine.stores.sqlite  # noqa: F401 what children need is imported once

PATIENCE = 400

EMPTY_CALLS: dict[str, Callable[[int], object]] = {
    "pwrite64": lambda file: os.pwrite(file, b"", 0),
    "fdatasync": os.fdatasync,
    "ftruncate": lambda file: os.ftruncate(file, 0),
    "unlink": lambda _: os.unlink(""),  # noqa: PTH108 the system call itself
}
"""Each fails at once on a pipe or without a name, and is counted all the same."""


def child(call: str, arguments: Sequence[Any], kill: tuple[str, int] | None) -> int:
    module, _, name = call.partition(":")
    function = getattr(importlib.import_module(module), name)
    if kill is not None:
        syscall, number = kill
        end, _ = os.pipe()
        for _ in range(PATIENCE - number):
            with contextlib.suppress(OSError):
                EMPTY_CALLS[syscall](end)
    try:
        function(*arguments)
    except BaseException:  # noqa: BLE001 the child ends here, whatever it was
        traceback.print_exc()
        return 1
    return 0


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            code = child(request["call"], request["arguments"], request["kill"])
            sys.stderr.flush()
            os._exit(code)
        _, status = os.waitpid(pid, 0)
        os.write(1, b"%d\n" % os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
