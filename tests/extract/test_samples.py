"""`extract_samples`: several samples in one network, by names, against enumeration; parts, refusals, files."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import networkx as nx
import numpy as np
import pytest

import graphnn as gn
from graphnn.errors import NoNetworkError, OptionError
from solvers.rules import Rules, Sample
from tests.extract.drawn import Case, cases
from tests.oracles.rules import all_feasible
from tests.real_data import real_data

Roles = dict[str, tuple[list[str], list[str]]]


def drawn_samples(case: Case, chance: np.random.Generator) -> Roles | None:
    """Two samples with some inputs and outputs each, each of which the network can serve; None if that is not so."""
    network = nx.DiGraph(case.pairs)
    samples = {}
    for name in ("late", "early"):
        outputs = [case.outputs[i] for i in sorted({int(chance.integers(len(case.outputs))) for _ in range(2)})]
        inputs = [
            vertex for vertex in case.inputs
            if chance.integers(3) and any(nx.has_path(network, vertex, output) for output in outputs)
        ]  # fmt: skip
        if not all(any(nx.has_path(network, vertex, output) for vertex in inputs) for output in outputs):
            return None
        samples[name] = (inputs, outputs)
    return samples


def oracle(case: Case, samples: Roles, *, shared: bool) -> list[tuple[float, frozenset[int]]]:
    place = {name: index for index, name in enumerate(case.names)}
    roles = [tuple(tuple(sorted(place[n] for n in names)) for names in pair) for pair in samples.values()]
    problem = SimpleNamespace(
        n_vertices=len(case.names),
        sources=[place[source] for source, _ in case.pairs],
        targets=[place[target] for _, target in case.pairs],
        inputs=sorted({vertex for inputs, _ in roles for vertex in inputs}),
        outputs=sorted({vertex for _, outputs in roles for vertex in outputs}),
        costs=[1.0] * len(case.pairs),
        vertex_costs=[0.0] * len(case.names),
        rules=Rules(samples=tuple(Sample(*pair) for pair in roles), shared_order=shared),
    )
    return all_feasible(problem)


@pytest.mark.parametrize("shared", [True, False])
def test_samples_reach_the_enumerated_optimum_and_each_has_its_part(shared):
    chance, tested, differ = np.random.default_rng(8), 0, 0
    for case in cases(160, seed=74, most=9, least=5):
        samples = drawn_samples(case, chance)
        if samples is None:
            continue
        feasible = oracle(case, samples, shared=shared)
        if not feasible:
            with pytest.raises(NoNetworkError):
                gn.extract_samples(case.graph, samples, shared_order=shared)
            continue
        found = gn.extract_samples(case.graph, samples, shared_order=shared)
        assert found.names == ("late", "early")
        assert found.proof.is_optimal
        assert found.proof.objective == found.union.n_edges == feasible[0][0]
        check_parts(case, found, samples, shared=shared)
        tested += 1
        differ += found.dags["late"].graph != found.dags["early"].graph
    assert tested > 40
    assert differ > 15


def check_parts(case: Case, found: gn.SampleNetworks, samples: Roles, *, shared: bool) -> None:
    union = set(found.union.to_sif_tuples())
    together: set[Any] = set()
    for name, (inputs, outputs) in samples.items():
        dag = found.dags[name]
        assert (dag.inputs, dag.outputs) == (tuple(inputs), tuple(outputs))
        assert set(dag.graph.to_sif_tuples()) <= union
        assert nx.is_directed_acyclic_graph(dag.graph.to_networkx())
        assert dag.proof.termination == "constructed"
        assert "Proved" not in dag.proof.sentence()
        assert repr(name) in dag.proof.sentence()
        gn.verify_dag(case.graph, gn.Dag.from_json(dag.to_json()))
        together |= set(dag.graph.to_sif_tuples())
    assert together == union
    assert (found.dag is not None) == shared
    if found.dag is not None:
        assert found.dag.graph == found.union
        gn.verify_dag(case.graph, gn.Dag.from_json(found.dag.to_json()))
        stated = found.dag.proof.details["constraints"]["samples"]
        assert stated == {name: [list(inputs), list(outputs)] for name, (inputs, outputs) in samples.items()}


ROWS = [("x", 1, "a"), ("w", 1, "a"), ("w", 1, "b"), ("a", 1, "y"), ("b", 1, "y"), ("a", 1, "z"), ("c", 1, "b")]
GRAPH = gn.PriorGraph.from_sif_tuples(ROWS)
SAMPLES = {"day 1": (["x", "nobody"], ["y"]), "day 2": (["w", "c"], ["z"])}


def test_what_is_left_out_is_named_by_sample():
    found = gn.extract_samples(GRAPH, SAMPLES)
    assert found.inputs_left_out == {"day 1": ("nobody",), "day 2": ("c",)}
    assert found.dag.origin["inputs_left_out"] == ["c", "nobody"]
    assert found.dags["day 2"].origin["inputs_left_out"] == ["c"]
    assert found.union.n_edges == 4
    assert json.loads(found.to_json()) == found.to_dict()
    assert found.to_dict()["dags"]["day 1"]["inputs"] == ["x"]


def test_options_hold_for_all_samples_together():
    graph = GRAPH.prune(["x", "w", "c"], ["y"])
    samples = {"one": (["x", "w"], ["y"]), "two": (["w", "c"], ["y"])}
    plain = gn.extract_samples(graph, samples)
    assert "b" in plain.union
    found = gn.extract_samples(graph, samples, forbidden_nodes=["b"], rewards={"c": 2})
    assert found.dags["two"].inputs == ("w",)
    assert found.dags["two"].proof.details["inputs_not_taken"] == ["c"]
    assert found.proof.objective == 3 + 2
    gn.verify_dag(graph, gn.Dag.from_json(found.dag.to_json()))
    costs = np.arange(1.0, graph.n_edges + 1)
    dear = gn.extract_samples(graph, samples, edge_cost=costs, prefer="shallow")
    assert dear.proof.details["prefer"]["proved"] is True
    assert dear.proof.objective == sum(dear.edge_cost)
    assert dear.dags["one"].proof.objective == sum(dear.dags["one"].edge_cost)


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        ({}, ("samples",)),
        ([(["x"], ["y"])], ("samples",)),
        ({"one": ["x"]}, ("'one'",)),
        ({"one": "xy"}, ("'one'",)),
        ({1: (["x"], ["y"])}, ("sample",)),
        ({"one": (["x"], ["y"]), "two": (["y"], ["z"])}, ("'y'",)),
    ],
    ids=str,
)
def test_samples_that_are_none_are_refused(samples, words):
    graph = gn.PriorGraph.from_sif_tuples([*ROWS, ("y", 1, "z")])
    with pytest.raises(OptionError) as caught:
        gn.extract_samples(graph, samples)
    assert all(word in str(caught.value) for word in words)


def test_an_output_that_a_sample_cannot_serve_is_an_error_that_names_the_sample():
    with pytest.raises(NoNetworkError, match="'late'") as caught:
        gn.extract_samples(GRAPH, {"early": (["x"], ["y"]), "late": (["c"], ["z"])})
    assert caught.value.outputs == ("z",)


@pytest.mark.parametrize(
    "asked",
    [{"max_depth": 3}, {"forced_nodes": ["a"]}, {"forced_edges": [("x", "a")]}, {"min_routes": 2},
     {"prefer": "shallow"}, {"edge_cost": [-1.0] * 7}],
    ids=str,
)  # fmt: skip
def test_own_orders_refuse_what_speaks_of_one(asked):
    with pytest.raises(OptionError):
        gn.extract_samples(GRAPH, SAMPLES, shared_order=False, **asked)


def test_an_option_that_does_not_exist_is_an_error():
    with pytest.raises(TypeError, match="max_hight"):
        gn.extract_samples(GRAPH, SAMPLES, max_hight=3)


def test_two_samples_that_run_against_each_other_need_orders_of_their_own():
    rows = [("x", 1, "a"), ("w", 1, "b"), ("a", 1, "b"), ("b", 1, "a"), ("b", 1, "y"), ("a", 1, "z")]
    graph = gn.PriorGraph.from_sif_tuples(rows)
    samples = {"down": (["x"], ["y"]), "up": (["w"], ["z"])}
    with pytest.raises(NoNetworkError):
        gn.extract_samples(graph, samples)
    found = gn.extract_samples(graph, samples, shared_order=False)
    assert found.dag is None
    assert found.union == graph
    assert [found.dags[name].graph.n_edges for name in found.names] == [3, 3]


@pytest.mark.real_data
@pytest.mark.parametrize("shared", [True, False])
def test_two_samples_of_the_t_cell_network(shared):
    graph = gn.read_sif(real_data("pkn/tcell_abc.sif.gz"))
    inputs = [name for name in graph.nodes if name.endswith("_gene")]
    pruned = graph.prune(inputs, ["LCK"])
    samples = {"first": (inputs[::2], ["LCK"]), "second": (inputs[1::2] + inputs[:200:2], ["LCK"])}
    found = gn.extract_samples(pruned, samples, shared_order=shared, time_limit_s=60)
    assert 4603 <= found.proof.bound <= found.proof.objective
    assert {name for dag in found.dags.values() for name in dag.inputs} == set(inputs) & set(pruned.nodes)
