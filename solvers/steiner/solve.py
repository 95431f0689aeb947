"""The fast exact path from a problem to a proved network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from solvers import registry
from solvers.check import cost_of, violations
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
from solvers.steiner.network import Network, network_of
from solvers.steiner.paths import join_by_paths
from solvers.steiner.realise import realise
from solvers.steiner.several import answer_views

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
    """Bound the problem by relaxations that only ask for ways, from the smallest to the whole; then see to the rest.

    1. Join every input to some output (one root); with one output and no further rules that is the problem itself.
    2. All views at once (`solvers.steiner.network`): outputs are reached too, rewards, vertex costs, forced parts and
       samples are in; first with the ways of leaves settled, then without.
    3. The acyclic-flow program, with the best network as a start, where an answer of 2 breaks a rule that views know
       nothing of.

    Each is a relaxation of the problem, so its bound holds. It stops as soon as a network in hand obeys all rules and
    meets the bound.

    Args:
        problem: Normal (`solvers.reduce.normal`), costs >= 0.
        options: `seed`, `backend` (for the program) and `on_progress` are used.
        clock: Time left.
    """
    folded = _folded(problem)
    if folded is not None:
        best = _Best(problem)
        best.join(folded, options, clock)
        if best.is_proved or len(problem.outputs) == 1 or clock.expired:
            return best.solution(clock)
    else:
        best = _Best(problem)
    for settle_leaves in (True, False):
        settled_all = best.answer(options, clock, settle_leaves=settle_leaves)
        if best.is_proved or clock.expired or settled_all:
            break
    if not best.is_proved and not clock.expired:
        best.decide(options, clock)
    return best.solution(clock)


def _folded(problem: Problem) -> Problem | None:
    """The problem with costs on edges only and no rules; None where that cannot say the same.

    With one output every vertex but the output is left by exactly one edge of a cheapest network, so its cost can be
    put on the edges out of it. The cost of the output is the same for all networks.
    """
    if problem.is_plain:
        return problem
    if not problem.rules.is_plain or len(problem.outputs) > 1:
        return None
    return Problem(
        n_vertices=problem.n_vertices,
        sources=problem.sources,
        targets=problem.targets,
        inputs=problem.inputs,
        outputs=problem.outputs,
        costs=problem.costs + problem.vertex_costs[problem.sources],
    )


class _Best:
    """The best network and the best bound so far, and who found them."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.edges: IntVector | None = None
        self.objective, self.bound = np.inf, 0.0
        self.prover, self.versions = "dual ascent", set[str]()
        self.details: dict[str, Any] = {}

    @property
    def is_proved(self) -> bool:
        """Whether the bound meets the network's cost."""
        return self.edges is not None and meets(self.objective, self.bound)

    def offer(self, edges: IntVector) -> None:
        """Take over a network that obeys all rules and costs less."""
        objective = cost_of(self.problem, edges)
        if objective < self.objective and not violations(self.problem, edges):
            self.edges, self.objective = edges, objective

    def raise_bound(self, bound: float, prover: str) -> None:
        """Take over a better bound."""
        if bound > self.bound:
            self.bound, self.prover = bound, prover
            self.versions |= {"highspy"} if prover == "highs" else {"pyscipopt"} if prover == "scip" else set()

    def join(self, folded: Problem, options: Options, clock: Clock) -> None:
        """Every input to some output, as far as that goes."""
        graph = rooted(folded)
        cost = uniform_out_cost(graph)
        joined = _join_arcs(graph, options, clock) if cost is None else _join_nodes(folded, graph, cost, options, clock)
        shared = float(self.problem.vertex_costs[self.problem.outputs].sum())  # not on any edge of the folded problem
        self.offer(feed_outputs(folded, joined.edges))
        self.raise_bound(joined.bound + shared, joined.prover)
        self.details |= joined.details

    def answer(self, options: Options, clock: Clock, *, settle_leaves: bool) -> bool:
        """All views; whether nothing was settled that could be asked for separately."""
        problem = self.problem
        network = network_of(problem, settle_leaves=settle_leaves)
        report = _reporter(options, clock, 0.0)
        found = answer_views(
            network, clock, seed=options.seed, start=self._as_arcs(network), on_progress=lambda c, b: report(c, b)
        )
        self.offer(realise(problem, network, found.arcs))
        self.raise_bound(network.constant + found.bound, found.prover)
        self.details |= {"form": "views", "views": len(network.views), **found.facts}
        return not len(network.leaves)

    def _as_arcs(self, network: Network) -> IntVector | None:
        """The network in hand as costly arcs; None where rewards or costs of vertices would have to be looked up."""
        if self.edges is None or not self.problem.is_plain:
            return None
        chosen = np.isin(network.edges, self.edges) & (network.costs > 0)
        return np.flatnonzero(chosen)

    def decide(self, options: Options, clock: Clock) -> None:
        """The acyclic-flow program, where views do not know all rules or a leaf would have to go two ways."""
        exact = solve_milp(self.problem, options, clock, start=self.edges)
        if exact.termination is not Termination.NOTHING:
            self.offer(exact.edges)
        self.raise_bound(exact.bound, exact.backend)
        self.versions |= set(exact.versions)
        self.details |= {"decided_by": "milp", **exact.details}
        if exact.bound == self.bound:
            self.prover = exact.backend

    def solution(self, clock: Clock) -> Solution:
        """What is known."""
        proved = self.is_proved
        if self.edges is None:
            end = Termination.NOTHING
        else:
            end = Termination.OPTIMAL if proved else Termination.LIMIT
        return Solution(
            termination=end,
            edges=np.zeros(0, dtype=np.int64) if self.edges is None else self.edges,
            objective=self.objective,
            bound=self.objective if proved else min(self.bound, self.objective),
            method="steiner",
            backend=self.prover,
            seconds=clock.seconds,
            versions=registry.versions(sorted(self.versions)),
            details=self.details,
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
