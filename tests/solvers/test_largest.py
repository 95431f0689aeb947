"""Largest networks: against enumeration, against the acyclic-flow program, and bounds that hold when time is short."""

from __future__ import annotations

import numpy as np
import pytest

import solvers
from solvers import Options, Problem, Termination
from solvers.clock import Clock
from solvers.largest.contract import contract
from solvers.largest.feasible import forward_edges
from solvers.milp.solve import solve_milp
from solvers.reduce.normal import normalise
from tests.oracles.cover import broken_rules, cheapest_cover
from tests.oracles.strategies import drawn_problems
from tests.real_data import real_data


def paying(problem: Problem) -> Problem:
    """The same graph and roles, every edge at cost -1."""
    return Problem(
        n_vertices=problem.n_vertices,
        sources=problem.sources,
        targets=problem.targets,
        inputs=problem.inputs,
        outputs=problem.outputs,
        costs=-np.ones(problem.n_edges),
    )


def drawn(count: int, *, seed: int, max_edges: int) -> list[Problem]:
    """So many problems with one, with two, and with three outputs (these with parallel edges)."""
    return [
        paying(problem)
        for n_outputs in (1, 2, 3)
        for problem in drawn_problems(
            count, seed=seed + n_outputs, max_edges=max_edges, n_outputs=n_outputs, parallel=n_outputs == 3
        )
    ]


def random_problem(n_vertices: int, n_edges: int, *, n_outputs: int, seed: int) -> Problem | None:
    """Edges anywhere, four inputs; None where something is not covered."""
    pairs = np.unique(np.random.default_rng(seed).integers(0, n_vertices, size=(n_edges, 2)), axis=0)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    problem = Problem(
        n_vertices=n_vertices,
        sources=pairs[:, 0],
        targets=pairs[:, 1],
        inputs=np.arange(4),
        outputs=np.arange(n_vertices - n_outputs, n_vertices),
        costs=-np.ones(len(pairs)),
    )
    try:
        normalise(problem)
    except solvers.InfeasibleProblem:
        return None
    return problem


def check_against_enumeration(problems: list[Problem]) -> tuple[int, int]:
    """Every answer is proved and as large as enumeration's; gives how many drop an edge, and needed a program."""
    dropped = programs = 0
    for problem in problems:
        best = cheapest_cover(problem)
        solution = solvers.solve_largest(problem)
        assert solution.termination is Termination.OPTIMAL
        assert solution.objective == solution.bound == best.objective == -len(solution.edges)
        assert frozenset(solution.edges.tolist()) in best.edge_sets
        dropped += len(solution.edges) < problem.n_edges
        programs += solution.backend != "reductions"
    return dropped, programs


def test_501_drawn_problems_equal_enumeration():
    dropped, programs = check_against_enumeration(drawn(167, seed=900, max_edges=11))
    assert dropped > 250
    assert programs > 100


@pytest.mark.slow
def test_3000_larger_drawn_problems_equal_enumeration():
    check_against_enumeration(drawn(1000, seed=950, max_edges=12))


def test_no_feasible_set_of_a_small_problem_breaks_a_law_of_contraction():
    """Lost edges are in no feasible set, and the arcs of every feasible set are acyclic, over all subsets of edges."""
    seen = 0
    for problem in drawn(40, seed=970, max_edges=10):
        smaller = normalise(problem).problem
        contracted = contract(smaller)
        arc_of = {edge: arc for arc, edges in enumerate(contracted.edges) for edge in edges}
        lost = set(contracted.lost.tolist())
        for mask in range(1 << smaller.n_edges):
            chosen = [edge for edge in range(smaller.n_edges) if mask >> edge & 1]
            if broken_rules(smaller, chosen):
                continue
            seen += 1
            assert not lost & set(chosen)
            arcs = sorted({arc_of[edge] for edge in chosen if edge in arc_of})
            assert is_acyclic(contracted.tails[arcs], contracted.heads[arcs])
    assert seen > 500


def test_any_order_gives_an_acyclic_network_without_strays():
    draw = np.random.default_rng(3)
    for problem in drawn(30, seed=980, max_edges=12):
        smaller = normalise(problem).problem
        contracted = contract(smaller)
        edges = forward_edges(smaller, contracted, draw.permutation(smaller.n_vertices).astype(float))
        assert not broken_rules(smaller, edges.tolist()) & {"cycle", "path"}


def test_the_acyclic_flow_program_agrees_on_graphs_of_40_vertices():
    compared = 0
    for seed in range(8):
        problem = random_problem(40, 90, n_outputs=1 + seed % 3, seed=seed)
        if problem is None:
            continue
        solution = solvers.solve_largest(problem)
        smaller = normalise(problem).problem
        program = solve_milp(smaller, Options(), Clock(None), order=True)
        assert program.termination is solution.termination is Termination.OPTIMAL
        assert program.objective == solution.objective
        compared += len(solution.edges) < smaller.n_edges
    assert compared >= 3


def test_the_program_over_cycles_is_exact_without_the_acyclic_flow_program(monkeypatch):
    def never(*_: object, **__: object) -> None:
        raise AssertionError("the acyclic-flow program was asked")

    monkeypatch.setattr("solvers.largest.solve.solve_milp", never)
    check_against_enumeration(drawn(60, seed=990, max_edges=12))


def test_a_weak_search_still_states_bounds_that_hold(monkeypatch):
    """One round of the program, one sweep and no integer program: nothing false is claimed."""
    monkeypatch.setattr("solvers.largest.solve.FIRST_ROUNDS", 1)
    monkeypatch.setattr("solvers.largest.solve.TAIL_ROUNDS", 0)
    monkeypatch.setattr("solvers.largest.solve.TAIL_GAIN", 2.0)
    monkeypatch.setattr("solvers.largest.solve.MOST_SWEEPS", 1)
    monkeypatch.setattr("solvers.largest.solve.INTEGER_UP_TO", (0, 0))
    monkeypatch.setattr("solvers.largest.solve.EXACT_UP_TO", 0)
    open_ones = 0
    for problem in drawn(60, seed=990, max_edges=12):
        best = cheapest_cover(problem).objective
        solution = solvers.solve_largest(problem)
        assert solution.bound <= best <= solution.objective
        assert (solution.termination is Termination.OPTIMAL) == (solution.bound == solution.objective)
        open_ones += solution.termination is Termination.LIMIT
    assert open_ones > 0


def test_reports_only_improve_and_never_contradict():
    problem = random_problem(60, 200, n_outputs=1, seed=0)
    moments = []
    solution = solvers.solve_largest(problem, options=Options(on_progress=moments.append, time_limit_s=5))
    incumbents = [moment.incumbent for moment in moments]
    bounds = [moment.bound for moment in moments]
    assert incumbents == sorted(incumbents, reverse=True)
    assert bounds == sorted(bounds)
    assert all(bound <= incumbent < 0 for incumbent, bound in zip(incumbents, bounds, strict=True))
    assert solution.bound <= solution.objective <= incumbents[-1]


def test_two_runs_give_the_same_network():
    problem = random_problem(50, 130, n_outputs=2, seed=1)
    first, second = (solvers.solve_largest(problem, options=Options(seed=4)) for _ in range(2))
    assert first.edges.tolist() == second.edges.tolist()
    assert first.bound == second.bound


def test_an_input_is_never_cut_off_where_a_minimum_feedback_arc_set_would():
    """x1 -> a -> b -> a, b -> y, x2 -> b: leaving out a -> b (also one edge) would cut x1 off."""
    problem = Problem(
        n_vertices=5, sources=[0, 1, 2, 3, 3], targets=[2, 3, 3, 2, 4], inputs=[0, 1], outputs=[4], costs=-np.ones(5)
    )
    assert solvers.solve_largest(problem).edges.tolist() == [0, 1, 2, 4]


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize("output", ["LCK", "EGFR", "MTOR"])
def test_the_real_network(output):
    """Nearly all edges are kept, within one per cent of the bound, without a time limit."""
    import graphnn as gn

    graph = gn.read_sif(real_data("pkn/tcell_abc.sif.gz"))
    genes = [name for name in graph.nodes if name.endswith("_gene")]
    dag = gn.extract_dag(graph.prune(genes, [output]), genes, [output], objective="max_edges")
    assert dag.graph.n_edges > 19_500
    assert dag.proof.gap < 0.01


def is_acyclic(tails: np.ndarray, heads: np.ndarray) -> bool:
    """Whether taking arcs whose tail no arc enters takes all."""
    pairs = list(zip(tails.tolist(), heads.tolist(), strict=True))
    while pairs:
        entered = {head for _, head in pairs}
        rest = [(tail, head) for tail, head in pairs if tail in entered]
        if len(rest) == len(pairs):
            return False
        pairs = rest
    return True
