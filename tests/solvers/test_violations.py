"""`violations` against the oracle on every subset of edges, and against every kind of broken answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

import solvers
from solvers.problem import Problem
from tests.oracles.cover import broken_rules, cheapest_cover
from tests.oracles.strategies import coverable_problems, drawn_problems

# 0 -> 2 -> 4, 1 -> 3 -> 4, 2 <-> 3, 4 -> 5 leads away from the output, 6 is fed by nothing
PROBLEM = Problem(
    n_vertices=7,
    sources=[0, 2, 1, 3, 2, 3, 4, 6],
    targets=[2, 4, 3, 4, 3, 2, 5, 2],
    inputs=[0, 1],
    outputs=[4],
)
GOOD = [0, 1, 2, 3]
WORDS = {"input": "uncovered input", "output": "unfed output", "cycle": "cycle", "path": "stray edge"}


def rules(edges) -> set[str]:
    found = solvers.violations(PROBLEM, edges)
    assert all(str(item) for item in found)
    return {item.rule for item in found}


def test_a_good_answer_is_accepted_in_any_order():
    assert solvers.violations(PROBLEM, GOOD) == []
    assert solvers.violations(PROBLEM, np.array(GOOD[::-1])) == []
    assert solvers.violations(PROBLEM, iter(GOOD)) == []


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        ([*GOOD, 8], {"edge index"}),
        ([*GOOD, -1], {"edge index"}),
        ([*GOOD, 0], {"duplicate edge"}),
        ([*GOOD, 4, 5], {"cycle"}),
        ([0, 1], {"uncovered input"}),
        ([], {"uncovered input", "unfed output"}),
        ([0, 2], {"uncovered input", "unfed output", "stray edge"}),
        ([*GOOD, 6], {"stray edge"}),
        ([*GOOD, 7], {"stray edge"}),
        ([0, 1, 2], {"uncovered input", "stray edge"}),
        ([0, 0, 4, 5, 6], {"duplicate edge", "cycle", "uncovered input", "unfed output", "stray edge"}),
    ],
    ids=[
        "index too large", "index negative", "edge twice", "cycle", "input left out", "nothing", "no way to the output",
        "beyond the output", "fed by nothing", "input into nowhere", "all at once",
    ],
)  # fmt: skip
def test_every_kind_of_broken_answer_is_named(edges, expected):
    assert rules(edges) == expected


@pytest.mark.parametrize("edges", [[0.5, 1, 2, 3], [0, 1, 2, 3.9], [float("nan")], ["0"]], ids=str)
def test_edges_that_are_no_indices_are_not_rounded(edges):
    try:
        found = solvers.violations(PROBLEM, edges)
    except (TypeError, ValueError):
        return
    assert found


def test_an_output_without_feed_is_named_though_all_inputs_are_covered():
    problem = Problem(n_vertices=4, sources=[0, 1, 0], targets=[2, 2, 3], inputs=[0, 1], outputs=[2, 3])
    assert [(item.rule, item.items) for item in solvers.violations(problem, [0, 1])] == [("unfed output", (3,))]
    assert solvers.violations(problem, [0, 1, 2]) == []


def test_a_cycle_beside_the_network_is_found():
    problem = Problem(n_vertices=5, sources=[0, 1, 3, 4], targets=[1, 2, 4, 3], inputs=[0], outputs=[2])
    assert {item.rule for item in solvers.violations(problem, [0, 1, 2, 3])} == {"cycle", "stray edge"}


def test_every_subset_of_edges_is_judged_as_by_the_oracle():
    judged = accepted = 0
    for problem in drawn_problems(60, seed=11, max_edges=8):
        for mask in range(1 << problem.n_edges):
            chosen = [edge for edge in range(problem.n_edges) if mask >> edge & 1]
            found = {item.rule for item in solvers.violations(problem, chosen)}
            assert found == {WORDS[rule] for rule in broken_rules(problem, chosen)}
            judged += 1
            accepted += not found
    assert judged > 4_000
    assert accepted > 100


@given(problem=coverable_problems())
def test_a_minimal_network_cannot_spare_an_edge(problem):
    for chosen in cheapest_cover(problem).edge_sets:
        assert solvers.violations(problem, sorted(chosen)) == []
        for edge in chosen:
            assert solvers.violations(problem, sorted(chosen - {edge}))


@given(problem=coverable_problems())
def test_an_added_cycle_is_found(problem):
    """Give one edge of a good answer a partner the other way, and choose both."""
    chosen = sorted(cheapest_cover(problem).edge_sets[0])
    for edge in chosen:
        longer = Problem(
            n_vertices=problem.n_vertices,
            sources=[*problem.sources, problem.targets[edge]],
            targets=[*problem.targets, problem.sources[edge]],
            inputs=problem.inputs,
            outputs=problem.outputs,
        )
        found = solvers.violations(longer, [*chosen, problem.n_edges])
        cycles = [item for item in found if item.rule == "cycle"]
        assert len(cycles) == 1
        assert {problem.sources[edge], problem.targets[edge]} <= set(cycles[0].items)
