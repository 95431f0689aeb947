"""Linear programs over cuts, and branching where they leave a gap: nodes of a certificate.

HiGHS solves min cost @ x over rows `sum of x over a cut >= 1`, x >= 0 without upper bounds, so that no dual but those
of the rows and of the branchings matters. Violated cuts come from maximum flows. All rows hold in all cases.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import highspy
import numpy as np

from solvers.backends.attentive import attentive
from solvers.backends.highs import quiet_highs
from solvers.certificate import Branch, Closed, Cut, Leaf, Node
from solvers.errors import SolverError
from solvers.problem import FloatVector, IntVector
from solvers.steiner.cuts import fractional_cuts

if TYPE_CHECKING:
    from solvers.certify import Proof

TICKS = 2**20
GRAIN = 2**44  # duals are at least as fine as 1 / GRAIN of what the engine takes for 1
MAX_NODES = {True: 400, False: 100}  # of trees by edges, and by vertices, after which edges have their turn
CUTS_A_ROUND = 60
TAIL_ROUNDS = 8  # branch when so many rounds of cuts gained less than TAIL_GAIN of what is missing
TAIL_GAIN = 0.05
INTEGRAL = 1e-6  # a value so near 0 or 1 is not branched on


@dataclass(frozen=True, eq=False)
class _Point:
    """Optimum of a linear program: bound in ticks, values of the open columns, the case as a leaf."""

    bound: int
    x: FloatVector
    leaf: Leaf


class CutTree:
    """Depth-first search over cases. A case leaves all columns of some sets out and demands one of each of others."""

    def __init__(self, proof: Proof, columns: IntVector, *, seed: int) -> None:
        """Start from the rows of `proof`, over these columns alone."""
        self.proof, self.columns = proof, columns
        self.grain = max(1, proof.scale.dearest * TICKS // GRAIN)
        self.position = np.full(len(proof.form.costs), -1)
        self.position[columns] = np.arange(len(columns))
        self.highs = quiet_highs(time_limit_s=math.inf, seed=seed)
        count = len(columns)
        costs = np.array([proof.form.costs[column] / proof.scale.dearest for column in columns.tolist()])
        self.highs.addVars(count, np.zeros(count), np.full(count, highspy.kHighsInf))
        self.highs.changeColsCost(count, np.arange(count, dtype=np.int32), costs)
        self.row_cuts: list[int] = []  # cut of each row of the program
        self.row_columns: list[IntVector] = []
        self.known: set[bytes] = set()
        self.set_rows: dict[int, int] = {}  # row of each cut that stands for a set to branch on
        self.sets: dict[bytes, int] = {}  # those cuts by their columns
        self.first = 0
        for cut, row in proof.rows.items():
            self._add(cut, row)

    def nodes(self) -> list[Node] | None:
        """The tree in preorder; if it does not close in time, the first program's leaf; None without even that."""
        root: Leaf | None = None
        most = MAX_NODES[self.proof.form.is_by_edges]
        found: list[Node] = []
        cases: list[tuple[tuple[int, ...], tuple[int, ...]]] = [((), ())]
        while cases:
            out, demanded = cases.pop()
            point = self._closed(out, demanded)
            if isinstance(point, Leaf | Closed):
                found.append(point)
                continue
            root = root or (point.leaf if point else None)
            columns = None if point is None else self._to_branch(point.x)
            if columns is None or len(found) + len(cases) > most or self.proof.clock.expired:
                return None if root is None else [root]
            chosen = self._set(columns)
            found.append(Branch(chosen))
            cases += [(out, (*demanded, chosen)), ((*out, chosen), demanded)]
        return found

    def _closed(self, out: tuple[int, ...], demanded: tuple[int, ...]) -> Leaf | Closed | _Point | None:
        """The node that closes a case; or the last optimum where it stays open; None where time ran out before one."""
        self._restrict(out, demanded)
        history: list[int] = []
        point: _Point | None = None
        while True:
            solved = self._solve()
            if solved is None:
                return point
            if isinstance(solved, Closed):
                return solved
            point = solved
            if point.bound >= self.proof.goal:
                return point.leaf
            history.append(point.bound)
            missing = self.proof.goal - point.bound
            slow = len(history) > TAIL_ROUNDS and history[-1] - history[-1 - TAIL_ROUNDS] < TAIL_GAIN * missing
            if (slow and self._to_branch(point.x) is not None) or not self._separate(point.x):
                return point

    def _restrict(self, out: tuple[int, ...], demanded: tuple[int, ...]) -> None:
        """Set the bounds of columns and of the rows of sets to those of a case."""
        count = len(self.columns)
        upper = np.full(count, highspy.kHighsInf)
        for chosen in out:
            upper[self.row_columns[self.set_rows[chosen]]] = 0.0
        self.highs.changeColsBounds(count, np.arange(count, dtype=np.int32), np.zeros(count), upper)
        for chosen, row in self.set_rows.items():
            self.highs.changeRowBounds(row, 1.0 if chosen in demanded else 0.0, highspy.kHighsInf)

    def _solve(self) -> _Point | Closed | None:
        """Optimum of the program as it stands; a row that cannot be kept; None at the time limit."""
        if math.isfinite(self.proof.clock.left_s):
            self.highs.setOptionValue("time_limit", self.highs.getRunTime() + self.proof.clock.left_s)
        attentive(self.highs.run)
        status = self.highs.getModelStatus()
        if status == highspy.HighsModelStatus.kTimeLimit:
            return None
        if status == highspy.HighsModelStatus.kInfeasible:
            return self._broken_row()
        if status not in (highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kModelEmpty):
            raise SolverError(f"HiGHS ended with {self.highs.modelStatusToString(status)}")
        solution = self.highs.getSolution()
        active = np.array(self.highs.getLp().row_lower_) > 0
        duals = list(zip(self.row_cuts, self._ticks(np.where(active, solution.row_dual, 0.0)), strict=True))
        bound = self.proof.constant + sum(dual for _, dual in duals)
        leaf = Leaf((*self.proof.settled, *((cut, dual) for cut, dual in duals if dual)))
        return _Point(bound, np.array(solution.col_value), leaf)

    def _broken_row(self) -> Closed:
        """A row of which no column is left."""
        program = self.highs.getLp()
        upper, lower = np.array(program.col_upper_), np.array(program.row_lower_)
        for row, columns in enumerate(self.row_columns):
            if lower[row] > 0 and not upper[columns].any():
                return Closed(self.row_cuts[row])
        raise SolverError("expected a cut without open edges in an infeasible program, found none")

    def _ticks(self, duals: FloatVector) -> list[int]:
        """Duals as whole multiples of the grain, rounded down but for the last digits of floats."""
        per_grain = self.proof.scale.dearest * TICKS / self.grain
        return [int(number) * self.grain for number in np.floor(np.maximum(duals, 0.0) * per_grain + 1e-3)]

    def _separate(self, x: FloatVector) -> int:
        """Add rows that a point violates; how many."""
        values = np.zeros(len(self.position))
        values[self.columns] = np.minimum(x, 1.0)
        added = 0
        for side in self.proof.form.sides:
            spread = np.where(side.column >= 0, values[side.column], 1.0)
            for arcs in fractional_cuts(side.instance, spread, self.proof.clock, first=self.first, most=CUTS_A_ROUND):
                cut, is_new = self.proof.new_row(side.row(arcs, side.terminal_behind(arcs)))
                added += is_new and self._add(cut, self.proof.rows[cut])
        self.first += 17
        return added

    def _add(self, cut: int, row: IntVector) -> bool:
        """Add a row over the open columns, unless the program has it."""
        columns = self.position[row]
        columns = np.sort(columns[columns >= 0]).astype(np.int32)
        key = columns.tobytes()
        if key in self.known:
            return False
        self.known.add(key)
        self._new_row(cut, columns, at_least=1.0)
        return True

    def _new_row(self, cut: int, columns: IntVector, *, at_least: float) -> None:
        self.row_cuts.append(cut)
        self.row_columns.append(columns)
        self.highs.addRow(at_least, highspy.kHighsInf, len(columns), columns, np.ones(len(columns)))

    def _to_branch(self, x: FloatVector) -> IntVector | None:
        """Open columns of the group whose sum is nearest to one half, else one column; None where all are integral."""
        group = self.proof.form.group[self.columns]
        sums = np.bincount(group, weights=np.minimum(x, 1.0)) if len(x) else np.zeros(0)
        for values, members in ((sums, group), (x, np.arange(len(x)))):
            distance = np.abs(values - 0.5)
            if len(values) and distance.min() < 0.5 - INTEGRAL:
                return np.flatnonzero(members == distance.argmin())
        return None

    def _set(self, columns: IntVector) -> int:
        """The cut that stands for the edges of open columns."""
        columns = columns.astype(np.int32)
        key = columns.tobytes()
        if key not in self.sets:
            edges = (edge for column in self.columns[columns].tolist() for edge in self.proof.form.edges[column])
            self.sets[key] = self.proof.new_cut(Cut(None, tuple(sorted(edges))))
            self.set_rows[self.sets[key]] = len(self.row_cuts)
            self._new_row(self.sets[key], columns, at_least=0.0)
        return self.sets[key]
