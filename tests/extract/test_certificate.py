"""Certificates on names: they prove what enumeration finds, survive a file, and fit one network only."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import graphnn as gn
from graphnn.errors import FormatError, MissingFileError, OptionError, VerificationError
from graphnn.extract.certificate import FORMAT, exact_cost
from solvers.certificate import Cut, Leaf
from tests.extract.drawn import cases
from tests.real_data import real_data

ROWS = [("x", 1, "h"), ("w", -1, "h"), ("h", 1, "y"), ("x", 1, "g"), ("g", 0, "y"), ("g", 1, "h"), ("h", 1, "g"),
        ("u", 1, "h"), ("h", 1, "end")]  # fmt: skip
WHOLE = gn.PriorGraph.from_sif_tuples(ROWS)
GRAPH = WHOLE.prune(["x", "w"], ["y"])
DAG = gn.extract_dag(GRAPH, ["x", "w"], ["y"])
CERTIFICATE = gn.certify_dag(GRAPH, DAG)


def test_every_drawn_network_is_proved_with_unit_and_with_drawn_costs():
    draw = np.random.default_rng(5)
    for case in cases(60, seed=51):
        for costs in (None, draw.integers(0, 4, len(case.pairs)) / 1.0, draw.uniform(0.1, 2, len(case.pairs))):
            dag = gn.extract_dag(case.graph, case.inputs, case.outputs, edge_cost=costs)
            certificate = gn.certify_dag(case.graph, dag, edge_cost=costs)
            checked = gn.verify_certificate(case.graph, dag, certificate)
            assert checked.is_minimal
            best = case.best(None if costs is None else costs.tolist()).objective
            assert float(checked.bound) == pytest.approx(best, rel=1e-9)
            assert checked.bound <= checked.objective == exact_cost(dag)


def test_what_is_checked():
    checked = gn.verify_certificate(GRAPH, DAG, CERTIFICATE)
    assert (checked.objective, checked.bound, checked.is_minimal, checked.n_cases) == (3, 3, True, 1)
    assert checked.n_cuts == len(CERTIFICATE.proved_by.cuts)
    assert checked.to_dict()["bound"] == "3"


def test_the_network_may_be_given_before_pruning():
    assert gn.verify_certificate(WHOLE, DAG, CERTIFICATE).is_minimal
    unpruned = gn.extract_dag(WHOLE, ["x", "w"], ["y"])
    assert gn.verify_certificate(WHOLE, unpruned, gn.certify_dag(WHOLE, unpruned)).is_minimal


def test_a_network_that_is_not_minimal_is_not_proved():
    larger = gn.extract_dag(GRAPH, ["x", "w"], ["y"], objective="shortest_paths")
    larger = gn.Dag.from_graph(larger.graph, ["x", "w"], ["y"])
    assert larger.graph.n_edges > DAG.graph.n_edges
    checked = gn.verify_certificate(GRAPH, larger, gn.certify_dag(GRAPH, larger))
    assert not checked.is_minimal
    assert checked.bound <= 3 < checked.objective


def test_a_bound_near_the_cost_of_whole_numbers_does_not_do():
    base = gn.verify_certificate(GRAPH, DAG, CERTIFICATE)
    large = 10**12
    assert not replace(base, objective=Fraction(large), bound=Fraction(large - 1)).is_minimal
    assert replace(base, objective=Fraction(2 * large + 1, 2), bound=Fraction(large)).is_minimal
    assert not replace(base, objective=Fraction(7, 2), bound=Fraction(3)).is_minimal


def _forged() -> dict[str, tuple[str, gn.PriorGraph, gn.Dag, gn.Certificate]]:
    """What is wrong: the rule that must say so, and the arguments."""
    parts = CERTIFICATE.proved_by
    leaf = parts.nodes[0]
    (cut, numerator), rest = leaf.duals[0], leaf.duals[1:]
    other = gn.PriorGraph.from_sif_tuples([(a, -sign, b) for a, sign, b in GRAPH.to_sif_tuples()])
    dag = gn.extract_dag(GRAPH, ["x"], ["y"])
    first = parts.cuts[0]
    costs = np.ones(GRAPH.n_edges)
    dear = costs + 99 * np.array([edge not in DAG.graph.to_sif_tuples() for edge in GRAPH.to_sif_tuples()])

    def made(**changes) -> gn.Certificate:
        return replace(CERTIFICATE, **changes)

    def proved_by(**changes) -> gn.Certificate:
        return made(proved_by=replace(parts, **changes))

    return {
        "other signs": ("certificate network", other, DAG, CERTIFICATE),
        "no such inputs": ("certificate network", gn.PriorGraph.from_sif_tuples([("a", 1, "b")]), DAG, CERTIFICATE),
        "another fingerprint": ("certificate network", GRAPH, DAG, made(graph="0" * 64)),
        "fewer inputs": ("certificate roles", GRAPH, dag, CERTIFICATE),
        "other outputs": ("certificate roles", GRAPH, DAG, made(outputs=("h",))),
        "costs of one's own": ("certificate cost", GRAPH, DAG, made(edge_cost=dear)),
        "the right costs, but as an array": ("certificate cost", GRAPH, DAG, made(edge_cost=costs)),
        "another objective": ("certificate objective", GRAPH, DAG, made(objective=Fraction(2))),
        "a higher bound": ("certificate bound", GRAPH, DAG, made(bound=Fraction(4))),
        "a lower bound": ("certificate bound", GRAPH, DAG, made(bound=Fraction(2))),
        "a dual more": ("certificate bound", GRAPH, DAG, proved_by(nodes=(Leaf(((cut, numerator + 5), *rest)),))),
        "a dual less": ("certificate bound", GRAPH, DAG, proved_by(nodes=(Leaf(rest),))),
        "a negative dual": ("certificate node", GRAPH, DAG, proved_by(nodes=(Leaf(((cut, -1), *rest)),))),
        "no leaf": ("certificate tree", GRAPH, DAG, proved_by(nodes=())),
        "another witness": ("certificate cut", GRAPH, DAG, proved_by(cuts=(Cut(0, first.edges), *parts.cuts[1:]))),
        "an edge less": (
            "certificate cut",
            GRAPH,
            DAG,
            proved_by(cuts=(Cut(first.witness, first.edges[1:]), *parts.cuts[1:])),
        ),
        "a denominator of 0": ("certificate denominator", GRAPH, DAG, proved_by(denominator=0)),
        "another denominator": ("certificate bound", GRAPH, DAG, proved_by(denominator=2 * parts.denominator)),
    }


@pytest.mark.parametrize("what", _forged())
def test_what_is_forged_is_refused_by_name(what):
    rule, graph, dag, certificate = _forged()[what]
    with pytest.raises(VerificationError) as caught:
        gn.verify_certificate(graph, dag, certificate)
    assert caught.value.rule == rule


def test_other_costs_in_the_certificate_are_refused():
    cost = np.linspace(1, 2, GRAPH.n_edges)
    dag = gn.extract_dag(GRAPH, ["x", "w"], ["y"], edge_cost=cost)
    certificate = gn.certify_dag(GRAPH, dag, edge_cost=cost)
    assert gn.verify_certificate(GRAPH, dag, certificate).is_minimal
    for other in (cost + 1, -cost, cost[1:], None):
        with pytest.raises(VerificationError) as caught:
            gn.verify_certificate(GRAPH, dag, replace(certificate, edge_cost=other))
        assert caught.value.rule == "certificate cost"


def test_a_network_that_covers_less_than_it_says_cannot_be_proved():
    cut_short = replace(DAG, graph=DAG.graph.keep_edges(np.array([0, 1])))
    forged = replace(CERTIFICATE, objective=exact_cost(cut_short))
    with pytest.raises(VerificationError, match="misses a rule"):
        gn.verify_certificate(GRAPH, cut_short, forged)


def test_certify_refuses_what_it_is_not_about():
    for objective in ("max_edges", "shortest_paths"):
        dag = gn.extract_dag(GRAPH, ["x", "w"], ["y"], objective=objective)
        with pytest.raises(OptionError, match="objective"):
            gn.certify_dag(GRAPH, dag)
    with pytest.raises(OptionError, match="time_limit_s"):
        gn.certify_dag(GRAPH, DAG, time_limit_s=0)
    with pytest.raises(OptionError, match="edge_cost"):
        gn.certify_dag(GRAPH, DAG, edge_cost=np.ones(GRAPH.n_edges))
    costly = gn.extract_dag(GRAPH, ["x", "w"], ["y"], edge_cost=np.full(GRAPH.n_edges, 2.0))
    with pytest.raises(OptionError, match="edge_cost"):
        gn.certify_dag(GRAPH, costly)
    foreign = gn.PriorGraph.from_sif_tuples([("x", 1, "h"), ("h", 1, "y"), ("w", 1, "y")])
    dag = gn.extract_dag(foreign, ["x", "w"], ["y"], edge_cost=np.ones(3))
    with pytest.raises(VerificationError, match="subgraph"):
        gn.certify_dag(GRAPH, dag, edge_cost=np.ones(GRAPH.n_edges))


def test_a_network_of_further_rules_has_no_certificate():
    ruled = replace(DAG, proof=replace(DAG.proof, details={"constraints": {"max_parents": 2}}))
    with pytest.raises(OptionError, match="constraints"):
        gn.certify_dag(GRAPH, ruled)
    with pytest.raises(VerificationError, match="certificate problem"):
        gn.verify_certificate(GRAPH, ruled, CERTIFICATE)


# -- costs of vertices, and rewards ---------------------------------------------------------------------------------

PRICED = {"node_cost": {"h": 2.0, "g": 3.5, "y": 1.0}, "rewards": {"x": 1.5, "w": 20.0}}


def priced() -> tuple[gn.Dag, gn.Certificate]:
    """A network and its certificate."""
    dag = gn.extract_dag(GRAPH, ["x", "w"], ["y"], **PRICED)
    return dag, gn.certify_dag(GRAPH, dag)


def test_every_drawn_network_is_proved_with_vertex_costs_and_rewards():
    draw = np.random.default_rng(6)
    left_out = 0
    for case in cases(40, seed=52):
        vertices = {name: float(draw.integers(0, 4)) for name in case.graph.nodes}
        real = {name: float(draw.uniform(0, 4)) for name in case.graph.nodes}
        rewards = {name: float(draw.integers(0, 5)) for name in case.inputs}
        for rules in ({"node_cost": vertices}, {"rewards": rewards}, {"node_cost": real, "rewards": rewards}):
            dag = gn.extract_dag(case.graph, case.inputs, case.outputs, **rules)
            certificate = gn.Certificate.from_json(gn.certify_dag(case.graph, dag).to_json())
            checked = gn.verify_certificate(case.graph, dag, certificate)
            assert checked.is_minimal
            assert float(checked.objective) == pytest.approx(dag.proof.objective)
            left_out += bool(dag.proof.details.get("inputs_not_taken"))
    assert left_out > 10


def test_an_input_left_out_counts_where_the_network_is_pruned_again():
    dag = gn.extract_dag(WHOLE, ["x", "w", "u"], ["y"], node_cost={"h": 5.0}, rewards={"x": 30.0, "u": 0.25})
    assert dag.proof.details["inputs_not_taken"] == ["u"]
    pruned = WHOLE.prune(["x", "w", "u"], ["y"])
    for graph in (WHOLE, pruned):
        assert gn.verify_certificate(WHOLE, dag, gn.certify_dag(graph, dag)).is_minimal


def test_other_prices_than_the_networks_are_refused():
    dag, certificate = priced()
    assert gn.verify_certificate(GRAPH, dag, certificate).is_minimal
    for name in PRICED:
        for other in ({}, {**PRICED[name], "w": 3.0}):
            with pytest.raises(VerificationError, match=name) as caught:
                gn.verify_certificate(GRAPH, dag, replace(certificate, **{name: other}))
            assert caught.value.rule == "certificate cost"
    bare = replace(dag, proof=replace(dag.proof, details={}))
    with pytest.raises(VerificationError, match="certificate cost"):
        gn.verify_certificate(GRAPH, bare, certificate)


def test_tampering_with_elements_is_refused():
    dag, certificate = priced()
    parts = certificate.proved_by
    where, cut = next((at, cut) for at, cut in enumerate(parts.cuts) if cut.left_out)
    for less in (
        replace(cut, left_out=()),
        replace(cut, edges=()),
        replace(cut, left_out=(0,)),
        replace(cut, vertices=(99,)),
    ):
        cuts = (*parts.cuts[:where], less, *parts.cuts[where + 1 :])
        with pytest.raises(VerificationError, match=f"certificate cut: cut {where}"):
            gn.verify_certificate(GRAPH, dag, replace(certificate, proved_by=replace(parts, cuts=cuts)))
    with pytest.raises(VerificationError, match="certificate bound"):
        gn.verify_certificate(GRAPH, dag, replace(certificate, proved_by=replace(parts, folded=False)))


def test_a_certificate_of_the_first_format_is_read_and_holds():
    """As it was written when only edges cost."""
    stored = {
        "format": "graphnn-certificate/1",
        "graph": "830526cb797d1d6f635f509f1f6f692676c5e15c8b65ac388f6a74c345968124",
        "inputs": ["w", "x"],
        "outputs": ["y"],
        "edge_cost": None,
        "objective": "3",
        "bound": "3",
        "denominator": 1,
        "cuts": [[2, [2, 3]], [2, [4]], [3, [5, 6]]],
        "nodes": [{"leaf": [[0, 1], [1, 1], [2, 1]]}],
        "proof": {},
        "versions": {"graphnn": "0.1.0"},
    }
    read = gn.Certificate.from_json(json.dumps(stored))
    assert gn.verify_certificate(GRAPH, DAG, read).is_minimal
    assert read.to_dict() == stored
    assert {**CERTIFICATE.to_dict(), "proof": {}, "versions": stored["versions"]} == stored


# -- files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["c.json", "c.json.gz"])
def test_what_is_written_and_read_again_is_equal(tmp_path, name):
    cost = np.linspace(0.1, 2, GRAPH.n_edges)
    dag = gn.extract_dag(GRAPH, ["x", "w"], ["y"], edge_cost=cost)
    certificate = gn.certify_dag(GRAPH, dag, edge_cost=cost)
    path = tmp_path / name
    path.write_bytes(certificate.to_bytes(compress=name.endswith(".gz")))
    again = gn.Certificate.read(path)
    assert again.to_dict() == certificate.to_dict()
    assert again.bound == certificate.bound
    assert gn.verify_certificate(GRAPH, dag, again).is_minimal
    assert json.loads(certificate.to_json())["format"] == FORMAT


def test_equal_certificates_have_equal_bytes():
    one, other = (gn.certify_dag(GRAPH, DAG).to_bytes(compress=True) for _ in range(2))
    assert one == other
    assert gzip.decompress(one) == CERTIFICATE.to_bytes()


@pytest.mark.parametrize(
    "change",
    [
        {"format": "graphnn-certificate/2"},
        {"extra": 1},
        {"bound": 3},
        {"bound": "3.0"},
        {"bound": "1e999999999"},
        {"bound": "1/0"},
        {"bound": "9" * 5000},
        {"objective": "-3"},
        {"denominator": "1"},
        {"denominator": 1.5},
        {"cuts": [[0, [0.5]]]},
        {"cuts": [[0]]},
        {"nodes": [{"twig": 1}]},
        {"nodes": [{"leaf": 1}]},
        {"nodes": [{}]},
        {"edge_cost": [float("inf")]},
        {"inputs": "x"},
        {"cuts": [[0, [0], [1]]]},
        {"cuts": [[0, [0], [1], [2.5]]]},
        {"folded": "yes"},
        {"node_cost": {"h": "1"}},
        {"node_cost": [1.0]},
        {"rewards": {"x": float("nan")}},
    ],
    ids=str,
)
def test_a_file_that_is_no_certificate_is_refused(change, tmp_path):
    path = tmp_path / "c.json"
    path.write_text(json.dumps({**CERTIFICATE.to_dict(), **change}))
    with pytest.raises(FormatError, match=r"c\.json.*certificate"):
        gn.Certificate.read(path)


def test_a_missing_key_no_json_and_no_file_are_refused(tmp_path):
    for key in CERTIFICATE.to_dict():
        data = CERTIFICATE.to_dict()
        del data[key]
        with pytest.raises(FormatError):
            gn.Certificate.from_json(json.dumps(data))
    for text in ("", "[]", "{", DAG.to_json()):
        with pytest.raises(FormatError):
            gn.Certificate.from_json(text)
    with pytest.raises(MissingFileError):
        gn.Certificate.read(tmp_path / "none.json")


# -- real networks -------------------------------------------------------------------------------------------------


@pytest.mark.real_data
def test_a_real_network_is_proved_minimal_and_one_edge_less_in_a_cut_is_noticed():
    graph = gn.read_sif(real_data("pkn/tcell_abc.sif.gz"))
    genes = [name for name in graph.nodes if name.endswith("_gene")]
    for outputs in (["LCK"], ["LCK", "EGFR", "ZAP70", "MTOR", "SRC", "JAK1"]):
        pruned = graph.prune(genes, outputs)
        dag = gn.extract_dag(pruned, genes, outputs)
        certificate = gn.Certificate.from_json(gn.certify_dag(pruned, dag).to_json())
        checked = gn.verify_certificate(graph, dag, certificate)
        assert checked.is_minimal
        assert checked.bound == dag.graph.n_edges == dag.proof.bound
        parts = certificate.proved_by
        widest = max(range(len(parts.cuts)), key=lambda index: len(parts.cuts[index].edges))
        cuts = list(parts.cuts)
        cuts[widest] = replace(cuts[widest], edges=cuts[widest].edges[:-1])
        forged = replace(certificate, proved_by=replace(parts, cuts=tuple(cuts)))
        with pytest.raises(VerificationError, match=f"certificate cut: cut {widest}"):
            gn.verify_certificate(graph, dag, forged)


@pytest.mark.real_data
def test_a_real_network_with_real_costs_is_proved_to_the_last_digits():
    graph = gn.read_sif(real_data("pkn/tcell_abc.sif.gz"))
    genes = [name for name in graph.nodes if name.endswith("_gene")]
    pruned = graph.prune(genes, ["LCK"])
    cost = np.random.default_rng(0).uniform(0.1, 2, pruned.n_edges)
    dag = gn.extract_dag(pruned, genes, ["LCK"], edge_cost=cost)
    checked = gn.verify_certificate(pruned, dag, gn.certify_dag(pruned, dag, edge_cost=cost))
    assert checked.is_minimal
    assert 0 <= checked.objective - checked.bound < checked.objective * Fraction(1, 10**11)


@pytest.mark.real_data
def test_a_real_network_with_vertex_costs_and_rewards_is_proved():
    graph = gn.read_sif(real_data("pkn/tcell_abc.sif.gz"))
    genes = [name for name in graph.nodes if name.endswith("_gene")]
    draw = np.random.default_rng(0)
    for outputs in (["LCK"], ["LCK", "EGFR", "ZAP70", "MTOR", "SRC", "JAK1"]):
        pruned = graph.prune(genes, outputs)
        node_cost = dict(zip(pruned.nodes, draw.integers(0, 4, pruned.n_nodes).tolist(), strict=True))
        dag = gn.extract_dag(pruned, genes, outputs, node_cost=node_cost)
        certificate = gn.Certificate.from_json(gn.certify_dag(pruned, dag).to_json())
        checked = gn.verify_certificate(graph, dag, certificate)
        assert checked.is_minimal
        assert checked.bound == dag.proof.bound
        parts = certificate.proved_by
        cuts = list(parts.cuts)
        place = max(range(len(cuts)), key=lambda index: (not cuts[index].vertices, len(cuts[index].edges)))
        cuts[place] = replace(cuts[place], edges=cuts[place].edges[::2])
        forged = replace(certificate, proved_by=replace(parts, cuts=tuple(cuts)))
        with pytest.raises(VerificationError, match=f"certificate cut: cut {place}"):
            gn.verify_certificate(graph, dag, forged)
    some = [name for name in genes if name in pruned][:400]
    rewards = {name: float(draw.integers(0, 6)) for name in some[::2]}
    pruned = graph.prune(some, ["LCK"])
    dag = gn.extract_dag(pruned, some, ["LCK"], node_cost={"LCK": 2.0}, rewards=rewards)
    checked = gn.verify_certificate(graph, dag, gn.certify_dag(pruned, dag))
    assert checked.is_minimal
    assert dag.proof.details["inputs_not_taken"]
