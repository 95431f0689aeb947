"""Two ways to look for cuts of a problem, arc form and node form, and the way back from either to its edges.

A form has *columns*: what a row of its linear program counts. In the arc form they are edges, in the node form
vertices, each of which pays once for all edges out of it (see `solvers.steiner.instance`). Any duals that respect the
costs of the columns respect the costs of the edges: an edge cut of the node form holds edges out of the vertices of its
row alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from solvers.arrays import grouped, neighbours, reachable
from solvers.certificate import Cut
from solvers.problem import FloatVector, IntVector, Problem
from solvers.steiner.compact import Compact, compact
from solvers.steiner.feed import with_feeders
from solvers.steiner.instance import Instance, rooted, uniform_out_cost

Place = Callable[[list[int], int], tuple[list[int], int]]


@dataclass(frozen=True, eq=False)
class Row:
    """A cut of the problem, and the columns that it holds, sorted."""

    cut: Cut
    columns: IntVector


class Side:
    """One direction of search: from inputs to joined outputs, or back from outputs to joined inputs.

    Attributes:
        instance: Where dual ascent and maximum flows look for cuts.
        column: Column of each arc, -1 for free ones, shape (n_arcs,).
    """

    def __init__(self, instance: Instance, column: IntVector, place: Place, tails: IntVector, heads: IntVector) -> None:
        """Take an instance over the problem's edges tails -> heads.

        `place` gives, for the vertices inside a cut and its terminal, the problem's vertices inside and the witness.
        """
        self.instance, self.column, self._place = instance, column, place
        self._out_of = neighbours(instance.n_vertices, instance.tails, np.arange(instance.n_arcs))
        self._heads = instance.heads.tolist()
        n_vertices = int(max(tails.max(initial=0), heads.max(initial=0))) + 1
        self._edges_out = neighbours(n_vertices, tails, np.arange(len(tails)))
        self._edge_heads = heads.tolist()
        self._stamp, self._turn = [0] * instance.n_vertices, 0

    def row(self, arcs: IntVector, terminal: int) -> Row:
        """The cut around what a terminal reaches without these arcs; the arcs that leave it are among them."""
        inside, leaving = self._around(terminal, set(arcs.tolist()))
        vertices, witness = self._place(inside, terminal)
        held = set(vertices)
        edges = [
            edge
            for vertex in vertices
            if vertex < len(self._edges_out)
            for edge in self._edges_out[vertex]
            if self._edge_heads[edge] not in held
        ]
        return Row(Cut(witness, tuple(sorted(edges))), np.unique(self.column[leaving]))

    def terminal_behind(self, arcs: IntVector) -> int:
        """A terminal that cannot reach the root without these arcs: the one of lowest index."""
        instance = self.instance
        kept = np.ones(instance.n_arcs, dtype=bool)
        kept[arcs] = False
        joined = reachable(instance.n_vertices, instance.heads[kept], instance.tails[kept], np.array([instance.root]))
        return int(instance.terminals[~joined[instance.terminals]].min())

    def _around(self, terminal: int, without: set[int]) -> tuple[list[int], list[int]]:
        self._turn += 1
        turn, stamp, heads = self._turn, self._stamp, self._heads
        stamp[terminal] = turn
        inside, barred = [terminal], []
        for vertex in inside:  # grows while it is walked
            for arc in self._out_of[vertex]:
                if arc in without:
                    barred.append(arc)
                elif stamp[heads[arc]] != turn:
                    stamp[heads[arc]] = turn
                    inside.append(heads[arc])
        return inside, [arc for arc in barred if stamp[heads[arc]] != turn]


@dataclass(frozen=True, eq=False)
class Form:
    """Columns, where to look for cuts, and what is paid whatever is decided.

    Attributes:
        costs: Of each column, exact, in the unit of the problem's whole costs.
        edges: Edges of the problem that each column stands for: taking none of them is not taking the column.
        group: Of each column, shape (n_columns,); a tree is better branched on all columns of a group than on one.
        sides: One or two directions.
        settled: Cuts that are paid in full beside all columns, with their duals.
        is_by_edges: Whether column i is edge i, so that any cut is a row.
    """

    costs: tuple[int, ...]
    edges: Sequence[Sequence[int]]
    group: IntVector
    sides: tuple[Side, ...]
    settled: tuple[tuple[Cut, int], ...]
    is_by_edges: bool


def arc_form(problem: Problem, costs: Sequence[int], weights: FloatVector) -> Form:
    """The form with a column for each edge; with several outputs from both directions.

    Args:
        problem: Costs >= 0, all edges on input-to-output walks.
        costs: Of each edge, exact.
        weights: The same as floats in a range that engines work in, shape (n_edges,).
    """
    sides = [_arc_side(problem.n_vertices, problem.sources, problem.targets, problem.inputs, problem.outputs, weights)]
    if len(problem.outputs) > 1:
        sides.append(
            _arc_side(problem.n_vertices, problem.targets, problem.sources, problem.outputs, problem.inputs, weights)
        )
    return Form(
        costs=tuple(costs),
        edges=[(edge,) for edge in range(problem.n_edges)],
        group=problem.sources,
        sides=tuple(sides),
        settled=(),
        is_by_edges=True,
    )


def _arc_side(
    n_vertices: int, tails: IntVector, heads: IntVector, starts: IntVector, goals: IntVector, weights: FloatVector
) -> Side:
    """Goals joined in one root without a way on; parallel edges stay, since any of them may be taken."""
    joined = np.arange(n_vertices + 1)
    joined[goals] = n_vertices
    edges = np.flatnonzero(joined[tails] != n_vertices)
    instance = Instance(n_vertices + 1, tails[edges], joined[heads[edges]], weights[edges], starts, n_vertices)
    column = np.where(weights[edges] > 0, edges, -1)
    return Side(instance, column, lambda inside, terminal: (inside, terminal), tails, heads)


def node_form(problem: Problem, costs: Sequence[int], weights: FloatVector) -> Form | None:
    """The form with a column for each vertex that is still open after the terminal reductions.

    None where ways out of a vertex differ in cost. What the reductions settle is paid by single cuts: the edges out of
    an input, or out of a vertex that an input forces as its only way.

    Args:
        problem, costs, weights: As in `arc_form`.
    """
    graph = rooted(problem.changed(costs=weights))
    cost = uniform_out_cost(graph)
    if cost is None:
        return None
    exact = dict(zip(graph.tails.tolist(), (costs[edge] for edge in graph.edges.tolist()), strict=True))
    if len(problem.outputs) > 1:
        graph = with_feeders(problem, graph)
        cost = np.append(cost, np.zeros(graph.n_vertices - len(cost)))
    small = compact(graph, cost)
    witnesses = _Witnesses(problem, graph.tails, graph.heads, graph.inputs, root=graph.root)
    vertices = small.vertices.tolist()
    n_open = len(vertices)

    def place(inside: list[int], terminal: int) -> tuple[list[int], int]:
        witness, extra = witnesses.of(vertices[terminal])
        held = [vertices[vertex] for vertex in inside if vertex < n_open]
        return [vertex for vertex in held if vertex < graph.root] + extra, witness

    instance = small.instance
    column = np.where((instance.costs > 0) & (np.arange(instance.n_arcs) < n_open), np.arange(instance.n_arcs), -1)
    side = Side(instance, column, place, problem.sources, problem.targets)
    out_of = neighbours(problem.n_vertices, problem.sources, np.arange(problem.n_edges))
    paid = instance.costs[:n_open] > 0
    return Form(
        costs=tuple(exact[vertex] if paid[column] else 0 for column, vertex in enumerate(vertices)),
        edges=[out_of[vertex] if paid[column] else () for column, vertex in enumerate(vertices)],
        group=np.arange(n_open),
        sides=(side,),
        settled=_settled(problem, small, witnesses, exact, root=graph.root),
        is_by_edges=False,
    )


class _Witnesses:
    """Which input or output shows that a vertex of the node form must be joined.

    An input shows it of itself and, if it has no edge into it and one way out, of the vertex that it forces. A feeder,
    the vertex that asks for a way into an output, stands for that output: a set of vertices that holds all vertices
    with an edge to the output, and no output, cuts the output off.
    """

    def __init__(self, problem: Problem, tails: IntVector, heads: IntVector, asking: IntVector, *, root: int) -> None:
        self._direct = {vertex: vertex for vertex in problem.inputs.tolist()}
        self._forcing: dict[int, int] = {}
        n_vertices = int(max(tails.max(), heads.max(), root)) + 1
        order, first = grouped(n_vertices, tails)
        has_tail = np.zeros(n_vertices, dtype=bool)
        has_tail[heads] = True
        fed = np.setdiff1d(problem.outputs, problem.targets[np.isin(problem.sources, problem.outputs)])
        self._feeds = dict(zip(range(root + 1, root + 1 + len(fed)), fed.tolist(), strict=True))
        for vertex in asking.tolist():
            ways = set(heads[order[first[vertex] : first[vertex + 1]]].tolist())
            if len(ways) == 1 and not has_tail[vertex]:
                self._forcing.setdefault(ways.pop(), vertex)

    def of(self, vertex: int) -> tuple[int, list[int]]:
        """Witness for a vertex, and the vertices that belong inside the cut with it."""
        if vertex in self._direct:
            return vertex, []
        asking = vertex if vertex in self._feeds else self._forcing[vertex]
        return (self._feeds[asking], []) if asking in self._feeds else (asking, [asking])


def _settled(
    problem: Problem, small: Compact, witnesses: _Witnesses, exact: dict[int, int], *, root: int
) -> tuple[tuple[Cut, int], ...]:
    out_of = neighbours(problem.n_vertices, problem.sources, np.arange(problem.n_edges))
    heads = problem.targets.tolist()
    paid = []
    for vertex in small.settled.tolist():
        if vertex < root and exact[vertex]:
            witness, extra = witnesses.of(vertex)
            inside = {vertex, *extra}
            edges = sorted(edge for member in inside for edge in out_of[member] if heads[edge] not in inside)
            paid.append((Cut(witness, tuple(edges)), exact[vertex]))
    return tuple(paid)
