"""SCIP through PySCIPOpt: arrays in, arrays out."""

from __future__ import annotations

import math

import numpy as np
from pyscipopt import SCIP_EVENTTYPE, Eventhdlr, Model, quicksum

from solvers.backends.attentive import attentive
from solvers.backends.base import BackendResult, EngineOptions, MixedIntegerProgram, Status
from solvers.errors import SolverError

_STATUS = {
    "optimal": Status.OPTIMAL,
    "infeasible": Status.INFEASIBLE,
    "inforunbd": Status.INFEASIBLE,
    "timelimit": Status.LIMIT,
    "userinterrupt": Status.LIMIT,
    "nodelimit": Status.LIMIT,
    "memlimit": Status.LIMIT,
}


class ScipBackend:
    """SCIP, Apache-2 licence."""

    name = "scip"
    package = "pyscipopt"

    def run(self, program: MixedIntegerProgram, options: EngineOptions) -> BackendResult:
        """Solve to gap 0 or to the limit."""
        model = Model()
        model.hideOutput()
        model.setParam("misc/catchctrlc", False)  # SCIP would take Ctrl-C for a limit, and print
        model.setParam("randomization/randomseedshift", int(options.seed) % 2**31)
        model.setParam("limits/gap", 0.0)
        if math.isfinite(options.time_limit_s):
            model.setParam("limits/time", float(options.time_limit_s))
        columns = [
            model.addVar(lb=low, ub=None if math.isinf(high) else high, obj=cost, vtype="I" if whole else "C")
            for low, high, cost, whole in zip(
                program.lower.tolist(),
                program.upper.tolist(),
                program.cost.tolist(),
                program.integer.tolist(),
                strict=True,
            )
        ]
        _add_rows(model, columns, program)
        if options.on_progress is not None:
            model.includeEventhdlr(_Report(options.on_progress), "progress", "reports incumbents")
        if options.start is not None:
            start = model.createPartialSol()
            for column, value in zip(columns, options.start.tolist(), strict=False):
                model.setSolVal(start, column, value)
            model.addSol(start)
        attentive(model.optimizeNogil, cancel=model.interruptSolve, stopped=options.stopped)
        status = _STATUS.get(model.getStatus())
        if status is None:
            raise SolverError(f"SCIP ended with {model.getStatus()}")
        found = status is not Status.INFEASIBLE and model.getNSols() > 0
        best = model.getBestSol() if found else None
        return BackendResult(
            status=status,
            x=np.array([model.getSolVal(best, column) for column in columns]) if found else None,
            objective=float(model.getObjVal()) if found else math.inf,
            bound=float(model.getDualbound()),
            engine="scip",
        )


class _Report(Eventhdlr):
    """Calls back whenever SCIP finds a better point."""

    def __init__(self, report: object) -> None:
        self._report = report

    def eventinit(self) -> None:
        self.model.catchEvent(SCIP_EVENTTYPE.BESTSOLFOUND, self)

    def eventexit(self) -> None:
        self.model.dropEvent(SCIP_EVENTTYPE.BESTSOLFOUND, self)

    def eventexec(self, event: object) -> None:
        self._report(self.model.getPrimalbound(), self.model.getDualbound())  # type: ignore[operator]


def _add_rows(model: Model, columns: list[object], program: MixedIntegerProgram) -> None:
    pointers = program.matrix.indptr.tolist()
    indices, values = program.matrix.indices.tolist(), program.matrix.data.tolist()
    for row, (low, high) in enumerate(zip(program.row_lower.tolist(), program.row_upper.tolist(), strict=True)):
        terms = range(pointers[row], pointers[row + 1])
        expression = quicksum(values[term] * columns[indices[term]] for term in terms)
        if low == high:
            model.addCons(expression == low)
            continue
        if math.isfinite(low):
            model.addCons(expression >= low)
        if math.isfinite(high):
            model.addCons(expression <= high)


BACKEND = ScipBackend()
