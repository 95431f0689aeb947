"""Frequencies among several networks, and vertices that no smallest network can do without, against enumeration."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import graphnn as gn
import solvers.alternatives as alternatives
from graphnn.errors import OptionError
from graphnn.extract.minima import necessary_vertices, network_frequencies
from solvers.result import Termination
from tests.extract.drawn import Case, cases, choices
from tests.real_data import real_data


def vertices_of_optima(case: Case) -> list[set[str]]:
    """Vertices of every smallest network."""
    return [{name for edge in edges for name in case.pairs[edge]} for edges in case.best().edge_sets]


def status(found: Any) -> dict[str, str]:
    return found.set_index("vertex")["status"].to_dict()


def test_frequencies_are_those_of_all_smallest_networks():
    several = 0
    for case in (*cases(20, seed=321, most=9, least=5), *choices(30, seed=321)):
        optima = vertices_of_optima(case)
        found = network_frequencies(gn.extract_alternatives(case.graph, case.inputs, case.outputs, k=50))
        assert found.complete
        assert found.n_networks == len(optima)
        for row in found.vertices.itertuples():
            assert row.count == sum(row.vertex in names for names in optima)
            assert row.frequency == row.count / len(optima)
            assert row.in_all == (row.count == len(optima))
        assert {*found.vertices["vertex"]} == set.union(*optima)
        chosen = [{case.pairs[edge] for edge in edges} for edges in case.best().edge_sets]
        counts = {(row.source, row.target): row.count for row in found.edges.itertuples()}
        assert counts == {pair: sum(pair in edges for edges in chosen) for pair in set.union(*chosen)}
        several += len(optima) > 1
    assert several > 10


def test_what_is_necessary_is_in_every_smallest_network():
    told = 0
    for case in (*cases(30, seed=322, most=9, least=5), *choices(60, seed=322)):
        optima = vertices_of_optima(case)
        networks = gn.extract_alternatives(case.graph, case.inputs, case.outputs, k=2)
        for known in ((), networks):
            found = status(necessary_vertices(case.graph, case.inputs, case.outputs, networks=known))
            assert "open" not in found.values()
            hidden = set.intersection(*optima) - {*case.inputs, *case.outputs}
            assert {name for name, word in found.items() if word == "necessary"} == hidden
        told += "not necessary" in found.values()
    assert told > 8


ROWS = [("x", 1, "a"), ("a", 1, "b"), ("a", 1, "c"), ("b", 1, "y"), ("c", -1, "y")]
GRAPH = gn.PriorGraph.from_sif_tuples(ROWS)


def ask(**asked: Any) -> dict[str, str]:
    return status(necessary_vertices(GRAPH, ["x"], ["y"], **asked))


def test_rows_come_in_order_and_say_their_role():
    found = network_frequencies(gn.extract_alternatives(GRAPH, ["x"], ["y"], k=9))
    assert found.vertices["vertex"].tolist() == ["a", "x", "y", "b", "c"]
    assert found.vertices["role"].tolist() == ["hidden", "input", "output", "hidden", "hidden"]
    assert found.edges.columns.tolist() == ["source", "interaction", "target", "count", "frequency", "in_all"]
    assert found.edges.iloc[0].tolist() == ["x", 1, "a", 2, 1.0, True]
    assert "all 2 networks" in repr(found)


def test_a_part_of_the_networks_is_not_called_complete():
    networks = gn.extract_alternatives(GRAPH, ["x"], ["y"], k=1)
    assert not network_frequencies(networks).complete
    graph = gn.PriorGraph.from_sif_tuples([*ROWS, ("b", 1, "c")])
    assert not network_frequencies(gn.extract_alternatives(graph, ["x"], ["y"], k=9, kind="best")).complete


def test_rules_hold_for_what_is_necessary():
    assert ask() == {"a": "necessary", "b": "not necessary"}
    assert ask(forbidden_nodes=["b"]) == {"a": "necessary", "c": "necessary"}
    assert ask(node_cost={"c": 1}) == {"a": "necessary", "b": "necessary"}
    assert ask(method="milp")["a"] == "necessary"
    assert ask(min_routes=1, max_depth=3)["a"] == "necessary"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"edge_cost": [0.5] * 5}, ("whole numbers", "necessary_vertices")),
        ({"networks": gn.extract_alternatives(gn.PriorGraph.from_sif_tuples([("x", 1, "y")]), ["x"], ["y"], k=1)},
         ("networks", "network 1")),
        ({"networks": gn.extract_alternatives(GRAPH, ["x"], ["y"], k=9, kind="best")}, ("network 3", "least")),
        ({"time_limit_s": -1}, ("time_limit_s",)),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(asked, words):
    with pytest.raises(OptionError) as caught:
        ask(**asked)
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize("networks", [(), [1], "xy"], ids=str)
def test_frequencies_need_networks(networks):
    with pytest.raises(OptionError, match="networks"):
        network_frequencies(networks)


def test_networks_of_one_question_only_and_each_once():
    (dag,) = gn.extract_alternatives(GRAPH, ["x"], ["y"], k=1)
    with pytest.raises(OptionError, match="twice"):
        network_frequencies([dag, dag])
    other = gn.extract_dag(GRAPH, ["a"], ["y"])
    with pytest.raises(OptionError, match="one question"):
        network_frequencies([dag, other])


def test_what_a_limit_leaves_open_is_open(monkeypatch):
    solve = alternatives.solve

    def stopped(problem, **options):
        solution = solve(problem, **options)
        return replace(solution, termination=Termination.LIMIT, bound=solution.objective - 1)

    monkeypatch.setattr(alternatives, "solve", stopped)
    assert {*ask().values()} == {"open"}


# -- within --------------------------------------------------------------------------------------------------------


def test_networks_within_a_few_edges_of_the_smallest():
    for case in (*cases(6, seed=323, most=9, least=5), *choices(6, seed=323)):
        ways = gn.extract_alternatives(case.graph, case.inputs, case.outputs, k=8, kind="best")
        for within in (0, 1, 2.0):
            found = gn.extract_alternatives(case.graph, case.inputs, case.outputs, k=8, kind="best", within=within)
            most = ways[0].proof.objective + within
            assert [dag.fingerprint for dag in found] == [
                dag.fingerprint for dag in ways if dag.proof.objective <= most
            ]
            if len(found) < 8:
                assert found[0].proof.details["complete"] is True


@pytest.mark.parametrize(
    "asked",
    [{"within": 1}, {"within": -1, "kind": "best"}, {"within": True, "kind": "best"}, {"within": "1", "kind": "best"},
     {"within": float("nan"), "kind": "best"}],
    ids=str,
)  # fmt: skip
def test_an_odd_distance_is_refused(asked):
    with pytest.raises(OptionError, match="within"):
        gn.extract_alternatives(GRAPH, ["x"], ["y"], k=2, **asked)


@pytest.mark.real_data
def test_the_t_cell_network_has_vertices_that_it_cannot_do_without():
    graph = gn.read_sif(real_data("pkn/tcell_abc.sif.gz"))
    inputs = [name for name in graph.nodes if name.endswith("_gene")]
    pruned = graph.prune(inputs, ["LCK"])
    found = status(necessary_vertices(pruned, inputs, ["LCK"], time_limit_s=120))
    words = list(found.values())
    assert (words.count("necessary"), words.count("not necessary"), words.count("open")) == (216, 19, 0)
    for name in [name for name, word in found.items() if word == "necessary"][::60]:
        graph_without = [edge for edge in pruned.to_sif_tuples() if name not in (edge[0], edge[2])]
        rest = gn.PriorGraph.from_sif_tuples(graph_without).prune(inputs, ["LCK"])
        without = gn.extract_dag(rest, inputs, ["LCK"])
        assert len(without.inputs) < 4368 or without.graph.n_edges > 4603


@pytest.mark.real_data
def test_fifteen_smallest_t_cell_networks_all_proved():
    graph = gn.read_sif(real_data("pkn/tcell_abc.sif.gz"))
    inputs = [name for name in graph.nodes if name.endswith("_gene")]
    pruned = graph.prune(inputs, ["LCK"])
    dags = gn.extract_alternatives(pruned, inputs, ["LCK"], k=15)
    assert len({dag.fingerprint for dag in dags}) == 15
    for dag in dags:
        assert dag.proof.objective == 4603
        assert dag.proof.details["alternative"]["shared"] == dag.proof.details["alternative"]["shared_bound"]
    found = network_frequencies(dags)
    hidden = found.vertices[found.vertices["role"] == "hidden"]
    assert hidden["in_all"].sum() >= 216
