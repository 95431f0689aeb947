"""HiGHS through highspy: arrays in, arrays out."""

from __future__ import annotations

import math

import highspy
import numpy as np

from solvers.backends.attentive import attentive
from solvers.backends.base import BackendResult, EngineOptions, MixedIntegerProgram, Status
from solvers.errors import SolverError

# Presolve of integer programs can cut off all optima, in 1.15.1 at least (ERGO-Code/HiGHS 3274, a program of four
# columns; a flow program of ours is in the tests): a bound above the optimum would be called proved.
INTEGER_OPTIONS = {"mip_rel_gap": 0.0, "presolve": "off"}

_STATUS = {
    highspy.HighsModelStatus.kOptimal: Status.OPTIMAL,
    highspy.HighsModelStatus.kInfeasible: Status.INFEASIBLE,
    highspy.HighsModelStatus.kTimeLimit: Status.LIMIT,
    highspy.HighsModelStatus.kInterrupt: Status.LIMIT,
    highspy.HighsModelStatus.kSolutionLimit: Status.LIMIT,
    highspy.HighsModelStatus.kIterationLimit: Status.LIMIT,
}


class HighsBackend:
    """HiGHS, MIT licence."""

    name = "highs"
    package = "highspy"

    def run(self, program: MixedIntegerProgram, options: EngineOptions) -> BackendResult:
        """Solve to a relative gap of 0 (absolute 1e-6) or to the limit."""
        highs = quiet_highs(time_limit_s=options.time_limit_s, seed=options.seed)
        exact_in_integers(highs)
        highs.passModel(_model(program))
        if options.start is not None:
            count = len(options.start)
            highs.setSolution(count, np.arange(count, dtype=np.int32), options.start)
        if options.on_progress is not None:
            report = options.on_progress

            def improved(event: object) -> None:
                data = event.data_out  # type: ignore[attr-defined]
                report(data.mip_primal_bound if math.isfinite(data.mip_primal_bound) else None, data.mip_dual_bound)

            highs.cbMipImprovingSolution.subscribe(improved)
            highs.cbMipLogging.subscribe(improved)
        highs.HandleUserInterrupt = True  # so that cancelSolve is heard
        attentive(highs.run, cancel=highs.cancelSolve, stopped=options.stopped)
        status = _STATUS.get(highs.getModelStatus())
        if status is None:
            raise SolverError(f"HiGHS ended with {highs.modelStatusToString(highs.getModelStatus())}")
        info = highs.getInfo()
        found = (
            status is not Status.INFEASIBLE
            and info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        )
        return BackendResult(
            status=status,
            x=np.array(highs.getSolution().col_value) if found else None,
            objective=float(info.objective_function_value) if found else math.inf,
            bound=float(info.mip_dual_bound)
            if program.integer.any()
            else (info.objective_function_value if found else -math.inf),
            engine="highs",
        )


def quiet_highs(*, time_limit_s: float, seed: int) -> highspy.Highs:
    """A silent, single-threaded, seeded HiGHS: the same answer on every run."""
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("threads", 1)
    highs.setOptionValue("random_seed", int(seed) % 2**31)
    if math.isfinite(time_limit_s):
        highs.setOptionValue("time_limit", float(time_limit_s))
    return highs


def exact_in_integers(highs: highspy.Highs) -> None:
    """Ask for gap 0 in integer programs, and for nothing that may cut off an optimum."""
    for name, value in INTEGER_OPTIONS.items():
        highs.setOptionValue(name, value)


def _model(program: MixedIntegerProgram) -> highspy.HighsLp:
    lp = highspy.HighsLp()
    lp.num_row_, lp.num_col_ = program.matrix.shape
    lp.col_cost_ = program.cost
    lp.col_lower_, lp.col_upper_ = program.lower, program.upper
    lp.row_lower_, lp.row_upper_ = program.row_lower, program.row_upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = program.matrix.indptr.astype(np.int32)
    lp.a_matrix_.index_ = program.matrix.indices.astype(np.int32)
    lp.a_matrix_.value_ = program.matrix.data.astype(np.float64)
    if program.integer.any():
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        lp.integrality_ = [kinds[int(flag)] for flag in program.integer]
    return lp


BACKEND = HighsBackend()
