"""Drawn problems with rules hold what is claimed of them; `violations` and `cost_of` judge as the oracle does."""

from __future__ import annotations

import math

import pytest

import solvers
from solvers import Problem
from solvers.check import RULES, cost_of
from solvers.rules import Rules, Sample
from tests.oracles.cover import cheapest_cover, has_cycle
from tests.oracles.ruled import KINDS, binds, drawn_ruled_problems, recipe, solved_ruled_problems, unruled
from tests.oracles.rules import Judge, cheapest, objective_of

# at least so many per cent of the draws have rules that bind: no optimum without them is one with them
BINDING = {
    "vertex_costs": 15,
    "forced_edges": 80,
    "forced_vertices": 50,
    "forbidden": 75,
    "rewards": 40,
    "max_parents": 25,
    "max_depth": 40,
    "min_routes": 70,
    "disjoint_routes": 70,
    "signs": 35,
    "samples_shared": 60,
    "samples_each": 60,
    "excluded": 70,
    "mixed": 70,
}


# -- the draws -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_rules_bind_in_a_good_part_of_the_draws(kind):
    solved = solved_ruled_problems(60, seed=1, kind=kind)
    binding = [(problem, best) for problem, best in solved if binds(problem, best)]
    assert len(binding) >= BINDING[kind] / 100 * len(solved)
    assert sum(best is not None for _, best in binding) >= 8
    assert sum(has_cycle(problem) for problem, _ in binding) >= len(binding) / 2
    assert sum(best is not None for _, best in solved) >= 0.4 * len(solved)
    assert not any(problem.is_plain for problem, _ in binding)


def test_the_draws_hold_every_kind_of_graph():
    problems = [problem for kind in KINDS for problem in drawn_ruled_problems(60, seed=1, kind=kind)]
    assert len(problems) == 60 * len(KINDS)
    kinds = {
        "cycles": [has_cycle(problem) for problem in problems],
        "inputs with predecessors": [bool({*problem.inputs} & {*problem.targets}) for problem in problems],
        "outputs with successors": [bool({*problem.outputs} & {*problem.sources}) for problem in problems],
        "unit costs": [bool((problem.costs == 1).all()) for problem in problems],
        "a cost of zero": [bool((problem.costs == 0).any()) for problem in problems],
        "real costs": [not problem.has_integer_costs for problem in problems],
        "several outputs": [len(problem.outputs) > 1 for problem in problems],
        "three outputs": [len(problem.outputs) == 3 for problem in problems],
        "one output": [len(problem.outputs) == 1 for problem in problems],
        "no network": [
            best is None for kind in KINDS for _, best in solved_ruled_problems(60, seed=1, kind=kind)
        ],
    }  # fmt: skip
    shares = {kind: sum(holds) / len(holds) for kind, holds in kinds.items()}
    assert shares["cycles"] >= 0.5
    assert all(share >= 0.1 for share in shares.values()), shares


def test_the_draws_are_the_same_every_time():
    ten, twelve = (drawn_ruled_problems(count, seed=5, kind="mixed") for count in (10, 12))
    assert [recipe(problem) for problem in ten] == [recipe(problem) for problem in twelve[:10]]


def test_a_recipe_makes_the_problem_again():
    for problem in drawn_ruled_problems(30, seed=6, kind="mixed"):
        again = eval(recipe(problem), {"Problem": Problem, "Rules": Rules, "Sample": Sample})  # noqa: S307
        assert recipe(again) == recipe(problem)
        assert again.rules == problem.rules


# -- the oracle, where an answer is known --------------------------------------------------------------------------

# 0 and 1 are inputs, 4 and 5 outputs, 2 and 3 between: 0 -> 2 -> 4, 1 -> 3 -> 5, 2 <-> 3, 0 -> 4
EIGHT = {
    "n_vertices": 6,
    "sources": [0, 2, 1, 3, 2, 3, 0],
    "targets": [2, 4, 3, 5, 3, 2, 4],
    "inputs": [0, 1],
    "outputs": [4, 5],
}
LEFT, RIGHT = Sample((0,), (5,)), Sample((1,), (4,))


@pytest.mark.parametrize(
    ("rules", "costs", "expected"),
    [
        ({}, {}, (3, [{2, 3, 6}])),
        ({"forced_edges": (4,)}, {}, (5, [{0, 2, 3, 4, 6}, {0, 1, 2, 3, 4}])),
        ({"forced_edges": (4, 5)}, {}, None),
        ({"forbidden_edges": (6,)}, {}, (4, [{0, 1, 2, 3}])),
        ({"forced_vertices": (2,)}, {}, (4, [{0, 1, 2, 3}])),
        ({"forbidden_vertices": (3,)}, {}, None),
        ({"rewards": {0: 0.5}}, {}, (3, [{2, 3, 6}])),  # without input 0 output 4 is fed by 1 over 3 and 2
        ({"rewards": {1: 0.5, 0: 9}}, {}, (3, [{2, 3, 6}])),
        ({"max_depth": 1}, {}, None),
        ({"max_depth": 2}, {}, (3, [{2, 3, 6}])),
        ({"max_parents": 1}, {}, (3, [{2, 3, 6}])),
        ({"min_routes": 2}, {}, (5, [{0, 1, 2, 3, 6}, {0, 2, 3, 4, 6}])),  # 1 has one route only
        ({"min_routes": 2, "disjoint_routes": True}, {}, (5, [{0, 1, 2, 3, 6}, {0, 2, 3, 4, 6}])),
        ({"signs": (1, 1, 1, 1, 1, 1, -1), "states": {0: 1, 4: 1}}, {}, (4, [{0, 1, 2, 3}])),
        ({"signs": (1, 1, 1, 1, 1, 1, -1), "states": {0: 1}}, {}, (3, [{2, 3, 6}])),
        ({"signs": (-1,) * 7, "states": {1: 1, 5: -1}}, {}, None),
        ({"samples": (LEFT, RIGHT)}, {}, None),
        ({"samples": (LEFT, RIGHT), "shared_order": False}, {}, (6, [{0, 1, 2, 3, 4, 5}])),
        ({"excluded": ((2, 3, 6),)}, {}, (4, [{0, 1, 2, 3}])),
        ({}, {"vertex_costs": [1, 1, 1, 1, 1, 1]}, (8, [{2, 3, 6}])),
        ({}, {"vertex_costs": [0, 0, -9, 0, 0, 0]}, (-5, [{0, 1, 2, 3}])),
    ],
    ids=str,
)
def test_the_oracle_knows_some_answers(rules, costs, expected):
    best = cheapest(Problem(**EIGHT, **costs, rules=Rules(**rules)))
    if expected is None:
        assert best is None
        return
    assert best.objective == expected[0]
    assert {*best.edge_sets} == {frozenset(edges) for edges in expected[1]}


def test_without_rules_both_oracles_agree():
    for problem in drawn_ruled_problems(60, seed=1, kind="forbidden"):
        one, other = cheapest(unruled(problem)), cheapest_cover(unruled(problem))
        assert (one is None) == (other is None)
        if one is not None:
            assert one.objective == pytest.approx(other.objective)
            assert {*one.edge_sets} == {*other.edge_sets}


# -- the product's check -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_subset_of_edges_is_judged_and_priced_as_by_the_oracle(kind):
    """Feasible or not for every subset. The words agree as well, where all of them have a meaning."""
    judged = accepted = 0
    for problem in drawn_ruled_problems(30, seed=3, kind=kind, max_edges=8):
        judge = Judge(problem)
        for mask in range(1 << problem.n_edges):
            chosen = [edge for edge in range(problem.n_edges) if mask >> edge & 1]
            broken = judge.broken(chosen)
            found = {item.rule for item in solvers.violations(problem, chosen)}
            assert bool(found) == bool(broken), (recipe(problem), chosen, found, broken)
            if not broken & {"cycle", "stray edge", "covering"}:
                assert found == broken, (recipe(problem), chosen)
            assert math.isclose(cost_of(problem, chosen), objective_of(problem, chosen), rel_tol=1e-12, abs_tol=1e-12)
            judged += 1
            accepted += not found
    assert judged > 3_000
    assert accepted > 30


def test_every_word_of_the_check_is_met():
    """No rule is only there on paper: each is broken by some subset of some draw, but for those about the list."""
    met: set[str] = set()
    for kind in KINDS:
        for problem in drawn_ruled_problems(30, seed=3, kind=kind, max_edges=8):
            for mask in range(0, 1 << problem.n_edges, 7):
                chosen = [edge for edge in range(problem.n_edges) if mask >> edge & 1]
                met |= {item.rule for item in solvers.violations(problem, chosen)}
    assert met == {*RULES} - {"edge index", "duplicate edge"}


# -- what the check has to name ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "edges", "expected"),
    [
        ({"forbidden_edges": (0, 6)}, [0, 1, 2, 3], [("forbidden edge", (0,))]),
        ({"forbidden_vertices": (2,)}, [0, 1, 2, 3], [("forbidden vertex", (2,))]),
        ({"forced_edges": (4, 2)}, [2, 3, 6], [("missing edge", (4,))]),
        ({"forced_vertices": (2, 3)}, [2, 3, 6], [("missing vertex", (2,))]),
        ({"max_parents": 1}, [0, 1, 2, 3, 6], [("too many parents", (4,))]),
        ({"max_depth": 2}, [0, 2, 3, 4, 6], [("too deep", (5,))]),
        ({"min_routes": 2}, [2, 3, 6], [("too few routes", (0,))]),
        ({"min_routes": 2, "disjoint_routes": True}, [2, 3, 6], [("too few routes", (0,))]),
        ({"excluded": ((6, 3, 2),)}, [2, 3, 6], [("excluded network", (2, 3, 6))]),
        ({"samples": (LEFT, RIGHT)}, [0, 1, 2, 3, 4, 5], [("cycle", (2, 3))]),
        ({"samples": (LEFT, RIGHT)}, [0, 2, 3, 4, 6], [("uncovered input", (1,)), ("unfed output", (4,)),
                                                      ("stray edge", (2, 6))]),
        ({"rewards": {0: 1.0}}, [1, 2, 3, 5], []),
        ({"rewards": {0: 1.0}}, [0, 1, 2, 3], []),
    ],
    ids=str,
)  # fmt: skip
def test_what_breaks_a_rule_is_named(rules, edges, expected):
    problem = Problem(**EIGHT, rules=Rules(**rules))
    assert [(item.rule, item.items) for item in solvers.violations(problem, edges)] == expected


def test_a_conflict_of_states_is_named():
    problem = Problem(**EIGHT, rules=Rules(signs=(1, 1, 1, 1, 1, 1, -1), states={0: 1, 4: 1}))
    assert [item.rule for item in solvers.violations(problem, [2, 3, 6])] == ["state conflict"]
    assert solvers.violations(problem, [0, 1, 2, 3]) == []
    both = solvers.violations(problem, [0, 1, 2, 3, 6])  # 0 -> 4 directly says -1, over 2 it says 1
    assert [item.rule for item in both] == ["state conflict"]
    assert {*both[0].items} <= {0, 2, 4}
