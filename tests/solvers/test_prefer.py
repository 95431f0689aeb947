"""Second criteria and several networks against enumeration of all feasible networks."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

import solvers.prefer as prefer
from solvers import InfeasibleProblem, Options, Problem, ProblemError, Termination, solve, violations
from solvers.alternatives import best_networks, diverse_networks
from solvers.check import cost_of
from solvers.prefer import depth_of, least_depth, solve_preferring, solve_shallow, whole_weights
from solvers.rules import Rules
from tests.oracles.ruled import KINDS, recipe, solved_ruled_problems
from tests.oracles.rules import all_feasible as enumerated
from tests.oracles.rules import longest_path

# Two cheapest networks: over 1 and over 2; dearer ones over both.
DIAMOND = {"n_vertices": 4, "sources": [0, 0, 1, 2], "targets": [1, 2, 3, 3], "inputs": [0], "outputs": [3]}
ONE_ORDER = tuple(kind for kind in KINDS if kind != "samples_each")


@lru_cache
def drawn(count: int, *, seed: int, kinds: tuple[str, ...] = ONE_ORDER, whole: bool = True) -> tuple[Problem, ...]:
    """So many drawn problems that have a network, over all kinds of rules; with whole costs and one order if asked."""
    found: list[Problem] = []
    each = 2 * count // len(kinds) + 8
    pools = [iter(solved_ruled_problems(each, seed=seed, kind=kind, max_edges=8)) for kind in kinds]
    while len(found) < count:
        for pool in pools:
            for problem, best in pool:
                if best and (problem.has_integer_costs or not whole) and problem.rules.shared_order:
                    found.append(problem)
                    break
    return tuple(found[:count])


def edges_of(problem: Problem, edges: frozenset[int]) -> list[tuple[int, int]]:
    return [(int(problem.sources[edge]), int(problem.targets[edge])) for edge in sorted(edges)]


def test_the_draws_hold_what_the_tests_need():
    problems = drawn(220, seed=61)
    several = [problem for problem in problems if len(cheapest_sets(problem)) > 1]
    assert len(several) > 50
    assert sum(bool(problem.rules.rewards) for problem in problems) > 10
    assert sum(problem.has_negative_costs for problem in problems) > 3


FEASIBLE: dict[int, tuple[Problem, list[tuple[float, frozenset[int]]]]] = {}  # of problems that stay alive with it


def all_feasible(problem: Problem) -> list[tuple[float, frozenset[int]]]:
    """As the oracle's, kept: the same draws are asked for many things."""
    if id(problem) not in FEASIBLE:
        FEASIBLE[id(problem)] = problem, enumerated(problem)
    return FEASIBLE[id(problem)][1]


def cheapest_sets(problem: Problem) -> list[frozenset[int]]:
    feasible = all_feasible(problem)
    return [edges for cost, edges in feasible if cost <= feasible[0][0] + 1e-9]


# -- weights -------------------------------------------------------------------------------------------------------


def test_the_lightest_of_the_cheapest_networks():
    generator = np.random.default_rng(1)
    changed = 0
    for problem in drawn(220, seed=61):
        weights = generator.integers(0, 5, problem.n_edges) / (1, 1, 10, 1000)[generator.integers(4)]
        found = solve_preferring(problem, weights)
        optima = cheapest_sets(problem)
        totals = [float(sum(weights[sorted(edges)])) for edges in optima]
        assert found.is_proved, recipe(problem)
        assert frozenset(found.solution.edges.tolist()) in optima, recipe(problem)
        assert found.value == pytest.approx(min(totals), abs=1e-9), (weights, recipe(problem))
        assert found.solution.objective == found.solution.bound == cost_of(problem, found.solution.edges)
        assert found.bound == found.value
        changed += min(totals) < max(totals)
    assert changed > 50


def test_samples_with_orders_of_their_own_have_lightest_networks_too():
    for problem, best in solved_ruled_problems(30, seed=62, kind="samples_each", max_edges=8):
        if best is None or not problem.has_integer_costs:
            continue
        weights = np.arange(problem.n_edges) % 3
        found = solve_preferring(problem, weights)
        assert found.is_proved
        assert found.value == min(weights[sorted(edges)].sum() for edges in cheapest_sets(problem)), recipe(problem)


@pytest.mark.parametrize(
    "weights",
    [[1, 1, 1], [[1, 1, 1, 1]], [1, 1, 1, -1], [1, 1, 1, float("nan")], [1, 1, 1, float("inf")], [1, 1, 1, 0.12345]],
    ids=str,
)
def test_odd_weights_are_refused(weights):
    with pytest.raises(ProblemError):
        solve_preferring(Problem(**DIAMOND), weights)


def test_decimals_are_read_exactly():
    whole, unit = whole_weights(Problem(**DIAMOND), [0.1, 0.2, 0.3, 0.125])
    assert (whole.tolist(), unit) == ([100, 200, 300, 125], 1000)
    whole, unit = whole_weights(Problem(**DIAMOND), [1, 2, 3, 4])
    assert (whole.tolist(), unit) == ([1, 2, 3, 4], 1)


def test_costs_with_a_second_criterion_are_whole_numbers():
    for change in ({"costs": [0.5, 1, 1, 1]}, {"vertex_costs": [0, 0.5, 0, 0]}, {"rules": Rules(rewards={0: 0.5})}):
        problem = Problem(**DIAMOND, **change)
        for ask in (lambda p: solve_preferring(p, [1, 1, 1, 1]), lambda p: diverse_networks(p, 2)):
            with pytest.raises(ProblemError, match="whole numbers"):
                ask(problem)


def test_numbers_too_large_to_be_exact_are_refused():
    problem = Problem(**DIAMOND, costs=[2.0**40, 2.0**40, 1, 1])
    with pytest.raises(ProblemError, match="exact"):
        solve_preferring(problem, [2.0**20, 2.0**20, 0, 0])


# -- depth ---------------------------------------------------------------------------------------------------------


def test_the_shallowest_of_the_cheapest_networks():
    shallower = 0
    for problem in drawn(220, seed=63, whole=False):
        depths = [longest_path(edges_of(problem, edges)) for edges in cheapest_sets(problem)]
        found = solve_shallow(problem)
        assert found.is_proved or problem.rules.min_routes > 1, recipe(problem)
        assert found.bound <= min(depths) <= found.value, recipe(problem)
        assert found.value == min(depths) or not found.is_proved, recipe(problem)
        assert frozenset(found.solution.edges.tolist()) in cheapest_sets(problem), recipe(problem)
        assert depth_of(problem, found.solution.edges) == found.value
        shallower += min(depths) < max(depths)
    assert shallower > 5


def test_no_network_is_less_deep_than_the_bound_that_needs_no_search():
    for problem in drawn(220, seed=63, whole=False):
        least = min(longest_path(edges_of(problem, edges)) for _, edges in all_feasible(problem))
        assert least_depth(problem) <= least


def test_depth_and_orders_of_their_own_are_refused():
    problem = next(
        problem
        for problem, _ in solved_ruled_problems(30, seed=62, kind="samples_each", max_edges=8)
        if not problem.rules.shared_order
    )
    with pytest.raises(ProblemError, match="one order"):
        solve_shallow(problem)


# -- several networks ----------------------------------------------------------------------------------------------


def test_the_best_networks_come_in_order():
    for problem in drawn(200, seed=61):
        feasible = all_feasible(problem)
        found = best_networks(problem, 4)
        costs = [each.solution.objective for each in found.networks]
        assert costs == pytest.approx([cost for cost, _ in feasible[:4]]), recipe(problem)
        assert all(each.solution.termination is Termination.OPTIMAL for each in found.networks)
        sets = [frozenset(each.solution.edges.tolist()) for each in found.networks]
        assert len({*sets}) == len(sets)
        assert {*sets} <= {edges for _, edges in feasible}
        assert found.complete == (len(feasible) < 4), recipe(problem)
        assert found.unique == (len(cheapest_sets(problem)) == 1), recipe(problem)


def test_diverse_networks_share_as_little_as_can_be():
    spread = 0
    for problem in drawn(220, seed=61):
        optima = cheapest_sets(problem)
        found = diverse_networks(problem, 3)
        sets = [frozenset(each.solution.edges.tolist()) for each in found.networks]
        assert len({*sets}) == len(sets)
        assert {*sets} <= {*optima}, recipe(problem)
        assert len(sets) == min(3, len(optima)), recipe(problem)
        for place in range(1, len(sets)):
            rest = [edges for edges in optima if edges not in sets[:place]]
            least = min(sum(len(edges & other) for other in sets[:place]) for edges in rest)
            each = found.networks[place]
            assert each.shared == each.shared_bound == least, recipe(problem)
            assert each.solution.objective == each.solution.bound == found.networks[0].solution.objective
        assert found.complete == (len(optima) < 3), recipe(problem)
        assert found.unique == (len(optima) == 1), recipe(problem)
        spread += len(sets) > 2
    assert spread > 12


def test_a_problem_without_a_network_is_told_at_once():
    problem = Problem(**DIAMOND, rules=Rules(forbidden_edges=(2, 3)))
    for ask in (
        lambda: best_networks(problem, 2),
        lambda: diverse_networks(problem, 2),
        lambda: solve_shallow(problem),
    ):
        with pytest.raises(InfeasibleProblem):
            ask()


# -- limits and interruptions --------------------------------------------------------------------------------------


def test_no_time_is_no_claim():
    """What comes out of no time at all is a network, with what is proved of it, or nothing."""
    for problem in drawn(220, seed=61)[:40]:
        solution = solve(problem, options=Options(time_limit_s=0))
        if solution.termination is Termination.NOTHING:
            assert not len(solution.edges)
        else:
            assert violations(problem, solution.edges) == []
        assert solution.bound <= all_feasible(problem)[0][0] + 1e-9
        found = solve_preferring(problem, np.ones(problem.n_edges), Options(time_limit_s=0))
        optima = cheapest_sets(problem)
        if found.solution.termination is Termination.OPTIMAL:
            assert found.bound <= min(map(len, optima))
        assert found.bound <= found.value


class Stops:
    """`solve` that is left unproved from its n-th call on."""

    def __init__(self, calls: int) -> None:
        self.calls = calls

    def __call__(self, problem, *, options=None):
        self.calls -= 1
        solution = solve(problem, options=options)
        if self.calls >= 0:
            return solution
        details = {**solution.details, "interrupted": True}
        return replace(solution, termination=Termination.LIMIT, bound=solution.objective - 1, details=details)


def test_what_a_limit_leaves_open_is_not_claimed(monkeypatch):
    problem = Problem(**DIAMOND)
    monkeypatch.setattr(prefer, "solve", Stops(0))
    found = solve_preferring(problem, [1, 1, 1, 1])
    assert (found.solution.termination, found.bound, found.is_proved) == (Termination.LIMIT, 0, False)
    monkeypatch.setattr(prefer, "solve", Stops(1))
    found = solve_preferring(problem, [1, 1, 1, 1], Options(method="milp"))
    assert found.solution.termination is Termination.OPTIMAL
    assert (found.value, found.bound, found.is_proved) == (2, 1, False)
    assert found.solution.details["interrupted"] is True
    detour = Problem(
        n_vertices=4, sources=[0, 1, 2, 0], targets=[1, 2, 3, 3], inputs=[0], outputs=[3], costs=[0, 0, 1, 1]
    )
    monkeypatch.setattr(prefer, "solve", Stops(1))
    found = solve_shallow(detour)
    assert found.solution.termination is Termination.OPTIMAL
    assert found.bound <= 1
