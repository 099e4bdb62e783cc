"""The picture of a workflow: a graph of its definition, as SVG, DOT, Mermaid or JSON.

``build_graph`` takes a workflow, a plan, or a stored definition whose code is gone. Networkx and Graphviz are loaded
here and nowhere else; where Graphviz is missing, a layout of our own serves.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Literal

from engine.graph.builder import WIDE, build
from engine.graph.dot import dot_text
from engine.graph.layout import lay_out
from engine.graph.mermaid import mermaid_text
from engine.graph.model import Cluster, Edge, Graph, Node
from engine.graph.record import json_text
from engine.graph.style import RULES
from engine.graph.svg import ICONS, draw

if TYPE_CHECKING:
    from engine.plan import Plan
    from engine.workflow import Workflow

    Source = Graph | Plan | Workflow[Any, Any] | Mapping[str, Any]

Theme = Literal["auto", "light", "dark"]


def build_graph(source: Source, *, fold: Collection[str] = (), unfold: Collection[str] = ()) -> Graph:
    """The graph of a workflow, a plan or a definition.

    ``fold``: places of workflows, chains, loops, foreach and parallels that become one box. ``unfold``: places of
    parallels and branches that are drawn whole although they have more than 24 arms.
    """
    if isinstance(source, Graph):
        return source
    plan: Any = getattr(source, "plan", source)
    definition = source if isinstance(source, Mapping) else plan.definition
    return build(definition, fold=frozenset(fold), unfold=frozenset(unfold))


def to_svg(
    source: Source,
    *,
    theme: Theme = "auto",
    standalone: bool = True,
    statuses: Mapping[str, str] | None = None,
    legend: bool | None = None,
    prefix: str = "",
) -> str:
    """The picture as SVG.

    ``standalone``: with its colours and a background, for a file; else without any style, for a page whose stylesheet
    has :data:`RULES`. ``statuses``: place -> status. ``legend``: what the colours mean (default: with
    statuses). ``prefix`` starts every id, for several pictures on one page.
    """
    graph = build_graph(source)
    shown = statuses is not None if legend is None else legend
    return draw(
        graph, lay_out(graph), statuses=statuses, theme=theme, standalone=standalone, legend=shown, prefix=prefix
    )


def to_dot(source: Source) -> str:
    """The graph as DOT, with clusters, for other programs."""
    return dot_text(build_graph(source))


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
    "Graph",
    "Node",
    "Theme",
    "build_graph",
    "to_dot",
    "to_json",
    "to_mermaid",
    "to_svg",
]
