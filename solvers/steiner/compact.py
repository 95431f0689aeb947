"""The node form after the terminal reductions, renumbered to the vertices that are still in play."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from solvers.arrays import neighbours, reachable
from solvers.problem import FloatVector, IntVector
from solvers.reduce.terminals import TESTS, ReducedTerminals, reduce_terminals
from solvers.steiner.instance import Instance, Rooted, node_instance


@dataclass(frozen=True, eq=False)
class Compact:
    """What the node form still has to decide, and what is settled.

    Attributes:
        instance: The open part; arc i of the first len(vertices) arcs is vertex `vertices[i]`.
        vertices: Index in the rooted graph of each vertex of the open part, shape (n_open,); the root is the last.
        settled: Vertices that are in the answer whatever is decided.
        constant: What they cost.
        reduced: What the reductions found.
    """

    instance: Instance
    vertices: IntVector
    settled: IntVector
    constant: float
    reduced: ReducedTerminals

    def answer(self, arcs: IntVector) -> IntVector:
        """Vertices of the rooted graph that an answer of the open part stands for, with the settled ones, sorted."""
        open_vertices = self.vertices[arcs[arcs < len(self.vertices)]]
        return np.unique(np.concatenate([self.settled, open_vertices]))


def compact(graph: Rooted, cost: FloatVector, *, only: Collection[str] = TESTS) -> Compact:
    """Reduce the terminals and keep the vertices that the remaining ones can use.

    Args:
        graph: The rooted problem.
        cost: What leaving each vertex costs, shape (n_vertices,).
        only: The terminal reductions to apply, of `solvers.reduce.terminals.TESTS`.
    """
    successors = neighbours(graph.n_vertices, graph.tails, graph.heads)
    predecessors = neighbours(graph.n_vertices, graph.heads, graph.tails)
    reduced = reduce_terminals(successors, predecessors, graph.inputs, graph.root, only=only)
    core = np.zeros(graph.n_vertices, dtype=bool)
    core[list(reduced.core)] = True
    demand = np.array([*reduced.terminals, *reduced.leaves], dtype=np.int64)
    settled = np.unique(
        np.concatenate([graph.inputs, np.flatnonzero(core), np.array(reduced.terminals, dtype=np.int64)])
    )
    in_play = reachable(graph.n_vertices, graph.tails, graph.heads, demand) & ~core
    vertices = np.append(np.flatnonzero(in_play), graph.root)
    number = np.full(graph.n_vertices, -1)
    number[vertices] = np.arange(len(vertices))
    number[core] = len(vertices) - 1
    inside = in_play[graph.tails] & (number[graph.heads] >= 0)
    pairs = np.unique(np.stack([number[graph.tails[inside]], number[graph.heads[inside]]], axis=1), axis=0)
    open_cost = cost[vertices].copy()
    open_cost[number[demand]] = 0.0
    open_cost[-1] = 0.0
    instance = node_instance(
        len(vertices), pairs[:, 0], pairs[:, 1], open_cost, np.sort(number[demand]), root=len(vertices) - 1
    )
    return Compact(instance, vertices, settled, float(cost[settled[settled != graph.root]].sum()), reduced)
