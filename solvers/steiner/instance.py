"""What the fast path works on: a digraph with arc costs, terminals and one root that every terminal must reach.

Arborescence form. Vertices are the problem's, and all outputs are one root without successors: a way that reaches an
output has arrived, so the arcs after it are not needed for coverage.

Node form. Where all ways out of a vertex cost the same (unit costs, above all), an optimal choice pays for each of
its vertices once, whichever way out it takes: in an arborescence every vertex but the root keeps exactly one. Each
vertex v becomes an arc v -> v' with that cost, and the edges become free arcs v' -> w. This has one variable a vertex
instead of one an edge, and a tighter relaxation on networks with many parallel ways.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solvers.problem import FloatVector, IntVector, Problem


@dataclass(frozen=True, eq=False)
class Instance:
    """Choose arcs of least cost so that every terminal reaches the root.

    Attributes:
        n_vertices: Vertices are 0 .. n_vertices - 1.
        tails: Shape (n_arcs,).
        heads: Shape (n_arcs,).
        costs: At least 0, shape (n_arcs,). Arcs of cost 0 are free: they may all be taken.
        terminals: Shape (n_terminals,); the root is none of them.
        root: The vertex to reach.
    """

    n_vertices: int
    tails: IntVector
    heads: IntVector
    costs: FloatVector
    terminals: IntVector
    root: int

    @property
    def n_arcs(self) -> int:
        """Number of arcs."""
        return len(self.tails)

    @property
    def has_free_arcs(self) -> bool:
        """Whether some arc costs nothing."""
        return bool((self.costs == 0).any())

    @property
    def has_integer_costs(self) -> bool:
        """Whether every cost is an integer, so that bounds round up."""
        return bool((self.costs == np.round(self.costs)).all())


@dataclass(frozen=True, eq=False)
class Rooted:
    """The problem with its outputs joined in one root.

    Attributes:
        n_vertices: The problem's vertices and the root, which is the last.
        root: Index of the root.
        edges: Index in the problem of each edge that is left, shape (n_left,).
        tails: Shape (n_left,).
        heads: Shape (n_left,); outputs are the root.
        costs: Shape (n_left,).
        inputs: Vertices that must reach the root.
    """

    n_vertices: int
    root: int
    edges: IntVector
    tails: IntVector
    heads: IntVector
    costs: FloatVector
    inputs: IntVector


def rooted(problem: Problem) -> Rooted:
    """Join the outputs in one root and leave out the edges that leave them; of parallel edges the cheapest stays."""
    root = problem.n_vertices
    joined = np.arange(problem.n_vertices + 1)
    joined[problem.outputs] = root
    edges = np.flatnonzero(joined[problem.sources] != root)
    heads = joined[problem.targets[edges]]
    key = problem.sources[edges] * (root + 1) + heads
    cheapest_first = np.lexsort((edges, problem.costs[edges], key))
    _, first = np.unique(key[cheapest_first], return_index=True)
    edges = np.sort(edges[cheapest_first[first]])
    return Rooted(
        n_vertices=root + 1,
        root=root,
        edges=edges,
        tails=problem.sources[edges],
        heads=joined[problem.targets[edges]],
        costs=problem.costs[edges],
        inputs=problem.inputs,
    )


def uniform_out_cost(graph: Rooted) -> FloatVector | None:
    """Cost of leaving each vertex, shape (n_vertices,), if all its ways out cost the same; else None."""
    cost = np.zeros(graph.n_vertices)
    cost[graph.tails] = graph.costs
    return cost if (cost[graph.tails] == graph.costs).all() else None


def arc_instance(graph: Rooted) -> Instance:
    """The arborescence form."""
    return Instance(graph.n_vertices, graph.tails, graph.heads, graph.costs, graph.inputs, graph.root)


def node_instance(
    n_vertices: int, tails: IntVector, heads: IntVector, cost: FloatVector, terminals: IntVector, root: int
) -> Instance:
    """The node form: arc v (first n_vertices arcs) is vertex v; free arcs v' -> w follow, v' is n_vertices + v."""
    inside = np.arange(n_vertices)
    return Instance(
        n_vertices=2 * n_vertices,
        tails=np.concatenate([inside, n_vertices + tails]),
        heads=np.concatenate([n_vertices + inside, heads]),
        costs=np.concatenate([cost, np.zeros(len(tails))]),
        terminals=terminals,
        root=root,
    )
