"""Close the gap that dual ascent leaves: linear program over cuts, then integer programs with cuts added in rounds.

HiGHS takes no cuts while it branches, so integer optima over the cuts known so far are checked and, where a terminal
is not joined, cut off. Each integer optimum's bound holds for the whole instance, and the rounds end because there
are finitely many cuts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import highspy
import numpy as np

from solvers.backends.attentive import attentive
from solvers.backends.highs import quiet_highs
from solvers.clock import Clock
from solvers.errors import SolverError
from solvers.problem import FloatVector, IntVector
from solvers.steiner.cuts import fractional_cuts, integer_cuts
from solvers.steiner.dual_ascent import Ascent
from solvers.steiner.improve import cost_of_arcs, polish
from solvers.steiner.instance import Instance
from solvers.steiner.paths import join_by_paths

CUTS_A_ROUND = 60
TAIL_ROUNDS = 8  # the linear program is left when its bound moved by less than TAIL_GAIN in so many rounds
TAIL_GAIN = 1e-4
SLACK = 1e-6  # HiGHS works to this: a bound so near an integer is that integer


@dataclass(frozen=True, eq=False)
class Closed:
    """What cut and branch reached: the best answer, the bound, and counts for the record."""

    arcs: IntVector
    bound: float
    n_cuts: int
    rounds: int


def close_gap(
    instance: Instance,
    arcs: IntVector,
    ascent: Ascent,
    clock: Clock,
    *,
    seed: int,
    on_progress: Callable[[float, float], None] | None = None,
) -> Closed:
    """Prove an answer or find a better one.

    Args:
        instance: Costs >= 0.
        arcs: A feasible answer.
        ascent: A dual solution: its bound, reduced costs (for fixing) and cuts (the first rows).
        clock: Stops with a valid bound when it expires.
        seed: For the engine.
        on_progress: Called with (cost, bound).
    """
    search = _Search(instance, arcs, ascent, clock, seed=seed, on_progress=on_progress)
    search.linear()
    search.integer()
    return Closed(search.arcs, min(search.bound, search.cost), search.n_cuts, search.rounds)


class _Search:
    """State of one run: a HiGHS model over the costly arcs that a better answer can use."""

    def __init__(
        self,
        instance: Instance,
        arcs: IntVector,
        ascent: Ascent,
        clock: Clock,
        *,
        seed: int,
        on_progress: Callable[[float, float], None] | None,
    ) -> None:
        self.instance, self.clock, self.on_progress = instance, clock, on_progress
        self.integral = instance.has_integer_costs
        self.arcs, self.cost, self.bound = arcs, cost_of_arcs(instance, arcs), 0.0
        self.n_cuts = self.rounds = 0
        self._raise_bound(ascent.bound)
        # Reduced-cost fixing: an answer with arc a costs at least bound + reduced[a]; arcs for which that is no
        # improvement are left out. The best answer known is kept aside, so nothing is lost.
        self.open = np.flatnonzero((instance.costs > 0) & (ascent.bound + ascent.reduced < self._to_beat()))
        if not len(self.open):  # no arc is left that a better answer could use
            self.bound = self.cost
        self.column = np.full(instance.n_arcs, -1)
        self.column[self.open] = np.arange(len(self.open))
        self.known: set[bytes] = set()
        self.highs = quiet_highs(time_limit_s=math.inf, seed=seed)
        count = len(self.open)
        self.highs.addVars(count, np.zeros(count), np.ones(count))
        self.highs.changeColsCost(count, np.arange(count, dtype=np.int32), instance.costs[self.open])
        for cut in ascent.cuts:
            self._add(cut)

    @property
    def done(self) -> bool:
        return self.bound >= self.cost or self.clock.expired

    def linear(self) -> None:
        """Raise the bound by the linear relaxation over cuts that maximum flows find."""
        history: list[float] = []
        first = 0
        while not self.done:
            value, x = self._solve()
            if x is None:
                return
            self._raise_bound(value)
            self._try(self._rounded(x))
            history.append(value)
            self.rounds += 1
            stalled = len(history) > TAIL_ROUNDS and history[-1] - history[-TAIL_ROUNDS] < TAIL_GAIN * abs(history[-1])
            cuts = (
                []
                if stalled
                else fractional_cuts(self.instance, self._spread(x), self.clock, first=first, most=CUTS_A_ROUND)
            )
            first += 17
            if not sum(self._add(cut) for cut in cuts):
                return

    def integer(self) -> None:
        """Integer optima over the cuts known so far, until one is feasible."""
        if self.done:
            return
        count = len(self.open)
        kinds = np.full(count, highspy.HighsVarType.kInteger)
        self.highs.changeColsIntegrality(count, np.arange(count, dtype=np.int32), kinds)
        self.highs.setOptionValue("mip_rel_gap", 0.0)
        self.highs.HandleUserInterrupt = True  # so that cancelSolve is heard
        while not self.done:
            value, x = self._solve()
            self._raise_bound(value)
            if x is None:
                return
            self.rounds += 1
            chosen = self.open[x > 0.5]
            cuts = integer_cuts(self.instance, chosen)
            if not cuts:
                self._try(self._spanned(chosen))
                return
            self._try(self._rounded(x))
            if not sum(self._add(cut) for cut in cuts):
                raise SolverError(
                    "an integer optimum violates a cut that the model holds; report this with the network"
                )

    def _solve(self) -> tuple[float, FloatVector | None]:
        """Optimum (or the bound at the time limit) of the model as it stands, and its point if it is optimal."""
        is_integer = bool(self.highs.getLp().integrality_)
        if math.isfinite(self.clock.left_s):
            self.highs.setOptionValue("time_limit", self.highs.getRunTime() + self.clock.left_s)
        attentive(self.highs.run, cancel=self.highs.cancelSolve if is_integer else None)
        status, info = self.highs.getModelStatus(), self.highs.getInfo()
        if status == highspy.HighsModelStatus.kOptimal:
            return float(info.objective_function_value), np.array(self.highs.getSolution().col_value)
        if status == highspy.HighsModelStatus.kInfeasible:  # nothing better than the best answer exists
            return self.cost, None
        if status == highspy.HighsModelStatus.kTimeLimit:
            return (float(info.mip_dual_bound) if is_integer else 0.0), None
        raise SolverError(f"HiGHS ended with {self.highs.modelStatusToString(status)}")

    def _add(self, cut: IntVector) -> bool:
        """Add the row `sum of x over the cut >= 1` over the open arcs, unless the model has it."""
        columns = self.column[cut]
        columns = np.sort(columns[columns >= 0]).astype(np.int32)
        key = columns.tobytes()
        if key in self.known:
            return False
        self.known.add(key)
        self.n_cuts += 1
        self.highs.addRow(1.0, highspy.kHighsInf, len(columns), columns, np.ones(len(columns)))
        return True

    def _spread(self, x: FloatVector) -> FloatVector:
        values = np.zeros(self.instance.n_arcs)
        values[self.open] = x
        return values

    def _rounded(self, x: FloatVector) -> IntVector:
        """An answer guided by the point: arcs with a high value are short."""
        lengths = self.instance.costs * (1.0 - np.clip(self._spread(x), 0.0, 1.0))
        return polish(self.instance, join_by_paths(self.instance, lengths), self.clock)

    def _spanned(self, chosen: IntVector) -> IntVector:
        """An arborescence over the chosen arcs and the free ones, which the model takes for granted."""
        usable = self.instance.costs == 0
        usable[chosen] = True
        return join_by_paths(self.instance, np.where(usable, self.instance.costs, np.inf))

    def _try(self, arcs: IntVector) -> None:
        cost = cost_of_arcs(self.instance, arcs)
        if cost < self.cost:
            self.arcs, self.cost = arcs, cost
            self._report()

    def _raise_bound(self, value: float) -> None:
        """Take over a bound on what the open arcs allow; beyond them only the best answer is left."""
        value = math.ceil(value - max(SLACK, 1e-9 * abs(value))) if self.integral else value
        value = min(value, self.cost)
        if not self.integral and value >= self.cost * (1 - 1e-9):
            value = self.cost
        if value > self.bound:
            self.bound = float(value)
            self._report()

    def _to_beat(self) -> float:
        """Answers at or above this are no improvement."""
        return self.cost - 1 + SLACK if self.integral else self.cost * (1 - 1e-9)

    def _report(self) -> None:
        if self.on_progress is not None:
            self.on_progress(self.cost, self.bound)
