"""The largest acyclic covering network: contract, anneal an order, prove how many edges must go.

NP-hard. Two numbers are brought together: edges kept by the best order of vertices found by annealing (`order`), cut
back to input-to-output walks, and edges that must go by a program over cycles and cover rules (`cycles`). Where they
meet, the network is proved; else both are stated.

Why the cover rules are part of the bound: without them the question is the minimum feedback arc set, and its optimum
is a valid bound here, since the rules only take more edges away. But it is a weak one. In the graph x -> a, a -> b,
b -> a, b -> y with input x and output y one edge must go, and leaving out b -> a costs nothing more. In x -> a, a -> b,
b -> a, a -> y, the cycle a, b alone may be cut by leaving out either edge, but b then has no way on, or no way to it:
both edges go. So a minimum feedback arc set can leave edges astray, and it can cut inputs off as well: the coverage
costs nothing exactly where what is left of some minimum set has no stray edge.

Without a time limit the effort is bounded by counts, not by the clock: moves, rounds, nodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from solvers import registry
from solvers.arrays import distances, strong_components
from solvers.check import violations
from solvers.clock import Clock
from solvers.cover import covers, tidy
from solvers.largest.contract import Contracted, contract
from solvers.largest.cycles import SLACK, VIOLATION, CycleProgram
from solvers.largest.feasible import forward_edges
from solvers.largest.order import HOT, Annealing
from solvers.milp.solve import solve_milp
from solvers.options import Options
from solvers.problem import FloatVector, IntVector, Problem
from solvers.result import Progress, Solution, Termination

EXACT_UP_TO = 150  # edges inside components for which the acyclic-flow program decides what is left open
INTEGER_UP_TO = 400, 1500  # arcs in components, without and with a time limit, to solve the cycle program in integers
NODES = 300  # of all its branch-and-bound trees together, without a time limit
FIRST_SWEEPS = 15  # of annealing, to have something good soon
FIRST_ROUNDS = 5  # of the linear program before annealing in earnest
TAIL_ROUNDS, TAIL_GAIN = 4, 2e-3  # it is left when so many rounds raised the bound by less than this, relatively
MOVES = 250_000  # of groups, in one annealing
MOST_SWEEPS = 200
WARM = 0.4  # first temperature when annealing goes on from the best order
RESTARTS = 3  # of those
REPAIRS = 10  # times that needs which an order leaves unmet are insisted on
SHARE = 0.6  # of a time limit, for all but the last annealing


def largest_acyclic(problem: Problem, options: Options, clock: Clock) -> Solution:
    """Keep as many edges as possible.

    Args:
        problem: All edges on input-to-output walks, each at cost -1. With rules beyond covering the acyclic-flow
            program alone decides.
        options: `backend`, `seed` for programs; `method="milp"` asks for the acyclic-flow program at any size.
        clock: Time left.

    Returns:
        A solution with objective = -(number of edges kept) and bound = -(number that cannot be exceeded).
    """
    if not problem.is_plain:
        return solve_milp(problem, options, clock, order=True)
    search = _Search(problem, options, clock)
    search.run()
    if search.is_proved or clock.expired:
        return search.solution()
    n_inner = int(search.contracted.weights[search.contracted.inner].sum())
    if n_inner > EXACT_UP_TO and options.method != "milp":
        return search.solution()
    exact = solve_milp(problem, options, clock, order=True, start=search.edges)
    bound = max(exact.bound, float(search.bound - problem.n_edges))
    done = exact.objective <= bound
    return replace(
        exact,
        bound=exact.objective if done else bound,
        termination=Termination.OPTIMAL if done else Termination.LIMIT,
    )


class _Search:
    """State of one run: the best network, its order, and how many edges must go."""

    def __init__(self, problem: Problem, options: Options, clock: Clock) -> None:
        self.problem, self.clock, self.seed = problem, clock, options.seed
        self.report: Callable[[Progress], None] | None = options.on_progress
        self.limit_s, self.is_limited = clock.left_s, math.isfinite(clock.left_s)
        self.contracted = contract(problem)
        self.bound = len(self.contracted.lost)
        self.edges = tidy(problem, np.arange(problem.n_edges))
        self.place = _by_cover(self.contracted, self.edges)
        self.n_rounds = self.n_rows = 0
        self._offer(self.place)
        self._offer(_by_distance(self.contracted))

    @property
    def is_proved(self) -> bool:
        """Whether no network keeps more edges."""
        return self.problem.n_edges - len(self.edges) <= self.bound

    def run(self) -> None:
        """Raise the bound and improve the order in turns."""
        if self.is_proved or self.clock.expired:
            return
        program = CycleProgram(self.problem, self.contracted, self.clock, seed=self.seed)
        annealing = Annealing(self.contracted)
        sweeps = max(1, min(MOST_SWEEPS, MOVES // max(1, len(annealing.members))))
        self._anneal(annealing, min(FIRST_SWEEPS, sweeps), hot=WARM)
        self._linear(program, most=FIRST_ROUNDS)
        self._anneal(annealing, sweeps, hot=HOT)
        self._linear(program)
        for _ in range(RESTARTS):
            self._anneal(annealing, sweeps, hot=WARM, last=True)
        if self.contracted.inner.sum() <= INTEGER_UP_TO[self.is_limited]:
            self._integer(program)

    def solution(self) -> Solution:
        """What was reached."""
        objective = -float(len(self.edges))
        return Solution(
            termination=Termination.OPTIMAL if self.is_proved else Termination.LIMIT,
            edges=self.edges,
            objective=objective,
            bound=min(objective, float(self.bound - self.problem.n_edges)),
            method="vertex order",
            backend="highs" if self.n_rounds else "reductions",
            seconds=self.clock.seconds,
            versions=registry.versions(["highspy"] if self.n_rounds else []),
            details={
                "edges_in_components": self._edges_on_cycles(),
                "edges_in_no_network": len(self.contracted.lost),
                "rows": self.n_rows,
                "rounds": self.n_rounds,
            },
        )

    def _edges_on_cycles(self) -> int:
        tails, heads = self.problem.sources, self.problem.targets
        label = strong_components(self.problem.n_vertices, tails, heads)
        return int((label[tails] == label[heads]).sum())

    def _linear(self, program: CycleProgram, *, most: int | None = None) -> None:
        """Rounds of the linear program, until no row is broken or the bound hardly moves."""
        history: list[int] = []
        while not self.is_proved and (most is None or len(history) < most) and self._has_time():
            if not program.solve() or program.point is None:
                return
            self._raise(program)
            history.append(program.bound)
            tail = history[-TAIL_ROUNDS - 1 :]
            if len(tail) > TAIL_ROUNDS and tail[-1] - tail[0] < TAIL_GAIN * tail[-1]:
                return
            if not program.separate(program.point, least=VIOLATION):
                return

    def _integer(self, program: CycleProgram) -> None:
        """Integer optima over the rows known so far, until one breaks none."""
        program.make_integer()
        nodes = NODES
        while not self.is_proved and nodes > 0:
            program.begin_with(self.edges)
            is_optimum = program.solve(max_nodes=None if self.is_limited else nodes)
            nodes -= program.n_nodes
            self._raise(program)
            if not is_optimum or program.point is None:
                return
            if program.separate(np.round(program.point), least=SLACK):
                continue
            kept = np.flatnonzero(program.point[: self.problem.n_edges] < 0.5)
            if len(kept) > len(self.edges) and not violations(self.problem, kept):
                self.edges = kept
                self._tell()
            return

    def _anneal(self, annealing: Annealing, sweeps: int, *, hot: float, last: bool = False) -> None:
        """Anneal from the best order; insist on what the result leaves unmet."""
        stop = (lambda: self.clock.expired) if last else (lambda: not self._has_time())
        self.seed += 1
        place = self.place
        for repair in range(REPAIRS):
            if self.is_proved or stop():
                return
            first = not repair
            place = annealing.run(place, stop, seed=self.seed, sweeps=sweeps if first else 5, hot=hot if first else 0.3)
            self._offer(place)
            if not annealing.insist(place):
                return

    def _offer(self, place: FloatVector) -> None:
        """Take an order over if its network covers everything and keeps more edges."""
        edges = forward_edges(self.problem, self.contracted, place)
        if len(edges) > len(self.edges) and covers(self.problem, edges):
            self.edges, self.place = edges, place
            self._tell()

    def _raise(self, program: CycleProgram) -> None:
        self.n_rounds, self.n_rows = self.n_rounds + 1, program.n_rows
        if program.bound > self.bound:
            self.bound = program.bound
            self._tell()

    def _has_time(self) -> bool:
        return not self.clock.expired and not self.clock.left_s < (1 - SHARE) * self.limit_s

    def _tell(self) -> None:
        if self.report is not None:
            kept = len(self.edges)
            self.report(
                Progress(-float(kept), -float(max(kept, self.problem.n_edges - self.bound)), self.clock.seconds)
            )


def _by_distance(contracted: Contracted) -> FloatVector:
    """Groups farthest from those with an output first: all shortest ways on run forward, so every group has one."""
    to_output = distances(contracted.n_groups, contracted.heads, contracted.tails, np.flatnonzero(contracted.out))
    return _places(np.lexsort((np.arange(contracted.n_groups), -to_output)))


def _by_cover(contracted: Contracted, edges: IntVector) -> FloatVector:
    """An order in which the arcs that hold some of these edges, which are feasible, run forward."""
    chosen = set(edges.tolist())
    used = [arc for arc, group in enumerate(contracted.edges) if not chosen.isdisjoint(group)]
    onward: list[list[int]] = [[] for _ in range(contracted.n_groups)]
    waiting = [0] * contracted.n_groups
    for tail, head in zip(contracted.tails[used].tolist(), contracted.heads[used].tolist(), strict=True):
        onward[tail].append(head)
        waiting[head] += 1
    order = [group for group in range(contracted.n_groups) if not waiting[group]]
    for group in order:
        for head in onward[group]:
            waiting[head] -= 1
            if not waiting[head]:
                order.append(head)
    return _places(np.array(order))


def _places(order: IntVector) -> FloatVector:
    place = np.empty(len(order))
    place[order] = np.arange(len(order))
    return place
