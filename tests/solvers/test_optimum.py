"""The contract of `solve`: every method on every back end proves the optimum that enumeration finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import solvers
from solvers import Options, Problem, Termination
from solvers.cover import tidy
from tests.oracles.cover import Cover, broken_rules, cheapest_cover, has_cycle
from tests.oracles.strategies import coverable_problems, seeded
from tests.solvers.drawn import solved_problems

ENGINES = [
    pytest.param(method, backend, id=f"{method}-{backend}")
    for method in ("milp", "steiner")
    for backend in solvers.available()
]


def check_optimal(problem: Problem, best: Cover, solution: solvers.Solution) -> None:
    """Everything that a proved answer promises."""
    chosen = solution.edges.tolist()
    assert solution.termination is Termination.OPTIMAL
    assert solution.objective == pytest.approx(best.objective, abs=1e-6)
    assert solution.bound == pytest.approx(best.objective, abs=1e-6)
    assert problem.costs[solution.edges].sum() == pytest.approx(solution.objective, abs=1e-9)
    assert chosen == sorted(set(chosen))
    assert solvers.violations(problem, chosen) == []
    assert not broken_rules(problem, chosen)
    if problem.costs.min(initial=1) > 0 and problem.has_integer_costs:
        assert frozenset(chosen) in best.edge_sets


def solve(problem: Problem, method: str = "auto", backend: str = "auto", **options) -> solvers.Solution:
    return solvers.solve(problem, options=Options(method=method, backend=backend, **options))


def test_all_three_back_ends_are_here():
    assert set(solvers.available()) == {"highs", "scip", "cvxpy"}


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize(("method", "backend"), ENGINES)
def test_the_optimum_of_150_drawn_problems(method, backend, n_outputs):
    """With one and with two outputs: 300 problems for each method on each back end, many of them cyclic."""
    solved = solved_problems(150, seed=100 + n_outputs, max_edges=10, n_outputs=n_outputs)
    assert len(solved) == 150
    assert sum(len(problem.inputs) > 1 for problem, _ in solved) >= 75
    assert sum(has_cycle(problem) for problem, _ in solved) >= 75
    for problem, best in solved:
        solution = solve(problem, method, backend)
        check_optimal(problem, best, solution)
        assert solution.method == method


@pytest.mark.parametrize(
    "family",
    [
        {"costs": "small", "seed": 7},
        {"costs": "float", "seed": 8},
        {"costs": "small", "seed": 9, "n_outputs": 3},
        {"costs": "small", "seed": 10, "parallel": True},
        {"costs": "unit", "seed": 11, "acyclic": True},
    ],
    ids=["zero and small costs", "float costs", "three outputs", "parallel edges", "acyclic"],
)
@pytest.mark.parametrize(("method", "backend"), ENGINES)
def test_the_optimum_of_each_family(method, backend, family):
    for problem, best in solved_problems(40, max_edges=9, **family):
        check_optimal(problem, best, solve(problem, method, backend))


@pytest.mark.slow
@pytest.mark.parametrize("costs", ["unit", "small", "float"])
@pytest.mark.parametrize(("method", "backend"), ENGINES)
def test_the_optimum_of_1000_larger_drawn_problems(method, backend, costs):
    for problem, best in solved_problems(1000, seed=77, max_edges=12, costs=costs):
        check_optimal(problem, best, solve(problem, method, backend))


@pytest.mark.parametrize("backend", solvers.available())
@pytest.mark.parametrize("method", ["milp", "auto"])
def test_negative_costs_are_paid_out_without_a_cycle(method, backend):
    solved = solved_problems(60, seed=13, max_edges=9, costs="negative")
    for problem, best in solved:
        solution = solve(problem, method, backend)
        check_optimal(problem, best, solution)
        assert solution.method == "milp" or not problem.has_negative_costs
    relaxed = [best.objective > problem.costs[problem.costs < 0].sum() for problem, best in solved]
    assert sum(relaxed) > 20  # the rules bind, else the test would prove nothing


def test_the_fast_path_does_not_pretend_to_handle_negative_costs():
    for problem, best in solved_problems(20, seed=13, max_edges=9, costs="negative"):
        if not problem.has_negative_costs:
            continue
        try:
            solution = solve(problem, "steiner")
        except solvers.SolverError:
            continue
        check_optimal(problem, best, solution)


@pytest.mark.parametrize("method", ["auto", "steiner", "milp"])
@given(problem=coverable_problems(costs="small", parallel=True), chance=st.integers(0, 10_000))
def test_names_and_order_of_edges_do_not_change_the_optimum(method, problem, chance):
    generator = np.random.default_rng(chance)
    rename, order = generator.permutation(problem.n_vertices), generator.permutation(problem.n_edges)
    other = Problem(
        n_vertices=problem.n_vertices,
        sources=rename[problem.sources][order],
        targets=rename[problem.targets][order],
        inputs=rename[problem.inputs],
        outputs=rename[problem.outputs],
        costs=problem.costs[order],
    )
    one, two = solve(problem, method), solve(other, method)
    assert one.objective == two.objective == pytest.approx(cheapest_cover(problem).objective)


@given(problem=coverable_problems(max_edges=12, costs="small"), seeds=st.tuples(st.integers(0, 9), st.integers(0, 9)))
def test_the_seed_does_not_change_the_optimum(problem, seeds):
    objectives = {solve(problem, method, seed=seed).objective for method in ("steiner", "milp") for seed in seeds}
    assert objectives == {cheapest_cover(problem).objective}


@pytest.mark.parametrize(("method", "backend"), ENGINES)
def test_small_worlds(method, backend):
    """One edge; a long chain; a star; a bundle of 300 parallel edges; an input and an output on one cycle."""
    chain = Problem(n_vertices=200, sources=range(199), targets=range(1, 200), inputs=[0], outputs=[199])
    star = Problem(n_vertices=60, sources=range(1, 60), targets=[0] * 59, inputs=range(1, 60), outputs=[0])
    bundle = Problem(
        n_vertices=2, sources=[0] * 300, targets=[1] * 300, inputs=[0], outputs=[1], costs=range(300, 0, -1)
    )
    ring = Problem(n_vertices=4, sources=[0, 1, 2, 3], targets=[1, 2, 3, 0], inputs=[0], outputs=[2])
    single = Problem(n_vertices=2, sources=[0], targets=[1], inputs=[0], outputs=[1])
    for problem, objective in ((chain, 199), (star, 59), (bundle, 1), (ring, 2), (single, 1)):
        solution = solve(problem, method, backend)
        assert solution.termination is Termination.OPTIMAL
        assert solution.objective == objective
        assert solvers.violations(problem, solution.edges) == []


@pytest.mark.parametrize(("method", "backend"), ENGINES)
def test_free_edges_do_no_harm(method, backend):
    """All edges cost nothing, and there are cycles: the answer is still an acyclic network without stray edges."""
    for problem, _ in solved_problems(30, seed=101, max_edges=10, n_outputs=2):
        free = with_costs(problem, np.zeros(problem.n_edges))
        solution = solve(free, method, backend)
        assert solution.objective == solution.bound == 0
        assert solvers.violations(free, solution.edges) == []


def with_costs(problem: Problem, costs: np.ndarray) -> Problem:
    """The same network at other costs."""
    return Problem(
        n_vertices=problem.n_vertices,
        sources=problem.sources,
        targets=problem.targets,
        inputs=problem.inputs,
        outputs=problem.outputs,
        costs=costs,
    )


@pytest.mark.parametrize("scale", [1e-9, 1e-7, 1e-4, 1e6])
@pytest.mark.parametrize(("method", "backend"), ENGINES)
def test_the_unit_of_costs_does_not_matter(method, backend, scale):
    """Costs may be p-values: absolute tolerances of engines must not decide what is called optimal."""
    for problem, best in solved_problems(40, seed=8, max_edges=12, costs="float"):
        solution = solve(with_costs(problem, problem.costs * scale), method, backend)
        assert solution.termination is Termination.OPTIMAL
        assert solution.objective == pytest.approx(best.objective * scale, rel=1e-5, abs=0)
        assert solution.bound == pytest.approx(best.objective * scale, rel=1e-5, abs=0)


@pytest.mark.parametrize(("method", "backend"), ENGINES)
def test_large_whole_costs_are_compared_exactly_or_nothing_is_claimed(method, backend):
    """A difference of 1 in 10**8 is a difference."""
    for problem, _ in solved_problems(40, seed=7, max_edges=12, costs="small"):
        dear = with_costs(problem, problem.costs + 1e8)
        solution = solve(dear, method, backend)
        best = cheapest_cover(dear).objective
        assert solution.bound <= best <= solution.objective
        if solution.termination is Termination.OPTIMAL:
            assert solution.objective == best


# costs 0 make arcs that the cut program takes for granted; its integer optimum must be returned with them
FREE_ARCS = (
    (23, 21, 0), (25, 19, 0), (21, 27, 0), (20, 3, 1), (8, 17, 1), (19, 25, 5), (19, 22, 3), (17, 10, 1), (20, 27, 0),
    (12, 24, 1), (10, 20, 0), (26, 20, 1), (27, 17, 1), (1, 24, 1), (25, 23, 2), (27, 23, 1), (5, 21, 1), (28, 3, 1),
    (17, 1, 1), (3, 12, 0), (16, 25, 1), (26, 5, 2), (22, 1, 3), (16, 5, 4),
)  # fmt: skip


@pytest.mark.parametrize(("method", "backend"), ENGINES)
def test_an_integer_optimum_keeps_its_free_edges(method, backend):
    tails, heads, costs = zip(*FREE_ARCS, strict=True)
    problem = Problem(
        n_vertices=29, sources=tails, targets=heads, inputs=[8, 16, 19, 26, 28], outputs=[24], costs=costs
    )
    solution = solve(problem, method, backend)
    assert solution.objective == solution.bound == 14
    assert solvers.violations(problem, solution.edges) == []


@given(problem=coverable_problems(max_edges=12, parallel=True), chance=st.integers(0, 10_000))
def test_tidying_any_cover_gives_an_acyclic_one_inside_it(problem, chance):
    generator = np.random.default_rng(chance)
    edges = np.flatnonzero(generator.random(problem.n_edges) < 0.8)
    if broken_rules(problem, edges.tolist()) & {"input", "output"}:
        return
    tidied = tidy(problem, edges)
    assert set(tidied.tolist()) <= set(edges.tolist())
    assert not broken_rules(problem, tidied.tolist())


def larger_problem(seed: int, *, n_vertices: int, n_edges: int, n_inputs: int, n_outputs: int) -> Problem:
    """A random digraph in which every vertex lies on a path: too large to enumerate, for agreement and limits."""
    integer = seeded(seed)
    edges = {(vertex, vertex + 1) for vertex in range(n_vertices - 1)}
    while len(edges) < n_edges:
        tail, head = integer(0, n_vertices - 1), integer(0, n_vertices - 1)
        if tail != head:
            edges.add((tail, head))
    pairs = sorted(edges)
    return Problem(
        n_vertices=n_vertices,
        sources=[tail for tail, _ in pairs],
        targets=[head for _, head in pairs],
        inputs=range(n_inputs),
        outputs=range(n_vertices - n_outputs, n_vertices),
        costs=[integer(1, 9) for _ in pairs],
    )


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("seed", range(4))
def test_methods_agree_beyond_enumeration(seed, n_outputs):
    problem = larger_problem(seed, n_vertices=30, n_edges=90, n_inputs=6, n_outputs=n_outputs)
    solutions = [solve(problem, "steiner"), solve(problem, "milp", "highs"), solve(problem, "milp", "scip")]
    assert {solution.termination for solution in solutions} == {Termination.OPTIMAL}
    assert len({solution.objective for solution in solutions}) == 1
    assert all(solvers.violations(problem, solution.edges) == [] for solution in solutions)


def test_the_cut_program_is_reached():
    """Small drawn problems are solved by reductions alone; these are not, so the engine behind them is tested too."""
    provers = []
    for seed in range(40):
        problem = larger_problem(seed, n_vertices=24, n_edges=70, n_inputs=6, n_outputs=1)
        fast, flow = solve(problem, "steiner"), solve(problem, "milp")
        assert fast.termination is flow.termination is Termination.OPTIMAL
        assert fast.objective == flow.objective
        assert not broken_rules(problem, fast.edges.tolist())
        provers.append(fast.backend)
    assert provers.count("highs") >= 3
    assert provers.count("dual ascent") >= 3


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_methods_agree_on_many_problems_with_free_edges(seed):
    """Every tenth edge or so costs nothing, so that cycles of cost 0 and free ways occur beyond enumeration."""
    generator = np.random.default_rng(seed)
    for draw in range(100):
        problem = larger_problem(1000 * seed + draw, n_vertices=26, n_edges=75, n_inputs=6, n_outputs=1 + draw % 3)
        problem = with_costs(problem, generator.integers(0, 6, problem.n_edges))
        fast, flow = solve(problem, "steiner"), solve(problem, "milp")
        assert fast.termination is flow.termination is Termination.OPTIMAL
        assert fast.objective == flow.objective
        assert not broken_rules(problem, fast.edges.tolist())


@pytest.mark.parametrize(("method", "backend"), ENGINES)
def test_dear_edges_that_nobody_needs_do_not_set_the_scale(method, backend):
    """Half of the edges cost 50, the answer 3e-7: tolerances that fit the former would hide the latter."""
    cheap = {(0, 3): 2e-7, (1, 2): 1e-7, (0, 2): 1.9e-7, (2, 3): 6e-7}
    pairs = [(0, 3), (1, 2), (0, 2), (2, 3), (3, 2), (2, 1), (3, 1), (2, 0)]
    tails, heads = zip(*pairs, strict=True)
    costs = [cheap.get(pair, 50.0) for pair in pairs]
    problem = Problem(n_vertices=4, sources=tails, targets=heads, inputs=[0, 1], outputs=[2, 3], costs=costs)
    solution = solve(problem, method, backend)
    assert solution.termination is Termination.OPTIMAL
    assert solution.objective == pytest.approx(3e-7, rel=1e-5)


def test_large_whole_costs_are_proved_where_the_bound_is_exact():
    line = Problem(n_vertices=3, sources=[0, 1], targets=[1, 2], inputs=[0], outputs=[2], costs=[20000001, 30000000])
    solution = solve(line)
    assert (solution.termination, solution.bound) == (Termination.OPTIMAL, 50000001)


def test_nothing_left_to_choose_is_no_failure():
    costs = [1000000001, 1, 10**12]
    problem = Problem(n_vertices=5, sources=[2, 2, 4], targets=[4, 1, 0], inputs=[2, 4], outputs=[0, 1], costs=costs)
    solution = solve(problem)
    assert solution.objective == solution.bound == 1 + 10**12
    assert solvers.violations(problem, solution.edges) == []


@pytest.mark.parametrize("n_outputs", [2, 3, 4])
def test_outputs_are_fed_at_least_cost(n_outputs):
    """The fast path with vertices that ask on behalf of outputs, against the acyclic-flow program."""
    for number in range(40):
        generator = np.random.default_rng((n_outputs, number))
        edges = {(int(a), int(b)) for a, b in generator.integers(0, 14, size=(34, 2)) if a != b}
        tails, heads = zip(*sorted(edges), strict=True)
        outputs = list(range(14 - n_outputs, 14))
        problem = Problem(n_vertices=14, sources=tails, targets=heads, inputs=[0, 1, 2, 3], outputs=outputs)
        try:
            exact = solve(problem, "milp")
        except solvers.InfeasibleProblem:
            continue
        assert solve(problem).objective == exact.objective == solve(problem).bound
