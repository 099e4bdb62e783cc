"""A process of its own around Graphviz: DOT on stdin, JSON on stdout, or PNG with the argument ``png``.

Run as a file, so that it loads nothing else.

What kills Graphviz, or makes it take too long or too much memory, ends this process and not the one that asked.
"""

from __future__ import annotations

import sys

SECONDS = 6
MEMORY = 384 << 20


def main() -> None:
    """Limit this process, then lay out what comes in."""
    try:
        import resource  # noqa: PLC0415 - not on every system
    except ImportError:  # no such limits there; whoever started this still has a clock
        pass
    else:
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    import pygraphviz  # noqa: PLC0415 - after the limits

    text = sys.stdin.buffer.read().decode()
    form = {"format": "png", "args": "-q -Gdpi=144"} if sys.argv[1:] == ["png"] else {"format": "json0", "args": "-q"}
    sys.stdout.buffer.write(pygraphviz.AGraph(string=text).draw(prog="dot", **form))


if __name__ == "__main__":
    main()
