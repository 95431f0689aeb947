"""The same problem with costs on edges alone: what vertices cost, and what is lost with an input, become edges.

A vertex that costs is split in two, with an edge of that cost from where it is entered to where it is left. An input
that may be left out asks through a door, a new input with two ways that cost nothing: to the input, and to a vertex
from which an edge, of the reward's cost, leads to a goal. The goal is one more output, which one more input feeds.

A feasible choice of the problem gives, at the same cost, a feasible one here: its edges, those of the vertices that it
touches, of the inputs that it leaves out, and what costs nothing. So a cut here is one there, of edges, vertices and
inputs left out (`solvers.certificate`), and a bound here is a bound there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solvers.certificate import Cut
from solvers.problem import IntVector, Problem
from solvers.rules import Rules


@dataclass(frozen=True, eq=False)
class Expanded:
    """A problem of edge costs that stands for one with further costs.

    Attributes:
        problem: Only its edges cost, only covering is asked (`Problem.is_plain`); its first edges are those of the
            original, then come those of vertices.
        split: Vertices that cost, one for each of the edges that follow those of the original.
        optional: Inputs that may be left out; the last edges stand for that.
        stands_for: Vertex of the original that each vertex belongs to, -1 for goal and feeder; shape (n_vertices,).
        n_edges: Of the original.
    """

    problem: Problem
    split: IntVector
    optional: IntVector
    stands_for: IntVector
    n_edges: int

    def original(self, cut: Cut) -> Cut:
        """A cut of this problem as one of the original; edges that cost nothing here are in no cut."""
        edges = np.array(cut.edges, dtype=np.int64)
        first, last = self.n_edges + len(self.split), self.problem.n_edges - len(self.optional)
        inner = edges[(edges >= self.n_edges) & (edges < first)]
        return Cut(
            None if cut.witness is None else int(self.stands_for[cut.witness]),
            tuple(edges[edges < self.n_edges].tolist()),
            tuple(self.split[inner - self.n_edges].tolist()),
            tuple(self.optional[edges[edges >= last] - last].tolist()),
        )

    def expanded(self, cut: Cut) -> Cut:
        """Inverse of `original`, for cuts of elements that cost."""
        vertices = np.searchsorted(self.split, cut.vertices) + self.n_edges
        left_out = np.searchsorted(self.optional, cut.left_out) + self.problem.n_edges - len(self.optional)
        edges = np.concatenate([np.array(cut.edges, dtype=np.int64), vertices, left_out])
        if cut.witness is None:
            return Cut(None, tuple(edges.tolist()))
        asking = np.concatenate([self.problem.inputs, self.problem.outputs])
        witness = asking[self.stands_for[asking] == cut.witness]
        return Cut(int(witness[0]), tuple(edges.tolist()))


def expanded(problem: Problem) -> Expanded:
    """Split the vertices that cost, and give the inputs that may be left out a door each.

    Args:
        problem: Only covering is asked (`Problem.is_cover`).
    """
    n, split = problem.n_vertices, np.flatnonzero(problem.vertex_costs)
    optional = np.array(sorted(problem.rules.rewards), dtype=np.int64)
    left = np.arange(n)  # where a vertex is left
    left[split] = n + np.arange(len(split))
    doors = n + len(split) + np.arange(len(optional))
    lost = doors + len(optional)
    goal = n + len(split) + 2 * len(optional)
    feeder = goal + 1
    ends = np.array([goal, feeder])[: 2 if len(optional) else 0]
    return Expanded(
        problem=Problem(
            n_vertices=n + len(split) + 2 * len(optional) + len(ends),
            sources=np.concatenate([left[problem.sources], split, ends[1:], doors, doors, lost]),
            targets=np.concatenate([problem.targets, left[split], ends[:1], optional, lost, np.full(len(lost), goal)]),
            inputs=np.concatenate([np.setdiff1d(problem.inputs, optional), doors, ends[1:]]),
            outputs=np.concatenate([left[problem.outputs], ends[:1]]),
            costs=np.concatenate(
                [
                    problem.costs,
                    problem.vertex_costs[split],
                    np.zeros(len(ends[1:]) + 2 * len(optional)),
                    [problem.rules.rewards[vertex] for vertex in optional.tolist()],
                ]
            ),
            rules=Rules(),
        ),
        split=split,
        optional=optional,
        stands_for=np.concatenate([np.arange(n), split, optional, optional, np.full(len(ends), -1)]),
        n_edges=problem.n_edges,
    )
