"""PriorGraph: policies counted, frozen, equal by content, the same whatever the order of its rows."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import random

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphnn as gn
from graphnn.errors import FormatError, UnknownNodeError
from graphnn.graph.interaction import WORDS, parse_interaction
from tests.oracles.closure import simple
from tests.oracles.strategies import PriorCase, prior_cases


@given(case=prior_cases(max_rows=20))
def test_policies_equal_the_oracle_and_are_counted(case: PriorCase):
    graph = gn.PriorGraph.from_sif_tuples(case.triples)
    expected = simple(case.triples)
    assert set(graph.nodes) == expected.nodes
    assert {(source, target): sign for source, sign, target in graph.to_sif_tuples()} == expected.signs
    assert graph.ingestion.n_rows == len(case.triples)
    assert graph.ingestion.self_loops == tuple(sorted(expected.self_loops))
    assert graph.ingestion.duplicates == tuple(sorted(expected.duplicates))
    assert graph.ingestion.sign_conflicts == tuple(sorted(expected.sign_conflicts))


@given(case=prior_cases(), seed=st.integers(0, 1000))
def test_the_order_of_the_rows_does_not_matter(case: PriorCase, seed: int):
    rows = list(case.triples)
    random.Random(seed).shuffle(rows)
    one, other = gn.PriorGraph.from_sif_tuples(case.triples), gn.PriorGraph.from_sif_tuples(rows)
    assert one == other
    assert one.fingerprint == other.fingerprint
    assert hash(one) == hash(other)
    assert one.to_sif_tuples() == other.to_sif_tuples()
    assert one.ingestion == other.ingestion


@given(case=prior_cases())
def test_nodes_and_edges_are_sorted_and_rows_are_edges(case: PriorCase):
    graph = gn.PriorGraph.from_sif_tuples(case.triples)
    assert list(graph.nodes) == sorted(graph.nodes)
    pairs = list(zip(graph.sources.tolist(), graph.targets.tolist(), strict=True))
    assert pairs == sorted(set(pairs))
    assert graph.shape == (graph.n_nodes, graph.n_edges) == (len(graph.nodes), len(pairs))
    frame = graph.to_frame()
    assert list(frame.columns) == ["source", "interaction", "target"]
    assert [tuple(row) for row in frame.itertuples(index=False)] == graph.to_sif_tuples()


def test_each_policy_once():
    graph = gn.PriorGraph.from_sif_tuples(
        [
            ("a", 1, "a"), ("a", 1, "b"), ("a", 1, "b"), ("a", 0, "c"), ("a", -1, "c"), ("b", 1, "c"), ("b", -1, "c"),
            ("b", 0, "c"), ("only", -1, "only"),
        ]
    )  # fmt: skip
    assert graph.to_sif_tuples() == [("a", 1, "b"), ("a", -1, "c"), ("b", 0, "c")]
    assert graph.nodes == ("a", "b", "c", "only")
    assert graph.ingestion.to_dict() == {
        "n_rows": 9,
        "self_loops": ["a", "only"],
        "duplicates": [["a", "b"], ["a", "c"]],
        "sign_conflicts": [["b", "c"]],
    }


def test_nothing_can_be_changed():
    graph = gn.PriorGraph.from_sif_tuples([("a", 1, "b"), ("b", 1, "c")])
    for array in (graph.sources, graph.targets, graph.interactions):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    for part in (graph, graph.ingestion, graph.dropped):
        with pytest.raises(dataclasses.FrozenInstanceError):
            part.nodes = ()
    frame = graph.to_frame()
    frame["source"] = "changed"
    graph.to_networkx().remove_node("a")
    assert graph.to_sif_tuples() == [("a", 1, "b"), ("b", 1, "c")]


def test_any_difference_changes_the_fingerprint():
    triples = [("a", 1, "b"), ("b", 1, "c")]
    graphs = [
        gn.PriorGraph.from_sif_tuples(rows)
        for rows in (
            triples,
            [("a", -1, "b"), ("b", 1, "c")],
            [("a", 0, "b"), ("b", 1, "c")],
            [("a", 1, "c"), ("b", 1, "c")],
            [("a", 1, "b"), ("b", 1, "d")],
            [*triples, ("a", 1, "c")],
            [*triples, ("d", 1, "d")],
            [("a", 1, "bb"), ("bb", 1, "c")],
        )
    ]
    assert len({graph.fingerprint for graph in graphs}) == len(graphs) == len(set(graphs))
    assert graphs[0] != triples


def test_a_fingerprint_is_the_same_on_every_machine():
    graph = gn.PriorGraph.from_sif_tuples([("a", 1, "β"), ("β", -1, "c")])
    assert graph.fingerprint == "7a34dd8c52de3b5cf93058b1c847226c85db7d27039681d37a33596c2e962f62"


@given(names=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=90), min_size=2))
def test_any_name_works(names: list[str]):
    rows = [(source, 1, target) for source, target in itertools.pairwise(names)]
    graph = gn.PriorGraph.from_sif_tuples(rows)
    assert set(graph.nodes) == set(names)
    assert {(source, target) for source, _, target in graph.to_sif_tuples()} == set(simple(rows).signs)


@pytest.mark.parametrize(
    "rows",
    [
        [("a", 1)], ["abc"], [("a", 1, "b", "c")], [("", 1, "b")], [("a", 1, None)], [("a", 1, 7)],
        [("a", 1, float("nan"))], [("a", "maybe", "b")], [("a", None, "b")], [("a", 2, "b")], [("a", 0.5, "b")],
        [(("a", "b"), 1, "c")], [(["a"], 1, "c")], [("a", ["x"], "c")], [7],
    ],
    ids=str,
)  # fmt: skip
def test_rows_that_are_no_triples_are_refused(rows):
    with pytest.raises(FormatError):
        gn.PriorGraph.from_sif_tuples(rows)


def test_no_rows_make_an_empty_network():
    graph = gn.PriorGraph.from_sif_tuples([])
    assert graph.shape == (0, 0)
    assert graph == gn.PriorGraph.from_sif_tuples(iter(()))


@pytest.mark.parametrize(("sources", "targets", "signs"), [("ab", "c", [1, 1]), ("a", "bc", [1]), ("ab", "cd", [1])])
def test_columns_of_unequal_length_are_refused(sources, targets, signs):
    """NumPy would repeat a column of length one, and invent an edge."""
    with pytest.raises(ValueError, match=r"length|columns"):
        gn.PriorGraph.from_edges(list(sources), list(targets), signs)


@pytest.mark.parametrize("sign", [2, 0.5, -3])
def test_a_sign_that_is_none_is_not_rounded(sign):
    with pytest.raises(FormatError):
        gn.PriorGraph.from_edges(["a"], ["b"], [sign])


def test_indices_name_every_unknown_vertex():
    graph = gn.PriorGraph.from_sif_tuples([("a", 1, "b")])
    assert graph.indices(["b", "a"]).tolist() == [1, 0]
    assert "a" in graph
    assert "z" not in graph
    with pytest.raises(UnknownNodeError) as caught:
        graph.indices(["y", "a", "z"], role="inputs")
    assert caught.value.names == ("y", "z")
    assert "inputs" in str(caught.value)


@given(case=prior_cases())
def test_parts_keep_names_and_signs(case: PriorCase):
    graph = gn.PriorGraph.from_sif_tuples(case.triples)
    chosen = np.arange(graph.n_edges) % 2 == 0
    part = graph.keep_edges(chosen)
    assert part.to_sif_tuples() == graph.to_sif_tuples()[::2]
    assert part == graph.keep_edges(np.flatnonzero(chosen))
    assert set(part.nodes) == {name for source, _, target in part.to_sif_tuples() for name in (source, target)}
    inside = np.array([index % 2 == 0 for index in range(graph.n_nodes)], dtype=bool)
    half = graph.keep_nodes(inside)
    assert half.nodes == graph.nodes[::2]
    assert half.to_sif_tuples() == [
        row for row in graph.to_sif_tuples() if row[0] in half.nodes and row[2] in half.nodes
    ]


# -- networkx ----------------------------------------------------------------------------------------------------


@given(case=prior_cases())
def test_networkx_and_back(case: PriorCase):
    graph = gn.PriorGraph.from_sif_tuples(case.triples)
    there = graph.to_networkx()
    assert there.number_of_nodes() == graph.n_nodes
    assert {(source, data["interaction"], target) for source, target, data in there.edges(data=True)} == set(
        graph.to_sif_tuples()
    )
    assert gn.PriorGraph.from_networkx(there) == graph


def test_a_multigraph_follows_the_policies():
    there = nx.MultiDiGraph()
    there.add_edge("a", "b", interaction=1)
    there.add_edge("a", "b", interaction="inhibits")
    there.add_edge("b", "c", interaction="->")
    there.add_edge("b", "c")
    there.add_edge("c", "c")
    there.add_node("alone")
    graph = gn.PriorGraph.from_networkx(there)
    assert graph.to_sif_tuples() == [("a", 0, "b"), ("b", 1, "c")]
    assert graph.nodes == ("a", "alone", "b", "c")
    assert graph.ingestion.sign_conflicts == (("a", "b"),)
    assert graph.ingestion.duplicates == (("b", "c"),)
    assert graph.ingestion.self_loops == ("c",)


def test_another_attribute_can_hold_the_sign():
    there = nx.DiGraph()
    there.add_edge("a", "b", sign=-1)
    assert gn.PriorGraph.from_networkx(there, interaction="sign").to_sif_tuples() == [("a", -1, "b")]
    assert gn.PriorGraph.from_networkx(there).to_sif_tuples() == [("a", 0, "b")]


@pytest.mark.parametrize(
    "there",
    [
        nx.Graph([("a", "b")]),
        nx.MultiGraph([("a", "b")]),
        nx.DiGraph([(1, 2)]),
        nx.DiGraph([((0, 0), (0, 1)), ((0, 1), (1, 1))]),
        nx.DiGraph([("a", "")]),
        nx.DiGraph([("a", "b", {"interaction": "maybe"})]),
    ],
    ids=["undirected", "undirected multi", "numbers", "tuples", "empty name", "unknown word"],
)
def test_networkx_graphs_that_are_none_of_ours_are_refused(there):
    with pytest.raises(FormatError):
        gn.PriorGraph.from_networkx(there)


# -- interactions ------------------------------------------------------------------------------------------------


def test_every_word_is_read_in_any_case():
    for word, sign in WORDS.items():
        assert parse_interaction(word) == parse_interaction(f" {word.upper()} ") == sign
    assert [parse_interaction(value) for value in (1, -1, 0, 1.0, np.int8(-1), np.float64(0))] == [1, -1, 0, 1, -1, 0]


@pytest.mark.parametrize("word", ["", "2", "+-1", "activ", "true", None, float("nan"), "−1", "1e0", [1]])
def test_no_word_is_guessed(word):
    with pytest.raises(FormatError):
        parse_interaction(word)


def test_copies_are_equal():
    graph = gn.PriorGraph.from_sif_tuples([("a", 1, "b")])
    assert copy.copy(graph) == graph
    assert copy.deepcopy(graph) == graph
