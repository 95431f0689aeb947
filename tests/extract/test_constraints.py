"""Options of the extraction, by names: against enumeration, what is refused, what files and `verify_dag` make of it."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import graphnn as gn
import graphnn.extract.question as question
from graphnn.errors import (
    FormatError,
    NoAnswerInTimeError,
    NoNetworkError,
    OptionError,
    UnknownNodeError,
    VerificationError,
)
from graphnn.extract.constraints import Constraints
from graphnn.graph.order import longest_path_levels
from solvers.interrupt import NothingFound
from solvers.result import Termination
from solvers.rules import Rules
from tests.extract.drawn import Case, cases
from tests.oracles.rules import all_feasible
from tests.real_data import real_data

# -- against enumeration -------------------------------------------------------------------------------------------


def oracle(case: Case, *, node_cost: Any = None, costs: Any = None, **rules: Any) -> list[tuple[float, frozenset[int]]]:
    """All networks of a case under rules, on numbers made here; edge i is the i-th pair in order."""
    place = {name: index for index, name in enumerate(case.names)}
    problem = SimpleNamespace(
        n_vertices=len(case.names),
        sources=[place[source] for source, _ in case.pairs],
        targets=[place[target] for _, target in case.pairs],
        inputs=[place[name] for name in case.inputs],
        outputs=[place[name] for name in case.outputs],
        costs=costs if costs is not None else [1.0] * len(case.pairs),
        vertex_costs=[(node_cost or {}).get(name, 0) for name in case.names],
        rules=Rules(**rules),
    )
    return all_feasible(problem)


Ask = tuple[dict[str, Any], dict[str, Any]]


def draw(case: Case, kind: str, chance: np.random.Generator) -> Ask:
    """Keywords of `extract_dag`, and of the oracle, for one kind of option."""
    place = {name: index for index, name in enumerate(case.names)}
    pair, middle = int(chance.integers(len(case.pairs))), [n for n in case.names if n not in case.inputs + case.outputs]
    some = middle[int(chance.integers(len(middle)))] if middle else None
    if kind == "node_cost":
        costs = {name: int(chance.integers(0, 4)) for name in case.names}
        given = costs if chance.integers(2) else [costs[name] for name in case.graph.nodes]
        return {"node_cost": given}, {"node_cost": costs}
    if kind in ("forced_edges", "forbidden_edges"):
        return {kind: [case.pairs[pair]]}, {kind: (pair,)}
    if kind in ("forced_nodes", "forbidden_nodes"):
        known = {"forced_nodes": "forced_vertices", "forbidden_nodes": "forbidden_vertices"}[kind]
        return {kind: [some] if some else []}, {known: (place[some],) if some else ()}
    if kind == "rewards":
        rewards = {name: int(chance.integers(0, 4)) for name in case.inputs if chance.integers(3)}
        return {kind: rewards}, {kind: {place[name]: float(reward) for name, reward in rewards.items()}}
    if kind in ("max_parents", "max_depth"):
        most = int(chance.integers(1, 4))
        return {kind: most}, {kind: most}
    if kind == "signs":
        states = {name: (1, -1)[int(chance.integers(2))] for name in case.names if not chance.integers(3)}
        signs = tuple(case.signs[edge] for edge in case.pairs)
        return {"signs": True, "states": states}, {"signs": signs, "states": {place[n]: s for n, s in states.items()}}
    asked = {"min_routes": 2, "disjoint_routes": kind == "disjoint_routes"}
    return asked, asked


KINDS = (
    "node_cost", "forced_edges", "forbidden_edges", "forced_nodes", "forbidden_nodes", "rewards", "max_parents",
    "max_depth", "min_routes", "disjoint_routes", "signs",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_option_reaches_the_enumerated_optimum(kind):
    chance, found = np.random.default_rng(KINDS.index(kind)), 0
    for case in cases(30, seed=71, most=9, least=4):
        asked, known = draw(case, kind, chance)
        feasible = oracle(case, **known)
        if not feasible:
            with pytest.raises(NoNetworkError) as caught:
                gn.extract_dag(case.graph, case.inputs, case.outputs, **asked)
            assert caught.value.exit_code == 3
            continue
        found += 1
        dag = gn.extract_dag(case.graph, case.inputs, case.outputs, **asked)
        assert dag.proof.is_optimal
        assert dag.proof.objective == dag.proof.bound == pytest.approx(feasible[0][0])
        chosen = {(source, target) for source, _, target in dag.graph.to_sif_tuples()}
        optima = [edges for cost, edges in feasible if cost == feasible[0][0]]
        assert frozenset(case.pairs.index(edge) for edge in chosen) in optima
        assert set(dag.inputs) == {name for name in case.inputs if any(name in edge for edge in chosen)}
        again = gn.Dag.from_json(dag.to_json())
        assert again.proof == dag.proof
        gn.verify_dag(case.graph, again)
    assert found > 8


def test_options_on_an_unpruned_network_mean_the_same():
    rows = [("x", 1, "a"), ("x", 1, "b"), ("a", 1, "y"), ("b", 1, "y"), ("b", 1, "dead"), ("far", 1, "a")]
    whole = gn.PriorGraph.from_sif_tuples(rows)
    pruned = whole.prune(["x"], ["y"])
    for asked in ({"forbidden_nodes": ["a", "dead", "far"]}, {"node_cost": {"a": 2, "far": 1}}, {"min_routes": 2}):
        one, other = (gn.extract_dag(graph, ["x"], ["y"], **asked) for graph in (whole, pruned))
        assert one.graph == other.graph
        assert one.proof.objective == other.proof.objective
        for graph in (whole, pruned):
            gn.verify_dag(graph, one)
            gn.verify_dag(graph, other)


@pytest.mark.parametrize("method", ["auto", "milp"])
def test_edges_may_pay_where_the_program_decides(method):
    chance = np.random.default_rng(5)
    for case in cases(25, seed=72, most=8, least=4):
        costs = chance.integers(-2, 4, len(case.pairs)).astype(float)
        dag = gn.extract_dag(case.graph, case.inputs, case.outputs, method=method, edge_cost=costs)
        assert dag.proof.objective == oracle(case, costs=costs.tolist())[0][0]
        assert dag.proof.method == "milp" or (costs >= 0).all()
        again = gn.Dag.from_json(dag.to_json())
        assert again.edge_cost.tolist() == dag.edge_cost.tolist()
        gn.verify_dag(case.graph, again)


def test_the_lightest_and_the_shallowest_of_the_cheapest_networks():
    chance, told = np.random.default_rng(6), 0
    for case in cases(60, seed=73, most=9, least=5):
        feasible = oracle(case)
        optima = [edges for cost, edges in feasible if cost == feasible[0][0]]
        weights = chance.integers(0, 9, len(case.pairs)) / 4
        dag = gn.extract_dag(case.graph, case.inputs, case.outputs, prefer=weights)
        assert dag.proof.details["prefer"]["value"] == min(weights[sorted(edges)].sum() for edges in optima)
        assert "Second criterion proved" in dag.proof.sentence()
        shallow = gn.extract_dag(case.graph, case.inputs, case.outputs, prefer="shallow")
        depth = longest_path_levels(shallow.graph.n_nodes, shallow.graph.sources, shallow.graph.targets).max()
        assert shallow.proof.details["prefer"]["value"] == depth
        for each in (dag, shallow):
            assert each.proof.objective == feasible[0][0]
            gn.verify_dag(case.graph, gn.Dag.from_json(each.to_json()))
        told += len(optima) > 1
    assert told > 15


# -- words ---------------------------------------------------------------------------------------------------------

ROWS = [
    ("x", 1, "h"), ("x", -1, "g"), ("w", 1, "g"), ("h", 1, "y"), ("g", 1, "y"), ("g", 1, "h"), ("x", 1, "dead"),
    ("h", 1, "z"),
]  # fmt: skip
GRAPH = gn.PriorGraph.from_sif_tuples(ROWS).prune(["x", "w"], ["y"])


def extract(**asked: Any) -> gn.Dag:
    return gn.extract_dag(GRAPH, ["x", "w", "lost"], ["y"], **asked)


def test_defaults_change_nothing():
    plain = extract()
    assert not {"constraints", "prefer", "inputs_not_taken"} & set(plain.proof.details)
    same = extract(
        node_cost=None, forced_edges=(), forbidden_edges=[], forced_nodes=(), forbidden_nodes=[], rewards={},
        max_parents=None, max_depth=None, min_routes=1, disjoint_routes=False, signs=False, states={}, prefer=None,
    )  # fmt: skip
    assert same == plain
    assert {**same.proof.to_dict(), "seconds": 0} == {**plain.proof.to_dict(), "seconds": 0}
    assert extract(node_cost=np.zeros(GRAPH.n_nodes)).proof.details == plain.proof.details


def test_edges_are_counted_only_where_nothing_else_costs():
    assert extract(max_parents=2).proof.sentence().startswith("Proved minimal: 3 edges, and every network that does")
    assert "under the same rules" in extract(max_parents=2).proof.sentence()
    assert "edges" not in extract(node_cost={"g": 2}).proof.sentence()
    assert "edges" not in extract(rewards={"x": 1}).proof.sentence()


def test_inputs_left_out_for_a_reward_are_named():
    dag = extract(rewards={"x": 0.5, "lost": 3})  # a reward of 1 would be a tie: x needs one more edge
    assert dag.inputs == ("w",)
    assert dag.proof.objective == 2.5
    assert dag.proof.details["inputs_not_taken"] == ["x"]
    assert dag.origin["inputs_left_out"] == ["lost"]
    assert extract(rewards={"x": 9}).inputs == ("w", "x")


def test_what_was_asked_stands_in_the_proof_by_names():
    dag = extract(
        node_cost={"h": 1.5, "g": 0}, forced_edges=[("g", "h")], forbidden_edges={("h", "z"), ("g", "y")},
        forced_nodes=["h"], forbidden_nodes=["dead"], max_parents=3, max_depth=4,
    )  # fmt: skip
    assert dag.proof.details["constraints"] == {
        "node_cost": {"h": 1.5},
        "forced_edges": [["g", "h"]],
        "forbidden_edges": [["g", "y"]],
        "forced_nodes": ["h"],
        "max_parents": 3,
        "max_depth": 4,
    }
    assert Constraints.from_dict(dag.proof.details["constraints"]).to_dict() == dag.proof.details["constraints"]


# -- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"node_cost": {"h": -1}}, ("node_cost", "'h'")),
        ({"node_cost": {"h": float("nan")}}, ("node_cost", "'h'")),
        ({"node_cost": {"h": "dear"}}, ("node_cost", "'h'")),
        ({"node_cost": [1.0]}, ("node_cost", "to_frame", "nodes")[::2]),
        ({"node_cost": "h"}, ("node_cost",)),
        ({"forced_edges": [("h", "g")]}, ("forced_edges", "h -> g", "other way")),
        ({"forbidden_edges": [("x", "y")]}, ("forbidden_edges", "x -> y")),
        ({"forced_edges": ["xh"]}, ("forced_edges", "pairs")),
        ({"forced_edges": "xh"}, ("forced_edges", "pairs")),
        ({"forced_edges": [("x", 1, "h")]}, ("forced_edges", "pairs")),
        ({"forced_edges": [("g", "h")], "forbidden_edges": [("g", "h")]}, ("forced_edges", "forbidden", "g -> h")),
        ({"forced_nodes": ["h"], "forbidden_nodes": ["h"]}, ("forced_nodes", "'h'")),
        ({"forced_edges": [("g", "h")], "forbidden_nodes": ["h"]}, ("forced_edges", "'h'")),
        ({"forbidden_nodes": ["x"]}, ("inputs", "'x'")),
        ({"forbidden_nodes": ["y"]}, ("outputs", "'y'")),
        ({"rewards": {"h": 1}}, ("rewards", "'h'")),
        ({"rewards": {"x": -1}}, ("rewards", "'x'")),
        ({"rewards": {"x": float("inf")}}, ("rewards", "'x'")),
        ({"rewards": ["x"]}, ("rewards",)),
        ({"max_parents": 0}, ("max_parents",)),
        ({"max_parents": 1.5}, ("max_parents",)),
        ({"max_depth": True}, ("max_depth",)),
        ({"min_routes": 0}, ("min_routes",)),
        ({"min_routes": None}, ("min_routes",)),
        ({"disjoint_routes": True}, ("disjoint_routes", "min_routes")),
        ({"signs": 1}, ("signs",)),
        ({"states": {"x": 1}}, ("states", "signs=True")),
        ({"signs": True, "states": {"x": 0}}, ("states", "'x'")),
        ({"signs": True, "states": {"x": True}}, ("states", "'x'")),
        ({"prefer": "deep"}, ("prefer", "shallow")),
        ({"prefer": [1.0]}, ("prefer", "weight")),
        ({"prefer": [-1.0] * 6}, ("prefer", ">= 0")),
        ({"prefer": ["a"] * 6}, ("prefer",)),
        ({"prefer": [0.12345] * 6}, ("prefer", "decimals")),
        ({"prefer": [1.0] * 6, "edge_cost": [0.5] * 6}, ("edge_cost", "whole numbers")),
        ({"edge_cost": [-1.0] * 6, "method": "steiner"}, ("edge_cost", "steiner", "milp")),
        ({"edge_cost": [float("nan")] * 6, "method": "milp"}, ("edge_cost",)),
        ({"edge_cost": [float("-inf")] * 6, "method": "milp"}, ("edge_cost",)),
        ({"time_limit_s": float("nan")}, ("time_limit_s",)),
        ({"time_limit_s": -0.1}, ("time_limit_s",)),
    ],
    ids=str,
)
def test_an_odd_option_is_refused_in_one_sentence(asked, words, monkeypatch):
    monkeypatch.setattr(question, "solve", None)  # before anything is solved
    with pytest.raises(OptionError) as caught:
        extract(**asked)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("option", ["forced_nodes", "forbidden_nodes", "node_cost", "states", "forced_edges"])
def test_names_that_are_not_in_the_network_are_told_with_a_guess(option):
    asked = {"node_cost": {"DEAD": 1}, "states": {"DEAD": 1}, "forced_edges": [("DEAD", "y")]}.get(option, ["DEAD"])
    graph = gn.PriorGraph.from_sif_tuples([("x", 1, "dead1"), ("dead1", 1, "y")])
    with pytest.raises(UnknownNodeError, match="did you mean 'dead1'") as caught:
        gn.extract_dag(graph, ["x"], ["y"], **{option: asked}, **({"signs": True} if option == "states" else {}))
    assert caught.value.names == ("DEAD",)
    assert option in str(caught.value)


def test_a_name_that_is_no_list_of_names():
    for option in ("forced_nodes", "forbidden_nodes"):
        with pytest.raises(FormatError):
            extract(**{option: "h"})


@pytest.mark.parametrize("objective", ["shortest_paths", "max_edges"])
def test_other_objectives_take_no_options(objective):
    for asked in ({"max_depth": 2}, {"prefer": "shallow"}, {"edge_cost": np.ones(6)}, {"rewards": {"x": 1}}):
        with pytest.raises(OptionError, match=next(iter(asked))):
            extract(objective=objective, **asked)
    extract(objective=objective, min_routes=1, forbidden_nodes=[])


# -- no network ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "evidence", "words"),
    [
        ({"max_depth": 1}, {"inputs": ("w", "x"), "outputs": ("y",)}, ("'w'", "at most 1")),
        ({"forbidden_nodes": ["g"]}, {"inputs": ("w",)}, ("'w'", "forbidden")),
        ({"forced_nodes": ["dead"]}, {"nodes": ("dead",)}, ("'dead'",)),
        ({"forced_nodes": ["h"], "max_depth": 2, "forbidden_edges": [("x", "h")]}, {"nodes": ("h",)}, ("'h'",)),
        ({"forced_edges": [("g", "h")], "max_depth": 2}, {"edges": (("g", "h"),)}, ("g -> h",)),
    ],
    ids=str,
)
def test_what_cannot_be_is_named_with_the_reason(asked, evidence, words):
    with pytest.raises(NoNetworkError) as caught:
        extract(**asked)
    for name, value in evidence.items():
        assert getattr(caught.value, name) == value
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_inputs_that_cannot_be_served_together_are_found():
    """Every input has a way, but three ways lead through h, which may have two parents."""
    graph = gn.PriorGraph.from_sif_tuples([("a", 1, "h"), ("b", 1, "h"), ("c", 1, "h"), ("d", 1, "y"), ("h", 1, "y")])
    with pytest.raises(NoNetworkError, match="cannot be served together") as caught:
        gn.extract_dag(graph, ["a", "b", "c", "d"], ["y"], max_parents=2)
    assert len(caught.value.inputs) == 1
    assert caught.value.inputs[0] in "abc"


def test_signs_that_contradict_each_other_leave_no_network():
    graph = gn.PriorGraph.from_sif_tuples([("x", 1, "y"), ("w", 1, "y")])
    with pytest.raises(NoNetworkError) as caught:
        gn.extract_dag(graph, ["x", "w"], ["y"], signs=True, states={"x": 1, "w": -1})
    assert len(caught.value.inputs) == 1
    assert gn.extract_dag(graph, ["x", "w"], ["y"], signs=True, states={"x": 1, "w": 1}).graph.n_edges == 2


# -- limits and Ctrl-C ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["auto", "steiner", "milp"])
@pytest.mark.parametrize("asked", [{}, {"max_depth": 2}, {"min_routes": 2}, {"prefer": "shallow"}], ids=str)
def test_no_time_at_all_is_no_crash(method, asked):
    try:
        dag = extract(method=method, time_limit_s=0, **asked)
    except NoAnswerInTimeError:
        return
    gn.verify_dag(GRAPH, dag)
    assert dag.proof.bound <= dag.proof.objective


def test_ctrl_c_gives_the_best_network_so_far_which_says_so(monkeypatch):
    solve = question.solve

    def stopped(problem, **options):
        solution = solve(problem, **options)
        bound = solution.objective - 1
        return replace(solution, termination=Termination.LIMIT, bound=bound, details={"interrupted": True})

    monkeypatch.setattr(question, "solve", stopped)
    dag = extract()
    assert dag.proof.details["interrupted"] is True
    assert dag.proof.termination == "limit"
    assert "Not proved minimal" in dag.proof.sentence()


def test_ctrl_c_without_a_network_is_passed_on(monkeypatch):
    def stopped(problem, **options):
        raise NothingFound

    monkeypatch.setattr(question, "solve", stopped)
    with pytest.raises(KeyboardInterrupt):
        extract()


# -- the independent check -----------------------------------------------------------------------------------------


def lying(dag: gn.Dag, **constraints: Any) -> gn.Dag:
    """A network whose proof says that something else was asked."""
    return replace(dag, proof=replace(dag.proof, details={**dag.proof.details, "constraints": constraints}))


@pytest.mark.parametrize(
    ("rule", "constraints"),
    [
        ("missing edge", {"forced_edges": [["g", "h"]]}),
        ("missing edge", {"forced_edges": [["no", "where"]]}),
        ("missing vertex", {"forced_nodes": ["dead"]}),
        ("forbidden edge", {"forbidden_edges": [["g", "y"]]}),
        ("forbidden vertex", {"forbidden_nodes": ["g"]}),
        ("too many parents", {"max_parents": 1}),
        ("too deep", {"max_depth": 1}),
        ("too few routes", {"min_routes": 2}),
        ("too few routes", {"min_routes": 2, "disjoint_routes": True}),
        ("state conflict", {"signs": True, "states": {"w": 1, "y": -1}}),
        ("excluded network", {"excluded": ["OWN"]}),
        ("objective", {"node_cost": {"g": 1.0}}),
        ("objective", {"rewards": {"absent": 1.0}}),
        ("constraints", {"max_depth": "1"}),
        ("constraints", {"max_height": 1}),
        ("constraints", {"max_depth": -1}),
        ("constraints", {"rewards": {"g": 1.0}, "forbidden_nodes": ["y"]}),
    ],
    ids=str,
)
def test_a_network_that_does_not_keep_what_was_asked_is_refused(rule, constraints):
    dag = extract(forbidden_edges=[("x", "h")])
    assert {(source, target) for source, _, target in dag.graph.to_sif_tuples()} == {("x", "g"), ("w", "g"), ("g", "y")}
    if "excluded" in constraints:
        constraints = {"excluded": [dag.fingerprint]}
    with pytest.raises(VerificationError) as caught:
        gn.verify_dag(GRAPH, lying(dag, **constraints))
    assert caught.value.rule == rule


@pytest.mark.parametrize(
    "change",
    [{"value": 1.0}, {"bound": 9.0}, {"bound": 0.0}, {"weights": [1.0]}, {"weights": None}, {"criterion": "depth"}],
    ids=str,
)
def test_a_second_criterion_that_is_not_so_is_refused(change):
    dag = extract(prefer=np.arange(6.0))
    stated = {**dag.proof.details["prefer"], **change}
    with pytest.raises(VerificationError) as caught:
        gn.verify_dag(GRAPH, replace(dag, proof=replace(dag.proof, details={**dag.proof.details, "prefer": stated})))
    assert caught.value.rule == "second criterion"


def test_files_from_before_constraints_are_read():
    data = extract().to_dict()
    assert data["format"] == "graphnn-dag/1"
    data["proof"]["details"] = {"unit_costs": True}
    gn.verify_dag(GRAPH, gn.Dag.from_json(json.dumps(data)))


# -- the real network ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tcell() -> tuple[gn.PriorGraph, list[str]]:
    graph = gn.read_sif(real_data("pkn/tcell_abc.sif.gz"))
    inputs = [name for name in graph.nodes if name.endswith("_gene")]
    return graph.prune(inputs, ["LCK"]), inputs


def regulators(graph: gn.PriorGraph, dag: gn.Dag) -> list[str]:
    """Hidden vertices of a network that are not the only one to follow some input: the network can do without each."""
    frame = graph.to_frame()
    alone = frame[frame["source"].isin(dag.inputs)].groupby("source")["target"].agg(["first", "count"])
    needed = set(alone[alone["count"] == 1]["first"])
    after = set(dag.graph.to_frame().query("source in @dag.inputs")["target"])
    return sorted((after & set(dag.hidden)) - needed)


REAL = {
    "max_depth": {"max_depth": 12},
    "max_parents": {"max_parents": 3},
    "min_routes": {"min_routes": 2},
    "node_cost": {"node_cost": "one each"},
    "forbidden_nodes": {"forbidden_nodes": "three regulators"},
    "signs": {"signs": True},
    "rewards": {"rewards": "two each"},
}


@pytest.mark.real_data
@pytest.mark.parametrize("name", REAL)
def test_options_on_the_t_cell_network(tcell, name):
    """Whatever a limit leaves open, the network obeys and the bound is not above it; or it says that there is none."""
    graph, inputs = tcell
    asked: dict[str, Any] = dict(REAL[name])
    if name == "node_cost":
        asked["node_cost"] = dict.fromkeys(graph.nodes, 1)
    if name == "rewards":
        asked["rewards"] = dict.fromkeys(inputs, 2)
    if name == "forbidden_nodes":
        asked["forbidden_nodes"] = regulators(graph, gn.extract_dag(graph, inputs, ["LCK"]))[:3]
    try:
        dag = gn.extract_dag(graph, inputs, ["LCK"], time_limit_s=20, **asked)
    except (NoAnswerInTimeError, NoNetworkError):
        if name in ("node_cost", "rewards", "forbidden_nodes"):
            raise
        return
    gn.verify_dag(graph, dag)
    assert dag.proof.bound <= dag.proof.objective
    assert name in ("rewards",) or dag.proof.objective >= 4603
