"""The acyclic-flow program through a back end."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from solvers import registry
from solvers.backends.base import EngineOptions, MixedIntegerProgram, Status
from solvers.bounds import meets, rounded_up
from solvers.check import cost_of, violations
from solvers.clock import Clock
from solvers.cover import on_walks, sample_roles, settle, tidy, union_of
from solvers.errors import InfeasibleProblem, SolverError
from solvers.milp.columns import Columns
from solvers.milp.formulation import Wants, acyclic_flow, wants
from solvers.milp.routes import missing_routes, with_rows
from solvers.options import Options
from solvers.problem import FloatVector, IntVector, Problem
from solvers.result import Progress, Solution, Termination


def solve_milp(
    problem: Problem, options: Options, clock: Clock, *, start: IntVector | None = None, order: bool = False
) -> Solution:
    """Solve by mixed integer programming.

    Args:
        problem: Normal (`solvers.reduce.normal`).
        options: `backend`, `seed`, `on_progress` are used.
        clock: Time left.
        start: Edges of a feasible choice, if any: the engine begins with it, and it is the answer if none is better.
            None: the union of shortest ways, where it obeys the rules.
        order: Ask for the order of vertices even where it is not needed.

    Returns:
        A solution whose edges are checked by the caller.

    Raises:
        SolverError: The engine failed.
        InfeasibleProblem: The engine proved that no network obeys the rules.
    """
    engine = registry.backend(options.backend)
    asked = wants(problem, clock)
    if order:
        asked = replace(asked, order=True)
    program, columns = acyclic_flow(problem, asked)
    constant = float(sum(problem.rules.rewards.values()))
    build_s, n_cuts, best = clock.seconds, 0, _Best(problem, columns, start, asked)
    while True:
        first = None if best.edges is None else _point(problem, best.edges)
        settings = EngineOptions(
            clock.left_s, options.seed, _reporter(options, clock, constant), lambda: clock.interrupted, first
        )
        result = engine.run(program, settings)
        if result.status is Status.INFEASIBLE and problem.rules.is_plain:
            raise SolverError(f"{engine.name} calls a feasible problem infeasible; report this with the network")
        if result.status is Status.INFEASIBLE:
            raise InfeasibleProblem((), (), reason=f"under the rules (proved by {result.engine})")
        best.offer(result.x)
        bound = max(best.bound, tight_bound(problem, result.bound + constant))
        if result.x is None or clock.expired:
            break
        cuts = missing_routes(problem, columns, asked.routes, result.x, clock)
        if not cuts or meets(best.objective, bound):
            break
        best.bound, n_cuts = bound, n_cuts + len(cuts)
        program = with_rows(program, cuts)
    proved = result.status is Status.OPTIMAL and not (problem.rules.disjoint_routes and clock.expired)
    if proved and not math.isclose(best.objective, bound, rel_tol=1e-6, abs_tol=1e-6):
        raise SolverError(f"{engine.name} reports an optimum of {bound}, but its edges cost {best.objective}")
    bound = best.objective if meets(best.objective, bound) else bound
    end = Termination.OPTIMAL if bound == best.objective else Termination.LIMIT
    return Solution(
        termination=Termination.NOTHING if best.edges is None else end,
        edges=np.zeros(0, dtype=np.int64) if best.edges is None else best.edges,
        objective=best.objective,
        bound=bound,
        method="milp",
        backend=result.engine,
        seconds=clock.seconds,
        versions=registry.versions([engine.package]),
        details={**_details(program, build_s), **({"route_cuts": n_cuts} if problem.rules.disjoint_routes else {})},
    )


class _Best:
    """The best feasible choice so far, and the best bound of the rounds before."""

    def __init__(self, problem: Problem, columns: Columns, start: IntVector | None, asked: Wants) -> None:
        self.problem, self.columns, self.asked = problem, columns, asked
        self.edges: IntVector | None = None
        self.objective, self.bound = math.inf, -math.inf
        self._take(tidy(problem, np.arange(problem.n_edges)) if start is None else start)

    def offer(self, x: FloatVector | None) -> None:
        """Take over what a point of the program stands for, if it is feasible and better."""
        if x is not None:
            active = np.flatnonzero(x[: self.problem.n_edges] > 0.5)
            if not self.problem.has_negative_costs:
                self._take(settle(self.problem, active, ordered=self.asked.order))
            if self.asked.own_orders:
                self._take(self._own_networks(x))
            self._take(active)  # leaving out may lose a reward that only another sample's way earned

    def _own_networks(self, x: FloatVector) -> IntVector:
        """The union of the samples' own networks."""
        first, parts = [flow.active for flow in self.columns.flows], []
        for active, (inputs, outputs) in zip(first, sample_roles(self.problem), strict=True):
            edges = np.flatnonzero(x[active : active + self.problem.n_edges] > 0.5)
            parts.append(on_walks(self.problem, edges, inputs, outputs))
        return union_of(parts)

    def _take(self, edges: IntVector) -> None:
        if not violations(self.problem, edges):
            objective = cost_of(self.problem, edges)
            if objective < self.objective:
                self.edges, self.objective = edges, objective


def _point(problem: Problem, edges: IntVector) -> FloatVector:
    """A choice as values of the first columns."""
    values = np.zeros(problem.n_edges)
    values[edges] = 1.0
    return values


def tight_bound(problem: Problem, bound: float) -> float:
    """Round a bound up where costs are integers; never below what is trivially true (all edges that pay, taken)."""
    trivial = float(np.minimum(problem.costs, 0.0).sum() + np.minimum(problem.vertex_costs, 0.0).sum())
    bound = max(bound, trivial)
    return rounded_up(bound) if problem.has_integer_costs else bound


def _reporter(options: Options, clock: Clock, constant: float) -> Any:
    if options.on_progress is None:
        return None
    report = options.on_progress

    def shifted(incumbent: float | None, bound: float) -> None:
        report(Progress(None if incumbent is None else incumbent + constant, bound + constant, clock.seconds))

    return shifted


def _details(program: MixedIntegerProgram, build_s: float) -> dict[str, Any]:
    rows, columns = program.matrix.shape
    return {"model": {"rows": int(rows), "columns": int(columns), "seconds": build_s}}
