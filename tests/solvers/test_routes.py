"""Disjoint routes: how many there are, where they can be cut, and a first network that has them."""

from __future__ import annotations

import numpy as np
import pytest

import graphnn as gn
from solvers.arrays import strong_components
from solvers.check import _disjoint_routes, violations
from solvers.clock import Clock
from solvers.errors import InfeasibleProblem
from solvers.milp.columns import Columns
from solvers.milp.formulation import acyclic_flow, wants
from solvers.milp.routes import available_routes, missing_routes
from solvers.milp.united import united_routes
from solvers.milp.ways import Bundle, Ways
from solvers.problem import Problem
from solvers.reduce.normal import normalise
from solvers.rules import Rules
from tests.oracles.ruled import solved_ruled_problems
from tests.oracles.rules import Judge, all_feasible
from tests.real_data import real_data


def drawn() -> list[Problem]:
    """Normal problems that ask for disjoint routes and have a network."""
    found = []
    for problem, best in solved_ruled_problems(120, seed=8, kind="disjoint_routes"):
        try:
            found += [normalise(problem).problem] if best else []
        except InfeasibleProblem:
            continue
    assert len(found) > 80
    return found


def larger(seed: int) -> Problem:
    """Up to 60 vertices anywhere, beyond the listing of paths."""
    draw = np.random.default_rng(seed)
    n = int(draw.integers(8, 60))
    pairs = draw.integers(0, n, size=(int(draw.integers(n, 4 * n)), 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    roles = draw.permutation(n)
    n_outputs = int(draw.integers(1, 4))
    return Problem(
        n_vertices=n,
        sources=pairs[:, 0],
        targets=pairs[:, 1],
        inputs=roles[n_outputs : n_outputs + 5],
        outputs=roles[:n_outputs],
        rules=Rules(min_routes=4, disjoint_routes=True),
    )


def test_routes_are_counted_as_the_oracle_lists_them():
    for problem in drawn():
        assert available_routes(problem) == Judge(problem).could


def test_both_searches_find_as_many_as_the_check_and_their_paths_are_disjoint():
    total = 0
    for seed in range(80):
        problem = larger(seed)
        ways, inputs = Ways(problem), problem.inputs.tolist()
        pairs = list(zip(problem.sources.tolist(), problem.targets.tolist(), strict=True))
        expected = _disjoint_routes(problem, pairs, inputs, 4)
        for vertex in inputs:
            cheap = Bundle(ways, vertex)
            while cheap.count < 4 and cheap.extend_cheaply(lambda tail, head: float(tail % 3)):
                pass
            for found in (ways.most(vertex, 4), cheap):
                assert found.count == expected[vertex]
                assert_disjoint(problem, found, pairs)
            total += expected[vertex]
    assert total > 300


def assert_disjoint(problem: Problem, found: Bundle, pairs: list[tuple[int, int]]) -> None:
    """Each path runs from the start over edges to an output, and no inner vertex is on two."""
    edges, ends = found.edges(), set(problem.outputs.tolist())
    assert set(edges) <= set(pairs)
    inner = [head for _, head in edges if head not in ends]
    assert len(inner) == len(set(inner))
    assert found.start not in inner
    assert sorted(tail for tail, _ in edges if tail != found.start) == sorted(inner)
    assert [tail for tail, _ in edges].count(found.start) == sum(head in ends for _, head in edges) == found.count


def test_rows_for_missing_routes_cut_off_what_lacks_them_and_no_network():
    cut_off = 0
    integer = np.random.default_rng(3)
    for problem in drawn()[:60]:
        asked = wants(problem)
        _, columns = acyclic_flow(problem, asked)
        networks = [edges for _, edges in all_feasible(problem)]
        for _ in range(5):
            x = np.zeros(columns.count)
            chosen = np.flatnonzero(integer.random(problem.n_edges) < 0.6)
            set_choice(problem, columns, x, chosen.tolist())
            rows = missing_routes(problem, columns, asked.routes, x, Clock())
            short = [each.items for each in violations(problem, chosen) if each.rule == "too few routes"]
            assert len(rows) == sum(asked.routes[vertex] > 1 for items in short for vertex in items)
            for terms, least in rows:
                assert value(terms, x) < least
                for edges in networks:
                    y = np.zeros(columns.count)
                    set_choice(problem, columns, y, sorted(edges))
                    assert value(terms, y) >= least
                cut_off += 1
    assert cut_off > 50


def set_choice(problem: Problem, columns: Columns, x: np.ndarray, edges: list[int]) -> None:
    x[edges] = 1.0
    for edge in edges:
        ends = (int(problem.sources[edge]), int(problem.targets[edge]))
        for column in [columns.bundles.get(ends), *(columns.used.get(vertex) for vertex in ends)]:
            if column is not None:
                x[column] = 1.0


def value(terms: dict[int, float], x: np.ndarray) -> float:
    return sum(weight * x[column] for column, weight in terms.items())


def test_a_united_network_obeys_the_rules():
    found = 0
    for problem in drawn():
        edges = united_routes(problem, Clock())
        if edges is not None:
            assert violations(problem, edges) == []
            found += 1
    assert found > 0.9 * len(drawn())


def test_a_united_network_is_made_where_an_order_by_distance_has_none():
    """Both inputs need both ways round a ring, so that no order of the ring suits them: then there is none."""
    ring = {"sources": [0, 0, 1, 1, 2, 3, 2, 3], "targets": [2, 3, 2, 3, 3, 2, 4, 4], "inputs": [0, 1], "outputs": [4]}
    problem = Problem(n_vertices=5, **ring, rules=Rules(min_routes=2, disjoint_routes=True))
    assert united_routes(problem, Clock()).tolist() == [0, 1, 2, 3, 6, 7]


def test_when_time_is_up_less_is_asked_and_nothing_built():
    problem = drawn()[0]
    clock = Clock(0.0)
    assert set(available_routes(problem, clock).values()) == {1}
    assert united_routes(problem, clock) is None


@pytest.mark.real_data
@pytest.mark.parametrize("outputs", [["LCK"], ["LCK", "EGFR", "ZAP70", "MTOR", "SRC", "JAK1"]], ids=len)
@pytest.mark.parametrize("routes", [2, 3])
def test_a_real_network_with_disjoint_routes_is_made(outputs, routes):
    graph = gn.read_sif(real_data("pkn/tcell_abc.sif.gz"))
    genes = [name for name in graph.nodes if name.endswith("_gene")]
    graph = graph.prune(genes, outputs)
    problem = Problem(
        n_vertices=graph.n_nodes,
        sources=graph.sources,
        targets=graph.targets,
        inputs=graph.indices([name for name in genes if name in graph]),
        outputs=graph.indices(outputs),
        rules=Rules(min_routes=routes, disjoint_routes=True),
    )
    assert strong_components(graph.n_nodes, graph.sources, graph.targets).max() + 1 < graph.n_nodes  # it has cycles
    edges = united_routes(problem, Clock())
    assert violations(problem, edges) == []
    ways = sum(available_routes(problem).values())  # genes have no edges into them, so each needs so many edges
    assert ways < len(edges) < 1.06 * ways
