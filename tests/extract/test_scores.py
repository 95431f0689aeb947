"""`prefer` with scores by name: the greatest total among all smallest networks, against enumeration."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import graphnn as gn
import graphnn.extract.question as question
from graphnn.errors import OptionError, UnknownNodeError, VerificationError
from tests.extract.drawn import Case, cases, choices
from tests.real_data import real_data

COUNT = 200


def optima(case: Case) -> list[list[tuple[str, str]]]:
    """Edges of every smallest network."""
    return [[case.pairs[edge] for edge in sorted(edges)] for edges in case.best().edge_sets]


def drawn_scores(keys: list[Any], chance: np.random.Generator) -> dict[Any, float]:
    """Of all keys or of some, of any sign, whole, with decimals, or with all digits that floats have."""
    kind = chance.integers(4)
    values = (
        chance.normal(size=len(keys)),
        chance.integers(-3, 4, len(keys)).astype(float),
        chance.integers(-9999, 9999, len(keys)) / 1000,
        chance.exponential(3.0, len(keys)) * (chance.random(len(keys)) < 0.3),
    )[kind]
    kept = chance.random(len(keys)) < (1.0, 0.6)[chance.integers(2)]
    scores = {key: float(value) for key, value, keep in zip(keys, values, kept, strict=True) if keep}
    return scores or {keys[0]: 1.0}


def total(scores: dict[Any, float], edges: list[tuple[str, str]], kind: str) -> float:
    parts = edges if kind == "edges" else sorted({name for edge in edges for name in edge})
    return math.fsum(scores.get(part, 0.0) for part in parts)


@pytest.mark.parametrize("kind", ["edges", "vertices"])
def test_the_greatest_total_of_all_smallest_networks(kind):
    chance, told = np.random.default_rng(len(kind)), 0
    for case in (*cases(COUNT // 2, seed=311, most=9, least=5), *choices(COUNT, seed=311)):
        scores = drawn_scores(case.pairs if kind == "edges" else list(case.names), chance)
        dag = gn.extract_dag(case.graph, case.inputs, case.outputs, prefer=scores)
        best, stated = case.best(), dag.proof.details["prefer"]
        totals = [total(scores, edges, kind) for edges in optima(case)]
        assert dag.proof.is_optimal
        assert dag.graph.n_edges == best.objective
        assert (stated["criterion"], stated["kind"], stated["proved"]) == ("score", kind, True)
        own = total(scores, [(source, target) for source, _, target in dag.graph.to_sif_tuples()], kind)
        assert stated["value"] == pytest.approx(own, abs=1e-12)
        assert max(totals) - stated["resolution"] <= stated["value"] <= max(totals) + 1e-12
        assert max(totals) <= stated["bound"] + 1e-12
        assert stated["resolution"] < 1e-4
        assert "Second criterion proved: no network of that cost has more than score" in dag.proof.sentence()
        gn.verify_dag(case.graph, gn.Dag.from_json(dag.to_json()))
        told += min(totals) < max(totals)
    assert told > 30


def test_scores_with_few_decimals_are_exact():
    for case in cases(20, seed=312):
        dag = gn.extract_dag(case.graph, case.inputs, case.outputs, prefer={case.names[0]: 0.125, case.names[-1]: -1.5})
        stated = dag.proof.details["prefer"]
        assert (stated["resolution"], stated["bound"]) == (0.0, stated["value"])


ROWS = [("x", 1, "a"), ("x", 1, "b"), ("a", 1, "y"), ("b", 1, "y"), ("w", 1, "a"), ("w", 1, "b"), ("a", 1, "dead")]
GRAPH = gn.PriorGraph.from_sif_tuples(ROWS).prune(["x", "w"], ["y"])


def extract(prefer: Any, **asked: Any) -> gn.Dag:
    return gn.extract_dag(GRAPH, ["x", "w", "lost"], ["y"], prefer=prefer, **asked)


def test_a_mapping_and_a_series_say_the_same():
    vertices, edges = {"b": 2.0, "a": 1.0}, {("b", "y"): 2.0, ("a", "y"): 1.0}
    for scores in (vertices, edges, pd.Series(vertices), pd.Series(edges), pd.Series(edges).astype(np.float32)):
        dag = extract(scores)
        assert dag.hidden == ("b",)
        assert dag.proof.details["prefer"]["value"] == 2.0
    assert extract({"a": -1.0}).hidden == ("b",)
    assert extract({"a": np.int64(3)}).hidden == ("a",)


def test_an_array_and_a_series_of_rows_are_weights_as_ever():
    weights = GRAPH.to_frame()["target"].map({"a": 0.5}).fillna(0.0)
    for prefer in (weights, weights.tolist(), weights.to_numpy()):
        dag = extract(prefer)
        assert dag.hidden == ("b",)
        assert dag.proof.details["prefer"]["criterion"] == "weight"
        assert dag.proof.details["prefer"]["kind"] == "edges"


def test_scores_of_inputs_and_outputs_count_but_do_not_choose():
    assert extract({"x": 5.0, "y": 1.0, "a": 1.0}).proof.details["prefer"]["value"] == 7.0


def test_names_that_pruning_dropped_are_known():
    assert extract({"dead": 9.0, "lost": 9.0, "b": 1.0}).hidden == ("b",)
    assert extract({("a", "dead"): 9.0, ("b", "y"): 1.0}).hidden == ("b",)


def test_one_name_is_no_score_by_position():
    turned = dict(sorted({"a": 1.0, "b": 2.0}.items(), reverse=True))
    assert extract(turned) == extract({"a": 1.0, "b": 2.0})


@pytest.mark.parametrize(
    ("prefer", "words"),
    [
        ({}, ("prefer", "no scores")),
        ({"a": float("nan")}, ("'a'", "finite")),
        ({"a": float("inf")}, ("'a'", "finite")),
        ({"a": 1e300}, ("'a'", "finite")),
        ({("a", "y"): float("nan")}, ("'a -> y'", "finite")),
        ({"a": "0.5"}, ("'a'", "number")),
        ({"a": None}, ("'a'", "number")),
        ({"a": True}, ("'a'", "number")),
        ({"a": 1.0, ("a", "y"): 1.0}, ("all by (source, target)",)),
        ({1: 1.0}, ("by vertex name", "1")),
        ({("a", "y", "z"): 1.0}, ("(source, target)",)),
        ({("y", "a"): 1.0}, ("y -> a", "other way")),
        ({("x", "y"): 1.0}, ("x -> y", "absent")),
        (pd.Series([1.0, 2.0], index=["a", "a"]), ("'a'", "repeated")),
        ([1.0], ("prefer", "weight")),
        ([float("nan")] * 6, ("prefer",)),
        (pd.Series(["p"] * 6), ("prefer",)),
        ("dep", ("shallow", "scores")),
    ],
    ids=str,
)
def test_odd_scores_are_refused_before_anything_is_solved(prefer, words, monkeypatch):
    monkeypatch.setattr(question, "solve_lightest", None)
    with pytest.raises(OptionError) as caught:
        extract(prefer)
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize("prefer", [{"deed": 1.0}, {("deed", "y"): 1.0}, {"a": 1.0, "Deed": 1.0}], ids=str)
def test_unknown_names_are_told_with_a_guess(prefer):
    graph = gn.PriorGraph.from_sif_tuples([*ROWS, ("x", 1, "deed2"), ("deed2", 1, "y")])
    with pytest.raises(UnknownNodeError, match="did you mean 'deed2'"):
        gn.extract_dag(graph, ["x"], ["y"], prefer=prefer)


def test_fractions_as_costs_and_methods_that_cannot_pay_are_refused():
    with pytest.raises(OptionError, match="whole numbers"):
        extract({"a": 1.0}, edge_cost=[0.5] * 6)
    graph = gn.PriorGraph.from_sif_tuples([*ROWS, ("b", 1, "z")])
    with pytest.raises(OptionError, match="milp"):
        gn.extract_dag(graph, ["x", "w"], ["y", "z"], prefer={"a": 1.0}, method="steiner")
    assert gn.extract_dag(graph, ["x", "w"], ["y", "z"], prefer={"a": 1.0}).hidden == ("a", "b")
    with pytest.raises(OptionError, match="one order"):
        gn.extract_samples(graph, {"one": (["x"], ["y"]), "two": (["w"], ["z"])}, prefer={"a": 1.0}, shared_order=False)


@pytest.mark.parametrize(
    "rules",
    [{"forbidden_nodes": ["b"]}, {"forced_nodes": ["a"]}, {"max_depth": 2}, {"min_routes": 2}, {"rewards": {"x": 9}},
     {"node_cost": {"a": 1, "b": 1}}, {"max_parents": 2}, {"signs": True}, {"method": "milp"}, {"solver": "scip"}],
    ids=str,
)  # fmt: skip
def test_scores_go_with_other_rules(rules):
    dag = extract({"a": 1.0, "b": 2.0, "x": -0.5}, **rules)
    hidden = {"forbidden_nodes": ("a",), "forced_nodes": ("a",), "min_routes": ("a", "b")}
    assert dag.hidden == hidden.get(next(iter(rules)), ("b",))
    assert dag.proof.details["prefer"]["proved"]
    gn.verify_dag(GRAPH, dag)


def test_samples_have_scores_too():
    found = gn.extract_samples(GRAPH, {"one": (["x"], ["y"]), "two": (["w"], ["y"])}, prefer={"b": 1.0})
    assert found.dag is not None
    assert found.dag.hidden == ("b",)
    assert found.proof.details["prefer"]["value"] == 1.0
    apart = gn.extract_samples(
        GRAPH, {"one": (["x"], ["y"]), "two": (["w"], ["y"])}, prefer={("b", "y"): 1.0}, shared_order=False
    )
    assert "b" in apart.union
    assert apart.proof.details["prefer"]["scores"] == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "change",
    [{"value": 3.0}, {"bound": 1.0}, {"scores": [1.0]}, {"scores": None}, {"kind": "edges"}, {"criterion": "beauty"},
     {"bound": 9.0}, {"resolution": -9.0}, {"resolution": "fine"}],
    ids=str,
)  # fmt: skip
def test_scores_that_are_not_so_are_refused(change):
    dag = extract({"b": 2.0, "x": 0.25})
    stated = {**dag.proof.details["prefer"], **change}
    with pytest.raises(VerificationError) as caught:
        gn.verify_dag(GRAPH, replace(dag, proof=replace(dag.proof, details={**dag.proof.details, "prefer": stated})))
    assert caught.value.rule == "second criterion"


def test_no_time_at_all_proves_nothing_and_is_no_crash():
    for case in cases(20, seed=313):
        dag = gn.extract_dag(
            case.graph, case.inputs, case.outputs, prefer=dict.fromkeys(case.names, 0.7), time_limit_s=0
        )
        stated = json.loads(dag.to_json())["proof"]["details"]["prefer"]
        assert stated["value"] <= stated["bound"] + 1e-9
        gn.verify_dag(case.graph, dag)


SCRIPT = """
import json
import graphnn as gn
from tests.extract.drawn import cases
for case in cases(8, seed=314, most=12, least=6):
    for names in ({*case.names}, {*case.pairs}):
        scores = {name: (len(str(name)) % 3) / 3 for name in names}
        dag = gn.extract_dag(case.graph, case.inputs, case.outputs, prefer=scores)
        print(json.dumps({**dag.to_dict(), "proof": dag.proof.details["prefer"]}))
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
    assert texts[0].count(b"\n") == 16


@pytest.mark.real_data
@pytest.mark.parametrize("kind", ["edges", "vertices"])
def test_the_t_cell_network_with_scores(kind):
    graph = gn.read_sif(real_data("pkn/tcell_abc.sif.gz"))
    inputs = [name for name in graph.nodes if name.endswith("_gene")]
    pruned = graph.prune(inputs, ["LCK"])
    keys: list[Any] = list(pruned.nodes)
    if kind == "edges":
        keys = [(source, target) for source, _, target in pruned.to_sif_tuples()]
    scores = dict(zip(keys, np.random.default_rng(1).normal(size=len(keys)).tolist(), strict=True))
    dag = gn.extract_dag(pruned, inputs, ["LCK"], prefer=scores, time_limit_s=120)
    stated = dag.proof.details["prefer"]
    assert dag.proof.objective == 4603
    assert stated["proved"]
    assert 0 <= stated["bound"] - stated["value"] <= stated["resolution"] < 0.1
