"""The demo network: its size and shape, its evidence edge by edge, its references."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import networkx as nx
import pytest

from graphnn.data.demo import DEMO_OUTPUT, demo_evidence, demo_inputs, demo_network, demo_references

DOI = re.compile(r"10\.\d{4,9}/[-._;()/:A-Za-z0-9]+")


@pytest.fixture(scope="module")
def graph():
    return demo_network()


@pytest.fixture(scope="module")
def digraph(graph):
    return graph.to_networkx()


def test_size_is_that_of_a_demo_that_one_can_read(graph):
    assert 80 <= graph.n_nodes <= 150
    assert 45 <= len(demo_inputs()) <= 60
    assert graph.ingestion.self_loops == graph.ingestion.duplicates == graph.ingestion.sign_conflicts == ()


def test_pruning_loses_nothing(graph):
    pruned = graph.prune(demo_inputs(), [DEMO_OUTPUT], strict=True)
    assert pruned == graph
    assert not any(pruned.dropped.counts.values())


def test_edges_run_in_the_direction_of_computation(digraph):
    assert all(digraph.in_degree(name) == 0 for name in demo_inputs())
    assert [name for name in digraph if digraph.out_degree(name) == 0] == [DEMO_OUTPUT]
    assert digraph.has_edge("LAT", "ZAP70")  # ZAP70 phosphorylates LAT
    assert not digraph.has_edge("ZAP70", "LAT")


def test_it_has_feedback_loops_and_both_signs(graph, digraph):
    largest = max(nx.strongly_connected_components(digraph), key=len)
    assert len(largest) >= 10
    assert {"LCK", "PTPN6", "ZAP70"} <= largest
    assert set(graph.interactions.tolist()) == {1, -1}


def test_most_genes_have_two_to_four_regulators(digraph):
    regulators = [digraph.out_degree(name) for name in demo_inputs()]
    assert sum(2 <= count <= 4 for count in regulators) >= 0.8 * len(regulators)


def test_shortest_paths_need_far_more_edges_than_a_covering_tree(digraph):
    distance = nx.single_source_shortest_path_length(digraph.reverse(), DEMO_OUTPUT)
    forward = nx.DiGraph((a, b) for a, b in digraph.edges if distance[a] == distance[b] + 1)
    used = set(demo_inputs()).union(*(nx.descendants(forward, name) for name in demo_inputs()))
    shortest_paths = forward.subgraph(used).number_of_edges()
    assert shortest_paths >= 1.4 * _edges_of_some_covering_tree(digraph, distance)


def _edges_of_some_covering_tree(digraph, distance):
    """An upper bound on the smallest network: each input is joined by a shortest way to the tree so far."""
    tree = {DEMO_OUTPUT}
    for name in sorted(demo_inputs(), key=lambda name: (distance[name], name)):
        ways = nx.single_source_shortest_path(digraph, name)
        nearest = min((end for end in ways if end in tree), key=lambda end: (len(ways[end]), end))
        tree.update(ways[nearest])
    return len(tree) - 1


def test_each_edge_has_one_row_of_evidence_and_each_row_an_edge(graph):
    evidence = demo_evidence()
    assert evidence[["source", "interaction", "target"]].to_numpy().tolist() == graph.to_frame().to_numpy().tolist()
    assert not evidence.duplicated(["source", "target"]).any()
    assert (evidence["statement"].str.len() > 10).all()
    assert evidence["statement"].str.endswith(".").all()


def test_references_are_known_used_and_agree_with_the_evidence():
    references = demo_references()
    evidence = demo_evidence()
    assert references["key"].is_unique
    assert references["doi"].is_unique
    assert sorted(references["key"]) == references["key"].tolist()
    assert set(references["key"]) == set(evidence["key"])
    doi = references.set_index("key")["doi"]
    assert (evidence["key"].map(doi) == evidence["reference"]).all()
    assert references["doi"].map(lambda text: DOI.fullmatch(text) is not None).all()
    assert references["year"].between(1990, 2026).all()
    assert references.map(lambda value: bool(str(value).strip())).all().all()
    assert all(str(row.year) in row.key for row in references.itertuples())


def test_edge_file_says_what_it_is():
    text = files("graphnn.data.demo").joinpath("tcr.sif").read_text(encoding="utf-8")
    header = [line for line in text.splitlines() if line.startswith("#")]
    assert any("MIT" in line for line in header)
    assert any("COMPUTATION" in line for line in header)


def test_network_is_the_same_under_every_hash_seed():
    code = "from graphnn.data.demo import demo_network; print(demo_network().fingerprint)"
    prints = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(prints) == 1
