"""The pre-flight check says what the oracles find, and says "ok" exactly where a network exists."""

from __future__ import annotations

import json

import networkx as nx
import pytest
from hypothesis import given

import graphnn as gn
from graphnn.errors import FormatError, NoNetworkError
from tests.oracles.closure import pruned, simple
from tests.oracles.strategies import PriorCase, prior_cases

ROWS = [
    ("x", 1, "a"), ("x", 1, "a"), ("a", 1, "b"), ("b", 1, "a"), ("b", 1, "y"), ("b", -1, "y"), ("a", 0, "a"),
    ("w", 1, "dead"), ("up", 0, "y"),
]  # fmt: skip
GRAPH = gn.PriorGraph.from_sif_tuples(ROWS)


@given(case=prior_cases())
def test_ok_means_that_a_network_can_be_extracted(case: PriorCase):
    graph = gn.PriorGraph.from_sif_tuples(case.triples)
    report = gn.check(graph, case.inputs, case.outputs)
    kept = pruned(simple(case.triples), case.inputs, case.outputs)
    assert report.ok == (set(case.outputs) <= kept.nodes)
    try:
        gn.extract_dag(graph, case.inputs, case.outputs, objective="shortest_paths")
    except NoNetworkError:
        assert not report.ok
    else:
        assert report.ok
    json.dumps(report.to_dict(), allow_nan=False)
    assert len(report.to_frame()) == len(report.findings)
    if kept.nodes:
        numbers, network = report.numbers, nx.DiGraph(list(kept.edges))
        network.add_nodes_from(kept.nodes)
        assert numbers["pruned_nodes"] == len(kept.nodes)
        assert numbers["pruned_edges"] == len(kept.edges)
        parts = list(nx.strongly_connected_components(network))
        assert numbers["components"] == len(parts)
        assert numbers["largest_component"] == max(map(len, parts))
        inner = sum(source in part and target in part for part in parts for source, target in kept.edges)
        assert numbers["edges_in_components"] == inner


def test_every_finding_is_in_words_with_its_names():
    report = gn.check(GRAPH, ["x", "w", "gone"], ["y"])
    said = {(finding.level, finding.topic): finding for finding in report.findings}
    assert said["note", "duplicates"].names == ("x -> a",)
    assert said["note", "self-loops"].names == ("a",)
    assert said["warning", "sign conflicts"].names == ("b -> y",)
    assert {("ok", "outputs"), ("note", "cycles"), ("ok", "size")} <= set(said)
    lost = [finding.names for finding in report.findings if (finding.level, finding.topic) == ("warning", "inputs")]
    assert ("gone",) in lost
    assert ("w",) in lost
    assert report.ok
    assert report.numbers["largest_component"] == 2
    for finding in report.findings:
        assert finding.level in {"ok", "note", "warning", "error"}
        assert finding.sentence in str(report)


@pytest.mark.parametrize(
    ("inputs", "outputs", "culprit"),
    [
        (["gone"], ["y"], "gone"),
        (["x"], ["y", "none"], "none"),
        (["x"], ["y", "up"], "up"),
        (["x", "y"], ["y"], "y"),
        (["dead"], ["y"], "y"),
        ([], ["y"], None),
        (["x"], [], None),
    ],
)
def test_where_no_network_exists_an_error_is_found_not_raised(inputs, outputs, culprit):
    report = gn.check(GRAPH, inputs, outputs)
    assert not report.ok
    errors = [finding for finding in report.findings if finding.level == "error"]
    assert errors
    assert culprit is None or any(culprit in finding.names for finding in errors)


def test_a_single_string_is_refused():
    with pytest.raises(FormatError):
        gn.check(GRAPH, "x", ["y"])
