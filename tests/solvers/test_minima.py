"""All cheapest networks at once: open edges, vertices that must be there, the lightest network, against enumeration."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import pytest

import solvers.minima as minima_module
from solvers import Options, Problem, Termination, solve, violations
from solvers.alternatives import diverse_networks, necessary_vertices
from solvers.clock import Clock
from solvers.minima import lightest_minimum, minima_of, sharpened
from solvers.prefer import Weights, check_signs, solve_lightest
from solvers.rules import Rules
from tests.oracles.cover import cheapest_cover
from tests.oracles.rules import all_feasible
from tests.oracles.strategies import drawn_problems

OPTIONS, COUNT = Options(), 220


@lru_cache
def drawn() -> tuple[tuple[Problem, tuple[frozenset[int], ...]], ...]:
    """Problems with one output and edges that cost, and all their cheapest networks."""
    unit = drawn_problems(COUNT // 2, seed=301, n_outputs=1, parallel=True, max_edges=9)
    small = drawn_problems(COUNT // 2, seed=302, n_outputs=1, costs="small", parallel=True, max_edges=9)
    paid = [problem.changed(costs=1 + np.round(problem.costs)) for problem in small]
    chance = np.random.default_rng(307)
    layers = [problem for problem in (layered(chance) for _ in range(2 * COUNT)) if cheapest_cover(problem)][:COUNT]
    return tuple((problem, _cover(problem).edge_sets) for problem in (*layers, *unit, *paid))


def layered(chance: np.random.Generator) -> Problem:
    """Inputs, three or four vertices between which there is a choice, with ways among them, and one output."""
    n_inputs, n_hidden = int(chance.integers(2, 4)), int(chance.integers(3, 5))
    hidden, output = range(n_inputs, n_inputs + n_hidden), n_inputs + n_hidden
    pairs = {(tail, int(head)) for tail in range(n_inputs) for head in chance.choice(hidden, 2, replace=False)}
    pairs |= {(int(tail), output) for tail in chance.choice(hidden, 2, replace=False)}
    pairs |= {(tail, int(chance.choice([other for other in hidden if other != tail]))) for tail in hidden}
    edges = sorted(pairs)
    return Problem(
        n_vertices=output + 1,
        sources=[tail for tail, _ in edges],
        targets=[head for _, head in edges],
        inputs=list(range(n_inputs)),
        outputs=[output],
    )


def _cover(problem: Problem):
    found = cheapest_cover(problem)
    assert found is not None
    return found


def total(problem: Problem, weights: Weights, edges: Iterable[int]) -> int:
    """Weight of a network, edge by edge and vertex by vertex."""
    chosen = sorted(edges)
    ends = {int(problem.sources[edge]) for edge in chosen} | {int(problem.targets[edge]) for edge in chosen}
    return sum(int(weights.edges[edge]) for edge in chosen) + sum(int(weights.vertices[vertex]) for vertex in ends)


def ends_of(problem: Problem, edges: Iterable[int]) -> set[int]:
    return {int(end) for edge in edges for end in (problem.sources[edge], problem.targets[edge])}


def weights_for(problem: Problem, chance: np.random.Generator, *, most: int) -> Weights:
    """Of edges, of vertices or of both, of any sign, often 0."""
    edges, vertices = (chance.integers(-most, most + 1, count) for count in (problem.n_edges, problem.n_vertices))
    kind = chance.integers(4)
    return Weights(edges * (kind != 1), vertices * (kind != 0) * (chance.random(problem.n_vertices) < 0.7))


def test_open_edges_hold_every_cheapest_network_and_what_must_be_there_is_in_all():
    narrowed = 0
    for problem, optima in drawn():
        first = solve(problem)
        found = minima_of(problem, first, Clock())
        assert found is not None
        assert frozenset().union(*optima) <= {*found.edges.tolist()}
        assert {*np.flatnonzero(found.must).tolist()} <= set.intersection(*(ends_of(problem, each) for each in optima))
        exact = sharpened(found, first.edges, OPTIONS, Clock())
        assert frozenset().union(*optima) <= {*exact.edges.tolist()}
        assert {*np.flatnonzero(exact.must).tolist()} == set.intersection(*(ends_of(problem, each) for each in optima))
        assert ends_of(problem, exact.edges.tolist()) == set.union(*(ends_of(problem, each) for each in optima))
        narrowed += len(exact.edges) < problem.n_edges
    assert narrowed > 100


@pytest.mark.parametrize("most", [1, 5, 2**20])
def test_the_lightest_cheapest_network_has_the_weight_of_the_enumeration(most):
    chance, told = np.random.default_rng(most), 0
    for problem, optima in drawn():
        weights = weights_for(problem, chance, most=most)
        totals = [total(problem, weights, edges) for edges in optima]
        found = solve_lightest(problem, weights)
        assert found.is_proved
        assert found.value == min(totals)
        assert frozenset(found.solution.edges.tolist()) in optima
        assert total(problem, weights, found.solution.edges.tolist()) == found.value
        told += min(totals) < max(totals)
    assert told > 100


def test_the_program_says_the_same():
    """Without any of the laws of `solvers.minima`."""
    chance = np.random.default_rng(4)
    for problem, optima in drawn()[::6]:
        weights = weights_for(problem, chance, most=4)
        found = solve_lightest(problem, weights, Options(method="milp"))
        assert found.is_proved
        assert found.value == min(total(problem, weights, edges) for edges in optima)


def test_several_outputs_and_free_edges_have_lightest_networks_of_any_sign():
    """The number of vertices is not that of the edges plus 1 there, and edges that cost nothing may pay."""
    chance, told = np.random.default_rng(5), 0
    problems = [*drawn_problems(60, seed=303, max_edges=9), *drawn_problems(60, seed=304, costs="small", max_edges=9)]
    for problem in problems:
        optima = _cover(problem).edge_sets
        weights = weights_for(problem, chance, most=3)
        found = solve_lightest(problem, weights)
        totals = [total(problem, weights, edges) for edges in optima]
        assert found.is_proved
        assert found.value == min(totals)
        told += min(totals) < max(totals)
    assert told > 20


def test_rules_hold_for_the_lightest_network_too():
    chance = np.random.default_rng(6)
    for problem in drawn_problems(50, seed=305, max_edges=9):
        inputs = problem.inputs.tolist()
        rules = (Rules(rewards={inputs[0]: 1}), Rules(max_depth=3), Rules(max_parents=2))[chance.integers(3)]
        ruled = problem.changed(rules=rules, vertex_costs=chance.integers(0, 2, problem.n_vertices))
        feasible = all_feasible(ruled)
        if not feasible:
            continue
        weights = weights_for(ruled, chance, most=3)
        found = solve_lightest(ruled, weights)
        optima = [edges for cost, edges in feasible if cost <= feasible[0][0] + 1e-9]
        assert found.value == min(total(ruled, weights, edges) for edges in optima)


def test_edges_that_cost_nothing_are_not_for_these_laws():
    problem = Problem(n_vertices=3, sources=[0, 1, 0], targets=[1, 2, 2], inputs=[0], outputs=[2], costs=[0, 1, 1])
    assert minima_of(problem, solve(problem), Clock()) is None
    two = Problem(n_vertices=3, sources=[0, 0], targets=[1, 2], inputs=[0], outputs=[1, 2])
    assert minima_of(two, solve(two), Clock()) is None


def test_what_pays_needs_a_method_that_knows_it():
    two = Problem(n_vertices=4, sources=[0, 0, 3, 0], targets=[1, 3, 2, 2], inputs=[0], outputs=[1, 2])
    pays = Weights(np.zeros(4, dtype=np.int64), np.array([0, 0, 0, -1]))
    with pytest.raises(ValueError, match="milp"):
        check_signs(two, pays, Options(method="steiner"))
    check_signs(two, pays, Options())
    one = two.changed(outputs=np.array([2]))
    check_signs(one, pays, Options(method="steiner"))


def test_a_limit_leaves_the_network_in_hand_and_a_bound_that_holds(monkeypatch):
    """Engines that stop at once: what is in hand is kept, and nothing is claimed that is not so."""
    chance = np.random.default_rng(7)

    def stopped(problem, *, options=None):
        solution = solve(problem, options=options)
        nothing = np.zeros(0, dtype=np.int64)
        bound = solution.bound - 3
        return minima_module.replace(
            solution, termination=Termination.NOTHING, edges=nothing, objective=np.inf, bound=bound
        )

    monkeypatch.setattr(minima_module, "solve", stopped)
    unproved = 0
    for problem, optima in drawn():
        weights = weights_for(problem, chance, most=5)
        found = solve_lightest(problem, weights)
        least = min(total(problem, weights, edges) for edges in optima)
        assert found.bound <= least <= found.value
        assert frozenset(found.solution.edges.tolist()) in optima
        assert violations(problem, found.solution.edges) == []
        unproved += not found.is_proved
    assert unproved > 3


def test_no_time_leaves_what_is_known_as_it_is():
    for problem, optima in drawn()[:40]:
        first = solve(problem)
        found = minima_of(problem, first, Clock(0.0))
        assert frozenset().union(*optima) <= {*found.edges.tolist()}
        left = sharpened(found, first.edges, OPTIONS, Clock(0.0))
        assert frozenset().union(*optima) <= {*left.edges.tolist()}
        assert {*np.flatnonzero(left.must).tolist()} <= set.intersection(*(ends_of(problem, each) for each in optima))
        light = lightest_minimum(found, np.ones(problem.n_edges, dtype=np.int64), first.edges, OPTIONS, Clock(0.0))
        assert light.bound <= light.weight


def test_necessary_vertices_are_those_of_all_cheapest_networks():
    several = drawn_problems(20, seed=306, max_edges=9)
    unnecessary = 0
    for problem in [*(problem for problem, _ in drawn()[: COUNT // 2]), *several]:
        optima = [ends_of(problem, edges) for edges in _cover(problem).edge_sets]
        for known in ([], [np.array(sorted(edges)) for edges in _cover(problem).edge_sets[-1:]]):
            found = necessary_vertices(problem, known=known)
            assert {*np.flatnonzero(found.proved).tolist()} == set.intersection(*optima)
            assert (found.proved == found.shared).all()
        unnecessary += len(set.union(*optima)) > found.proved.sum()
    assert unnecessary > 30


def test_no_time_proves_nothing_necessary_that_is_not():
    for problem, optima in drawn()[:40]:
        found = necessary_vertices(problem, Options(time_limit_s=0))
        assert {*np.flatnonzero(found.proved).tolist()} <= set.intersection(
            *(ends_of(problem, edges) for edges in optima)
        )


def test_all_cheapest_networks_come_out_one_by_one():
    for problem, optima in drawn()[:60]:
        found = diverse_networks(problem, 50)
        assert {frozenset(each.solution.edges.tolist()) for each in found.networks} == {*optima}
        assert found.complete
