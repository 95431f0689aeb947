"""The linear relaxation over directed cuts, solved by HiGHS with rows added as points violate them.

One program may serve several *views*: instances over the same arcs and costs, with terminals and a root of their own
(for several outputs: one view towards the outputs, one against the arcs towards the inputs). Columns are the arcs that
cost something; free arcs are taken anyway. Rows are cuts and local rows (`solvers.steiner.local_rows`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import highspy
import numpy as np

from solvers.backends.attentive import attentive
from solvers.backends.highs import quiet_highs
from solvers.clock import Clock
from solvers.errors import SolverError
from solvers.problem import FloatVector, IntVector
from solvers.steiner.cuts import Cut, separator
from solvers.steiner.instance import Instance
from solvers.steiner.local_rows import LocalRows
from solvers.steiner.separation import MANY, point_separator

ROWS_A_ROUND = 400  # cuts around closures, and local rows: cheap to find
FLOW_CUTS_A_ROUND = 100
FEW = 20  # cheap cuts; with fewer, maximum flows are computed
PURGE_EVERY = 6  # rounds, after which rows that do not bind are left out
TAIL_ROUNDS = 6  # the program is left when its value grew by less than `least_gain` in so many rounds
TAIL_ROUNDS_OF_ARCS = 12  # where no arc is free the relaxation is often tight, and only its point is still torn


@dataclass(frozen=True, eq=False)
class PooledCut:
    """A row `sum of x over the arcs >= 1`: the arcs, the terminal inside and the view it is a cut of."""

    arcs: IntVector
    witness: int
    view: int


class CutProgram:
    """A linear program over cuts.

    Attributes:
        views: Instances over the same arcs.
        open: Arcs that have a column, shape (n_open,).
        pool: The cuts in the program; row i is `pool[i]`, or None for a local row.
        value: Optimum of the rows so far, 0.0 before the first solve. A bound on answers over the open arcs.
        x: Value of each arc at that optimum, shape (n_arcs,); free arcs are 0.
        reduced: Reduced cost of each arc, shape (n_arcs,); inf for costly arcs without a column, 0 for free ones.
        duals: Dual of each row, shape (n_rows,).
        least_gain: The program is left when its value grows more slowly; set by the caller as the gap narrows.
        n_cuts: Cuts added so far, those that were purged included.
        rounds: Linear programs solved.
    """

    def __init__(self, views: Sequence[Instance], open_arcs: IntVector, *, seed: int, local: bool = True) -> None:
        """Make an empty program.

        Args:
            views: At least one; all have the same arcs and costs.
            open_arcs: Arcs of cost > 0 that may be used.
            seed: Of HiGHS.
            local: Whether local rows are used; they hold for answers without needless arcs.
        """
        self.views, self.open = tuple(views), open_arcs
        costs = self.views[0].costs
        self.column = np.full(len(costs), -1)
        self.column[open_arcs] = np.arange(len(open_arcs))
        self.pool: list[PooledCut | None] = []
        self.value, self.x, self.duals = 0.0, np.zeros(len(costs)), np.zeros(0)
        self.reduced = np.where(costs > 0, np.inf, 0.0)
        self.n_cuts = self.rounds = 0
        self.least_gain = 0.0
        self._known: set[bytes] = set()
        self._keys: list[bytes] = []
        self._first = 0
        self._local = LocalRows(self.views, self.column) if local else None
        self.highs = quiet_highs(time_limit_s=math.inf, seed=seed)
        self.highs.HandleUserInterrupt = True  # so that cancelSolve is heard
        count = len(open_arcs)
        self.highs.addVars(count, np.zeros(count), np.full(count, highspy.kHighsInf))
        self.highs.changeColsCost(count, np.arange(count, dtype=np.int32), costs[open_arcs])
        self.closed = np.zeros(count, dtype=bool)
        self._separators = [point_separator(view) for view in self.views]

    # -- rows --------------------------------------------------------------------------------------------------------

    def add_cuts(self, cuts: Iterable[Cut], *, view: int) -> int:
        """Add cuts of a view that the program does not have; how many were added."""
        rows = []
        for cut in cuts:
            columns = self.column[cut.arcs]
            columns = columns[columns >= 0]
            rows.append((np.ones(len(columns)), columns, 1.0, PooledCut(cut.arcs, cut.witness, view)))
        added = self._add(rows)
        self.n_cuts += added
        return added

    def _add(self, rows: Iterable[tuple[FloatVector, IntVector, float, PooledCut | None]]) -> int:
        """Add rows `sum of value times column >= least` in one go, those known already left out."""
        starts, indices, values, lower = [0], [], [], []
        for value, columns, least, cut in rows:
            order = np.argsort(columns)
            columns, value = columns[order].astype(np.int32), value[order]
            key = columns.tobytes() + (b"" if cut is not None else value.tobytes())
            if key in self._known:
                continue
            self._known.add(key)
            self._keys.append(key)
            self.pool.append(cut)
            indices.append(columns)
            values.append(value)
            lower.append(least)
            starts.append(starts[-1] + len(columns))
        count = len(lower)
        if count:
            self.highs.addRows(
                count, np.array(lower), np.full(count, highspy.kHighsInf), starts[-1],
                np.array(starts[:-1], dtype=np.int32), np.concatenate(indices), np.concatenate(values),
            )  # fmt: skip
        return count

    def purge(self) -> None:
        """Leave out rows that do not bind at the last optimum; found again, they can come back."""
        slack = np.array(self.highs.getSolution().row_value) - np.array(self.highs.getLp().row_lower_)
        basis = self.highs.getBasis()
        binds = np.array([status != highspy.HighsBasisStatus.kBasic for status in basis.row_status])
        idle = np.flatnonzero(~binds & (slack > 1e-6))
        if not len(idle):
            return
        stays = np.ones(len(self.pool), dtype=bool)
        stays[idle] = False
        self.highs.deleteRows(len(idle), idle.astype(np.int32))
        basis.row_status = [status for status, kept in zip(basis.row_status, stays.tolist(), strict=True) if kept]
        self.highs.setBasis(basis)
        self._known -= {self._keys[row] for row in idle.tolist()}
        self.pool = [cut for cut, kept in zip(self.pool, stays.tolist(), strict=True) if kept]
        self._keys = [key for key, kept in zip(self._keys, stays.tolist(), strict=True) if kept]
        self.duals = self.duals[stays]

    # -- solving -----------------------------------------------------------------------------------------------------

    def solve(self, clock: Clock) -> bool:
        """Solve the rows so far; whether that ended in time. If not, everything stays as it was.

        Raises:
            SolverError: HiGHS failed.
        """
        if math.isfinite(clock.left_s):
            self.highs.setOptionValue("time_limit", self.highs.getRunTime() + max(clock.left_s, 0.01))
        attentive(self.highs.run, cancel=self.highs.cancelSolve, stopped=lambda: clock.expired)
        status = self.highs.getModelStatus()
        if status in (highspy.HighsModelStatus.kTimeLimit, highspy.HighsModelStatus.kInterrupt):
            return False
        if status == highspy.HighsModelStatus.kInfeasible:  # no answer over the open arcs
            self.value = math.inf
            return True
        if status != highspy.HighsModelStatus.kOptimal:
            raise SolverError(f"HiGHS ended with {self.highs.modelStatusToString(status)}")
        self.rounds += 1
        self.value = float(self.highs.getInfo().objective_function_value)
        solution = self.highs.getSolution()
        self.x[self.open] = np.clip(np.array(solution.col_value), 0.0, 1.0)
        self.reduced[self.open] = np.array(solution.col_dual)
        self.duals = np.array(solution.row_dual)
        return True

    def separate(self, clock: Clock) -> int:
        """Add rows that the last optimum violates: cheap ones first, by maximum flows where those are few."""
        added = 0
        for number, view in enumerate(self.views):
            added += self.add_cuts(separator(view).of_closures(self.x, most=ROWS_A_ROUND), view=number)
        if self._local is not None:
            found = self._local.violated(self.x, most=ROWS_A_ROUND)
            added += self._add(self._over_columns(found))
        if added >= FEW:
            return added
        for number, separating in enumerate(self._separators):
            cuts = separating.cuts(self.x, clock, first=self._first, most=FLOW_CUTS_A_ROUND)
            added += self.add_cuts(cuts, view=number)
        self._first += 17 if len(self.views[0].terminals) <= MANY else MANY
        return added

    def _over_columns(
        self, rows: Iterable[tuple[FloatVector, IntVector, float]]
    ) -> Iterable[tuple[FloatVector, IntVector, float, PooledCut | None]]:
        for values, arcs, least in rows:
            columns = self.column[arcs]
            yield values[columns >= 0], columns[columns >= 0], least, None

    def raise_bound(self, clock: Clock, *, on_point: Callable[[], bool]) -> bool:
        """Solve and separate until nothing is violated, the value stalls, or time is up.

        Args:
            clock: Time left.
            on_point: Called after each solve; True ends it.

        Returns:
            Whether the last optimum is one of the whole relaxation, as far as the separation can tell.
        """
        history: list[float] = []
        rounds = TAIL_ROUNDS if any(view.has_free_arcs for view in self.views) else TAIL_ROUNDS_OF_ARCS
        while self.solve(clock):
            if on_point() or clock.expired or not math.isfinite(self.value):
                return False
            history.append(self.value)
            if len(history) > rounds and history[-1] - history[-1 - rounds] < self.least_gain:
                return False
            if self.rounds % PURGE_EVERY == 0:
                self.purge()
            if not self.separate(clock):
                return not clock.expired
        return False

    # -- fixing ------------------------------------------------------------------------------------------------------

    def useless(self, to_beat: float) -> IntVector:
        """Open arcs that no answer below `to_beat` uses: value + reduced cost is not below it.

        An answer over the open arcs satisfies all rows, so it costs at least the value plus the reduced costs of its
        arcs (weak duality).
        """
        return self.open[~self.closed & (self.value + self.reduced[self.open] >= to_beat)]

    def close(self, arcs: IntVector) -> None:
        """Fix open arcs to 0."""
        columns = self.column[arcs].astype(np.int32)
        self.closed[columns] = True
        self.highs.changeColsBounds(len(columns), columns, np.zeros(len(columns)), np.zeros(len(columns)))
