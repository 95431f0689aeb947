"""One entry: choose the path, solve, verify, return."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from solvers.check import cost_of, violations
from solvers.clock import Clock
from solvers.errors import ProblemError, SolverError
from solvers.interrupt import NothingFound, hearing_interrupts
from solvers.milp.solve import solve_milp
from solvers.milp.united import united_routes
from solvers.options import Options
from solvers.problem import IntVector, Problem
from solvers.reduce.costs import affordable_edges
from solvers.reduce.normal import normalise, restricted, scaled_problem
from solvers.result import Progress, Solution, Termination
from solvers.steiner.solve import solve_steiner


def solve(
    problem: Problem, *, options: Options | None = None, method: str | None = None, backend: str | None = None
) -> Solution:
    """Find a cheapest acyclic covering network, prove it, and check it.

    Args:
        problem: What to cover, at what costs.
        options: How; None: the defaults.
        method: Overrides `options.method`.
        backend: Overrides `options.backend`.

    Returns:
        A solution whose edges `solvers.check` has found to be an acyclic cover of the stated cost.

    Raises:
        InfeasibleProblem: An input reaches no output, or an output is reached from no input.
        ProblemError: `method="steiner"` with negative costs, which only the acyclic-flow program handles.
        UnknownBackend: A name is not one of ours, or its package is not installed.
        SolverError: An engine failed, or its answer does not pass the check.
    """
    options = options or Options()
    options = replace(options, method=method or options.method, backend=backend or options.backend)
    clock = Clock(options.time_limit_s)
    if options.method == "steiner" and problem.has_negative_costs:
        raise ProblemError("expected costs >= 0 for method 'steiner', got a negative one; use method='milp'")
    with hearing_interrupts(clock):
        normal = normalise(problem)
        smaller, kept = normal.problem, normal.kept
        if smaller.is_plain and not problem.has_negative_costs:
            cheap = np.flatnonzero(affordable_edges(smaller))
            smaller, kept = restricted(smaller, cheap), kept[cheap]
        smaller, factor = scaled_problem(smaller)
        if options.on_progress is not None:
            options = replace(options, on_progress=_rescaled(options.on_progress, factor, normal.constant))
        start = united_routes(smaller, clock.share(0.5)) if smaller.rules.disjoint_routes else None
        if options.method == "milp" or problem.has_negative_costs:
            solution = solve_milp(smaller, options, clock, start=start)
        else:
            solution = solve_steiner(smaller, options, clock, start=start)
    solution = _in_units(problem, solution, kept, factor, normal.constant, clock)
    if clock.interrupted:
        if solution.termination is Termination.NOTHING:
            raise NothingFound
        solution = replace(solution, details={**solution.details, "interrupted": True})
    return _verified(problem, solution)


def solve_largest(problem: Problem, *, options: Options | None = None) -> Solution:
    """Find an acyclic covering network with as many edges as possible; see `solvers.largest`.

    Args:
        problem: What to cover; every edge has cost -1, so that objective and bound count edges, negatively.
        options: How; None: the defaults.

    Raises:
        InfeasibleProblem, UnknownBackend, SolverError, ProblemError: as `solve`; the last for other costs.
    """
    from solvers.largest import largest_acyclic  # loads HiGHS, which a smallest network may never need

    if (problem.costs != -1).any():
        raise ProblemError("expected cost -1 for every edge of a largest network, got others")
    options = options or Options()
    clock = Clock(options.time_limit_s)
    with hearing_interrupts(clock):
        normal = normalise(problem)
        solution = largest_acyclic(normal.problem, options, clock)
    solution = replace(solution, edges=normal.kept[solution.edges], seconds=clock.seconds)
    if clock.interrupted:
        solution = replace(solution, details={**solution.details, "interrupted": True})
    return _verified(problem, solution)


def _in_units(
    problem: Problem, solution: Solution, kept: IntVector, factor: float, constant: float, clock: Clock
) -> Solution:
    """A solution of the scaled problem in the edges and the unit of the original one."""
    solution = replace(solution, edges=kept[solution.edges], seconds=clock.seconds)
    if "settled_cost" in solution.details:
        settled = solution.details["settled_cost"] * factor + constant
        solution = replace(solution, details={**solution.details, "settled_cost": settled})
    bound = solution.bound * factor + constant
    if solution.termination is Termination.NOTHING:
        return replace(solution, bound=bound)
    objective = cost_of(problem, solution.edges)
    proved = solution.termination is Termination.OPTIMAL
    return replace(solution, objective=objective, bound=objective if proved else min(bound, objective))


def _rescaled(report: Callable[[Progress], None], factor: float, constant: float) -> Callable[[Progress], None]:
    def rescaled(moment: Progress) -> None:
        incumbent = None if moment.incumbent is None else moment.incumbent * factor + constant
        report(Progress(incumbent, moment.bound * factor + constant, moment.seconds))

    return rescaled


def _verified(problem: Problem, solution: Solution) -> Solution:
    """Pass a solution on only if an independent check agrees with it."""
    if solution.termination is Termination.NOTHING:
        return solution
    broken = violations(problem, solution.edges)
    if broken:
        raise SolverError(f"{solution.method} returned a network that breaks: {'; '.join(map(str, broken))}")
    cost = cost_of(problem, solution.edges)
    if not math.isclose(cost, solution.objective, rel_tol=1e-9, abs_tol=1e-9):
        raise SolverError(f"{solution.method} states a cost of {solution.objective}, but its edges cost {cost}")
    if solution.bound > solution.objective:
        raise SolverError(f"{solution.method} states a bound {solution.bound} above its cost {solution.objective}")
    return solution
