"""Orders, levels, reach and cycles against networkx."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphnn as gn
from graphnn.errors import CycleError
from graphnn.extract.dag import Dag
from graphnn.graph.order import HasCycle, longest_path_levels, topological_order
from graphnn.graph.reach import UNREACHED, hops, reachable, strong_components
from tests.oracles.closure import digraph, longest_levels, smallest_first_order
from tests.oracles.strategies import index_graphs

ACYCLIC, MIXED = index_graphs(acyclic=True), index_graphs(acyclic=False)


def arrays(graph):
    n_nodes, sources, targets = graph
    return n_nodes, np.array(sources, dtype=np.int64), np.array(targets, dtype=np.int64)


@given(graph=ACYCLIC)
def test_order_and_levels_equal_networkx(graph):
    reference = digraph(*graph)
    assert topological_order(*arrays(graph)).tolist() == smallest_first_order(reference)
    assert longest_path_levels(*arrays(graph)).tolist() == longest_levels(reference)


@given(graph=MIXED)
def test_a_cycle_is_found_where_networkx_finds_one_and_is_real(graph):
    reference = digraph(*graph)
    if nx.is_directed_acyclic_graph(reference):
        assert len(topological_order(*arrays(graph))) == graph[0]
        return
    for function in (topological_order, longest_path_levels):
        with pytest.raises(HasCycle) as caught:
            function(*arrays(graph))
        cycle = caught.value.vertices
        assert len(cycle) == len(set(cycle)) >= 2
        assert all(reference.has_edge(*edge) for edge in zip(cycle, [*cycle[1:], cycle[0]], strict=True))


@given(graph=MIXED, chance=st.randoms(use_true_random=False))
def test_reach_and_hops_equal_networkx(graph, chance):
    n_nodes, sources, targets = arrays(graph)
    starts = sorted(chance.sample(range(n_nodes), min(2, n_nodes)))
    reference = digraph(*graph)
    distance = {}
    for start in starts:
        for vertex, steps in nx.single_source_shortest_path_length(reference, start).items():
            distance[vertex] = min(steps, distance.get(vertex, steps))
    first = np.array(starts, dtype=np.int64)
    assert reachable(n_nodes, sources, targets, first).tolist() == [vertex in distance for vertex in range(n_nodes)]
    assert hops(n_nodes, sources, targets, first).tolist() == [distance.get(v, UNREACHED) for v in range(n_nodes)]


@given(graph=MIXED)
def test_strong_components_equal_networkx(graph):
    if not graph[0]:
        return
    count, labels = strong_components(*arrays(graph))
    expected = {frozenset(part) for part in nx.strongly_connected_components(digraph(*graph))}
    assert count == len(expected)
    assert {frozenset(np.flatnonzero(labels == label).tolist()) for label in range(count)} == expected


def test_a_cycle_is_named():
    rows = [("in", 1, "p"), ("p", 1, "q"), ("q", 1, "r"), ("r", -1, "p"), ("r", 1, "out")]
    graph = gn.PriorGraph.from_sif_tuples(rows)
    with pytest.raises(CycleError, match=" -> ") as caught:
        Dag.from_graph(graph, ["in"], ["out"])
    cycle = caught.value.cycle
    assert set(cycle) == {"p", "q", "r"}
    edges = {(source, target) for source, _, target in rows}
    assert all(edge in edges for edge in zip(cycle, [*cycle[1:], cycle[0]], strict=True))


def test_a_vertex_beside_a_cycle_is_not_blamed():
    """What hangs behind a cycle is left over by a topological sort as well, but lies on no cycle."""
    with pytest.raises(HasCycle) as caught:
        topological_order(5, np.array([2, 3, 3, 0]), np.array([3, 2, 0, 1]))
    assert set(caught.value.vertices) == {2, 3}


def test_a_long_chain_needs_no_deep_recursion():
    n_nodes = 20_000
    sources = np.arange(n_nodes - 1)[::-1]
    assert topological_order(n_nodes, sources, sources + 1).tolist() == list(range(n_nodes))
    assert longest_path_levels(n_nodes, sources, sources + 1)[-1] == n_nodes - 1
