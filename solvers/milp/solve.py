"""The acyclic-flow program through a back end."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from solvers import registry
from solvers.backends.base import EngineOptions, MixedIntegerProgram, Status
from solvers.check import cost_of, violations
from solvers.clock import Clock
from solvers.cover import tidy
from solvers.errors import SolverError
from solvers.milp.formulation import acyclic_flow
from solvers.options import Options
from solvers.problem import IntVector, Problem
from solvers.result import Progress, Solution, Termination

SLACK = 1e-6  # absolute, and relative 1e-9: an engine's bound so little above an integer is that integer


def solve_milp(
    problem: Problem, options: Options, clock: Clock, *, order: bool | None = None, start: IntVector | None = None
) -> Solution:
    """Solve by mixed integer programming.

    Args:
        problem: All edges lie on input-to-output walks.
        options: `backend`, `seed`, `on_progress` are used.
        clock: Time left.
        order: See `acyclic_flow`.
        start: Edges of a feasible choice to fall back on, if any.

    Returns:
        A solution whose edges are checked by the caller.

    Raises:
        SolverError: The engine failed, or says that a feasible problem is infeasible.
    """
    engine = registry.backend(options.backend)
    program = acyclic_flow(problem, order=order)
    build_s = clock.seconds
    result = engine.run(program, EngineOptions(clock.left_s, options.seed, _reporter(options, clock)))
    if result.status is Status.INFEASIBLE:
        raise SolverError(f"{engine.name} calls a feasible problem infeasible; report this with the network")
    edges, objective = _best(problem, result.x, start)
    bound = tight_bound(problem, result.bound)
    if result.status is Status.OPTIMAL and not math.isclose(objective, bound, rel_tol=1e-6, abs_tol=1e-6):
        raise SolverError(f"{engine.name} reports an optimum of {bound}, but its edges cost {objective}")
    bound = objective if meets(objective, bound) else bound
    return Solution(
        termination=(
            Termination.NOTHING if edges is None else Termination.OPTIMAL if bound == objective else Termination.LIMIT
        ),
        edges=np.zeros(0, dtype=np.int64) if edges is None else edges,
        objective=objective,
        bound=bound,
        method="milp",
        backend=result.engine,
        seconds=clock.seconds,
        versions=registry.versions([engine.package]),
        details=_details(program, build_s),
    )


def meets(objective: float, bound: float) -> bool:
    """Whether the bound proves the objective: exactly for whole numbers, else to the engines' relative 1e-7."""
    if float(objective).is_integer() and float(bound).is_integer():
        return bound >= objective
    return bound >= objective - 1e-7 * abs(objective)


def tight_bound(problem: Problem, bound: float) -> float:
    """Round a bound up where costs are integers; never below what is trivially true (all edges that pay, taken)."""
    trivial = float(np.minimum(problem.costs, 0.0).sum())
    bound = max(bound, trivial)
    return float(math.ceil(bound - max(SLACK, 1e-9 * abs(bound)))) if problem.has_integer_costs else bound


def _best(problem: Problem, x: Any, start: IntVector | None) -> tuple[IntVector | None, float]:
    candidates = [] if start is None else [start]
    if x is not None:
        active = np.flatnonzero(x[: problem.n_edges] > 0.5)
        candidates.append(active if problem.has_negative_costs else tidy(problem, active))
    valid = [edges for edges in candidates if not violations(problem, edges)]
    if not valid:
        return None, math.inf
    best = min(valid, key=lambda edges: cost_of(problem, edges))
    return best, cost_of(problem, best)


def _reporter(options: Options, clock: Clock) -> Any:
    if options.on_progress is None:
        return None
    report = options.on_progress
    return lambda incumbent, bound: report(Progress(incumbent, bound, clock.seconds))


def _details(program: MixedIntegerProgram, build_s: float) -> dict[str, Any]:
    rows, columns = program.matrix.shape
    return {"model": {"rows": int(rows), "columns": int(columns), "seconds": build_s}}
