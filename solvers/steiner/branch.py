"""Branch and cut in SCIP: a constraint handler finds the directed cuts that a point violates, while SCIP branches.

The rows of the linear program are cuts (`solvers.steiner.cuts`) and local rows; what satisfies all cuts joins all
terminals. T. Koch, A. Martin, "Solving Steiner tree problems in graphs to optimality", Networks 32 (1998) 207-232.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyscipopt import SCIP_HEURTIMING, SCIP_PARAMSETTING, SCIP_RESULT, Conshdlr, Heur, Model, quicksum

from solvers.backends.attentive import attentive
from solvers.bounds import RELATIVE, rounded_up, to_beat
from solvers.clock import Clock
from solvers.errors import SolverError
from solvers.problem import FloatVector, IntVector
from solvers.steiner.cuts import integer_cuts
from solvers.steiner.instance import Instance
from solvers.steiner.local_rows import LocalRows
from solvers.steiner.separation import point_separator

CUTS_A_ROUND = 60


@dataclass(frozen=True, eq=False)
class Task:
    """What to prove or to improve on.

    Attributes:
        views: Instances over the same arcs; an answer joins the terminals of each.
        open: Arcs that cost and that an answer below `below` can use, shape (n_open,).
        below: Only answers that cost less are looked for.
        cost: Of the best answer known, at least `below`.
        bound: Proved already.
        cuts: To begin with, arcs each.
        integral: Whether costs are integers.
        repair: Makes an answer from values of the arcs: arcs with a high value are to be preferred.
    """

    views: Sequence[Instance]
    open: IntVector
    below: float
    cost: float
    bound: float
    cuts: Sequence[IntVector]
    integral: bool
    repair: Callable[[FloatVector], IntVector]


@dataclass(frozen=True, eq=False)
class Branched:
    """The best answer found, None if none is better than the one known; a bound on all answers (at most `below`);
    counts for the record."""

    arcs: IntVector | None
    bound: float
    n_cuts: int
    n_nodes: int


def branch_and_cut(
    task: Task, clock: Clock, *, seed: int, on_progress: Callable[[float, float], None] | None = None
) -> Branched:
    """Prove that no answer is cheaper than the one known, or find the cheapest.

    Args:
        task: What to prove.
        clock: Stops with a valid bound when it expires.
        seed: Of SCIP's random decisions.
        on_progress: Called with (cost, bound).

    Raises:
        SolverError: SCIP or a callback failed.
    """
    search = _Search(task, clock, seed=seed, on_progress=on_progress)
    return search.run()


class _Search:
    """A SCIP model over the open arcs, and what its callbacks share."""

    def __init__(
        self, task: Task, clock: Clock, *, seed: int, on_progress: Callable[[float, float], None] | None
    ) -> None:
        self.task, self.clock, self.on_progress = task, clock, on_progress
        self.costs = task.views[0].costs
        self.column = np.full(len(self.costs), -1)
        self.column[task.open] = np.arange(len(task.open))
        self.free = self.costs == 0
        self.local = LocalRows(task.views, self.column)
        self.separators = [point_separator(view) for view in task.views]
        self.best: IntVector | None = None
        self.best_cost = task.cost
        self.bound = task.bound
        self.failed: BaseException | None = None
        self.turn = self.n_cuts = 0
        self.model = self._model(seed)

    def _model(self, seed: int) -> Any:
        model = Model()
        model.hideOutput()
        model.setParam("misc/catchctrlc", False)
        model.setParam("randomization/randomseedshift", int(seed) % 2**31)
        model.setParam("timing/clocktype", 2)  # wall clock
        model.setParam("limits/gap", 0.0)
        if math.isfinite(self.clock.left_s):
            model.setParam("limits/time", max(self.clock.left_s, 0.01))
        # What SCIP would conclude from the rows it can see is wrong while most cuts are still unseen.
        model.setParam("misc/usesymmetry", 0)
        model.setParam("misc/allowstrongdualreds", False)
        model.setParam("misc/allowweakdualreds", False)
        model.setPresolve(SCIP_PARAMSETTING.OFF)
        model.setHeuristics(SCIP_PARAMSETTING.FAST)
        model.setParam("separating/maxrounds", 10)
        self.variables = [model.addVar(vtype="B", obj=cost) for cost in self.costs[self.task.open].tolist()]
        handler = _Handler(self)
        model.includeConshdlr(
            handler, "directedcuts", "joins all terminals", sepapriority=100, enfopriority=-10, chckpriority=-10,
            sepafreq=1, propfreq=-1, eagerfreq=-1, needscons=False,
        )  # fmt: skip
        model.includeHeur(
            _Rounding(self), "rejoin", "joins terminals over arcs of high value", "R", priority=100_000, freq=5,
            timingmask=SCIP_HEURTIMING.AFTERLPNODE,
        )  # fmt: skip
        for cut in self.task.cuts:
            columns = self.column[cut]
            columns = columns[columns >= 0]
            model.addCons(
                quicksum(self.variables[column] for column in columns.tolist()) >= 1, removable=True, initial=True
            )
        if self.task.integral:
            model.setObjIntegral()
        model.setObjlimit(self.objective_limit())
        return model

    def objective_limit(self) -> float:
        """Answers above this are not looked for. Half a unit of room: SCIP rounds the limit up where it is integral."""
        return self.task.below - 0.5 if self.task.integral else to_beat(self.task.below, integral=False)

    def run(self) -> Branched:
        """Solve, and read off what is proved."""
        attentive(self.model.optimizeNogil, cancel=self.model.interruptSolve, stopped=lambda: self.clock.interrupted)
        if self.failed is not None:
            raise SolverError(f"a step of the branch-and-cut failed: {self.failed!r}") from self.failed
        status = self.model.getStatus()
        if status in ("optimal", "infeasible", "inforunbd"):
            if status == "optimal":
                self.offer_point(self.point(self.model.getBestSol()))
            bound = min(self.best_cost, self.task.below)
        elif status in ("timelimit", "userinterrupt", "memlimit", "nodelimit"):
            bound = self.claimable(self.model.getDualbound())
        else:
            raise SolverError(f"SCIP ended with {status}")
        bound = min(max(bound, self.task.bound), self.best_cost, self.task.below)
        return Branched(self.best, bound, self.n_cuts, int(self.model.getNTotalNodes()))

    def claimable(self, bound: float) -> float:
        """A bound that SCIP states, as much of it as its tolerances allow to claim."""
        if not math.isfinite(bound):
            return self.task.bound
        if self.task.integral:
            return rounded_up(bound)
        return bound - RELATIVE * abs(bound)

    def point(self, solution: Any) -> FloatVector:
        """Value of each arc at a solution (None: of the linear program)."""
        values = np.zeros(len(self.costs))
        get = self.model.getSolVal
        values[self.task.open] = [get(solution, variable) for variable in self.variables]
        values[self.free] = 1.0
        return values

    def violated_by_choice(self, x: FloatVector) -> list[IntVector]:
        """Cuts that a 0/1 point violates."""
        chosen = np.flatnonzero((x > 0.5) & ~self.free)
        return [cut for view in self.task.views for cut in integer_cuts(view, chosen)]

    def violated_by_point(self, x: FloatVector) -> list[IntVector]:
        """Cuts that a fractional point violates."""
        self.turn += 17
        found: list[IntVector] = []
        for separator in self.separators:
            cuts = separator.cuts(x, self.clock, first=self.turn, most=CUTS_A_ROUND)
            found += [cut.arcs for cut in cuts]
        return found

    def offer(self, arcs: IntVector) -> bool:
        """Take over an answer that is cheaper; whether it was."""
        cost = float(self.costs[arcs].sum())
        if cost >= self.best_cost:
            return False
        self.best, self.best_cost = arcs, cost
        return True

    def offer_point(self, x: FloatVector) -> None:
        """Take over a 0/1 point that joins all terminals."""
        self.offer(np.flatnonzero((x > 0.5) & ~self.free))

    def report(self) -> None:
        """Tell the caller how far it is."""
        proved = min(self.claimable(self.model.getDualbound()), self.task.below)
        self.bound = min(max(self.bound, proved), self.best_cost)
        if self.on_progress is not None:
            self.on_progress(self.best_cost, self.bound)

    def guarded(self, work: Callable[[], Any], otherwise: Any) -> Any:
        """Run a callback; an error in it ends the search, since SCIP cannot pass it on."""
        try:
            return work()
        except BaseException as error:
            self.failed = self.failed or error
            self.model.interruptSolve()
            return otherwise


class _Handler(Conshdlr):
    """The constraint that every terminal of every view is joined."""

    def __init__(self, search: _Search) -> None:
        self.search = search

    def conscheck(self, constraints: Any, solution: Any, *_: Any, **__: Any) -> dict[str, Any]:
        search = self.search
        cuts = search.guarded(lambda: search.violated_by_choice(search.point(solution)), [None])
        return {"result": SCIP_RESULT.INFEASIBLE if cuts else SCIP_RESULT.FEASIBLE}

    def conssepalp(self, constraints: Any, n_useful: int) -> dict[str, Any]:
        return self.search.guarded(self._separate, {"result": SCIP_RESULT.DIDNOTRUN})

    def consenfolp(self, constraints: Any, n_useful: int, infeasible: bool) -> dict[str, Any]:
        return self.search.guarded(self._enforce, {"result": SCIP_RESULT.INFEASIBLE})

    def consenfops(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {"result": SCIP_RESULT.SOLVELP}

    def conslock(self, constraint: Any, locktype: Any, nlockspos: int, nlocksneg: int) -> None:
        for variable in self.search.variables:  # down may break a cut, up cannot
            self.model.addVarLocksType(variable, locktype, nlockspos, nlocksneg)

    def _separate(self) -> dict[str, Any]:
        search = self.search
        x = search.point(None)
        search.report()
        rows = [(np.ones(len(cut)), cut, 1.0) for cut in search.violated_by_point(x)]
        rows += search.local.violated(x, most=5 * CUTS_A_ROUND)
        return {"result": SCIP_RESULT.SEPARATED if self._add(rows) else SCIP_RESULT.DIDNOTFIND}

    def _enforce(self) -> dict[str, Any]:
        search = self.search
        x = search.point(None)
        cuts = search.violated_by_choice(x)
        if not cuts:
            return {"result": SCIP_RESULT.FEASIBLE}
        if not self._add([(np.ones(len(cut)), cut, 1.0) for cut in cuts]):
            return {"result": SCIP_RESULT.CUTOFF}
        return {"result": SCIP_RESULT.SEPARATED}

    def _add(self, rows: Sequence[tuple[FloatVector, IntVector, float]]) -> bool:
        """Add rows `sum of value times arc >= least` to the linear program; arcs that are not open are 0."""
        search, model = self.search, self.model
        infeasible = False
        for values, arcs, least in rows:
            row = model.createEmptyRowUnspec("cut", lhs=least, rhs=None, local=False, removable=True)
            model.cacheRowExtensions(row)
            for value, column in zip(values.tolist(), search.column[arcs].tolist(), strict=True):
                if column >= 0:
                    model.addVarToRow(row, search.variables[column], value)
            model.flushRowExtensions(row)
            infeasible = bool(model.addCut(row, forcecut=True)) or infeasible
            model.addPoolCut(row)
            model.releaseRow(row)
            search.n_cuts += 1
        return bool(rows)


class _Rounding(Heur):
    """Answers from the linear program's point."""

    def __init__(self, search: _Search) -> None:
        self.search = search

    def heurexec(self, heurtiming: Any, nodeinfeasible: bool) -> dict[str, Any]:
        return self.search.guarded(self._run, {"result": SCIP_RESULT.DIDNOTRUN})

    def _run(self) -> dict[str, Any]:
        search, model = self.search, self.model
        arcs = search.task.repair(search.point(None))
        if not search.offer(arcs):
            return {"result": SCIP_RESULT.DIDNOTFIND}
        if (search.column[arcs[~search.free[arcs]]] < 0).any():  # it uses arcs that no better answer can use
            return {"result": SCIP_RESULT.DIDNOTFIND}
        solution = model.createSol(self)
        for column in search.column[arcs[~search.free[arcs]]].tolist():
            model.setSolVal(solution, search.variables[column], 1.0)
        accepted = model.trySol(solution)
        search.report()
        return {"result": SCIP_RESULT.FOUNDSOL if accepted else SCIP_RESULT.DIDNOTFIND}
