"""Rows that single rules add to the acyclic-flow program; one function a rule."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from solvers.arrays import neighbours, reachable
from solvers.milp.columns import Columns, Rows
from solvers.problem import FloatVector, IntVector, Problem


def extra_rows(problem: Problem, columns: Columns, routes: Mapping[int, int]) -> list[Rows]:
    """The rows of all rules that the problem has; `routes` are those that inputs must have, where they are disjoint."""
    rules = problem.rules
    blocks = []
    if columns.used:
        blocks.append(_end_rows(problem, columns))
    if rules.max_parents is not None:
        blocks.append(_parent_rows(problem, rules.max_parents))
    if rules.max_depth is not None:
        span = np.full(problem.n_edges, rules.max_depth + 1.0)
        blocks.append(order_rows(problem, np.arange(problem.n_edges), span, columns.order))
    if rules.min_routes > 1:
        blocks.append(_route_rows(problem, columns, routes))
    if rules.signs is not None:
        blocks.append(_state_rows(problem, columns, np.array(rules.signs)))
    if rules.excluded:
        blocks.append(_exclusion_rows(problem))
    return blocks


class _Writer:
    """Collects rows one by one."""

    def __init__(self) -> None:
        self.row: list[int] = []
        self.column: list[int] = []
        self.value: list[float] = []
        self.lower: list[float] = []
        self.upper: list[float] = []

    def add(self, terms: dict[int, float], *, lower: float = -np.inf, upper: float = np.inf) -> None:
        """lower <= sum of value times column <= upper."""
        self.row += [len(self.lower)] * len(terms)
        self.column += terms.keys()
        self.value += terms.values()
        self.lower.append(lower)
        self.upper.append(upper)

    def rows(self) -> Rows:
        """What was collected."""
        return Rows(
            np.array(self.row, dtype=np.int64),
            np.array(self.column, dtype=np.int64),
            np.array(self.value, dtype=np.float64),
            np.array(self.lower, dtype=np.float64),
            np.array(self.upper, dtype=np.float64),
        )


def _end_rows(problem: Problem, columns: Columns) -> Rows:
    """A vertex is used exactly if an edge at it is active."""
    out_of = neighbours(problem.n_vertices, problem.sources, np.arange(problem.n_edges))
    into = neighbours(problem.n_vertices, problem.targets, np.arange(problem.n_edges))
    writer = _Writer()
    for vertex, column in columns.used.items():
        edges = out_of[vertex] + into[vertex]
        for edge in edges:
            writer.add({column: 1.0, edge: -1.0}, lower=0.0)
        writer.add({column: -1.0, **dict.fromkeys(edges, 1.0)}, lower=0.0)
    return writer.rows()


def _parent_rows(problem: Problem, most: int) -> Rows:
    edges = np.arange(problem.n_edges)
    n_rows = problem.n_vertices
    return Rows(
        problem.targets, edges, np.ones(problem.n_edges), np.full(n_rows, -np.inf), np.full(n_rows, float(most))
    )


def order_rows(problem: Problem, edges: IntVector, span: FloatVector, first: int, *, active: int = 0) -> Rows:
    """L_v - L_u >= 1 - S (1 - x_uv) for these edges.

    Args:
        problem: The problem.
        edges: Which edges.
        span: S of each edge of the problem, shape (n_edges,).
        first: First of the columns L.
        active: First of the columns x.
    """
    row, wide = np.arange(len(edges)), span[edges]
    return Rows(
        row=np.concatenate([row, row, row]),
        column=np.concatenate([first + problem.targets[edges], first + problem.sources[edges], active + edges]),
        value=np.concatenate([np.ones(len(edges)), -np.ones(len(edges)), -wide]),
        lower=1.0 - wide,
        upper=np.full(len(edges), np.inf),
    )


def regulators(problem: Problem) -> dict[int, list[tuple[int, IntVector]]]:
    """For each input the vertices that follow it and lead to an output without it, each with its (parallel) edges."""
    out_of = neighbours(problem.n_vertices, problem.sources, np.arange(problem.n_edges))
    is_fed = np.isin(np.arange(problem.n_vertices), problem.targets)
    found = {}
    for vertex in problem.inputs.tolist():
        by_head: dict[int, list[int]] = {}
        for edge in out_of[vertex]:
            by_head.setdefault(int(problem.targets[edge]), []).append(edge)
        if is_fed[vertex]:
            away = (problem.sources != vertex) & (problem.targets != vertex)
            out = reachable(problem.n_vertices, problem.targets[away], problem.sources[away], problem.outputs)
            by_head = {head: edges for head, edges in by_head.items() if out[head]}
        found[vertex] = [(head, np.array(edges, dtype=np.int64)) for head, edges in sorted(by_head.items())]
    return found


def _route_rows(problem: Problem, columns: Columns, routes: Mapping[int, int]) -> Rows:
    """Regulators; with disjoint routes these rows are necessary, and cuts are added where they are not enough."""
    writer, least = _Writer(), problem.rules.min_routes
    for vertex, followers in regulators(problem).items():
        terms = {columns.bundles.get((vertex, head), int(edges[0])): 1.0 for head, edges in followers}
        need = float(routes.get(vertex, min(least, len(followers))))
        if vertex in columns.used:
            writer.add({columns.used[vertex]: -need, **terms}, lower=0.0)
        else:
            writer.add(terms, lower=need)
    for (tail, head), bundle in columns.bundles.items():
        edges = np.flatnonzero((problem.sources == tail) & (problem.targets == head))
        writer.add({bundle: -1.0, **dict.fromkeys(edges.tolist(), 1.0)}, lower=0.0)
    return writer.rows()


def _state_rows(problem: Problem, columns: Columns, signs: IntVector) -> Rows:
    writer = _Writer()
    for edge in np.flatnonzero(signs).tolist():
        tail, head = columns.states + int(problem.sources[edge]), columns.states + int(problem.targets[edge])
        if signs[edge] > 0:
            writer.add({edge: 1.0, tail: 1.0, head: -1.0}, upper=1.0)
            writer.add({edge: 1.0, tail: -1.0, head: 1.0}, upper=1.0)
        else:
            writer.add({edge: 1.0, tail: 1.0, head: 1.0}, upper=2.0)
            writer.add({edge: 1.0, tail: -1.0, head: -1.0}, upper=0.0)
    return writer.rows()


def _exclusion_rows(problem: Problem) -> Rows:
    """At least one edge is other than in each excluded set."""
    writer = _Writer()
    for edges in problem.rules.excluded:
        terms = dict.fromkeys(range(problem.n_edges), 1.0)
        terms.update(dict.fromkeys(edges, -1.0))
        writer.add(terms, lower=1.0 - len(edges))
    return writer.rows()
