"""How many edges must go: an integer program over cycles found so far, first its linear relaxation.

Columns: x_e = 1 if edge e is not kept, cost 1; y_a = 1 if no edge of arc a between two groups is kept, cost 0 (one
column with x_e where the arc is one edge). A cycle is covered, and what the cover rules imply is added, both only
where a point breaks it:

    cycle   sum of y over a cycle of groups >= 1                       (`contract`: kept arcs are acyclic)
    arc     x_e >= y_a                                                 every edge of an arc with several
    need    1 - x_uv <= sum_{w != u} (1 - x_vw)                        v no output; mirrored; the same for y
    role    sum over edges out of an input (1 - x) >= 1                mirrored for outputs; the same for groups

"w != u": if uv is kept, its reverse is not. Every feasible set fulfils all rows, so the optimum of the program over any
of them, rounded up, is a number of edges that must go. Conversely an integer point that breaks none is feasible: with
the cycle rows it is acyclic, and then the needs put every edge on a walk from an input to an output (see `feasible`).

Reference: A. Baharev, H. Schichl, A. Neumaier, T. Achterberg, "An exact method for the minimum feedback arc set
problem", ACM Journal of Experimental Algorithmics 26 (2021) 1.4: cycles on demand in a set-cover program. The needs and
the contraction are ours.
"""

from __future__ import annotations

import math

import highspy
import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from solvers.arrays import neighbours
from solvers.backends.attentive import attentive
from solvers.backends.highs import exact_in_integers, quiet_highs
from solvers.bounds import rounded_up
from solvers.clock import Clock
from solvers.errors import SolverError
from solvers.largest.contract import Contracted
from solvers.largest.feasible import marked
from solvers.problem import BoolVector, FloatVector, IntVector, Problem

VIOLATION = 1e-3  # of a row that is worth adding to the linear program
SLACK = 1e-4  # a bound so little above a whole number is that number: HiGHS works to 1e-7 a column, and there are many
ROOTS = 512  # searches at once, which bounds memory
USES = 3  # cycles of one round that may share an arc

Row = tuple[float, IntVector, FloatVector]  # least value, columns, coefficients


class CycleProgram:
    """A HiGHS model of which edges go, its rows added on demand.

    Attributes:
        bound: So many edges must go.
        n_rows: Rows so far.
        n_nodes: Of the last branch and bound, at least 1.
        point: Value of each column at the last optimum; None before the first.
    """

    def __init__(self, problem: Problem, contracted: Contracted, clock: Clock, *, seed: int) -> None:
        self.clock, self.n_edges, self.arc_edges = clock, problem.n_edges, contracted.edges
        self.bound, self.n_rows, self.n_nodes = 0, 0, 0
        self.point: FloatVector | None = None
        self.known: set[bytes] = set()
        self.column, n_columns = _columns(problem, contracted)
        self.highs = quiet_highs(time_limit_s=math.inf, seed=seed)
        cost = np.zeros(n_columns)
        cost[: problem.n_edges] = 1.0
        lower = np.zeros(n_columns)
        lower[contracted.lost] = 1.0
        self.highs.addVars(n_columns, lower, np.ones(n_columns))
        self.highs.changeColsCost(n_columns, np.arange(n_columns, dtype=np.int32), cost)
        self.cycles = _Cycles(contracted)
        edges = np.arange(problem.n_edges)
        is_input, is_output = (marked(problem.n_vertices, each) for each in (problem.inputs, problem.outputs))
        ends, groups = (problem.sources, problem.targets), (contracted.tails, contracted.heads)
        self.needs = [
            _Needs(*ends, edges, settled=is_output, vital=is_input & ~is_output),
            _Needs(*ends[::-1], edges, settled=is_input, vital=is_output & ~is_input),
            _Needs(*groups, self.column, settled=contracted.out, vital=contracted.fed & ~contracted.out),
            _Needs(*groups[::-1], self.column, settled=contracted.fed, vital=contracted.out & ~contracted.fed),
        ]
        for arc in np.flatnonzero(self.column >= problem.n_edges).tolist():
            for edge in contracted.edges[arc]:
                self._add((0.0, np.array([edge, self.column[arc]]), np.array([1.0, -1.0])))
        for pair in self.cycles.of_two():
            self._add(self._cycle_row(pair))

    def separate(self, point: FloatVector, *, least: float) -> int:
        """Add rows that a point breaks by more than `least`; gives their number."""
        rows = [row for needs in self.needs for row in needs.broken(point, least)]
        rows += [self._cycle_row(cycle) for cycle in self.cycles.broken(point[self.column], least, self.clock)]
        return sum(self._add(row) for row in rows)

    def make_integer(self) -> None:
        """From now on solve in integers."""
        count = self.highs.getNumCol()
        kinds = np.full(count, highspy.HighsVarType.kInteger)
        self.highs.changeColsIntegrality(count, np.arange(count, dtype=np.int32), kinds)
        exact_in_integers(self.highs)

    def begin_with(self, kept: IntVector) -> None:
        """Give a feasible set of edges to the next integer solve."""
        values = np.ones(self.highs.getNumCol())
        values[kept] = 0.0
        for arc in np.flatnonzero(self.column >= self.n_edges).tolist():
            values[self.column[arc]] = values[list(self.arc_edges[arc])].min()
        self.highs.setSolution(len(values), np.arange(len(values), dtype=np.int32), values)

    def solve(self, *, max_nodes: int | None = None) -> bool:
        """Optimise the model as it stands, raise the bound; whether that ended with an optimum, now in `point`.

        Args:
            max_nodes: Of branch and bound, once the model is integer; None: no limit.
        """
        self.n_nodes = 0
        integer = bool(self.highs.getLp().integrality_)
        if self.clock.expired:
            return False
        if math.isfinite(self.clock.left_s):
            self.highs.setOptionValue("time_limit", self.highs.getRunTime() + self.clock.left_s)
        if max_nodes is not None:
            self.highs.setOptionValue("mip_max_nodes", max_nodes)
        self.highs.HandleUserInterrupt = True  # so that cancelSolve is heard
        attentive(self.highs.run, cancel=self.highs.cancelSolve, stopped=lambda: self.clock.interrupted)
        status, info = self.highs.getModelStatus(), self.highs.getInfo()
        self.n_nodes = max(1, int(info.mip_node_count))
        if status == highspy.HighsModelStatus.kOptimal:
            self.point = np.array(self.highs.getSolution().col_value)
            self._raise(info.mip_dual_bound if integer else info.objective_function_value)
            return True
        if status in (highspy.HighsModelStatus.kInfeasible, highspy.HighsModelStatus.kUnboundedOrInfeasible):
            raise SolverError("HiGHS calls a feasible program of cycles infeasible; report this with the network")
        if integer:
            self._raise(info.mip_dual_bound)
        return False

    def _raise(self, value: float) -> None:
        if math.isfinite(value):
            self.bound = max(self.bound, int(rounded_up(value, slack=SLACK)))

    def _cycle_row(self, arcs: IntVector) -> Row:
        return 1.0, self.column[arcs], np.ones(len(arcs))

    def _add(self, row: Row) -> bool:
        """Add a row unless the model has it."""
        least, columns, values = row
        order = np.argsort(columns, kind="stable")
        columns, values = columns[order].astype(np.int32), values[order]
        key = columns.tobytes() + values.astype(np.int8).tobytes()
        if key in self.known:
            return False
        self.known.add(key)
        self.highs.addRow(least, highspy.kHighsInf, len(columns), columns, values)
        self.n_rows += 1
        return True


def _columns(problem: Problem, contracted: Contracted) -> tuple[IntVector, int]:
    """Column of each arc: that of its edge, or one of its own behind those of the edges; and their number."""
    several = contracted.weights > 1
    column = np.array([edges[0] for edges in contracted.edges], dtype=np.int64)
    column[several] = problem.n_edges + np.arange(several.sum())
    return column, problem.n_edges + int(several.sum())


class _Cycles:
    """Search for cycles of inner arcs that a point covers too little."""

    def __init__(self, contracted: Contracted) -> None:
        self.arcs = np.flatnonzero(contracted.inner)
        groups, ends = np.unique([contracted.tails[self.arcs], contracted.heads[self.arcs]], return_inverse=True)
        self.tails, self.heads = ends.reshape(2, -1).astype(np.int64)
        self.n_groups = len(groups)
        self.into = dict(
            zip(zip(self.tails.tolist(), self.heads.tolist(), strict=True), range(len(self.arcs)), strict=True)
        )

    def of_two(self) -> list[IntVector]:
        """All pairs of opposite arcs."""
        pairs = [(arc, self.into.get((head, tail), -1)) for (tail, head), arc in self.into.items()]
        return [self.arcs[[arc, back]] for arc, back in pairs if back > arc]

    def broken(self, values: FloatVector, least: float, clock: Clock) -> list[IntVector]:
        """For each arc, as far as other cycles leave it free, a cycle through it with a sum below 1 - least."""
        values = np.clip(values[self.arcs], 0.0, 1.0)
        graph = csr_array((values + 1e-6, (self.tails, self.heads)), shape=(self.n_groups, self.n_groups))
        used = [0] * len(self.arcs)
        found = []
        order = np.argsort(self.heads, kind="stable")
        first = np.searchsorted(self.heads[order], np.arange(self.n_groups + 1))
        for start in range(0, self.n_groups, ROOTS):
            if clock.expired:
                break
            roots = np.arange(start, min(start + ROOTS, self.n_groups))
            lengths, ways = dijkstra(graph, indices=roots, return_predecessors=True, limit=1.0)
            arcs = order[first[roots[0]] : first[roots[-1] + 1]]
            sums = values[arcs] + lengths[self.heads[arcs] - start, self.tails[arcs]]
            chosen = np.flatnonzero(sums < 1.0 - least)
            for arc in arcs[chosen[np.argsort(sums[chosen], kind="stable")]].tolist():
                if used[arc] < USES:
                    cycle = self._way(arc, ways[self.heads[arc] - start])
                    if max(used[each] for each in cycle) >= USES:
                        continue
                    found.append(self.arcs[cycle])
                    for each in cycle:
                        used[each] += 1
        return found

    def _way(self, arc: int, ways: IntVector) -> list[int]:
        """An arc and those of the shortest way from its head back to its tail."""
        cycle, vertex, root = [arc], int(self.tails[arc]), int(self.heads[arc])
        while vertex != root:
            previous = int(ways[vertex])
            cycle.append(self.into[previous, vertex])
            vertex = previous
        return cycle


class _Needs:
    """The need and role rows of one direction: written for "an edge goes on", exchange tails and heads to mirror."""

    def __init__(
        self, tails: IntVector, heads: IntVector, column: IntVector, *, settled: BoolVector, vital: BoolVector
    ) -> None:
        self.tails, self.heads, self.column = tails, heads, column
        self.n_ends = len(settled)
        self.asking = ~settled[heads]
        self.vital = np.flatnonzero(vital)
        self.onward = neighbours(self.n_ends, tails, np.arange(len(tails)))
        keys, self.key_of = np.unique(tails * self.n_ends + heads, return_inverse=True)
        back = np.searchsorted(keys, heads * self.n_ends + tails)
        self.n_keys = len(keys)
        inside = np.minimum(back, self.n_keys - 1)
        self.back_of = np.where(keys[inside] == heads * self.n_ends + tails, inside, self.n_keys)

    def broken(self, point: FloatVector, least: float) -> list[Row]:
        """Rows that a point breaks by more than `least`."""
        kept = 1.0 - point[self.column]
        onward = np.bincount(self.tails, kept, self.n_ends)
        back = np.bincount(self.key_of, kept, self.n_keys + 1)[self.back_of]
        short = self.asking & (kept - (onward[self.heads] - back) > least)
        rows = [self._need(edge) for edge in np.flatnonzero(short).tolist()]
        return rows + [self._role(end) for end in self.vital[onward[self.vital] < 1.0 - least].tolist()]

    def _need(self, edge: int) -> Row:
        tail, head = self.tails[edge], self.heads[edge]
        others = [other for other in self.onward[head] if self.heads[other] != tail]
        columns = self.column[[edge, *others]]
        return 1.0 - len(others), columns, np.array([1.0] + [-1.0] * len(others))

    def _role(self, end: int) -> Row:
        edges = self.onward[end]
        return 1.0 - len(edges), self.column[edges], np.full(len(edges), -1.0)
