"""Where the columns of the acyclic-flow program are, and the form in which its rows are written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from solvers.problem import BoolVector, FloatVector, IntVector, Problem
from solvers.rules import Sample


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows of a program: coefficients as (row, column, value) triples and bounds per row."""

    row: IntVector
    column: IntVector
    value: FloatVector
    lower: FloatVector
    upper: FloatVector


@dataclass(frozen=True)
class Flow:
    """First columns of what one sample has: flow on edges, then at its inputs and outputs.

    Attributes:
        edges: Of the flow on edges.
        ends: Of what inputs inject, then of what outputs drain.
        active: Of the edges that the flow may use; 0, the edges of the network, unless the sample has its own.
        order: Of the positions of vertices among those; only where it has its own.
    """

    edges: int
    ends: int
    active: int = 0
    order: int = 0


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns of a program; edges come first.

    Attributes:
        count: How many there are.
        used: Column y of each vertex that has one.
        flows: Of each sample.
        order: First of the positions, one a vertex; meaningless without order.
        states: First of the states, one a vertex; meaningless without signs.
        bundles: Column u of each pair of vertices that several parallel edges join; only where routes are counted.
        cost: Shape (count,).
        lower: Shape (count,); flows are bounded by the formulation.
        upper: Shape (count,).
        integer: Shape (count,).
    """

    count: int
    used: Mapping[int, int]
    flows: Sequence[Flow]
    order: int
    states: int
    bundles: Mapping[tuple[int, int], int]
    cost: FloatVector
    lower: FloatVector
    upper: FloatVector
    integer: BoolVector


def make_columns(problem: Problem, samples: Sequence[Sample], *, with_order: bool, own_orders: bool) -> Columns:
    """Give every block its place, its cost (a reward that is earned is a cost of its negative) and its bounds.

    Args:
        problem: Normal (`solvers.reduce.normal`).
        samples: Of the problem, or one that stands for it.
        with_order: The vertices have positions.
        own_orders: Every sample has edges and positions of its own.
    """
    rules, n_edges, n_vertices = problem.rules, problem.n_edges, problem.n_vertices
    touched = np.unique(np.concatenate([problem.sources, problem.targets]))
    speaks = {*rules.rewards, *rules.forced_vertices, *np.flatnonzero(problem.vertex_costs).tolist()}
    named = [vertex for vertex in touched.tolist() if vertex in speaks]
    used = {vertex: n_edges + place for place, vertex in enumerate(named)}
    order = n_edges + len(used)
    states = order + (n_vertices if with_order else 0)
    first = states + (n_vertices if rules.signs is not None else 0)
    bundles = {pair: first + place for place, pair in enumerate(_bundles(problem))}
    first += len(bundles)
    flows = []
    for sample in samples:
        ends, active = first + n_edges, first + n_edges + len(sample.inputs) + len(sample.outputs)
        if own_orders:
            flows.append(Flow(edges=first, ends=ends, active=active, order=active + n_edges))
            first = active + n_edges + n_vertices
        else:
            flows.append(Flow(edges=first, ends=ends))
            first = active
    cost, lower, upper = np.zeros(first), np.zeros(first), np.ones(first)
    integer = np.zeros(first, dtype=bool)
    cost[:n_edges] = problem.costs
    integer[: n_edges + len(used)] = True
    for flow in flows if own_orders else ():
        integer[flow.active : flow.order] = True
        upper[flow.order : flow.order + n_vertices] = n_vertices
    for vertex, column in used.items():
        cost[column] = problem.vertex_costs[vertex] - rules.rewards.get(vertex, 0.0)
    lower[[used[vertex] for vertex in rules.forced_vertices if vertex in used]] = 1.0
    lower[list(rules.forced_edges)] = 1.0
    if with_order:
        upper[order:states] = n_vertices if rules.max_depth is None else rules.max_depth
    if rules.signs is not None:
        integer[states : states + n_vertices] = True
        for vertex, state in rules.states.items():
            lower[states + vertex] = upper[states + vertex] = 1.0 if state > 0 else 0.0
    return Columns(first, used, tuple(flows), order, states, bundles, cost, lower, upper, integer)


def _bundles(problem: Problem) -> list[tuple[int, int]]:
    """Pairs of vertices with several parallel edges, which count as one step of a route."""
    if problem.rules.min_routes < 2:
        return []
    pairs, counts = np.unique(np.stack([problem.sources, problem.targets], axis=1), axis=0, return_counts=True)
    return [(int(tail), int(head)) for tail, head in pairs[counts > 1].tolist()]
