"""Rules that cannot be meant, and rules that no network can follow: typed errors that name what is wrong."""

from __future__ import annotations

import copy

import pytest

import solvers
from solvers import InfeasibleProblem, Problem, ProblemError
from solvers.rules import Rules, Sample
from tests.solvers.test_optimum import solve

# inputs 0 and 1, outputs 4 and 5: 0 -> 2 -> 4, 1 -> 3 -> 5, 2 <-> 3, 0 -> 4; 6 hangs behind output 4, 7 has no edge
GRAPH = {
    "n_vertices": 8,
    "sources": [0, 2, 1, 3, 2, 3, 0, 4],
    "targets": [2, 4, 3, 5, 3, 2, 4, 6],
    "inputs": [0, 1],
    "outputs": [4, 5],
}
NAN, INF = float("nan"), float("inf")


def problem(change=None, **rules) -> Problem:
    return Problem(**{**GRAPH, **(change or {})}, rules=Rules(**rules))


# -- what cannot be meant ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        ({"forced_edges": (3,), "forbidden_edges": (3, 4)}, "3"),
        ({"forced_vertices": (2,), "forbidden_vertices": (2,)}, "2"),
        ({"forbidden_vertices": (1,)}, "1"),
        ({"forbidden_vertices": (5,)}, "5"),
        ({"forced_edges": (8,)}, "8"),
        ({"forced_edges": (-1,)}, "-1"),
        ({"forbidden_edges": (8,)}, "8"),
        ({"forced_vertices": (8,)}, "8"),
        ({"forbidden_vertices": (-2,)}, "-2"),
        ({"excluded": ((0, 8),)}, "8"),
        ({"rewards": {2: 1.0}}, "vertex 2"),
        ({"rewards": {4: 1.0}}, "vertex 4"),
        ({"rewards": {99: 1.0}}, "99"),
        ({"rewards": {0: -0.5}}, "vertex 0"),
        ({"rewards": {0: NAN}}, "vertex 0"),
        ({"rewards": {1: INF}}, "vertex 1"),
        ({"rewards": {1: -INF}}, "vertex 1"),
        ({"signs": (1,) * 7}, "7"),
        ({"signs": (1,) * 9}, "9"),
        ({"signs": ()}, "0"),
        ({"signs": (2,) * 8}, "2"),
        ({"signs": (1,) * 8, "states": {8: 1}}, "8"),
        ({"signs": (1,) * 8, "states": {0: 0}}, "0"),
        ({"signs": (1,) * 8, "states": {0: 2}}, "2"),
    ],
    ids=str,
)
def test_what_is_out_of_range_or_contradicts_itself_is_refused_and_named(rules, named):
    with pytest.raises(ProblemError) as caught:
        problem(**rules)
    assert named in str(caught.value)
    assert str(caught.value).startswith("expected")


@pytest.mark.parametrize("name", ["max_parents", "max_depth", "min_routes"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, NAN, INF, "two"], ids=repr)
def test_counts_are_whole_numbers_of_at_least_one(name, value):
    with pytest.raises(ProblemError, match=name):
        problem(**{name: value})


@pytest.mark.parametrize(
    "rules",
    [
        {"forced_edges": (1.5,)},
        {"forbidden_edges": (0.9,)},
        {"forced_vertices": (2.5,)},
        {"forbidden_vertices": (2.5,)},
        {"excluded": ((0.5, 1),)},
        {"rewards": {0.5: 1.0}},
        {"signs": (0.5,) * 8},
        {"signs": (1,) * 8, "states": {0.5: 1}},
        {"signs": (1,) * 8, "states": {0: 1.5}},
        {"samples": (Sample((0.5, 1), (4, 5)),)},
        {"forced_edges": (NAN,)},
        {"forced_edges": ("a",)},
    ],
    ids=str,
)
def test_no_index_and_no_sign_is_rounded(rules):
    with pytest.raises(ProblemError):
        problem(**rules)


@pytest.mark.parametrize(
    "vertex_costs", [[0.0] * 7, [0.0] * 9, [NAN] + [0.0] * 7, [INF] + [0.0] * 7, [[0.0] * 8], 1.0], ids=str
)
def test_vertex_costs_are_finite_and_one_for_each_vertex(vertex_costs):
    with pytest.raises(ProblemError, match="vert"):
        problem({"vertex_costs": vertex_costs})


@pytest.mark.parametrize(
    "samples",
    [
        (Sample((0,), (4, 5)),),
        (Sample((0, 1), (4,)), Sample((0,), (4,))),
        (Sample((0, 1), (4, 5)), Sample((2,), (4,))),
        (Sample((0, 1), (4, 5)), Sample((0,), (3,))),
        (Sample((0, 1), (4, 5)), Sample((), (4,))),
        (Sample((0, 1), (4, 5)), Sample((0,), ())),
        (Sample((0, 1), (4, 5)), Sample((4,), (0,))),
        (Sample((0, 1, 99), (4, 5)),),
    ],
    ids=str,
)
def test_samples_together_have_the_roles_of_the_problem(samples):
    with pytest.raises(ProblemError, match="sample"):
        problem(samples=samples)


@pytest.mark.parametrize(
    "rules",
    [
        {"forced_edges": (0,)},
        {"forced_vertices": (2,)},
        {"max_depth": 3},
        {"min_routes": 2},
        {"excluded": ((0, 1),)},
    ],
    ids=str,
)
def test_what_speaks_of_one_order_is_refused_with_orders_of_each_sample(rules):
    samples = (Sample((0,), (5,)), Sample((1,), (4,)))
    with pytest.raises(ProblemError, match=next(iter(rules))):
        problem(samples=samples, shared_order=False, **rules)


def test_rules_are_kept_sorted_and_without_repetition():
    rules = problem(
        forced_edges=(3, 0, 3), forbidden_vertices=[7, 6], rewards={1: 2, 0: 1}, samples=(Sample((1, 0), (5, 4, 4)),)
    ).rules
    assert rules.forced_edges == (0, 3)
    assert rules.forbidden_vertices == (6, 7)
    assert list(rules.rewards.items()) == [(0, 1.0), (1, 2.0)]
    assert rules.samples == (Sample((0, 1), (4, 5)),)


# -- what no network can follow ----------------------------------------------------------------------------------------


def refused(asked: Problem, method: str) -> InfeasibleProblem:
    with pytest.raises(InfeasibleProblem) as caught:
        solve(asked, method)
    assert str(copy.copy(caught.value)) == str(caught.value)  # by __reduce__, as between processes
    return caught.value


@pytest.fixture(params=["auto", "milp"])
def method(request) -> str:
    return request.param


def test_inputs_and_outputs_cut_off_by_what_is_forbidden_are_named(method):
    error = refused(problem(forbidden_edges=(2,)), method)
    assert error.inputs == (1,)
    assert "1" in str(error)
    error = refused(problem(forbidden_vertices=(3,)), method)
    assert (error.inputs, error.outputs) == ((1,), (5,))
    assert refused(problem(forbidden_edges=(3,)), method).outputs == (5,)


def test_inputs_too_far_from_outputs_for_a_depth_are_named(method):
    error = refused(problem(max_depth=1), method)
    assert (error.inputs, error.outputs) == ((1,), (5,))
    assert "1" in str(error)
    line = {"n_vertices": 5, "sources": [0, 1, 2, 4], "targets": [1, 2, 3, 3], "inputs": [0, 4], "outputs": [3]}
    error = refused(problem(line, max_depth=2), method)
    assert (error.inputs, error.outputs) == ((0,), ())
    assert solve(problem(line, max_depth=3), method).objective == 4


def test_an_optional_input_that_is_too_far_is_left_out(method):
    line = {"n_vertices": 5, "sources": [0, 1, 2, 4], "targets": [1, 2, 3, 3], "inputs": [0, 4], "outputs": [3]}
    assert solve(problem(line, max_depth=2, rewards={0: 7.0}), method).objective == 8


def test_forced_edges_and_vertices_on_no_way_are_named(method):
    error = refused(problem(forced_edges=(1, 7)), method)
    assert error.edges == (7,)
    assert "7" in str(error)
    error = refused(problem(forced_vertices=(2, 6)), method)
    assert error.vertices == (6,)
    error = refused(problem(forced_vertices=(7,)), method)
    assert error.vertices == (7,)


def test_edges_that_were_forced_in_a_circle_are_no_network(method):
    refused(problem(forced_edges=(4, 5)), method)


def test_a_forced_edge_at_a_forbidden_vertex_is_no_network(method):
    refused(problem(forced_edges=(4,), forbidden_vertices=(3,)), method)


def test_more_inputs_than_parents_are_no_network(method):
    star = {"n_vertices": 4, "sources": [0, 1], "targets": [3, 3], "inputs": [0, 1], "outputs": [3]}
    refused(problem(star, max_parents=1), method)
    assert solve(problem(star, max_parents=2), method).objective == 2
    chain = {"n_vertices": 4, "sources": [0, 1, 0], "targets": [3, 3, 1], "inputs": [0, 1], "outputs": [3]}
    assert solve(problem(chain, max_parents=1), method).edges.tolist() == [1, 2]


def test_known_states_against_the_signs_are_no_network(method):
    signs = (1, 1, 1, 1, 0, 0, 1, 1)
    refused(problem(signs=signs, states={0: 1, 4: -1}, forbidden_edges=(5,)), method)
    assert solve(problem(signs=signs, states={0: 1, 4: 1}), method).objective == 3


def test_samples_that_need_both_directions_have_no_common_order(method):
    samples = (Sample((0,), (5,)), Sample((1,), (4,)))
    refused(problem(samples=samples), method)
    assert solve(problem(samples=samples, shared_order=False), method).objective == 6


def test_an_input_that_reaches_no_output_of_its_sample_is_named(method):
    samples = (Sample((0,), (5,)), Sample((1,), (4,)))
    for shared in (True, False):
        error = refused(problem(samples=samples, shared_order=shared, forbidden_edges=(4,)), method)
        assert (error.inputs, error.outputs) == ((0,), (5,))


def test_when_all_networks_are_excluded_none_is_left(method):
    line = {"n_vertices": 3, "sources": [0, 1], "targets": [1, 2], "inputs": [0], "outputs": [2]}
    refused(problem(line, excluded=((0, 1),)), method)
    assert solve(problem(line, excluded=((0,), (1,), ())), method).objective == 2


def test_routes_that_exclude_each_other_are_no_network(method):
    """Each of two inputs has the other as a second route, and both at once would be a cycle."""
    pair = {"n_vertices": 3, "sources": [0, 1, 0, 1], "targets": [1, 0, 2, 2], "inputs": [0, 1], "outputs": [2]}
    refused(problem(pair, min_routes=2), method)


def test_a_route_that_comes_back_to_its_input_is_none(method):
    """0 -> 1 -> 0 leads nowhere, so that input 0 has one route and is not asked for two."""
    loop = {"n_vertices": 3, "sources": [0, 1, 0], "targets": [1, 0, 2], "inputs": [0], "outputs": [2]}
    assert solve(problem(loop, min_routes=2), method).edges.tolist() == [2]


@pytest.mark.parametrize("disjoint", [True, False])
def test_parallel_edges_are_one_route(method, disjoint):
    twice = {"n_vertices": 3, "sources": [0, 0, 0, 1], "targets": [2, 2, 1, 2], "inputs": [0], "outputs": [2]}
    rules = {"min_routes": 2, "disjoint_routes": disjoint}
    assert solve(problem(twice, **rules), method).objective == 3
    assert solve(problem(twice, **rules, forbidden_edges=(3,)), method).objective == 1


def test_all_inputs_may_be_optional_but_outputs_are_fed(method):
    two = {"n_vertices": 3, "sources": [0, 1], "targets": [2, 2], "inputs": [0, 1], "outputs": [2], "costs": [3, 2]}
    solution = solve(problem(two, rewards={0: 0.5, 1: 0.0}), method)
    assert (solution.edges.tolist(), solution.objective) == ([1], 2.5)


def test_an_error_without_rules_reads_as_before(method):
    apart = {"n_vertices": 4, "sources": [0], "targets": [2], "inputs": [0, 1], "outputs": [2, 3]}
    error = refused(problem(apart), method)
    assert (error.inputs, error.outputs, error.edges, error.vertices) == ((1,), (3,), (), ())


def test_the_fast_path_refuses_what_it_does_not_handle_or_is_right():
    asked = problem(max_depth=2, min_routes=2, signs=(1,) * 8, forced_edges=(4,))
    try:
        fast = solve(asked, "steiner")
    except solvers.SolverError as error:
        assert isinstance(error, ProblemError | InfeasibleProblem)  # noqa: PT017
        return
    assert fast.objective == solve(asked, "milp").objective
