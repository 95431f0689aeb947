"""CVXPY: arrays in, arrays out. The model is three array expressions, so that its compile time stays small."""

from __future__ import annotations

import math

import cvxpy as cp
import numpy as np

from solvers.backends.attentive import attentive
from solvers.backends.base import BackendResult, EngineOptions, MixedIntegerProgram, Status
from solvers.backends.highs import INTEGER_OPTIONS
from solvers.errors import SolverError

# user_limit and optimal_inaccurate may come with a point that violates the constraints: `found` is checked below
_STATUS = {
    cp.OPTIMAL: Status.OPTIMAL,
    cp.OPTIMAL_INACCURATE: Status.LIMIT,
    cp.USER_LIMIT: Status.LIMIT,
    cp.INFEASIBLE: Status.INFEASIBLE,
    cp.INFEASIBLE_INACCURATE: Status.INFEASIBLE,
}
_FEASIBILITY = 1e-6


class CvxpyBackend:
    """CVXPY, Apache-2 licence, with HiGHS behind it."""

    name = "cvxpy"
    package = "cvxpy"

    def run(self, program: MixedIntegerProgram, options: EngineOptions) -> BackendResult:
        """Solve to gap 0 or to the limit; CVXPY passes on no bound at a limit, so none is claimed there."""
        n_columns = len(program.cost)
        whole, real = np.flatnonzero(program.integer), np.flatnonzero(~program.integer)
        parts, order = [], []
        for where, integer in ((whole, True), (real, False)):
            if len(where):
                parts.append(cp.Variable(len(where), integer=integer))
                order.append(where)
        place = np.concatenate(order)
        x = cp.hstack(parts)
        problem = cp.Problem(cp.Minimize(program.cost[place] @ x), list(_constraints(x, program, place)))
        limits = {"time_limit": options.time_limit_s} if math.isfinite(options.time_limit_s) else {}
        try:
            settings = {**INTEGER_OPTIONS, "threads": 1, "random_seed": int(options.seed) % 2**31, **limits}
            # CVXPY offers no way to stop an engine, nor to start one from a point of another
            attentive(lambda: problem.solve(solver=cp.HIGHS, **settings), stopped=options.stopped)
        except cp.SolverError as error:
            if not limits:
                raise SolverError(f"CVXPY could not solve the model: {error}") from error
            return BackendResult(Status.LIMIT, None, math.inf, -math.inf, "cvxpy/HIGHS")
        status = _STATUS.get(problem.status)
        if status is None:
            raise SolverError(f"CVXPY ended with {problem.status}")
        point = None
        if status is not Status.INFEASIBLE and x.value is not None:
            point = np.empty(n_columns)
            point[place] = x.value
            if not _is_feasible(point, program):
                point = None
        objective = math.inf if point is None else float(program.cost @ point)
        bound = objective if status is Status.OPTIMAL and point is not None else -math.inf
        return BackendResult(status, point, objective, bound, "cvxpy/HIGHS")


def _constraints(x: cp.Expression, program: MixedIntegerProgram, place: np.ndarray) -> list[cp.Constraint]:
    matrix = program.matrix[:, place]
    equal = program.row_lower == program.row_upper
    above = ~equal & np.isfinite(program.row_lower)
    below = ~equal & np.isfinite(program.row_upper)
    lower, upper = program.lower[place], program.upper[place]
    constraints = []
    if equal.any():
        constraints.append(matrix[equal] @ x == program.row_lower[equal])
    if above.any():
        constraints.append(matrix[above] @ x >= program.row_lower[above])
    if below.any():
        constraints.append(matrix[below] @ x <= program.row_upper[below])
    floor, ceiling = np.isfinite(lower), np.isfinite(upper)
    if floor.any():
        constraints.append(x[floor] >= lower[floor])
    if ceiling.any():
        constraints.append(x[ceiling] <= upper[ceiling])
    return constraints


def _is_feasible(point: np.ndarray, program: MixedIntegerProgram) -> bool:
    activity = program.matrix @ point
    slack = _FEASIBILITY * (1 + np.abs(activity))
    whole = point[program.integer]
    return bool(
        (activity >= program.row_lower - slack).all()
        and (activity <= program.row_upper + slack).all()
        and (np.abs(whole - np.round(whole)) <= 1e-5).all()
    )


BACKEND = CvxpyBackend()
