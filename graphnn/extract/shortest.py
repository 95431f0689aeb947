"""The union of shortest input-to-output paths, which is how KPNNs were made acyclic so far.

N. Fortelny, C. Bock, "Knowledge-primed neural networks enable biologically interpretable deep learning on
single-cell sequencing data", Genome Biology 21 (2020) 190, doi:10.1186/s13059-020-02100-5.
"""

from __future__ import annotations

import numpy as np

from graphnn.graph.prior import PriorGraph
from graphnn.graph.reach import BoolVector, IntVector, hops, reachable


def shortest_path_edges(graph: PriorGraph, inputs: IntVector, outputs: IntVector) -> BoolVector:
    """Mark the edges on a shortest path (fewest edges) from an input to its nearest outputs.

    Along such an edge the distance to the nearest output falls by one, so the union is acyclic. An output that is
    nearest to no input would be missed; it is joined by all its shortest paths from the vertices that are in the
    union. Those paths leave the union and their distance from it grows by one a step, so it stays acyclic.

    Args:
        graph: Every input reaches an output, every output is reached from an input.
        inputs: Indices of the inputs, shape (n_inputs,).
        outputs: Indices of the outputs, shape (n_outputs,).

    Returns:
        Shape (n_edges,).
    """
    n_nodes, sources, targets = graph.n_nodes, graph.sources, graph.targets
    nearer = _one_step(hops(n_nodes, targets, sources, outputs), targets, sources)
    fed = reachable(n_nodes, sources[nearer], targets[nearer], inputs)
    union = nearer & fed[sources]
    missed = outputs[~fed[outputs]]
    if not len(missed):
        return union
    further = _one_step(hops(n_nodes, sources, targets, np.flatnonzero(fed)), sources, targets)
    leads = reachable(n_nodes, targets[further], sources[further], missed)
    return union | (further & leads[targets])


def _one_step(distance: IntVector, nears: IntVector, fars: IntVector) -> BoolVector:
    """Edges whose far end is one edge farther away than their near end."""
    return (distance[nears] >= 0) & (distance[fars] == distance[nears] + 1)
