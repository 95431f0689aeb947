"""The fast exact path from a problem to a proved network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from solvers import registry
from solvers.check import cost_of
from solvers.clock import Clock
from solvers.milp.solve import meets, solve_milp
from solvers.options import Options
from solvers.problem import FloatVector, IntVector, Problem
from solvers.result import Progress, Solution, Termination
from solvers.steiner.compact import Compact, compact
from solvers.steiner.dual_ascent import Ascent, dual_ascent
from solvers.steiner.feed import edges_among, feed_outputs, with_feeders
from solvers.steiner.improve import cost_of_arcs, polish, shake
from solvers.steiner.instance import Instance, Rooted, arc_instance, rooted, uniform_out_cost
from solvers.steiner.paths import join_by_paths

SHAKES = 30  # perturbed restarts before the linear program; each takes milliseconds after the reductions
SHAKE_UP_TO = 60_000  # arcs; beyond that a restart takes longer than the linear program's first rounds


@dataclass(frozen=True, eq=False)
class _Joined:
    """An answer for the problem with its outputs joined: edges of the problem, the bound, who proved it, facts."""

    edges: IntVector
    bound: float
    prover: str
    details: dict[str, Any]


def solve_steiner(problem: Problem, options: Options, clock: Clock) -> Solution:
    """Join every input to an output at least cost, then see to the outputs.

    Joining is a relaxation of the problem: its bound holds for the problem. If the joined answer, with ways out
    exchanged where that is free, feeds every output too, it is optimal; otherwise the acyclic-flow program decides,
    with that answer as a start.

    Args:
        problem: Costs >= 0, all edges on input-to-output walks.
        options: `seed`, `backend` (for the program) and `on_progress` are used.
        clock: Time left.
    """
    graph = rooted(problem)
    cost = uniform_out_cost(graph)
    joined = _join_arcs(graph, options, clock) if cost is None else _join_nodes(problem, graph, cost, options, clock)
    edges = feed_outputs(problem, joined.edges)
    objective = cost_of(problem, edges)
    bound = joined.bound  # whole already where costs are: dual ascent is exact, and the cut stage rounds
    if len(problem.outputs) > 1 and not meets(objective, bound) and not clock.expired:
        return _decide_outputs(problem, options, clock, edges, bound, joined)
    bound = objective if meets(objective, bound) else bound
    return Solution(
        termination=Termination.OPTIMAL if bound == objective else Termination.LIMIT,
        edges=edges,
        objective=objective,
        bound=bound,
        method="steiner",
        backend=joined.prover,
        seconds=clock.seconds,
        versions=registry.versions(["highspy"] if joined.prover == "highs" else []),
        details=joined.details,
    )


def _decide_outputs(
    problem: Problem, options: Options, clock: Clock, edges: IntVector, bound: float, joined: _Joined
) -> Solution:
    """The acyclic-flow program, where joining the outputs leaves some of them unfed or dearer to feed."""
    exact = solve_milp(problem, options, clock, start=edges)
    bound = max(bound, exact.bound)
    bound = exact.objective if meets(exact.objective, bound) else bound
    return Solution(
        termination=Termination.OPTIMAL if bound == exact.objective else Termination.LIMIT,
        edges=exact.edges,
        objective=exact.objective,
        bound=bound,
        method="steiner",
        backend=exact.backend,
        seconds=clock.seconds,
        versions=exact.versions,
        details={**joined.details, "outputs_decided_by": "milp", **exact.details},
    )


def _join_nodes(problem: Problem, graph: Rooted, cost: FloatVector, options: Options, clock: Clock) -> _Joined:
    """Node form, with the terminal reductions; with several outputs, each asks for a vertex that can feed it."""
    if len(problem.outputs) > 1:
        graph = with_feeders(problem, graph)
        cost = np.append(cost, np.zeros(graph.n_vertices - len(cost)))
    small = compact(graph, cost)
    arcs, bound, prover, details = _solve_instance(small.instance, options, clock, constant=small.constant)
    chosen = np.zeros(graph.n_vertices, dtype=bool)
    chosen[small.answer(arcs)] = True
    edges = edges_among(problem, chosen[: problem.n_vertices], cost[: problem.n_vertices])
    return _Joined(edges, small.constant + bound, prover, {"form": "node", **_counts(small), **details})


def _join_arcs(graph: Rooted, options: Options, clock: Clock) -> _Joined:
    """Arborescence form: every edge has its own cost."""
    arcs, bound, prover, details = _solve_instance(arc_instance(graph), options, clock, constant=0.0)
    return _Joined(graph.edges[arcs], bound, prover, {"form": "arc", **details})


def _solve_instance(
    instance: Instance, options: Options, clock: Clock, *, constant: float
) -> tuple[IntVector, float, str, dict[str, Any]]:
    """Answer, bound, prover and facts: dual ascent and paths first, the cut program only if a gap is left."""
    if not len(instance.terminals):
        return np.zeros(0, dtype=np.int64), 0.0, "reductions", {}
    report = _reporter(options, clock, constant)
    ascent = dual_ascent(instance, clock)
    arcs = _best_paths(instance, ascent, clock)
    if instance.has_free_arcs and not _is_proved(instance, arcs, ascent.bound) and instance.n_arcs <= SHAKE_UP_TO:
        arcs = shake(instance, arcs, clock, seed=options.seed, rounds=SHAKES, enough=ascent.bound)
    report(cost_of_arcs(instance, arcs), ascent.bound)
    facts = {"ascent_cuts": len(ascent.cuts)}
    if _is_proved(instance, arcs, ascent.bound) or clock.expired:
        return arcs, ascent.bound, "dual ascent", facts
    from solvers.steiner.branch_and_cut import close_gap  # loads HiGHS, which most networks never need

    closed = close_gap(instance, arcs, ascent, clock, seed=options.seed, on_progress=report)
    return closed.arcs, closed.bound, "highs", {**facts, "cuts": closed.n_cuts, "rounds": closed.rounds}


def _best_paths(instance: Instance, ascent: Ascent, clock: Clock) -> IntVector:
    """The cheaper of two path heuristics: by cost, and by reduced cost with cost to break ties."""
    spread = float(instance.costs.max()) or 1.0
    guides = (instance.costs, ascent.reduced + 1e-6 * instance.costs / spread)
    found = [join_by_paths(instance, guide) for guide in guides]
    found = [polish(instance, arcs, clock) for arcs in found]
    return min(found, key=lambda arcs: cost_of_arcs(instance, arcs))


def _is_proved(instance: Instance, arcs: IntVector, bound: float) -> bool:
    return meets(cost_of_arcs(instance, arcs), bound)


def _counts(small: Compact) -> dict[str, Any]:
    return {
        "settled_vertices": len(small.settled),
        "open_vertices": len(small.vertices) - 1,
        "open_terminals": len(small.instance.terminals),
        "forced_vertices": small.reduced.n_forced,
        "dominated_inputs": small.reduced.n_dominated,
    }


def _reporter(options: Options, clock: Clock, constant: float) -> Any:
    def report(cost: float, bound: float) -> None:
        if options.on_progress is not None:
            options.on_progress(Progress(constant + cost, constant + bound, clock.seconds))

    return report
