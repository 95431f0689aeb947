"""Disjoint routes (`Rules.disjoint_routes`): cuts by Menger's theorem, added where a choice has too few.

Let an input v have at least k paths to outputs that share nothing but v and outputs. Remove any set C of vertices
(neither v nor outputs) and any set D of edges so that v no longer reaches an output. Each of the paths uses one of
them, and no two paths the same, so sum of x over D >= k - |C| holds for every feasible choice (times y_v for an input
that may be left out). A choice without k such paths violates the row of a minimum cut (Menger 1927).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array, vstack

from solvers.backends.base import MixedIntegerProgram
from solvers.clock import Clock
from solvers.milp.columns import Columns
from solvers.milp.ways import Bundle, Ways
from solvers.problem import FloatVector, IntVector, Problem

Cut = tuple[dict[int, float], float]  # coefficients by column, and the least value of the sum


def missing_routes(
    problem: Problem, columns: Columns, available: Mapping[int, int], x: FloatVector, clock: Clock
) -> list[Cut]:
    """Rows that a choice violates, one an input at most; none where the rules do not ask for disjoint routes.

    When the clock expires the rows found by then are given.

    Args:
        problem: The problem of the program.
        columns: Its columns.
        available: Routes that each input has to have, as `available_routes` says.
        x: The choice.
        clock: Time left.
    """
    if not problem.rules.disjoint_routes:
        return []
    chosen = x[: problem.n_edges] > 0.5
    ways, separator = Ways(problem, chosen), _Separator(problem)
    touched = np.union1d(problem.sources[chosen], problem.targets[chosen])
    cuts: list[Cut] = []
    for vertex in problem.inputs[np.isin(problem.inputs, touched)].tolist():
        least = available[vertex]
        if clock.expired:
            break
        paths = ways.most(vertex, least) if least > 1 else None
        if paths is None or paths.count >= least:
            continue
        paths.extend()  # in vain; what it comes to is one side of a minimum cut
        edges, n_vertices = separator.cut(paths)
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


class _Separator:
    """Reads minimum cuts off paths to which none can be added."""

    def __init__(self, problem: Problem) -> None:
        self.problem, n = problem, problem.n_vertices
        _, first, place = np.unique(problem.sources * n + problem.targets, return_index=True, return_inverse=True)
        counts = first[place] == np.arange(problem.n_edges)  # of parallel edges the first
        self.edges = np.flatnonzero(counts & ~np.isin(problem.sources, problem.outputs))

    def cut(self, paths: Bundle) -> tuple[IntVector, int]:
        """Edges (usable or not) and number of vertices whose loss cuts the input off from all outputs."""
        entered, left = paths.inside(self.problem.n_vertices)
        entered[paths.start] = True  # no way comes back to it
        vertices = int((entered & ~left).sum())
        tails, heads = self.problem.sources[self.edges], self.problem.targets[self.edges]
        return self.edges[left[tails] & ~entered[heads]], vertices


def available_routes(problem: Problem, clock: Clock | None = None) -> dict[int, int]:
    """For each input the disjoint routes that the network has, counted up to `Rules.min_routes`.

    When the clock expires one is said of the rest, which is true of every input.
    """
    clock, ways = clock or Clock(), Ways(problem)
    return {
        vertex: 1 if clock.expired else ways.most(vertex, problem.rules.min_routes).count
        for vertex in problem.inputs.tolist()
    }
