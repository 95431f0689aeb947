"""Searches on edge arrays that several engines share: reachability, strong components, adjacency."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from solvers.problem import BoolVector, IntVector


def reachable(n_vertices: int, tails: IntVector, heads: IntVector, starts: IntVector) -> BoolVector:
    """Vertices to which a walk leads from one of `starts`, shape (n_vertices,); exchange tails and heads to go back."""
    hub = n_vertices
    rows = np.concatenate([tails, np.full(len(starts), hub, dtype=np.int64)])
    columns = np.concatenate([heads, starts])
    matrix = csr_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(hub + 1, hub + 1))
    marked = np.zeros(hub + 1, dtype=bool)
    marked[breadth_first_order(matrix, hub, directed=True, return_predecessors=False)] = True
    return marked[:hub]


def strong_components(n_vertices: int, tails: IntVector, heads: IntVector) -> IntVector:
    """Label of the strongly connected component of each vertex, shape (n_vertices,)."""
    matrix = csr_array((np.ones(len(tails), dtype=np.int8), (tails, heads)), shape=(n_vertices, n_vertices))
    return connected_components(matrix, directed=True, connection="strong")[1].astype(np.int64)


def grouped(n_vertices: int, ends: IntVector) -> tuple[IntVector, IntVector]:
    """Edge indices grouped by `ends`, ascending in a group; where each group starts, shape (n_vertices + 1,)."""
    order = np.argsort(ends, kind="stable")
    return order, np.searchsorted(ends[order], np.arange(n_vertices + 1))


def neighbours(n_vertices: int, ends: IntVector, others: IntVector) -> list[list[int]]:
    """For each vertex the `others` of the edges at it, as Python lists, for loops over single vertices."""
    order, first = grouped(n_vertices, ends)
    values, bounds = others[order].tolist(), first.tolist()
    return [values[bounds[vertex] : bounds[vertex + 1]] for vertex in range(n_vertices)]


def distances(n_vertices: int, tails: IntVector, heads: IntVector, starts: IntVector) -> IntVector:
    """Edges on a shortest walk from `starts` to each vertex, shape (n_vertices,); n_vertices where there is none."""
    hub = n_vertices
    rows = np.concatenate([tails, np.full(len(starts), hub, dtype=np.int64)])
    columns = np.concatenate([heads, starts])
    matrix = csr_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(hub + 1, hub + 1))
    found = np.full(hub + 1, n_vertices + 1, dtype=np.int64)
    order, before = breadth_first_order(matrix, hub, directed=True, return_predecessors=True)
    found[hub] = 0
    for vertex in order[1:].tolist():
        found[vertex] = found[before[vertex]] + 1
    return found[:hub] - 1
