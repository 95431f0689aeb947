"""Several networks for one problem: the cheapest ones in order, or cheapest ones that share as little as possible."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from solvers.clock import Clock
from solvers.errors import InfeasibleProblem
from solvers.interrupt import NothingFound
from solvers.minima import Minima, minima_of, sharpened
from solvers.options import Options
from solvers.prefer import Preferred, Weights, check_whole_costs, lightest, remaining
from solvers.problem import BoolVector, IntVector, Problem
from solvers.result import Solution, Termination
from solvers.solve import solve

FRACTIONS = 1e-6  # relative; engines do not tell costs apart that are no whole numbers and nearer to each other


@dataclass(frozen=True, eq=False)
class Alternative:
    """One of several networks.

    Attributes:
        solution: The network. Its bound holds for all networks other than those before it.
        shared: Total weight of its edges, where an edge weighs as much as there are earlier networks that hold it;
            None where that was not asked.
        shared_bound: No other cheapest network shares less.
    """

    solution: Solution
    shared: float | None = None
    shared_bound: float | None = None


@dataclass(frozen=True, eq=False)
class Alternatives:
    """Networks in the order in which they were found.

    Attributes:
        networks: All different.
        complete: Proved that there is no further one (of the least cost, where that was asked); False: not known.
        unique: Whether the first is proved to be the only cheapest network (True), or not to be (False); None: unknown.
    """

    networks: tuple[Alternative, ...]
    complete: bool
    unique: bool | None


def best_networks(
    problem: Problem, count: int, options: Options | None = None, *, within: float = math.inf
) -> Alternatives:
    """The `count` cheapest networks, cheapest first; every feasible network counts, with idle detours too.

    Each is a cheapest network other than those before it (`Rules.excluded`), so the order is that of the costs. The
    list ends early where no further network exists, or with the first one that a limit left unproved.

    Args:
        problem: May exclude networks itself.
        count: At least 1.
        options: The time limit is for all networks together.
        within: Networks that cost more than so much above the least are not wanted; the list is complete without them.

    Raises:
        InfeasibleProblem, UnknownBackend, SolverError: as `solve`, for the first network.
    """
    options = options or Options()
    clock = Clock(options.time_limit_s)
    found = [Alternative(solve(problem, options=options))]
    complete = False
    while len(found) < count and found[-1].solution.termination is Termination.OPTIMAL and not _over(found, clock):
        if found[-1].solution.objective > _most(problem, found[0].solution, within):
            break
        try:
            left_out = excluding(problem, [each.solution.edges for each in found])
            solution = solve(left_out, options=remaining(options, clock))
        except InfeasibleProblem:
            complete = True
            break
        except NothingFound:
            found[-1] = _interrupted(found[-1])
            break
        if solution.termination is Termination.NOTHING:
            break
        found.append(Alternative(solution))
    unique = None
    if len(found) > 1 or complete:
        unique = _unique_by_cost(problem, found)
    near = [each for each in found if each.solution.objective <= _most(problem, found[0].solution, within)]
    if len(near) < len(found):
        complete = found[-1].solution.bound > _most(problem, found[0].solution, within)
    return Alternatives(tuple(near), complete, unique)


def diverse_networks(problem: Problem, count: int, options: Options | None = None) -> Alternatives:
    """Cheapest networks, each of which shares as little as possible with those before it.

    The next network is, among all cheapest ones other than those found, one of least total weight, where an edge weighs
    as much as there are earlier networks that hold it (see `solvers.prefer` for the law). It is first looked for among
    all cheapest networks, where the fast path applies. If one that is known comes out, the known ones are excluded.
    The list ends early where all cheapest networks are found, or with the first one that a limit left unproved.

    Law (one network). If every edge costs more than 0 and no vertex pays, a network of the same cost as F, other than
    F, does not hold all edges of F. With weight 1 on the edges of F it weighs less than F. So where F itself is
    lightest, it is the only cheapest network.

    Args:
        problem: Whole costs.
        count: At least 1.
        options: The time limit is for all networks together.

    Raises:
        ProblemError: Costs are no whole numbers.
        InfeasibleProblem, UnknownBackend, SolverError: as `solve`, for the first network.
    """
    options = options or Options()
    check_whole_costs(problem)
    clock = Clock(options.time_limit_s)
    first = solve(problem, options=options)
    found, complete = [Alternative(first, 0.0, 0.0)], False
    minima = None
    if count > 1 and options.method != "milp" and first.termination is Termination.OPTIMAL:
        minima = minima_of(problem, first, clock)
        if minima is not None and count > 2:
            minima = sharpened(minima, first.edges, options, clock)
    while len(found) < count and found[-1].solution.termination is Termination.OPTIMAL and not _over(found, clock):
        known = [each.solution.edges for each in found]
        try:
            following = _farthest(problem, known, first, minima, options, clock)
        except InfeasibleProblem:
            complete = True
            break
        if following.solution.termination is Termination.NOTHING or _is_known(following.solution.edges, known):
            if following.solution.details.get("interrupted"):
                found[-1] = _interrupted(found[-1])
            break
        found.append(Alternative(following.solution, following.value, following.bound))
        if not following.is_proved:
            break
    unique = False if len(found) > 1 else (True if complete else None)
    return Alternatives(tuple(found), complete, unique)


@dataclass(frozen=True, eq=False)
class Necessary:
    """Which vertices all cheapest networks share.

    Attributes:
        networks: Cheapest networks that were found (or the best one, where the least cost was not proved).
        proved: Whether each vertex is proved to be in every cheapest network, shape (n_vertices,).
        shared: Whether each vertex is in every network that is known, shape (n_vertices,).
    """

    networks: tuple[Solution, ...]
    proved: BoolVector
    shared: BoolVector


def necessary_vertices(
    problem: Problem, options: Options | None = None, *, known: Sequence[IntVector] = ()
) -> Necessary:
    """Vertices that are in every cheapest network.

    Law. Let C be vertices that all cheapest networks at hand hold. Of all cheapest networks, one with as few vertices
    of C as possible (weight 1 on each; see `solvers.prefer`) either lacks some, which then are not necessary, or holds
    all of C: then every cheapest network does, and all of C is necessary. So there is one search more, at most, than
    there are vertices that are not necessary; mostly two are enough.

    Args:
        problem: Whole costs.
        options: The time limit is for all searches together.
        known: Cheapest networks of the problem.

    Raises:
        ProblemError: Costs are no whole numbers.
        InfeasibleProblem, UnknownBackend, SolverError: as `solve`.
    """
    options = options or Options()
    check_whole_costs(problem)
    clock = Clock(options.time_limit_s)
    first = solve(problem, options=remaining(options, clock))
    proved, shared = np.zeros(problem.n_vertices, dtype=bool), _ends(problem, first.edges)
    for edges in known:
        shared &= _ends(problem, edges)
    if first.termination is not Termination.OPTIMAL:
        return Necessary((first,), proved, shared)
    minima = minima_of(problem, first, clock) if options.method != "milp" else None
    if minima is not None:
        proved |= minima.must
    networks = [first]
    nothing = np.zeros(problem.n_edges, dtype=np.int64)
    while (shared & ~proved).any():
        open_ = shared & ~proved
        weights = Weights(nothing, open_.astype(np.int64))
        found = lightest(problem, weights, first, known=known, minima=minima, options=options, clock=clock)
        shared &= _ends(problem, found.solution.edges)
        if found.bound == open_.sum():
            proved |= open_
        elif found.value == open_.sum():
            break
        else:
            networks.append(found.solution)
    return Necessary(tuple(networks), proved & shared, shared)


def _ends(problem: Problem, edges: IntVector) -> BoolVector:
    present = np.zeros(problem.n_vertices, dtype=bool)
    present[problem.sources[edges]] = present[problem.targets[edges]] = True
    return present


def excluding(problem: Problem, networks: Sequence[IntVector]) -> Problem:
    """The problem without these networks."""
    more = tuple(tuple(edges.tolist()) for edges in networks)
    return problem.changed(rules=replace(problem.rules, excluded=(*problem.rules.excluded, *more)))


def _farthest(
    problem: Problem,
    known: Sequence[IntVector],
    first: Solution,
    minima: Minima | None,
    options: Options,
    clock: Clock,
) -> Preferred:
    """The lightest cheapest network other than the known ones.

    Raises:
        InfeasibleProblem: There is none.
    """
    held = np.zeros(problem.n_edges, dtype=np.int64)
    for edges in known:
        held[edges] += 1
    weights = Weights(held, np.zeros(problem.n_vertices, dtype=np.int64))
    found = lightest(problem, weights, first, known=known, minima=minima, options=options, clock=clock)
    if not found.is_proved or not _is_known(found.solution.edges, known):
        return found
    if len(known) == 1 and _every_part_costs(problem):
        raise InfeasibleProblem((), (), reason="of that cost: the cheapest network is the only one")
    most = int(held.sum())
    return lightest(excluding(problem, known), weights, first, most=most, options=options, clock=clock)


def _most(problem: Problem, cheapest: Solution, within: float) -> float:
    """What a network may cost that is wanted; see `FRACTIONS`."""
    slack = 0.0 if problem.has_integer_costs else FRACTIONS * abs(cheapest.objective)
    return cheapest.objective + within + slack


def _every_part_costs(problem: Problem) -> bool:
    return bool((problem.costs > 0).all() and (problem.vertex_costs >= 0).all()) and not problem.rules.rewards


def _is_known(edges: IntVector, known: Sequence[IntVector]) -> bool:
    return any(np.array_equal(edges, other) for other in known)


def _over(found: Sequence[Alternative], clock: Clock) -> bool:
    return clock.expired or bool(found[-1].solution.details.get("interrupted"))


def _interrupted(alternative: Alternative) -> Alternative:
    solution = alternative.solution
    return replace(alternative, solution=replace(solution, details={**solution.details, "interrupted": True}))


def _unique_by_cost(problem: Problem, found: Sequence[Alternative]) -> bool | None:
    """Whether the second network is proved dearer (True), is as cheap (False), or that is not known (None)."""
    if len(found) == 1:
        return True
    first, second = found[0].solution, found[1].solution
    slack = 0.0 if problem.has_integer_costs else FRACTIONS * abs(first.objective)
    if second.objective <= first.objective + slack:
        return False
    return True if second.bound > first.objective + slack else None
