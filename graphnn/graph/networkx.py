"""networkx at the border: a PriorGraph from a DiGraph or MultiDiGraph, and back."""

from __future__ import annotations

import networkx as nx

from graphnn.errors import FormatError
from graphnn.graph.interaction import parse_interaction
from graphnn.graph.prior import PriorGraph


def from_networkx(graph: nx.DiGraph, *, interaction: str = "interaction") -> PriorGraph:
    """Build a PriorGraph from a directed networkx graph.

    Args:
        graph: DiGraph or MultiDiGraph whose nodes are strings. Nodes without edges are kept.
        interaction: Edge attribute with the sign (1, -1, 0 or a word); where an edge has none it is 0 (unknown).

    Raises:
        FormatError: The graph is undirected, a node is not a non-empty string, or an interaction is unknown.

    Example:
        >>> from_networkx(nx.DiGraph([("a", "b")])).to_sif_tuples()
        [('a', 0, 'b')]
    """
    if not graph.is_directed():
        raise FormatError(
            "expected a directed graph, got an undirected one; call to_directed() if both directions are meant"
        )
    edges = list(graph.edges(data=interaction, default=0))
    return PriorGraph.from_edges(
        [source for source, _, _ in edges],
        [target for _, target, _ in edges],
        [parse_interaction(sign) for _, _, sign in edges],
        isolated=list(graph.nodes),
    )


def to_networkx(graph: PriorGraph) -> nx.DiGraph:
    """A DiGraph with the same names, in sorted order, and the edge attribute `interaction` (1, -1, 0)."""
    result = nx.DiGraph()
    result.add_nodes_from(graph.nodes)
    result.add_edges_from((source, target, {"interaction": sign}) for source, sign, target in graph.to_sif_tuples())
    return result
