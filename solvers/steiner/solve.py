"""The fast exact path from a problem to a proved network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from solvers import registry
from solvers.bounds import meets
from solvers.check import cost_of, violations
from solvers.clock import Clock
from solvers.milp.solve import solve_milp
from solvers.options import Options
from solvers.problem import FloatVector, IntVector, Problem
from solvers.reduce.arcs import restricted_to, worth_their_cost
from solvers.result import Solution, Termination
from solvers.steiner.attempt import Attempt, closed, first_attempt, report
from solvers.steiner.compact import Compact, compact
from solvers.steiner.feed import edges_among, feed_outputs, with_feeders
from solvers.steiner.instance import arc_instance, rooted, uniform_out_cost
from solvers.steiner.network import Network, network_of
from solvers.steiner.realise import realise
from solvers.steiner.several import answer_views

BOTH_FORMS_UP_TO = 60_000  # edges; beyond that a dual ascent over edges takes longer than it can save
TIE = 1e-9


@dataclass(frozen=True, eq=False)
class _Joined:
    """An answer for the problem with its outputs joined: edges of the problem, the bound, who proved it, facts."""

    edges: IntVector
    bound: float
    prover: str
    details: dict[str, Any]


def solve_steiner(problem: Problem, options: Options, clock: Clock, *, start: IntVector | None = None) -> Solution:
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
        start: Edges of a network, if one is known; it need not obey the rules.
    """
    folded, best = _folded(problem), _Best(problem)
    if start is not None:
        best.offer(start)
    if folded is not None:
        best.join(folded, options, clock)
        if best.is_proved or len(problem.outputs) == 1 or clock.expired:
            return best.solution(clock)
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
    return problem.changed(
        costs=problem.costs + problem.vertex_costs[problem.sources], vertex_costs=np.zeros(problem.n_vertices)
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
        joined = _Joining(folded, options, clock).best()
        shared = float(self.problem.vertex_costs[self.problem.outputs].sum())  # not on any edge of the folded problem
        self.offer(feed_outputs(folded, joined.edges))
        self.raise_bound(joined.bound + shared, joined.prover)
        self.details |= joined.details

    def answer(self, options: Options, clock: Clock, *, settle_leaves: bool) -> bool:
        """All views; whether nothing was settled that could be asked for separately."""
        problem = self.problem
        network = network_of(problem, settle_leaves=settle_leaves)
        found = answer_views(
            network,
            clock,
            seed=options.seed,
            start=self._as_arcs(network),
            on_progress=lambda cost, bound: report(options, clock, cost, bound),
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


class _Joining:
    """Every input to some output: the problem with its outputs joined, in the form in which its bound is better.

    Node form: where all ways out of a vertex cost the same it pays once, and the terminal reductions apply; so real
    prior networks are proved at once. Arborescence form: a variable an edge. Its relaxation is at least as tight, and
    on grids by a quarter, so where the node form leaves a gap both bounds are compared before the work begins.
    """

    def __init__(self, problem: Problem, options: Options, clock: Clock) -> None:
        self.problem, self.options, self.clock = problem, options, clock
        self.graph = rooted(problem)
        self.cost = uniform_out_cost(self.graph)

    def best(self) -> _Joined:
        """The answer of the better form."""
        if self.cost is None:
            return self._arcs(closed(self._first_arcs(), self.options, self.clock))
        small = self._compact(self.cost)
        nodes = first_attempt(small.instance, self.options, self.clock, constant=small.constant)
        if not nodes.is_proved and len(self.problem.outputs) == 1 and self.problem.n_edges <= BOTH_FORMS_UP_TO:
            arcs = self._first_arcs()
            if arcs.bound > nodes.constant + nodes.bound + TIE:
                return self._arcs(closed(arcs, self.options, self.clock))
        return self._nodes(small, self.cost, closed(nodes, self.options, self.clock))

    def _compact(self, cost: FloatVector) -> Compact:
        """The node form after the reductions; with several outputs, each asks for a vertex that can feed it."""
        graph = self.graph
        if len(self.problem.outputs) > 1:
            graph = with_feeders(self.problem, graph)
            cost = np.append(cost, np.zeros(graph.n_vertices - len(cost)))
        return compact(graph, cost)

    def _nodes(self, small: Compact, cost: FloatVector, attempt: Attempt) -> _Joined:
        n = self.problem.n_vertices
        answer = small.answer(attempt.arcs)
        chosen = np.zeros(n, dtype=bool)
        chosen[answer[answer < n]] = True  # root and feeders come after the vertices of the problem
        edges = edges_among(self.problem, chosen, cost[:n])
        details = {"form": "node", **_counts(small), **attempt.facts}
        return _Joined(edges, small.constant + attempt.bound, attempt.prover, details)

    def _first_arcs(self) -> Attempt:
        whole = arc_instance(self.graph)
        self.kept = np.flatnonzero(worth_their_cost(whole))
        return first_attempt(restricted_to(whole, self.kept), self.options, self.clock, constant=0.0)

    def _arcs(self, attempt: Attempt) -> _Joined:
        edges = self.graph.edges[self.kept[attempt.arcs]]
        return _Joined(edges, attempt.bound, attempt.prover, {"form": "arc", **attempt.facts})


def _counts(small: Compact) -> dict[str, Any]:
    return {
        "settled_vertices": len(small.settled),
        "settled_cost": small.constant,
        "open_vertices": len(small.vertices) - 1,
        "open_terminals": len(small.instance.terminals),
        "forced_vertices": small.reduced.n_forced,
        "dominated_inputs": small.reduced.n_dominated,
    }
