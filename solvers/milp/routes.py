"""Disjoint routes (`Rules.disjoint_routes`): cuts by Menger's theorem, added where a choice has too few.

Let an input v have at least k paths to outputs that share nothing but v and outputs. Remove any set C of vertices
(neither v nor outputs) and any set D of edges so that v no longer reaches an output. Each of the paths uses one of
them, and no two paths the same, so sum of x over D >= k - |C| holds for every feasible choice (times y_v for an input
that may be left out). A choice without k such paths violates the row of a minimum cut (Menger 1927).
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array, vstack
from scipy.sparse.csgraph import maximum_flow

from solvers.arrays import reachable
from solvers.backends.base import MixedIntegerProgram
from solvers.clock import Clock
from solvers.milp.columns import Columns
from solvers.problem import BoolVector, FloatVector, IntVector, Problem

Cut = tuple[dict[int, float], float]  # coefficients by column, and the least value of the sum


def missing_routes(problem: Problem, columns: Columns, x: FloatVector, clock: Clock) -> list[Cut]:
    """Rows that a choice violates, one an input at most; none where the rules do not ask for disjoint routes.

    When the clock expires the rows found by then are given.
    """
    if not problem.rules.disjoint_routes:
        return []
    network, available = _Split(problem), available_routes(problem)
    chosen = x[: problem.n_edges] > 0.5
    touched = np.union1d(problem.sources[chosen], problem.targets[chosen])
    cuts: list[Cut] = []
    for vertex in problem.inputs[np.isin(problem.inputs, touched)].tolist():
        least = available[vertex]
        if clock.expired:
            break
        if least < 2 or network.count(vertex, chosen) >= least:
            continue
        edges, n_vertices = network.cut(vertex, chosen)
        ends = zip(edges.tolist(), problem.sources[edges].tolist(), problem.targets[edges].tolist(), strict=True)
        terms = {columns.bundles.get((tail, head), edge): 1.0 for edge, tail, head in ends}
        if vertex in columns.used:
            cuts.append(({**terms, columns.used[vertex]: float(n_vertices - least)}, 0.0))
        else:
            cuts.append((terms, float(least - n_vertices)))
    return cuts


def with_rows(program: MixedIntegerProgram, cuts: list[Cut]) -> MixedIntegerProgram:
    """The program with more rows."""
    row = np.concatenate([np.full(len(terms), number) for number, (terms, _) in enumerate(cuts)])
    column = np.concatenate([np.array(list(terms), dtype=np.int64) for terms, _ in cuts])
    value = np.concatenate([np.array(list(terms.values())) for terms, _ in cuts])
    more = csr_array((value, (row, column)), shape=(len(cuts), program.matrix.shape[1]))
    return replace(
        program,
        matrix=csr_array(vstack([program.matrix, more])),
        row_lower=np.append(program.row_lower, [least for _, least in cuts]),
        row_upper=np.append(program.row_upper, np.full(len(cuts), np.inf)),
    )


class _Split:
    """The network with each vertex split in two, so that a flow counts paths that share no inner vertex.

    Vertex v enters at v and leaves at n + v; outputs lead to one sink and nowhere else.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem, n = problem, problem.n_vertices
        self.sink, self.size = 2 * n, 2 * n + 1
        inner = np.setdiff1d(np.arange(n), problem.outputs)
        self.tails = np.concatenate([inner, problem.outputs, n + problem.sources])
        self.heads = np.concatenate([n + inner, np.full(len(problem.outputs), self.sink), problem.targets])
        self.n_inner, self.n_fixed = len(inner), n
        self.from_output = np.isin(problem.sources, problem.outputs)
        _, first, place = np.unique(problem.sources * n + problem.targets, return_index=True, return_inverse=True)
        self.bundle = first[place]  # the first of the edges that are parallel to each edge

    def _capacity(self, start: int, usable: BoolVector) -> IntVector:
        many = self.problem.rules.min_routes
        edges = np.where(usable & ~self.from_output & (self.problem.targets != start), 1, 0)
        return np.concatenate([np.ones(self.n_inner), np.full(self.n_fixed - self.n_inner, many), edges]).astype(
            np.int32
        )

    def _flow(self, start: int, usable: BoolVector) -> tuple[int, csr_array, csr_array]:
        capacity = csr_array((self._capacity(start, usable), (self.tails, self.heads)), shape=(self.size, self.size))
        capacity.sum_duplicates()
        found = maximum_flow(capacity, self.problem.n_vertices + start, self.sink)
        return min(found.flow_value, self.problem.rules.min_routes), capacity, found.flow

    def count(self, start: int, usable: BoolVector) -> int:
        """Paths from an input to outputs over the usable edges that share nothing but the input and outputs."""
        return int(self._flow(start, self._single(usable))[0])

    def cut(self, start: int, usable: BoolVector) -> tuple[IntVector, int]:
        """Edges (usable or not) and number of vertices whose loss cuts the input off from all outputs."""
        _, capacity, flow = self._flow(start, self._single(usable))
        left = (capacity - flow).tocoo()
        open_arcs = left.data > 0
        inside = reachable(
            self.size,
            left.row[open_arcs].astype(np.int64),
            left.col[open_arcs].astype(np.int64),
            np.array([self.problem.n_vertices + start]),
        )
        leaves = inside[self.tails] & ~inside[self.heads]
        vertices = int(leaves[: self.n_inner].sum())
        edges = np.flatnonzero(leaves[self.n_fixed :])
        counts = ~self.from_output[edges] & (self.problem.targets[edges] != start)
        return edges[counts & (self.bundle[edges] == edges)], vertices

    def _single(self, usable: BoolVector) -> BoolVector:
        """Of parallel edges the first, usable if one of them is."""
        every = np.zeros(len(self.bundle), dtype=bool)
        every[self.bundle[usable]] = True
        return every & (self.bundle == np.arange(len(self.bundle)))


@lru_cache(maxsize=2)
def available_routes(problem: Problem) -> dict[int, int]:
    """For each input the disjoint routes that the network has, counted up to `Rules.min_routes`."""
    network = _Split(problem)
    every = np.ones(problem.n_edges, dtype=bool)
    n_ways = np.bincount(
        np.unique(np.stack([problem.sources, problem.targets]), axis=1)[0], minlength=problem.n_vertices
    )
    return {
        vertex: network.count(vertex, every) if n_ways[vertex] > 1 else int(n_ways[vertex])
        for vertex in problem.inputs.tolist()
    }
