"""The union of shortest input-to-output paths, which is how KPNNs were made acyclic so far.

N. Fortelny, C. Bock, "Knowledge-primed neural networks enable biologically interpretable deep learning on
single-cell sequencing data", Genome Biology 21 (2020) 190, doi:10.1186/s13059-020-02100-5.
"""

from __future__ import annotations

import numpy as np

from graphnn.graph.prior import PriorGraph
from graphnn.graph.reach import BoolVector, IntVector, hops, reachable, strong_components


def shortest_path_edges(graph: PriorGraph, inputs: IntVector, outputs: IntVector) -> BoolVector:
    """Mark the union of all shortest paths (fewest edges) from every input to every output that it reaches.

    With one output the union is acyclic: the distance to the output falls by one along each of its edges. Shortest
    paths to different outputs can run against each other. Then, inside each strongly connected component of the
    union, only the edges along which the distance to the nearest output falls are kept: every input keeps its
    shortest paths to its nearest outputs. An output that is missed by that is joined by its shortest paths from the
    vertices at hand; such paths leave them and never return, so no cycle arises.

    Args:
        graph: Every input reaches an output, every output is reached from an input.
        inputs: Indices of the inputs, shape (n_inputs,).
        outputs: Indices of the outputs, shape (n_outputs,).

    Returns:
        Shape (n_edges,).
    """
    n_nodes, sources, targets = graph.n_nodes, graph.sources, graph.targets
    union = np.zeros(graph.n_edges, dtype=bool)
    for output in outputs:
        nearer = _one_step(hops(n_nodes, targets, sources, output[None]), targets, sources)
        union |= nearer & reachable(n_nodes, sources[nearer], targets[nearer], inputs)[sources]
    edges = np.flatnonzero(union)
    _, label = strong_components(n_nodes, sources[edges], targets[edges])
    nearest = _one_step(hops(n_nodes, targets, sources, outputs), targets, sources)
    union &= (label[sources] != label[targets]) | nearest
    union = _on_paths(graph, union, inputs, outputs)
    fed = reachable(n_nodes, sources[union], targets[union], inputs)
    missed = outputs[~fed[outputs]]
    if not len(missed):
        return union
    further = _one_step(hops(n_nodes, sources, targets, np.flatnonzero(fed)), sources, targets)
    leads = reachable(n_nodes, targets[further], sources[further], missed)
    return union | (further & leads[targets])


def _on_paths(graph: PriorGraph, edges: BoolVector, inputs: IntVector, outputs: IntVector) -> BoolVector:
    """Those of the edges that still lie on an input-to-output path over these edges."""
    tails, heads = graph.sources[edges], graph.targets[edges]
    fed, out = reachable(graph.n_nodes, tails, heads, inputs), reachable(graph.n_nodes, heads, tails, outputs)
    return np.asarray(edges & fed[graph.sources] & out[graph.targets])


def _one_step(distance: IntVector, nears: IntVector, fars: IntVector) -> BoolVector:
    """Edges whose far end is one edge farther away than their near end."""
    return np.asarray((distance[nears] >= 0) & (distance[fars] == distance[nears] + 1))
