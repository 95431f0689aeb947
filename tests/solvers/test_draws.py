"""The drawn problems hold what the other tests claim of them, and the oracle is right where an answer is known."""

from __future__ import annotations

from hypothesis import given

from solvers.problem import Problem
from tests.oracles.cover import broken_rules, cheapest_cover, has_cycle, uncoverable
from tests.oracles.strategies import any_problems, coverable_problems, drawn_problems


def test_the_draws_hold_every_kind_of_problem():
    problems = drawn_problems(320, seed=1)
    kinds = {
        "several inputs": [len(problem.inputs) > 1 for problem in problems],
        "one output": [len(problem.outputs) == 1 for problem in problems],
        "two outputs": [len(problem.outputs) == 2 for problem in problems],
        "three outputs": [len(problem.outputs) == 3 for problem in problems],
        "cycles": [has_cycle(problem) for problem in problems],
        "inputs with predecessors": [bool({*problem.inputs} & {*problem.targets}) for problem in problems],
        "outputs with successors": [bool({*problem.outputs} & {*problem.sources}) for problem in problems],
        "isolated vertices": [
            len({*problem.sources, *problem.targets}) < problem.n_vertices for problem in problems
        ],
        "a choice to make": [len(cheapest_cover(problem).edge_sets[0]) < problem.n_edges for problem in problems],
    }  # fmt: skip
    assert all(sum(holds) >= 25 for holds in kinds.values()), {kind: sum(holds) for kind, holds in kinds.items()}


def test_the_draws_are_the_same_every_time():
    def shape(problem):
        return problem.n_vertices, problem.sources.tolist(), problem.targets.tolist(), problem.costs.tolist()

    one, other = (drawn_problems(20, seed=5, costs="float") for _ in range(2))
    assert [shape(problem) for problem in one] == [shape(problem) for problem in other]


@given(problem=coverable_problems(costs="small"))
def test_coverable_problems_can_be_covered(problem):
    assert uncoverable(problem) == ((), ())
    best = cheapest_cover(problem)
    assert best is not None
    assert all(not broken_rules(problem, chosen) for chosen in best.edge_sets)


@given(problem=any_problems(max_edges=8))
def test_a_problem_has_a_cover_unless_a_vertex_cannot_be_served(problem):
    """The two-sided cover theorem: acyclicity never makes a coverable problem infeasible."""
    assert (cheapest_cover(problem) is None) == any(uncoverable(problem))


def test_the_oracle_knows_some_answers():
    diamond = {"n_vertices": 4, "sources": [0, 0, 1, 2], "targets": [1, 2, 3, 3], "inputs": [0], "outputs": [3]}
    assert cheapest_cover(Problem(**diamond)).objective == 2
    assert cheapest_cover(Problem(**diamond)).edge_sets == (frozenset({0, 2}), frozenset({1, 3}))
    assert cheapest_cover(Problem(**diamond, costs=[5, 1, 1, 1])).edge_sets == (frozenset({1, 3}),)
    # all edges pay: take them all, there is no cycle; with a cycle 1 <-> 2 one of its edges must stay out
    assert cheapest_cover(Problem(**diamond, costs=[-1, -1, -1, -1])).objective == -4
    cyclic = {"n_vertices": 4, "sources": [0, 1, 2, 1, 2], "targets": [1, 2, 1, 3, 3], "inputs": [0], "outputs": [3]}
    assert cheapest_cover(Problem(**cyclic, costs=[-1] * 5)).objective == -4
    # an edge that pays but leads nowhere is not taken
    assert cheapest_cover(
        Problem(n_vertices=3, sources=[0, 0], targets=[1, 2], inputs=[0], outputs=[1], costs=[1, -9])
    ).edge_sets == (frozenset({0}),)
    # the nearest output is not enough when another output starves
    assert (
        cheapest_cover(Problem(n_vertices=3, sources=[0, 0], targets=[1, 2], inputs=[0], outputs=[1, 2])).objective == 2
    )
    assert cheapest_cover(Problem(n_vertices=2, sources=[1], targets=[0], inputs=[0], outputs=[1])) is None
