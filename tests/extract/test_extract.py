"""`extract_dag` on names: minimal, shortest-path and largest networks against oracles, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest

import graphnn as gn
import solvers
from graphnn.errors import CycleError, FormatError, GraphnnError, NoNetworkError, OptionError
from tests.extract.drawn import Case, cases
from tests.oracles.closure import nearest_output, shortest_path_union
from tests.real_data import real_data


def edges_of(dag: gn.Dag) -> dict[tuple[str, str], int]:
    return {(source, target): sign for source, sign, target in dag.graph.to_sif_tuples()}


def check_network(case: Case, dag: gn.Dag) -> nx.DiGraph:
    """What every extracted network keeps, by networkx."""
    chosen = edges_of(dag)
    assert chosen.items() <= case.signs.items()
    assert (dag.inputs, dag.outputs) == (case.inputs, case.outputs)
    network = nx.DiGraph(list(chosen))
    assert set(network) == set(dag.graph.nodes)
    assert nx.is_directed_acyclic_graph(network)
    assert all(any(nx.has_path(network, start, end) for end in case.outputs) for start in case.inputs)
    assert all(any(nx.has_path(network, start, end) for start in case.inputs) for end in case.outputs)
    for vertex in network:
        assert any(nx.has_path(network, start, vertex) for start in case.inputs)
        assert any(nx.has_path(network, vertex, end) for end in case.outputs)
    place = {name: position for position, name in enumerate(dag.order)}
    assert sorted(dag.order) == sorted(network)
    assert all(place[source] < place[target] for source, target in chosen)
    gn.verify_dag(case.graph, dag)
    return network


def test_the_drawn_networks_hold_what_the_tests_need():
    drawn = cases(120, seed=1)
    assert sum(len(case.outputs) > 1 for case in drawn) > 30
    assert sum(len(case.inputs) > 1 for case in drawn) > 30
    assert sum(not nx.is_directed_acyclic_graph(nx.DiGraph(case.pairs)) for case in drawn) > 30


@pytest.mark.parametrize("method", ["auto", "steiner", "milp"])
def test_minimal_networks_are_minimal(method):
    for case in cases(120, seed=1):
        dag = gn.extract_dag(case.graph, case.inputs, case.outputs, method=method)
        best = case.best()
        check_network(case, dag)
        assert dag.graph.n_edges == best.objective
        assert frozenset(case.pairs.index(pair) for pair in edges_of(dag)) in best.edge_sets
        proof = dag.proof
        assert proof.is_optimal
        assert (proof.objective_name, proof.termination) == ("min_edges", "optimal")
        assert (proof.objective, proof.bound, proof.gap) == (best.objective, best.objective, 0.0)
        assert proof.method == ("milp" if method == "milp" else "steiner")
        assert proof.solver
        assert proof.seconds >= 0
        assert "graphnn" in proof.versions
        assert "minimal" in proof.sentence()
        json.dumps(proof.to_dict(), allow_nan=False)


@pytest.mark.parametrize("solver", ["highs", "scip", "cvxpy"])
def test_every_solver_gives_a_minimal_network(solver):
    for case in cases(25, seed=2):
        dag = gn.extract_dag(case.graph, case.inputs, case.outputs, method="milp", solver=solver)
        check_network(case, dag)
        assert dag.proof.objective == case.best().objective
        assert dag.proof.solver.startswith(solver)


@pytest.mark.parametrize("method", ["steiner", "milp"])
def test_costs_follow_the_rows_of_the_frame(method):
    generator = np.random.default_rng(3)
    for case in cases(60, seed=3):
        frame = case.graph.to_frame()
        assert list(zip(frame["source"], frame["target"], strict=True)) == case.pairs
        cost = generator.integers(0, 9, case.graph.n_edges) / 4
        dag = gn.extract_dag(case.graph, case.inputs, case.outputs, method=method, edge_cost=cost)
        check_network(case, dag)
        assert dag.proof.objective == pytest.approx(case.best(cost.tolist()).objective)
        by_pair = dict(zip(case.pairs, cost.tolist(), strict=True))
        assert dag.edge_cost.tolist() == [by_pair[pair] for pair in sorted(edges_of(dag))]


def test_tiny_costs_are_costs():
    """p-values, say: only their ratio matters, and nothing may be called optimal because it is small."""
    generator = np.random.default_rng(4)
    for case in cases(60, seed=4):
        cost = generator.integers(1, 9, case.graph.n_edges)
        dag = gn.extract_dag(case.graph, case.inputs, case.outputs, edge_cost=cost * 1e-9)
        assert dag.proof.objective == pytest.approx(case.best(cost.tolist()).objective * 1e-9, rel=1e-6)


def test_shortest_paths_to_one_output_equal_networkx():
    tested = 0
    for case in cases(300, seed=5, max_rows=24, most=99):
        if len(case.outputs) == 1:
            dag = gn.extract_dag(case.graph, case.inputs, case.outputs, objective="shortest_paths")
            check_network(case, dag)
            assert set(edges_of(dag)) == shortest_path_union(nx.DiGraph(case.pairs), case.inputs, case.outputs[0])
            tested += 1
    assert tested > 50


def test_shortest_paths_to_several_outputs_keep_distances():
    tested = 0
    for case in cases(300, seed=5, max_rows=24, most=99):
        if len(case.outputs) > 1:
            dag = gn.extract_dag(case.graph, case.inputs, case.outputs, objective="shortest_paths")
            network, full = check_network(case, dag), nx.DiGraph(case.pairs)
            for start in case.inputs:
                assert nearest_output(network, start, case.outputs) == nearest_output(full, start, case.outputs)
            tested += 1
    assert tested > 50


def test_shortest_paths_claim_nothing():
    case = cases(1, seed=5)[0]
    proof = gn.extract_dag(case.graph, case.inputs, case.outputs, objective="shortest_paths").proof
    assert proof.termination == "constructed"
    assert (proof.bound, proof.gap, proof.is_optimal) == (None, None, False)
    assert "Proved" not in proof.sentence()


def test_largest_networks_equal_enumeration():
    cyclic = 0
    for case in cases(100, seed=6):
        dag = gn.extract_dag(case.graph, case.inputs, case.outputs, objective="max_edges")
        check_network(case, dag)
        most = -case.best([-1.0] * len(case.pairs)).objective
        assert dag.proof.objective == dag.graph.n_edges == most
        assert dag.proof.bound == most
        assert dag.proof.is_optimal
        cyclic += most < len(case.pairs)
    assert cyclic > 30


def test_other_names_give_the_same_size():
    for case in cases(40, seed=7):
        rename = {name: f"{position:03d}" for position, name in enumerate(reversed(case.names))}
        other = gn.PriorGraph.from_sif_tuples(
            (rename[source], sign, rename[target]) for (source, target), sign in case.signs.items()
        )
        roles = [[rename[name] for name in names] for names in (case.inputs, case.outputs)]
        for objective in ("min_edges", "shortest_paths", "max_edges"):
            sizes = {
                gn.extract_dag(graph, inputs, outputs, objective=objective).graph.n_edges
                for graph, inputs, outputs in ((case.graph, case.inputs, case.outputs), (other, *roles))
            }
            if objective != "shortest_paths" or len(case.outputs) == 1:
                assert len(sizes) == 1


# -- what is refused, what is tolerated --------------------------------------------------------------------------

GRAPH = gn.PriorGraph.from_sif_tuples(
    [("x", 1, "h"), ("x", -1, "g"), ("w", 1, "g"), ("h", 1, "y"), ("g", 1, "y"), ("g", 1, "h"), ("far", 1, "z")]
)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("objective", "min_edge"), ("objective", "MIN_EDGES"), ("objective", None), ("method", "steinr"),
        ("method", "highs"), ("solver", "highspy"), ("solver", "gurobi"), ("solver", None), ("time_limit_s", "1"),
        ("time_limit_s", -1.0), ("time_limit_s", float("nan")), ("edge_cost", [1.0] * 6), ("edge_cost", [1.0] * 8),
        ("edge_cost", []), ("edge_cost", 1.0), ("edge_cost", [[1.0]] * 7),
        ("edge_cost", [float("nan")] + [1.0] * 6), ("edge_cost", [float("inf")] + [1.0] * 6),
        ("edge_cost", ["dear"] + [1.0] * 6), ("seed", -1), ("seed", 0.5),
    ],
    ids=str,
)  # fmt: skip
def test_an_odd_option_is_refused(option, value):
    with pytest.raises(OptionError) as caught:
        gn.extract_dag(GRAPH, ["x"], ["y"], **{option: value})
    assert option in caught.value.option
    assert caught.value.exit_code == 2


def test_nothing_is_accepted_and_then_not_used():
    with pytest.raises(OptionError):
        gn.extract_dag(GRAPH, ["x"], ["y"], objective="shortest_paths", edge_cost=np.ones(7))
    with pytest.raises(OptionError):
        gn.extract_dag(GRAPH, ["x"], ["y"], objective="max_edges", edge_cost=np.ones(7))


@pytest.mark.parametrize("objective", ["min_edges", "shortest_paths", "max_edges"])
def test_an_output_that_cannot_be_served_is_named(objective):
    for outputs, lost in ((["y", "z"], "z"), (["y", "nowhere"], "nowhere")):
        with pytest.raises(NoNetworkError, match=lost) as caught:
            gn.extract_dag(GRAPH, ["x", "w"], outputs, objective=objective)
        assert caught.value.outputs == (lost,)
        assert caught.value.exit_code == 3


@pytest.mark.parametrize("objective", ["min_edges", "shortest_paths", "max_edges"])
def test_absent_inputs_are_left_out_but_not_all_of_them(objective):
    assert gn.extract_dag(GRAPH, ["x", "gone", "w"], ["y"], objective=objective).inputs == ("w", "x")
    for inputs in (["gone"], [], ["far"]):
        with pytest.raises(NoNetworkError):
            gn.extract_dag(GRAPH, inputs, ["y"], objective=objective)


@pytest.mark.parametrize(("inputs", "outputs"), [("x", ["y"]), (["x"], "y"), (["x", 7], ["y"])])
def test_a_single_string_is_no_list_of_names(inputs, outputs):
    with pytest.raises(FormatError):
        gn.extract_dag(GRAPH, inputs, outputs)


def test_a_vertex_is_not_both_input_and_output():
    with pytest.raises(GraphnnError):
        gn.extract_dag(GRAPH, ["x", "h"], ["h", "y"])


def test_nothing_that_was_given_is_changed():
    cost = np.arange(7.0)
    before = GRAPH.fingerprint
    dag = gn.extract_dag(GRAPH, ["x", "w"], ["y"], edge_cost=cost)
    assert cost.tolist() == list(range(7))
    assert cost.flags.writeable
    assert GRAPH.fingerprint == before
    with pytest.raises(ValueError, match="read-only"):
        dag.edge_cost[0] = 9


# -- the same network every time -----------------------------------------------------------------------------------

SCRIPT = """
import sys, json
import graphnn as gn
from tests.extract.drawn import cases
lines = []
for case in cases(12, seed=8, most=14):
    for objective in ("min_edges", "shortest_paths", "max_edges"):
        for method in ("auto",) if objective != "min_edges" else ("steiner", "milp"):
            data = gn.extract_dag(case.graph, case.inputs, case.outputs, objective=objective, method=method).to_dict()
            data["proof"].pop("seconds")
            data["proof"]["details"].get("model", {}).pop("seconds", None)
            lines.append(json.dumps(data))
print("\\n".join(lines))
"""


def test_two_hash_seeds_give_the_same_bytes():
    texts = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={"PYTHONHASHSEED": hash_seed, "PATH": "/usr/bin:/bin", "PYTHONPATH": "."},
            capture_output=True,
            check=True,
        ).stdout
        for hash_seed in ("0", "1")
    ]
    assert texts[0] == texts[1]
    assert texts[0].count(b"\n") == 48


# -- the real network ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tcell() -> tuple[gn.PriorGraph, list[str]]:
    graph = gn.read_sif(real_data("pkn/tcell_abc.sif.gz"))
    inputs = [name for name in graph.nodes if name.endswith("_gene")]
    return graph.prune(inputs, ["LCK"]), inputs


@pytest.mark.real_data
def test_the_minimal_t_cell_network(tcell):
    graph, inputs = tcell
    assert graph.shape == (6412, 21060)
    dag = gn.extract_dag(graph, inputs, ["LCK"])
    assert dag.graph.shape == (4604, 4603)
    assert dag.proof.termination == "optimal"
    assert (dag.proof.objective, dag.proof.bound) == (4603, 4603)
    assert nx.is_directed_acyclic_graph(dag.graph.to_networkx())
    reaching = nx.ancestors(dag.graph.to_networkx(), "LCK")
    assert set(dag.inputs) == set(inputs) & set(graph.nodes) <= reaching


@pytest.mark.real_data
def test_the_shortest_path_t_cell_network(tcell):
    graph, inputs = tcell
    dag = gn.extract_dag(graph, inputs, ["LCK"], objective="shortest_paths")
    there = graph.to_networkx().reverse()
    distance = nx.single_source_shortest_path_length(there, "LCK")
    expected, stack = set(), [name for name in inputs if name in graph]
    seen = set(stack)
    while stack:  # all_shortest_paths would list millions of paths: walk down the distances instead
        name = stack.pop()
        for target in there.pred[name]:
            if distance[target] == distance[name] - 1:
                expected.add((name, target))
                if target not in seen:
                    seen.add(target)
                    stack.append(target)
    assert set(edges_of(dag)) == expected


def test_a_cyclic_network_is_no_dag():
    graph = gn.PriorGraph.from_sif_tuples([("x", 1, "a"), ("a", 1, "b"), ("b", 1, "a"), ("a", 1, "y")])
    with pytest.raises(CycleError):
        gn.Dag.from_graph(graph, ["x"], ["y"])
    assert gn.extract_dag(graph, ["x"], ["y"]).graph.n_edges == 2
    assert set(solvers.available()) == {"highs", "scip", "cvxpy"}


def test_shortest_paths_lead_to_every_output_that_an_input_reaches():
    rows = [("x", 1, "y"), ("x", 1, "h"), ("h", 1, "z"), ("w", 1, "z")]
    graph = gn.PriorGraph.from_sif_tuples(rows)
    dag = gn.extract_dag(graph, ["x", "w"], ["y", "z"], objective="shortest_paths")
    assert dag.graph == graph


def test_shortest_paths_that_run_against_each_other_become_acyclic():
    rows = [("i", 1, "a"), ("j", 1, "b"), ("a", 1, "b"), ("b", 1, "a"), ("a", 1, "y"), ("b", 1, "z")]
    graph = gn.PriorGraph.from_sif_tuples(rows)
    dag = gn.extract_dag(graph, ["i", "j"], ["y", "z"], objective="shortest_paths")
    assert set(edges_of(dag)) == {("i", "a"), ("j", "b"), ("a", "y"), ("b", "z")}


def test_optimal_is_a_matter_of_numbers_not_of_a_word():
    dag = gn.extract_dag(GRAPH, ["x", "w"], ["y"])
    lie = replace(dag.proof, bound=dag.proof.objective - 1)
    assert dag.proof.is_optimal
    assert not lie.is_optimal
    assert "Not proved" in lie.sentence()


def test_inputs_that_are_left_out_are_named():
    dag = gn.extract_dag(GRAPH, ["x", "w", "nobody"], ["y"])
    assert dag.origin["inputs_left_out"] == ["nobody"]
    assert gn.Dag.from_json(dag.to_json()).origin == dag.origin
