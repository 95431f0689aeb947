"""Random networks: what they keep, what they change, and that they are random."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import graphnn as gn
from graphnn.compiler.plan import plan_layers
from graphnn.evaluate.dense import dense_network
from graphnn.evaluate.rewire import dealt, random_wiring, rewired
from tests.compiler.drawn import rich_dag

DRAWN = [rich_dag(seed) for seed in range(12)]


def degrees(dag: gn.Dag) -> tuple[list[int], list[int]]:
    """Edges into and out of each vertex."""
    graph = dag.graph
    return tuple(np.bincount(ends, minlength=graph.n_nodes).tolist() for ends in (graph.targets, graph.sources))  # type: ignore[return-value]


@pytest.mark.parametrize("dag", DRAWN)
def test_rewiring_keeps_vertices_roles_and_degrees(dag: gn.Dag) -> None:
    for seed in range(3):
        found = rewired(dag, seed=seed)  # Dag.from_graph has refused cycles and strays
        assert found.graph.nodes == dag.graph.nodes
        assert (found.inputs, found.outputs) == (dag.inputs, dag.outputs)
        assert degrees(found) == degrees(dag)
        pairs = {(source, target) for source, _, target in found.graph.to_sif_tuples()}
        assert len(pairs) == dag.graph.n_edges


@pytest.mark.parametrize("dag", DRAWN)
def test_random_wiring_keeps_vertices_and_size(dag: gn.Dag) -> None:
    for seed in range(3):
        found = random_wiring(dag, seed=seed)
        assert found.graph.nodes == dag.graph.nodes
        assert (found.inputs, found.outputs) == (dag.inputs, dag.outputs)
        into, _ = degrees(dag)
        if not any(into[dag.graph.position[name]] for name in dag.inputs):
            assert found.graph.n_edges == dag.graph.n_edges


def large() -> gn.Dag:
    """Twenty inputs each of ten hidden vertices, which feed one output: a tree."""
    edges = [(f"x{i}", 1 if i % 3 else -1, f"h{i % 10}") for i in range(200)]
    edges += [(f"h{i}", 1, "y") for i in range(10)]
    return gn.Dag.from_graph(gn.PriorGraph.from_sif_tuples(edges), [f"x{i}" for i in range(200)], ["y"])


@pytest.mark.parametrize("dag", DRAWN)
def test_dealing_renames_inputs_and_keeps_the_shape(dag: gn.Dag) -> None:
    found = dealt(dag, seed=1)
    assert (found.graph.nodes, found.inputs, found.outputs) == (dag.graph.nodes, dag.inputs, dag.outputs)
    hidden = {*dag.hidden, *dag.outputs}
    inner = [
        [edge for edge in network.graph.to_sif_tuples() if {edge[0], edge[2]} <= hidden] for network in (dag, found)
    ]
    assert inner[0] == inner[1]
    assert sorted(degrees(found)[1]) == sorted(degrees(dag)[1])
    into = [dict(zip(n.graph.nodes, degrees(n)[0], strict=True)) for n in (dag, found)]
    assert all(into[0][name] == into[1][name] for name in hidden)


@pytest.mark.parametrize("draw", [rewired, random_wiring, dealt])
def test_hardly_an_edge_stays_and_seeds_differ(draw) -> None:
    first, second, again = draw(large(), seed=1), draw(large(), seed=2), draw(large(), seed=1)
    assert first == again
    assert first != second
    assert first.proof.details["moved"] > 0.7
    assert "nothing is claimed" in first.proof.sentence()


def test_all_networks_with_these_degrees_come_about_as_often_as_they_have_orders() -> None:
    """Six networks: two of two chains that meet in y, four of a chain and a lone edge; 6 and 4 orders each."""
    edges = [("x1", 1, "a"), ("x2", 1, "b"), ("a", 1, "y"), ("b", 1, "y")]
    dag = gn.Dag.from_graph(gn.PriorGraph.from_sif_tuples(edges), ["x1", "x2"], ["y"])
    counts = Counter(tuple(rewired(dag, seed=seed).graph.to_sif_tuples()) for seed in range(1400))
    assert len(counts) == 6
    two_chains = [count for found, count in counts.items() if ("a", 1, "y") in found and ("b", 1, "y") in found]
    assert len(two_chains) == 2
    assert all(240 < count < 370 for count in two_chains)  # 300 each, 6 standard deviations are 92
    assert all(130 < count < 280 for found, count in counts.items() if count not in two_chains)  # 200 each


def test_a_network_that_allows_no_exchange_comes_back() -> None:
    dag = gn.Dag.from_graph(gn.PriorGraph.from_sif_tuples([("x", 1, "a"), ("a", 1, "y")]), ["x"], ["y"])
    assert rewired(dag) == dag
    assert rewired(dag).proof.details["moved"] == 0


def test_the_dense_network_has_as_many_parameters_as_whole_vertices_allow() -> None:
    dag = large()
    wanted = plan_layers(dag).count_parameters()
    found = dense_network(dag)
    each = len(dag.inputs) + 1 + len(dag.outputs)
    assert abs(plan_layers(found).count_parameters() - wanted) <= each / 2 + 1
    assert found.graph.n_edges == len(found.hidden) * (len(dag.inputs) + len(dag.outputs))


def test_names_of_dense_vertices_are_free() -> None:
    edges = [("dense 1", 1, "a"), ("a", 1, "y")]
    dag = gn.Dag.from_graph(gn.PriorGraph.from_sif_tuples(edges), ["dense 1"], ["y"])
    assert not {*dense_network(dag).hidden} & {"dense 1"}
