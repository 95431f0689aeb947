"""`verify_dag` refuses every kind of broken network; JSON gives the same network back, or nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import graphnn as gn
from graphnn.errors import FormatError, GraphnnError, MissingFileError, VerificationError
from tests.extract.drawn import cases

ROWS = [("x", 1, "h"), ("w", -1, "h"), ("h", 1, "y"), ("x", 1, "g"), ("g", 0, "y"), ("g", 1, "h"), ("h", 1, "g"),
        ("h", 1, "z"), ("y", 1, "z"), ("u", 1, "h")]  # fmt: skip
GRAPH = gn.PriorGraph.from_sif_tuples(ROWS)
DAG = gn.extract_dag(GRAPH, ["x", "w"], ["y"])


def altered(rows, *, inputs=("w", "x"), outputs=("y",), order=None, **proof) -> gn.Dag:
    """A Dag made by hand, past the checks of `Dag.from_graph`."""
    graph = gn.PriorGraph.from_sif_tuples(rows)
    known = [name for name in ("u", "w", "x", "h", "g", "y", "z", "alien") if name in graph]
    given = replace(DAG.proof, objective=float(graph.n_edges), bound=float(graph.n_edges), **proof)
    return gn.Dag(graph, inputs, outputs, tuple(order or known), given)


GOOD = [("x", 1, "h"), ("w", -1, "h"), ("h", 1, "y")]


def test_a_good_network_is_accepted():
    assert gn.verify_dag(GRAPH, DAG) is None
    gn.verify_dag(GRAPH, altered(GOOD))
    gn.verify_dag(GRAPH, altered(GOOD, order=("x", "w", "h", "y")))
    gn.verify_dag(GRAPH, gn.Dag.from_graph(gn.PriorGraph.from_sif_tuples(GOOD), ["x", "w"], ["y"]))


@pytest.mark.parametrize(
    ("rule", "dag"),
    [
        ("subgraph", altered([*GOOD, ("w", 1, "g"), ("g", 0, "y")])),
        ("subgraph", altered([*GOOD[:2], ("h", 1, "alien"), ("alien", 1, "y")])),
        ("subgraph", altered([("x", -1, "h"), *GOOD[1:]])),
        ("subgraph", altered([("x", 1, "h"), ("w", 0, "h"), ("h", 1, "y")])),
        ("cycle", altered([*GOOD, ("h", 1, "g"), ("g", 1, "h")])),
        ("roles", altered([("x", 1, "h"), ("h", 1, "y")])),
        ("roles", altered(GOOD, outputs=("y", "z"))),
        ("roles", altered(GOOD, inputs=("x", "w"))),
        ("roles", altered(GOOD, inputs=("w", "w", "x"))),
        ("roles", altered(GOOD, inputs=())),
        ("roles", altered(GOOD, inputs=("h", "w", "x"), outputs=("h", "y"))),
        ("uncovered input", altered([*GOOD, ("h", 1, "z")], inputs=("w", "x", "z"))),
        ("unfed output", altered([*GOOD, ("u", 1, "h")], outputs=("u", "y"))),
        ("stray edge", altered([*GOOD, ("h", 1, "z")])),
        ("stray edge", altered([*GOOD, ("u", 1, "h")])),
        ("order", altered(GOOD, order=("x", "h", "w", "y"))),
        ("order", altered(GOOD, order=("y", "h", "w", "x"))),
        ("order", altered(GOOD, order=("x", "w", "h"))),
        ("order", altered(GOOD, order=("x", "w", "h", "y", "y"))),
        ("order", altered(GOOD, order=("x", "w", "h", "y", "alien"))),
        ("objective", replace(DAG, proof=replace(DAG.proof, objective=2.0, bound=2.0))),
        ("objective", replace(DAG, proof=replace(DAG.proof, objective=4.0))),
        ("objective", replace(DAG, proof=replace(DAG.proof, objective=float("nan")))),
        ("objective", replace(DAG, edge_cost=np.array([1.0, 1.0, 5.0]))),
        ("objective", replace(DAG, edge_cost=np.array([1.0, 2.0]))),
        ("bound", replace(DAG, proof=replace(DAG.proof, bound=2.0))),
        ("bound", replace(DAG, proof=replace(DAG.proof, bound=None))),
        ("bound", replace(DAG, proof=replace(DAG.proof, bound=float("nan")))),
        ("bound", replace(DAG, proof=replace(DAG.proof, bound=5.0, termination="limit"))),
    ],
    ids=[
        "edge not in the PKN", "vertex not in the PKN", "sign turned", "sign forgotten", "cycle",
        "input without an edge", "output without an edge", "inputs unsorted", "input twice", "no inputs",
        "input is output", "uncovered input", "unfed output", "edge into nowhere", "edge from nowhere",
        "order one backwards", "order reversed", "order too short", "order with a repeat", "order with a stranger",
        "cost too low", "cost too high", "cost is no number", "costs of edges do not fit", "too few costs",
        "optimal with a gap", "optimal without a bound", "optimal with a bound that is no number",
        "a bound above the cost",
    ],
)  # fmt: skip
def test_every_broken_network_is_refused_with_its_rule(rule, dag):
    with pytest.raises(VerificationError) as caught:
        gn.verify_dag(GRAPH, dag)
    assert caught.value.rule == rule
    assert str(caught.value).startswith(rule)


def test_a_network_of_another_prior_is_refused():
    other = gn.PriorGraph.from_sif_tuples([row for row in ROWS if row[2] != "y"] + [("h", -1, "y"), ("g", 1, "y")])
    with pytest.raises(VerificationError):
        gn.verify_dag(other, DAG)


def test_leaving_any_edge_out_of_a_minimal_network_is_noticed():
    for case in cases(30, seed=9):
        dag = gn.extract_dag(case.graph, case.inputs, case.outputs)
        for edge in range(dag.graph.n_edges):
            graph = dag.graph.keep_edges(np.arange(dag.graph.n_edges) != edge)
            order = tuple(name for name in dag.order if name in graph)
            cost = float(graph.n_edges)
            less = gn.Dag(graph, dag.inputs, dag.outputs, order, replace(dag.proof, objective=cost, bound=cost))
            with pytest.raises(VerificationError) as caught:
                gn.verify_dag(case.graph, less)
            assert caught.value.rule in {"roles", "uncovered input", "unfed output", "stray edge"}


# -- JSON ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", ["min_edges", "shortest_paths", "max_edges"])
def test_json_there_and_back(objective, tmp_path):
    for case in cases(30, seed=10):
        dag = gn.extract_dag(case.graph, case.inputs, case.outputs, objective=objective)
        again = gn.Dag.from_json(dag.to_json())
        assert again == dag
        assert again.to_json() == dag.to_json()
        assert (again.order, again.proof) == (dag.order, dag.proof)
        gn.verify_dag(case.graph, again)
    (tmp_path / "dag.json").write_text(dag.to_json(), encoding="utf-8")
    assert gn.Dag.read(tmp_path / "dag.json") == dag


def test_json_keeps_costs():
    cost = np.arange(GRAPH.n_edges) / 3
    dag = gn.extract_dag(GRAPH, ["x", "w"], ["y"], edge_cost=cost)
    again = gn.Dag.from_json(dag.to_json())
    assert again.edge_cost.tolist() == dag.edge_cost.tolist()
    gn.verify_dag(GRAPH, again)


def tampered(**changes) -> str:
    data = json.loads(DAG.to_json())
    for name, change in changes.items():
        data[name] = change(data[name])
    return json.dumps(data)


@pytest.mark.parametrize(
    "text",
    [
        "", "no JSON", "[]", "null", '"text"', "{}", DAG.to_json()[:-20],
        tampered(format=lambda _: "graphnn-dag/99"),
        tampered(fingerprint=lambda value: value[::-1]),
        tampered(edges=lambda rows: [[rows[0][0], -rows[0][1], rows[0][2]], *rows[1:]]),
        tampered(edges=lambda rows: [*rows, ["x", 1, "y"]]),
        tampered(edges=lambda rows: [*rows, ["y", 1, "x"]]),
        tampered(edges=lambda rows: rows[:-1]),
        tampered(edges=lambda rows: [["q", *rows[0][1:]], *rows[1:]]),
        tampered(edges=lambda rows: [rows[0][:2], *rows[1:]]),
        tampered(edges=lambda _: None),
        tampered(edges=lambda _: [7]),
        tampered(edges=lambda _: []),
        tampered(edges=lambda _: {"a": 1}),
        tampered(inputs=lambda names: [*names, "nobody"]),
        tampered(inputs=lambda _: "x"),
        tampered(inputs=lambda _: 7),
        tampered(inputs=lambda _: []),
        tampered(outputs=lambda _: []),
        tampered(proof=lambda _: None),
        tampered(proof=lambda _: {}),
        tampered(proof=lambda proof: {**proof, "surprise": 1}),
        tampered(proof=lambda proof: {name: value for name, value in proof.items() if name != "objective"}),
        tampered(proof=lambda proof: {**proof, "objective": "three"}),
        tampered(edge_cost=lambda _: [1.0]),
        tampered(edge_cost=lambda _: ["x", "y", "z"]),
        tampered(edge_cost=lambda _: "x"),
    ],
)  # fmt: skip
def test_tampered_json_is_refused(text):
    with pytest.raises(GraphnnError):
        gn.Dag.from_json(text)


def test_edges_in_another_order_do_not_exchange_their_costs():
    dag = gn.extract_dag(GRAPH, ["x", "w"], ["y"], edge_cost=np.arange(GRAPH.n_edges) / 3)
    data = json.loads(dag.to_json())
    order = [1, 0, *range(2, dag.graph.n_edges)]
    data["edges"] = [data["edges"][index] for index in order]
    data["edge_cost"] = [data["edge_cost"][index] for index in order]
    try:
        again = gn.Dag.from_dict(data)
    except GraphnnError:
        return
    assert again.edge_cost.tolist() == dag.edge_cost.tolist()


def test_a_lie_in_the_proof_passes_reading_but_not_the_check():
    again = gn.Dag.from_json(tampered(proof=lambda proof: {**proof, "objective": 2.0, "bound": 2.0}))
    with pytest.raises(VerificationError):
        gn.verify_dag(GRAPH, again)


def test_reading_names_the_file(tmp_path):
    with pytest.raises(MissingFileError):
        gn.Dag.read(tmp_path / "none.json")
    (tmp_path / "odd.json").write_text("{}")
    with pytest.raises(FormatError) as caught:
        gn.Dag.read(tmp_path / "odd.json")
    assert caught.value.path.endswith("odd.json")


def test_a_dag_by_hand_states_its_own_cost():
    graph = gn.PriorGraph.from_sif_tuples(GOOD)
    dag = gn.Dag.from_graph(graph, ["x", "w"], ["y"], edge_cost=np.array([0.5, 2.0, 3.0]))
    assert dag.proof.objective == 5.5
    gn.verify_dag(GRAPH, dag)


def test_a_dag_by_hand_needs_roles():
    graph = gn.PriorGraph.from_sif_tuples(GOOD)
    for inputs, outputs in (([], ["y"]), (["x", "w"], []), (["x", "w", "y"], ["y"]), (["x", "no"], ["y"])):
        with pytest.raises(GraphnnError):
            gn.Dag.from_graph(graph, inputs, outputs)
