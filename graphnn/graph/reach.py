"""Which vertices can be reached: linear-time searches on index arrays, without names."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

IntVector = npt.NDArray[np.int64]
BoolVector = npt.NDArray[np.bool_]

UNREACHED = -1


def reachable(n_nodes: int, sources: IntVector, targets: IntVector, starts: IntVector) -> BoolVector:
    """Mark every vertex to which a directed walk (of any length, also zero) leads from one of `starts`.

    Args:
        n_nodes: Number of vertices.
        sources: Tail of each edge, shape (n_edges,).
        targets: Head of each edge, shape (n_edges,).
        starts: Vertices to start from, shape (n_starts,).

    Returns:
        Shape (n_nodes,). Pass `sources` and `targets` exchanged to search against the edges.

    Example:
        >>> reachable(3, np.array([0, 1]), np.array([1, 2]), np.array([1])).tolist()
        [False, True, True]
    """
    super_source = n_nodes
    tails = np.concatenate([sources, np.full(len(starts), super_source, dtype=np.int64)])
    heads = np.concatenate([targets, starts])
    matrix = csr_array((np.ones(len(tails), dtype=np.int8), (tails, heads)), shape=(n_nodes + 1, n_nodes + 1))
    order = breadth_first_order(matrix, super_source, directed=True, return_predecessors=False)
    marked = np.zeros(n_nodes + 1, dtype=bool)
    marked[order] = True
    return marked[:n_nodes]


def hops(n_nodes: int, sources: IntVector, targets: IntVector, starts: IntVector) -> IntVector:
    """Count the edges of a shortest walk from `starts` to each vertex; `UNREACHED` (-1) where there is none.

    Args:
        n_nodes: Number of vertices.
        sources: Tail of each edge, shape (n_edges,).
        targets: Head of each edge, shape (n_edges,).
        starts: Vertices at distance 0, shape (n_starts,).

    Returns:
        Number of edges, shape (n_nodes,).

    Example:
        >>> hops(3, np.array([0, 1]), np.array([1, 2]), np.array([0])).tolist()
        [0, 1, 2]
    """
    order = np.argsort(sources, kind="stable")
    heads = targets[order]
    first = np.searchsorted(sources[order], np.arange(n_nodes + 1))
    distance = np.full(n_nodes, UNREACHED, dtype=np.int64)
    frontier = np.unique(starts)
    distance[frontier] = 0
    step = 0
    while frontier.size:
        step += 1
        neighbours = heads[ranges(first[frontier], first[frontier + 1])]
        frontier = np.unique(neighbours[distance[neighbours] == UNREACHED])
        distance[frontier] = step
    return distance


def ranges(starts: IntVector, stops: IntVector) -> IntVector:
    """Concatenate the integer ranges [starts[i], stops[i]).

    Example:
        >>> ranges(np.array([0, 5]), np.array([2, 8])).tolist()
        [0, 1, 5, 6, 7]
    """
    lengths = stops - starts
    offsets = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum(), dtype=np.int64) + np.repeat(starts - offsets, lengths)


def strong_components(n_nodes: int, sources: IntVector, targets: IntVector) -> tuple[int, IntVector]:
    """Number of strongly connected components and the component of each vertex, shape (n_nodes,)."""
    matrix = csr_array((np.ones(len(sources), dtype=np.int8), (sources, targets)), shape=(n_nodes, n_nodes))
    count, labels = connected_components(matrix, directed=True, connection="strong")
    return int(count), labels.astype(np.int64)
