"""The graph as PNG: Graphviz draws its DOT, in a process of its own, since texts of a workflow's are in it."""

from __future__ import annotations

import subprocess
import sys

from engine.graph import dot_process

SECONDS = 15.0


def png_bytes(dot: str) -> bytes:
    """The picture of a DOT text. Raises ``OSError`` if Graphviz is missing, takes too long, or fails."""
    command = [sys.executable, "-P", dot_process.__file__, "png"]  # -P: its folder is not searched for modules
    try:
        done = subprocess.run(command, input=dot.encode(), capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise OSError(f"Graphviz takes longer than {SECONDS:.0f} s") from error
    if done.returncode or not done.stdout.startswith(b"\x89PNG"):
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise OSError(f"Graphviz can't draw it ({said[-1] if said else f'exit code {done.returncode}'})")
    return done.stdout
