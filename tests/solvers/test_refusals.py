"""What `solve` refuses, and with which words: no answer, misspelt options, arrays that are no problem, limits."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given

import solvers
from solvers import InfeasibleProblem, Options, Problem, ProblemError, SolverError, Termination, UnknownBackend
from tests.oracles.cover import uncoverable
from tests.oracles.strategies import any_problems, drawn_problems, seeded
from tests.solvers.test_optimum import ENGINES, larger_problem, solve

LINE = {"n_vertices": 3, "sources": [0, 1], "targets": [1, 2], "inputs": [0], "outputs": [2]}


@pytest.mark.parametrize("method", ["auto", "steiner", "milp"])
@given(problem=any_problems())
def test_a_vertex_that_cannot_be_served_is_named(method, problem):
    inputs, outputs = uncoverable(problem)
    if not inputs and not outputs:
        assert solve(problem, method).termination is Termination.OPTIMAL
        return
    with pytest.raises(InfeasibleProblem) as caught:
        solve(problem, method)
    assert tuple(caught.value.inputs) == inputs
    assert tuple(caught.value.outputs) == outputs


@pytest.mark.parametrize(("method", "backend"), ENGINES)
def test_every_engine_names_what_is_infeasible(method, backend):
    no_way = Problem(n_vertices=5, sources=[0, 1], targets=[2, 3], inputs=[0, 1], outputs=[3, 4])
    no_edge = Problem(n_vertices=2, sources=[], targets=[], inputs=[0], outputs=[1])
    for problem, inputs, outputs in ((no_way, (0,), (4,)), (no_edge, (0,), (1,))):
        with pytest.raises(InfeasibleProblem) as caught:
            solve(problem, method, backend)
        assert (tuple(caught.value.inputs), tuple(caught.value.outputs)) == (inputs, outputs)


def test_infeasible_stays_infeasible_when_costs_are_negative():
    problem = Problem(n_vertices=4, sources=[0, 0], targets=[2, 3], inputs=[0, 1], outputs=[2], costs=[-1, -1])
    with pytest.raises(InfeasibleProblem) as caught:
        solve(problem)
    assert tuple(caught.value.inputs) == (1,)


@pytest.mark.parametrize("method", ["", "Steiner", "mip", "dual_ascent", None])
def test_a_misspelt_method_is_refused(method):
    with pytest.raises(UnknownBackend, match="steiner"):
        Options(method=method)


@pytest.mark.parametrize("backend", ["", "HiGHS", "highspy", "gurobi", "pyscipopt", None])
@pytest.mark.parametrize("method", ["auto", "steiner", "milp"])
def test_a_misspelt_back_end_is_refused_even_where_it_would_not_be_needed(method, backend):
    with pytest.raises(UnknownBackend, match="highs"):
        solve(Problem(**LINE), method, backend)


@pytest.mark.parametrize("limit", [-1, -1e-9, float("nan"), float("-inf")])
def test_a_time_limit_is_not_negative(limit):
    with pytest.raises(UnknownBackend, match="time_limit_s"):
        Options(time_limit_s=limit)


@pytest.mark.parametrize(
    "change",
    [
        {"sources": [0, 3]},
        {"sources": [0, -1]},
        {"sources": [0]},
        {"sources": [0.0, 1.0]},
        {"targets": [0, 2]},
        {"inputs": []},
        {"outputs": []},
        {"inputs": [3]},
        {"outputs": [-1]},
        {"inputs": [0, 2]},
        {"costs": [1]},
        {"costs": [1, float("nan")]},
        {"costs": [1, float("inf")]},
    ],
    ids=str,
)
def test_arrays_that_are_no_problem_are_refused(change):
    with pytest.raises(ProblemError):
        Problem(**{**LINE, **change})


def test_a_problem_cannot_be_changed():
    sources = np.array([0, 1])
    problem = Problem(**{**LINE, "sources": sources})
    for array in (problem.sources, problem.targets, problem.inputs, problem.outputs, problem.costs):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    sources[0] = 2
    assert problem.sources.tolist() == [0, 1]
    assert solve(problem).objective == 2


# -- limits ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "backend"), ENGINES)
def test_a_limit_is_no_success(method, backend):
    """Stopped early: what is returned is a network with a bound below it, or nothing with a bound, never a claim."""
    problem = larger_problem(3, n_vertices=400, n_edges=2400, n_inputs=60, n_outputs=3)
    solution = solve(problem, method, backend, time_limit_s=0.05)
    best = solve(problem, "steiner", time_limit_s=60)
    assert best.termination is Termination.OPTIMAL
    assert solution.bound <= best.objective + 1e-6
    if solution.termination is Termination.NOTHING:
        assert solution.objective == float("inf")
        assert len(solution.edges) == 0
        return
    assert solvers.violations(problem, solution.edges) == []
    assert solution.objective >= best.objective
    if solution.termination is Termination.OPTIMAL:
        assert solution.objective == best.objective
    assert solution.seconds < 20


def test_progress_is_monotone_and_true():
    seen: list[solvers.Progress] = []
    problem = larger_problem(5, n_vertices=40, n_edges=140, n_inputs=8, n_outputs=2)
    for method in ("steiner", "milp"):
        seen.clear()
        best = solve(problem, method, on_progress=seen.append).objective
        incumbents = [moment.incumbent for moment in seen if moment.incumbent is not None]
        assert incumbents == sorted(incumbents, reverse=True)
        assert all(incumbent >= best - 1e-6 for incumbent in incumbents)
        assert all(moment.bound <= best + 1e-6 for moment in seen)
        assert all(moment.seconds >= 0 for moment in seen)


# -- the same answer every time ----------------------------------------------------------------------------------

SCRIPT = """
import json, sys
import solvers
from tests.oracles.strategies import drawn_problems
from tests.solvers.test_optimum import larger_problem
problems = drawn_problems(12, seed=21, max_edges=12) + [
    larger_problem(2, n_vertices=25, n_edges=80, n_inputs=5, n_outputs=2)
]
answers = {
    f"{method}-{backend}": [
        solvers.solve(problem, options=solvers.Options(method=method, backend=backend, seed=3)).edges.tolist()
        for problem in problems
    ]
    for method in ("steiner", "milp")
    for backend in solvers.available()
}
json.dump(answers, sys.stdout)
"""


def test_two_hash_seeds_give_the_same_edges():
    answers = []
    for hash_seed in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={"PYTHONHASHSEED": hash_seed, "PATH": "/usr/bin:/bin", "PYTHONPATH": "."},
            capture_output=True,
            check=True,
        )
        answers.append(json.loads(done.stdout))
    assert answers[0] == answers[1]
    assert all(len(edges) == 13 for edges in answers[0].values())


@pytest.mark.parametrize(("method", "backend"), ENGINES)
def test_twice_the_same_edges(method, backend):
    for problem in drawn_problems(25, seed=31, max_edges=12):
        one, other = (solve(problem, method, backend, seed=4) for _ in range(2))
        assert one.edges.tolist() == other.edges.tolist()
        assert (one.objective, one.bound) == (other.objective, other.bound)


# -- the registry --------------------------------------------------------------------------------------------------


def test_engines_are_counted_without_being_imported():
    code = (
        "import sys, solvers; solvers.available();"
        "print(sorted({'highspy', 'pyscipopt', 'cvxpy', 'graphnn', 'keras', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_back_end_that_is_not_installed_is_said_to_be_missing(monkeypatch):
    from solvers import registry

    monkeypatch.setattr(registry.util, "find_spec", lambda name: None)
    assert solvers.available() == ()
    with pytest.raises(SolverError, match="highs"):
        solve(Problem(**LINE), "milp", "highs")


def test_versions_name_the_engines_that_took_part():
    problem = larger_problem(2, n_vertices=20, n_edges=60, n_inputs=4, n_outputs=2)
    for backend, package in (("highs", "highspy"), ("scip", "pyscipopt"), ("cvxpy", "cvxpy")):
        solution = solve(problem, "milp", backend)
        assert solution.backend.split("/")[0] == backend
        assert package in solution.versions
        json.dumps(dict(solution.details), allow_nan=False)


def test_a_seeded_source_of_chance_is_repeatable():
    assert [seeded(1)(0, 99) for _ in range(5)] == [seeded(1)(0, 99) for _ in range(5)]
