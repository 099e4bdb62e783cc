"""The picture of a workflow: a graph of its definition, as SVG, DOT, Mermaid or JSON.

``build_graph`` takes a workflow, a plan, or a stored definition whose code is gone. Networkx and Graphviz are loaded
here and nowhere else; where Graphviz is missing, a layout of our own serves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Literal

from engine.graph.builder import build
from engine.graph.dot import dot_text
from engine.graph.folds import WIDE, Folds
from engine.graph.layout import lay_out
from engine.graph.mermaid import mermaid_text
from engine.graph.model import Cluster, Edge, Graph, Node
from engine.graph.png import png_bytes
from engine.graph.record import json_text
from engine.graph.states import ElementState, PlaceStatus, States, places, rank
from engine.graph.style import RULES
from engine.graph.svg import ICONS, Marks, draw

if TYPE_CHECKING:
    from engine.plan import Plan
    from engine.workflow import Workflow

    Source = Graph | Plan | Workflow[Any, Any] | Mapping[str, Any]

Theme = Literal["auto", "light", "dark"]


def build_graph(
    source: Source, *, fold: Collection[str] = (), unfold: Collection[str] = (), nested: bool = False
) -> Graph:
    """The graph of a workflow, a plan or a definition.

    ``fold``: places of workflows, chains, loops, foreach and parallels that become one box. ``nested``: every workflow
    inside another becomes one. ``unfold``: places of those, and of parallels and branches with more than 24 arms, that
    are drawn whole.
    """
    if isinstance(source, Graph):
        return source
    plan: Any = getattr(source, "plan", source)
    definition = source if isinstance(source, Mapping) else plan.definition
    return build(definition, Folds(frozenset(fold), frozenset(unfold), nested))


def to_svg(
    source: Source,
    *,
    theme: Theme = "auto",
    standalone: bool = True,
    statuses: Mapping[str, str] | None = None,
    legend: bool | None = None,
    prefix: str = "",
    breakpoints: Collection[str] = (),
    heat: Mapping[str, tuple[int, str]] | None = None,
    link: Callable[[str, bool], str] | None = None,
) -> str:
    """The picture as SVG.

    ``standalone``: with its colours and a background, for a file; else without any style, for a page whose stylesheet
    has :data:`RULES`. ``statuses``: path (or place) -> status. ``legend``: what the colours mean (default: with
    statuses). ``prefix`` starts every id, for several pictures on one page. ``breakpoints``: places that get a dot.
    ``heat``: place -> level from 0 to 4 and a text, a badge. ``link``: the address at which a place is opened, or
    folded (``False``); without, folded parts have no button.
    """
    graph = build_graph(source)
    shown = statuses is not None if legend is None else legend
    return draw(
        graph,
        lay_out(graph),
        statuses=statuses,
        theme=theme,
        standalone=standalone,
        legend=shown,
        prefix=prefix,
        marks=Marks(frozenset(breakpoints), heat or {}, link),
    )


def element_states(source: Source, statuses: Mapping[str, str]) -> dict[str, ElementState]:
    """What a run's statuses (by path or place) mean for the elements of the picture: element id -> state.

    The same for every way to fold it: an element that is not drawn is there too. Left out is what is as before a run.
    """
    return States(build_graph(source).definition).of(statuses)


def to_dot(source: Source) -> str:
    """The graph as DOT, with clusters, for other programs."""
    return dot_text(build_graph(source))


def to_png(source: Source) -> bytes:
    """The picture as PNG, drawn by Graphviz. Raises ``OSError`` if that can't be done; an SVG always can."""
    return png_bytes(dot_text(build_graph(source)))


def to_mermaid(source: Source) -> str:
    """The graph as a Mermaid flowchart with subgraphs."""
    return mermaid_text(build_graph(source))


def to_json(source: Source) -> str:
    """Nodes, edges and clusters with their positions, as JSON text."""
    graph = build_graph(source)
    return json_text(graph, lay_out(graph))


__all__ = [
    "ICONS",
    "RULES",
    "WIDE",
    "Cluster",
    "Edge",
    "ElementState",
    "Graph",
    "Node",
    "PlaceStatus",
    "States",
    "Theme",
    "build_graph",
    "element_states",
    "places",
    "rank",
    "to_dot",
    "to_json",
    "to_mermaid",
    "to_png",
    "to_svg",
]
