"""Orders of an acyclic graph: topological order, levels by longest path, and the cycle where there is one."""

from __future__ import annotations

import heapq

import numpy as np

from graphnn.graph.reach import IntVector


class HasCycle(Exception):
    """Internal signal: the graph has the cycle `vertices` (indices, in order). Callers turn it into names."""

    def __init__(self, vertices: list[int]) -> None:
        self.vertices = vertices
        super().__init__(vertices)


def topological_order(n_nodes: int, sources: IntVector, targets: IntVector) -> IntVector:
    """Order the vertices so that every edge runs forward; among free vertices the smallest index comes first.

    Args:
        n_nodes: Number of vertices.
        sources: Tail of each edge, shape (n_edges,).
        targets: Head of each edge, shape (n_edges,).

    Returns:
        Permutation of the vertices, shape (n_nodes,).

    Raises:
        HasCycle: The graph has a directed cycle.

    Example:
        >>> topological_order(3, np.array([2, 0]), np.array([0, 1])).tolist()
        [2, 0, 1]
    """
    heads, first = _adjacency(n_nodes, sources, targets)
    waiting = np.bincount(targets, minlength=n_nodes).tolist()
    free = [vertex for vertex in range(n_nodes) if waiting[vertex] == 0]
    order: list[int] = []
    while free:
        vertex = heapq.heappop(free)
        order.append(vertex)
        for head in heads[first[vertex] : first[vertex + 1]]:
            waiting[head] -= 1
            if waiting[head] == 0:
                heapq.heappush(free, head)
    if len(order) < n_nodes:
        raise HasCycle(_find_cycle(n_nodes, sources, targets, waiting))
    return np.array(order, dtype=np.int64)


def longest_path_levels(n_nodes: int, sources: IntVector, targets: IntVector) -> IntVector:
    """Level of each vertex: the number of edges of the longest path that ends in it, shape (n_nodes,).

    Every edge then leads from a lower to a higher level, so one pass over the levels computes the network.

    Raises:
        HasCycle: The graph has a directed cycle.

    Example:
        >>> longest_path_levels(3, np.array([0, 0, 1]), np.array([1, 2, 2])).tolist()
        [0, 1, 2]
    """
    heads, first = _adjacency(n_nodes, sources, targets)
    level = [0] * n_nodes
    for vertex in topological_order(n_nodes, sources, targets).tolist():
        above = level[vertex] + 1
        for head in heads[first[vertex] : first[vertex + 1]]:
            if level[head] < above:
                level[head] = above
    return np.array(level, dtype=np.int64)


def _adjacency(n_nodes: int, sources: IntVector, targets: IntVector) -> tuple[list[int], list[int]]:
    """Heads grouped by tail, and where each group starts: Python lists, for loops over single vertices."""
    by_source = np.argsort(sources, kind="stable")
    first = np.searchsorted(sources[by_source], np.arange(n_nodes + 1))
    return targets[by_source].tolist(), first.tolist()


def _find_cycle(n_nodes: int, sources: IntVector, targets: IntVector, waiting: list[int]) -> list[int]:
    """One cycle among the vertices that a topological sort left over: each of them has a predecessor among them."""
    stuck = np.array(waiting) > 0
    inside = stuck[sources] & stuck[targets]
    predecessor = dict(zip(targets[inside][::-1].tolist(), sources[inside][::-1].tolist(), strict=True))
    vertex = int(np.flatnonzero(stuck)[0])
    seen: dict[int, int] = {}
    walk: list[int] = []
    while vertex not in seen:
        seen[vertex] = len(walk)
        walk.append(vertex)
        vertex = predecessor[vertex]
    return walk[seen[vertex] :][::-1]
