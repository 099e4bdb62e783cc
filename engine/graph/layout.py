"""Where everything goes: Graphviz if it can, our own layout if not; once per picture.

Graphviz keeps global state, so one lock is around it, and above a size it runs in a process of its own with a limit.
It gets nothing but opaque names and sizes: no text of a workflow's ever reaches it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import sys
import threading
from collections import OrderedDict
from pathlib import Path

from engine.graph import dot_process, fallback, graphviz, labels
from engine.graph.geometry import Layout, collisions, disorder
from engine.graph.model import Graph

SMALL = 150
"""Up to so many nodes Graphviz runs here; it takes milliseconds."""
LARGE = 1500
"""Above, it would take seconds, and our own layout serves at once."""
SECONDS = 5.0
KEPT = 64

_log = logging.getLogger(__name__)
_one_at_a_time = threading.Lock()
_processes = threading.BoundedSemaphore(2)
_cache: OrderedDict[str, Layout] = OrderedDict()
_cache_lock = threading.Lock()


def lay_out(graph: Graph, engine: str = "auto") -> Layout:
    """Positions of a graph, by ``"auto"``, ``"graphviz"`` (tried at any size) or ``"own"``; the same for the same."""
    if (len(graph.nodes) > LARGE and engine != "graphviz") or graph.hidden:  # Graphviz knows no grid
        return fallback.lay_out(graph)
    text = graphviz.source(graph)
    edges = [(edge.source, edge.target, edge.kind, edge.label_width, edge.frame) for edge in graph.edges]
    key = hashlib.sha256(f"{engine}\n{text}\n{edges}".encode()).hexdigest()
    with _cache_lock:
        if key in _cache:
            _cache.move_to_end(key)
            return _cache[key]
    made = None if engine == "own" else _by_graphviz(graph, text)
    made = made or fallback.lay_out(graph)
    with _cache_lock:
        _cache[key] = made
        while len(_cache) > KEPT:
            _cache.popitem(last=False)
    return made


def _by_graphviz(graph: Graph, text: str) -> Layout | None:
    """Graphviz's layout, or ``None`` if it fails, takes too long, or lays one thing over another."""
    try:
        raw = _here(text) if len(graph.nodes) <= SMALL else _apart(text)
        made = graphviz.read(json.loads(raw), graph)
    except (ImportError, OSError, ValueError, KeyError, TypeError, subprocess.SubprocessError) as error:
        _log.info("Graphviz gave no layout for %r, our own serves: %s", graph.id, error)
        return None
    if found := collisions(made, graph) + disorder(made, graph) + labels.unclear(made, graph):
        _log.info("Graphviz's layout for %r is hard to read, our own serves: %s", graph.id, "; ".join(found[:5]))
        return None
    return made


def _here(text: str) -> bytes:
    import pygraphviz  # noqa: PLC0415 - without it our own layout serves

    if not _one_at_a_time.acquire(timeout=SECONDS):
        raise TimeoutError("another layout takes long")
    try:
        drawn: bytes = pygraphviz.AGraph(string=text).draw(format="json0", prog="dot", args="-q")
        return drawn
    finally:
        _one_at_a_time.release()


def _apart(text: str) -> bytes:
    if not _processes.acquire(timeout=SECONDS):
        raise TimeoutError("other layouts take long")
    try:
        # -P: the folder of that file is not searched for modules.
        command = [sys.executable, "-P", str(Path(dot_process.__file__))]
        done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=SECONDS, check=True)
        return done.stdout
    finally:
        _processes.release()
