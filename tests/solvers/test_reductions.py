"""Each reduction keeps the optimum, alone and with all others, on drawn graphs against enumeration."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from solvers.clock import Clock
from solvers.reduce.arcs import restricted_to, shortest, within_bound, worth_their_cost
from solvers.reduce.terminals import TESTS, undominated
from solvers.steiner.compact import compact
from solvers.steiner.dual_ascent import dual_ascent
from solvers.steiner.instance import rooted, uniform_out_cost
from tests.oracles.cover import cheapest_cover
from tests.oracles.strategies import drawn_problems
from tests.solvers.instances import drawn_instance, least_cost

SUBSETS = [only for size in range(len(TESTS) + 1) for only in combinations(TESTS, size)]


@pytest.mark.parametrize("only", SUBSETS, ids=["+".join(only) or "none" for only in SUBSETS])
def test_terminal_reductions_keep_the_optimum(only):
    """Any subset of the tests: what is settled and what is left to decide sum to the optimum."""
    for problem in drawn_problems(25, seed=5, n_outputs=1, max_edges=12):
        graph = rooted(problem)
        small = compact(graph, uniform_out_cost(graph), only=only)
        left = least_cost(small.instance) if len(small.instance.terminals) else 0.0
        assert small.constant + left == cheapest_cover(problem).objective


def test_all_terminal_reductions_fire_on_the_draws():
    """A law that never applies would prove nothing."""
    forced = dominated = settled = 0
    for problem in drawn_problems(300, seed=5, n_outputs=1, max_edges=12):
        graph = rooted(problem)
        reduced = compact(graph, uniform_out_cost(graph)).reduced
        forced += reduced.n_forced
        settled += len(reduced.core) > 1
        without_service = compact(graph, uniform_out_cost(graph), only=("dominance",)).reduced
        dominated += without_service.n_dominated
    assert min(forced, dominated, settled) > 10


@pytest.mark.parametrize("seed", range(100))
def test_undominated_sets_are_the_minimal_ones(seed):
    draw = np.random.default_rng(seed)
    sets = {key: set(draw.integers(0, 6, size=draw.integers(1, 5)).tolist()) for key in draw.permutation(12).tolist()}
    minimal = {
        key: members
        for key, members in sets.items()
        if not any(other < members or (other == members and rival < key) for rival, other in sets.items())
    }
    assert undominated(sets) == minimal


@pytest.mark.parametrize("form", ["arc", "free", "node"])
def test_arcs_dearer_than_another_way_are_not_needed(form):
    dropped = 0
    for seed in range(30):
        instance = drawn_instance(seed, form=form)
        kept = worth_their_cost(instance)
        dropped += (~kept).sum()
        assert least_cost(instance, kept) == pytest.approx(least_cost(instance))
    assert dropped > 10 or form == "node"


@pytest.mark.parametrize("form", ["arc", "free", "node"])
def test_arcs_beyond_the_bound_are_not_needed(form):
    """With the optimum itself to beat by a hair, an optimal answer is still there."""
    dropped = 0
    for seed in range(30):
        instance = drawn_instance(seed, form=form)
        ascent = dual_ascent(instance, Clock())
        best = least_cost(instance)
        kept = within_bound(instance, ascent.bound, ascent.reduced, best + 1e-6)
        dropped += (~kept).sum()
        assert least_cost(instance, kept) == pytest.approx(best)
    assert dropped > 10


def test_restricting_renumbers_arcs():
    instance = drawn_instance(3)
    kept = np.array([1, 4])
    smaller = restricted_to(instance, kept)
    assert smaller.costs.tolist() == instance.costs[kept].tolist()
    assert smaller.n_arcs == 2


def test_the_cheapest_of_parallel_arcs_counts():
    tails, heads = np.array([0, 0, 1]), np.array([1, 1, 2])
    assert shortest(4, tails, heads, np.array([2.0, 1.0, 0.0]), np.array([0])).tolist() == [0.0, 1.0, 1.0, np.inf]
