"""A second criterion among all cheapest networks: the least total weight of edges and vertices, or the least depth.

Law (lexicographic optimum by one objective). Let all costs, vertex costs and rewards be whole numbers, c the least cost
of a network, w(N) the total weight of the edges and vertices of a network N (whole weights of any sign), L a number
with L <= w(N) for every network, and W the weight of one cheapest network. A network N that minimises

    M cost(N) + w(N),   M = W - L + 1,

is a cheapest network, and of least weight among those. Proof: the known network scores M c + W. A network of higher
cost scores at least M (c + 1) + L = M c + W + 1, which is more; so N has cost c. Among networks of cost c the score and
the weight differ by the constant M c, so N has the least weight. QED. Nothing in the proof says how many vertices or
edges a network has: weights of vertices are part of w as those of edges are. Vertex costs and rewards are part of the
cost, and are multiplied alike. A lower bound b on the score, for whatever M, bounds the weight of every cheapest
network from below by b - M c. L is the sum of the negative weights, 0 if there are none.

A greatest total is a least one with all signs turned. Where edges cost something, M is chosen so large that their score
is not negative. A vertex of negative weight that costs nothing pays, which only the acyclic-flow program handles; with
one output, edges that cost something and no further rules, `solvers.minima` does without, and is faster.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from solvers.arrays import distances
from solvers.check import cost_of, violations
from solvers.clock import Clock
from solvers.cover import sample_roles
from solvers.errors import InfeasibleProblem, ProblemError
from solvers.interrupt import NothingFound
from solvers.minima import Minima, lightest_minimum, minima_of
from solvers.options import Options
from solvers.problem import IntVector, Problem
from solvers.reduce.normal import normalise
from solvers.result import Solution, Termination
from solvers.solve import solve

DECIMALS = 3  # that weights may have
LARGEST = 2.0**53  # scores up to here are exact


@dataclass(frozen=True, eq=False)
class Weights:
    """Whole numbers of any sign, of each edge and of each vertex."""

    edges: IntVector
    vertices: IntVector

    @property
    def least(self) -> int:
        """No network weighs less."""
        return int(np.minimum(self.edges, 0).sum() + np.minimum(self.vertices, 0).sum())

    def of(self, problem: Problem, edges: IntVector) -> int:
        """Weight of a network: of its edges, and of the vertices at their ends, once each."""
        ends = np.unique(np.concatenate([problem.sources[edges], problem.targets[edges]]))
        return int(self.edges[edges].sum() + self.vertices[ends].sum())


@dataclass(frozen=True, eq=False)
class Preferred:
    """A cheapest network and what is known of its second criterion.

    Attributes:
        solution: The network; `objective` and `bound` speak of its cost alone.
        value: Weight, or depth, of the network.
        bound: No network of the least cost has less. Without a proved least cost: what no network at all has less of.
    """

    solution: Solution
    value: float
    bound: float

    @property
    def is_proved(self) -> bool:
        """Whether the network is proved to be cheapest, and least in the second criterion among the cheapest."""
        return self.solution.termination is Termination.OPTIMAL and self.bound == self.value


def solve_preferring(problem: Problem, weights: Any, options: Options | None = None) -> Preferred:
    """Among all cheapest networks, find one whose edges have the least total weight.

    Args:
        problem: Costs, vertex costs and rewards are whole numbers.
        weights: Of each edge, >= 0, with at most three decimals, shape (n_edges,).
        options: The time limit is for both criteria together.

    Returns:
        The network. Where a limit came before the least cost was proved, the second criterion was not looked at.

    Raises:
        ProblemError: Costs are no whole numbers, weights are not as stated, or numbers are too large to be exact.
        InfeasibleProblem, UnknownBackend, SolverError: as `solve`.
    """
    options = options or Options()
    whole, unit = whole_weights(problem, weights)
    found = solve_lightest(problem, Weights(whole, np.zeros(problem.n_vertices, dtype=np.int64)), options)
    return replace(found, value=found.value / unit, bound=found.bound / unit)


def solve_lightest(problem: Problem, weights: Weights, options: Options | None = None) -> Preferred:
    """As `solve_preferring`, for whole weights of any sign, of edges and vertices.

    Raises:
        ProblemError: Costs are no whole numbers, a part of negative weight would have to pay where nothing may
            (`check_signs`), or numbers are too large to be exact.
        InfeasibleProblem, UnknownBackend, SolverError: as `solve`.
    """
    options = options or Options()
    check_whole_costs(problem)
    check_signs(problem, weights, options)
    clock = Clock(options.time_limit_s)
    return lightest(problem, weights, solve(problem, options=options), options=options, clock=clock)


def solve_shallow(problem: Problem, options: Options | None = None) -> Preferred:
    """Among all cheapest networks, find one whose longest path is shortest.

    From the depth d of a cheapest network downwards, the problem is solved with a limit of d - 1. An answer of the same
    cost gives the next d; that there is none, or only dearer ones, proves that d is least. No network is less deep
    than the shortest way of the input that is farthest from the outputs, which ends the search without a further step.

    With `min_routes` a limit of depth also lowers the number of routes that are asked for. The limited problem is then
    a relaxation: what it excludes is excluded, but an answer may have too few routes; the search ends there, unproved.

    Args:
        problem: Any costs; one order for all samples.
        options: The time limit is for all steps together.

    Raises:
        ProblemError: Samples have orders of their own.
        InfeasibleProblem, UnknownBackend, SolverError: as `solve`.
    """
    options = options or Options()
    if not problem.rules.shared_order:
        raise ProblemError("expected one order for all samples where depth is asked for, got orders of their own")
    clock = Clock(options.time_limit_s)
    best = solve(problem, options=options)
    depth, bound = depth_of(problem, best.edges), 0
    if best.termination is Termination.OPTIMAL:
        bound = min(depth, least_depth(problem))
        while bound < depth and not clock.expired and not best.details.get("interrupted"):
            tried = _no_deeper(problem, depth - 1, remaining(options, clock))
            if tried is None or not _same(tried.bound, best.objective):
                bound = depth
            elif _same(tried.objective, best.objective) and not violations(problem, tried.edges):
                best = _same_cost(problem, best, tried)
                depth = depth_of(problem, best.edges)
            else:
                best = replace(best, details={**best.details, **_interruption(tried)})
                break
    return Preferred(replace(best, seconds=clock.seconds), float(depth), float(bound))


def lightest(
    problem: Problem,
    weights: Weights,
    optimum: Solution,
    *,
    known: Sequence[IntVector] = (),
    most: int | None = None,
    minima: Minima | None = None,
    options: Options,
    clock: Clock,
) -> Preferred:
    """The second step: the least weight among networks that cost as much as a proved optimum.

    Args:
        problem: Whole costs.
        weights: Whole numbers.
        optimum: A cheapest network; unless it is proved to be one, nothing is done.
        known: Further cheapest networks of the problem; the lightest of all is the start.
        most: W of the law where no network in hand obeys the rules of `problem` (it excludes them): no cheapest network
            weighs more. The optimum then only lends its cost, and is not returned.
        minima: Where the cheapest networks are, if that is known.
        options: How to solve.
        clock: Time left.

    Returns:
        With `most`, a solution with termination NOTHING where a limit came first.

    Raises:
        InfeasibleProblem: There is no network (with `most`).
    """
    hand = [optimum.edges, *known] if most is None else []
    start = min(hand, key=lambda edges: weights.of(problem, edges), default=None)
    if start is not None:
        optimum = replace(optimum, edges=start)
    limit, least = weights.of(problem, start) if start is not None else most or 0, weights.least
    if optimum.termination is not Termination.OPTIMAL or (start is not None and limit == least):
        return Preferred(replace(optimum, seconds=clock.seconds), float(limit), float(least))
    check_exact(limit - least, optimum.objective)
    if clock.expired or bool(optimum.details.get("interrupted")):
        return _not_better(optimum, None, limit, least, clock, keep=start is not None)
    if start is not None and options.method != "milp":
        minima = minima or minima_of(problem, optimum, clock)
        if minima is not None:
            return _on_minima(minima, weights, optimum, options, clock)
    factor = _factor(problem, weights, limit - least + 1)
    tried = _tried(_scored(problem, weights, factor), remaining(options, clock))
    base = factor * optimum.objective
    if tried is None or tried.objective >= base + limit + 1:  # nothing, or nothing of that cost, was found
        bound = least if tried is None else max(float(least), tried.bound - base)
        return _not_better(optimum, tried, limit, bound, clock, keep=start is not None)
    value = float(weights.of(problem, tried.edges))
    if start is not None and value >= limit:
        tried, value = replace(tried, edges=start), float(limit)
    proved = tried.termination is Termination.OPTIMAL
    bound = value if proved else min(value, max(float(least), tried.bound - base))
    solution = replace(_same_cost(problem, optimum, tried), seconds=clock.seconds)
    return Preferred(solution, value, bound)


def _on_minima(minima: Minima, weights: Weights, optimum: Solution, options: Options, clock: Clock) -> Preferred:
    """The lightest cheapest network by way of the edges that cheapest networks can use; `optimum` is the start."""
    problem = minima.problem
    folded = weights.edges + weights.vertices[problem.sources]
    found = lightest_minimum(minima, folded, optimum.edges, options, clock)
    output = int(weights.vertices[minima.root])  # the only vertex that no edge leaves
    details = {**optimum.details, **({"interrupted": True} if found.interrupted else {})}
    versions = {**optimum.versions}
    for solution in found.solutions:
        versions |= solution.versions
    best = replace(optimum, edges=found.edges, seconds=clock.seconds, versions=versions, details=details)
    return Preferred(best, float(found.weight + output), float(max(found.bound + output, weights.least)))


def whole_weights(problem: Problem, weights: Any) -> tuple[IntVector, int]:
    """Weights as whole numbers, and the unit that one is: 1, 10, 100 or 1000.

    Raises:
        ProblemError: They are of another shape, negative, not finite, or have more decimals.
    """
    given = np.array(weights, dtype=np.float64)
    if given.shape != (problem.n_edges,):
        raise ProblemError(f"expected one weight for each of {problem.n_edges} edges, got shape {given.shape}")
    if not (np.isfinite(given) & (given >= 0)).all():
        raise ProblemError("expected weights that are finite and >= 0, got others")
    for unit in (10**decimals for decimals in range(DECIMALS + 1)):
        whole = np.round(given * unit)
        if (whole / unit == given).all() and whole.sum() < LARGEST:
            return whole.astype(np.int64), unit
    raise ProblemError(f"expected weights with at most {DECIMALS} decimals, got finer ones; round them")


def check_whole_costs(problem: Problem) -> None:
    """Refuse costs for which the law does not hold.

    Raises:
        ProblemError: A cost, a vertex cost or a reward is no whole number.
    """
    if not problem.has_integer_costs:
        raise ProblemError(
            "expected whole numbers as costs and rewards with a second criterion, got fractions; "
            "multiply them until they are whole"
        )


def check_signs(problem: Problem, weights: Weights, options: Options) -> None:
    """Refuse weights of which the score would pay where the way of solving, or the rules, allow no part to pay.

    Raises:
        ProblemError: A vertex or an edge that costs nothing has a negative weight, and the method is "steiner", or
            samples have orders of their own.
    """
    pays = bool(
        (weights.edges[problem.costs <= 0] < 0).any() or (weights.vertices[problem.vertex_costs <= 0] < 0).any()
    )
    if not pays or problem.has_negative_costs:
        return
    if not problem.rules.shared_order:
        raise ProblemError("expected one order for all samples where vertices or free edges pay, got several")
    folded = problem.costs + problem.vertex_costs[problem.sources]
    plain = replace(problem.rules, forbidden_edges=(), forbidden_vertices=()).is_plain
    if options.method == "steiner" and (len(problem.outputs) > 1 or not plain or folded.min(initial=1.0) <= 0):
        raise ProblemError("expected method 'auto' or 'milp' where vertices or free edges pay, got 'steiner'")


def check_exact(spread: int, least: float) -> None:
    """Refuse numbers with which scores are not exact.

    Raises:
        ProblemError: Spread of weights and least cost are too large.
    """
    if (spread + 1) * (abs(least) + 1) + spread >= LARGEST:
        raise ProblemError("expected costs and weights whose product is exact in floating point, got larger ones")


def depth_of(problem: Problem, edges: IntVector) -> int:
    """Number of edges on the longest path of an acyclic choice."""
    tails, heads = problem.sources[edges].tolist(), problem.targets[edges].tolist()
    waiting: dict[int, int] = {}
    after: dict[int, list[int]] = {}
    for tail, head in zip(tails, heads, strict=True):
        waiting[head] = waiting.get(head, 0) + 1
        after.setdefault(tail, []).append(head)
    depth = {vertex: 0 for vertex in after if vertex not in waiting}
    free = list(depth)
    while free:
        vertex = free.pop()
        for head in after.get(vertex, ()):
            depth[head] = max(depth.get(head, 0), depth[vertex] + 1)
            waiting[head] -= 1
            if waiting[head] == 0:
                free.append(head)
    return max(depth.values(), default=0)


def least_depth(problem: Problem) -> int:
    """A depth that no network can be below: the longest of the shortest ways that are needed."""
    normal = normalise(problem).problem
    optional = set(normal.rules.rewards)
    least = 0
    for inputs, outputs in sample_roles(normal):
        behind = distances(normal.n_vertices, normal.targets, normal.sources, outputs)
        ahead = distances(normal.n_vertices, normal.sources, normal.targets, inputs)
        needed = [int(behind[vertex]) for vertex in inputs.tolist() if vertex not in optional]
        least = max([least, *needed, *(int(ahead[vertex]) for vertex in outputs.tolist())])
    return least


def remaining(options: Options, clock: Clock) -> Options:
    """The options with what is left of the time."""
    return replace(options, time_limit_s=None if math.isinf(clock.left_s) else clock.left_s, on_progress=None)


def _factor(problem: Problem, weights: Weights, least: int) -> int:
    """M of the law: at least so large, and so that no edge or vertex that costs something scores less than 0."""
    factor = least
    for costs, values in ((problem.costs, weights.edges), (problem.vertex_costs, weights.vertices)):
        paid = costs > 0
        factor = max(factor, math.ceil((-values[paid] / costs[paid]).max(initial=0.0)))
    return factor


def _scored(problem: Problem, weights: Weights, factor: int) -> Problem:
    """The problem whose cost is the score of the law."""
    rules = problem.rules
    return problem.changed(
        costs=problem.costs * factor + weights.edges,
        vertex_costs=problem.vertex_costs * factor + weights.vertices,
        rules=replace(rules, rewards={vertex: reward * factor for vertex, reward in rules.rewards.items()}),
    )


def _tried(problem: Problem, options: Options) -> Solution | None:
    """A solution; None if Ctrl-C came before any, which is then said by the caller."""
    try:
        return solve(problem, options=options)
    except NothingFound:
        return None


def _not_better(
    optimum: Solution, tried: Solution | None, limit: int, bound: float, clock: Clock, *, keep: bool
) -> Preferred:
    """Where no network of the least cost came out: what is in hand stays, or there is nothing."""
    stopped = not clock.expired if tried is None else bool(tried.details.get("interrupted"))
    if not keep and tried is not None and bound >= limit + 1:
        raise InfeasibleProblem((), (), reason="of that cost: all others cost more")
    details = {**optimum.details, **({"interrupted": True} if stopped else {})}
    solution = replace(optimum, seconds=clock.seconds, details=details)
    if not keep:
        solution = replace(solution, termination=Termination.NOTHING, edges=optimum.edges[:0], objective=math.inf)
    return Preferred(solution, float(limit), min(float(limit), bound))


def _no_deeper(problem: Problem, depth: int, options: Options) -> Solution | None:
    """The problem with a depth limit solved; None if no network is so shallow."""
    limited = problem.changed(rules=replace(problem.rules, max_depth=depth))
    try:
        return solve(limited, options=options)
    except InfeasibleProblem:
        return None
    except NothingFound:
        nothing = np.zeros(0, dtype=np.int64)
        return Solution(Termination.NOTHING, nothing, math.inf, -math.inf, "", "", 0.0, details={"interrupted": True})


def _same_cost(problem: Problem, optimum: Solution, other: Solution) -> Solution:
    """The network of `other` with what is proved of its cost, which is that of `optimum`."""
    cost = cost_of(problem, other.edges)  # differs from the least by rounding, if at all
    return replace(
        optimum,
        edges=other.edges,
        objective=cost,
        bound=min(optimum.bound, cost),
        versions={**optimum.versions, **other.versions},
        details={**optimum.details, **_interruption(other)},
    )


def _same(cost: float, least: float) -> bool:
    """Whether a cost is no higher than the least; sums of the same fractions may differ in the last digits."""
    return cost <= least + 1e-9 * abs(least)


def _interruption(solution: Solution) -> dict[str, Any]:
    return {"interrupted": True} if solution.details.get("interrupted") else {}
