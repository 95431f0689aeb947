"""`extract_alternatives`: several networks by names, against enumeration, with what is proved of each."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

import graphnn as gn
import solvers.alternatives as alternatives
from graphnn.errors import NoAnswerInTimeError, NoNetworkError, OptionError, VerificationError
from solvers.result import Termination
from tests.extract.drawn import Case, cases
from tests.extract.test_constraints import oracle
from tests.real_data import real_data


def numbers(case: Case, dag: gn.Dag) -> frozenset[int]:
    return frozenset(case.pairs.index((source, target)) for source, _, target in dag.graph.to_sif_tuples())


@pytest.mark.parametrize("kind", ["diverse", "best"])
def test_alternatives_are_those_of_the_enumeration(kind):
    several = 0
    for case in cases(60, seed=75, most=9, least=5):
        feasible = oracle(case)
        cheapest = [edges for cost, edges in feasible if cost == feasible[0][0]]
        dags = gn.extract_alternatives(case.graph, case.inputs, case.outputs, k=3, kind=kind)
        sets = [numbers(case, dag) for dag in dags]
        assert len({*sets}) == len(sets) == min(3, len(cheapest if kind == "diverse" else feasible))
        costs = [dag.proof.objective for dag in dags]
        expected = [cost for cost, _ in feasible[:3]] if kind == "best" else [feasible[0][0]] * len(dags)
        assert costs == expected
        assert dags[0].proof.details["unique"] == (len(cheapest) == 1)
        for place, dag in enumerate(dags):
            assert dag.proof.is_optimal
            stated = dag.proof.details["alternative"]
            assert (stated["kind"], stated["number"]) == (kind, place + 1)
            again = gn.Dag.from_json(dag.to_json())
            gn.verify_dag(case.graph, again)
            if kind == "diverse" and place:
                others = [edges for edges in cheapest if edges not in sets[:place]]
                least = min(sum(len(edges & other) for other in sets[:place]) for edges in others)
                assert stated["shared"] == stated["shared_bound"] == least
                assert "no other network of that cost shares less" in dag.proof.sentence()
        several += len(dags) > 1
    assert several > 15


ROWS = [("x", 1, "a"), ("x", 1, "b"), ("a", 1, "y"), ("b", 1, "y"), ("x", 1, "c"), ("c", 1, "a")]
GRAPH = gn.PriorGraph.from_sif_tuples(ROWS)


def ask(**asked: Any) -> tuple[gn.Dag, ...]:
    return gn.extract_alternatives(GRAPH, ["x"], ["y"], **asked)


def test_a_dearer_network_is_not_called_minimal_without_saying_of_what():
    dags = ask(k=3, kind="best")
    assert [dag.proof.objective for dag in dags] == [2, 2, 3]
    assert "Proved minimal:" in dags[0].proof.sentence()
    assert "Proved minimal but for the 2 before it" in dags[2].proof.sentence()
    assert "every other network" in dags[2].proof.sentence()


def test_an_excluded_network_is_not_accepted_as_a_further_one():
    dags = ask(k=2, kind="best")
    twice = replace(dags[0], proof=replace(dags[0].proof, details=dags[1].proof.details))
    with pytest.raises(VerificationError) as caught:
        gn.verify_dag(GRAPH, twice)
    assert caught.value.rule == "excluded network"


def test_the_only_network_says_so():
    (dag,) = ask(k=4, forbidden_nodes=["b"])
    assert dag.proof.details["unique"] is True
    assert dag.proof.details["complete"] is True
    assert "only network of that cost" in dag.proof.sentence()
    assert "only network" not in ask(k=1)[0].proof.sentence()


def test_options_hold_for_every_network():
    for kind in ("diverse", "best"):
        for dag in ask(k=3, kind=kind, max_depth=2, node_cost={"a": 1, "b": 1}):
            assert dag.proof.details["constraints"]["max_depth"] == 2
            assert "c" not in dag.graph
            gn.verify_dag(GRAPH, dag)


@pytest.mark.parametrize(
    "asked",
    [{"k": 0}, {"k": 1.5}, {"k": True}, {"k": None}, {"k": 2, "kind": "worst"}, {"k": 2, "edge_cost": [0.5] * 6},
     {"k": 2, "time_limit_s": -1}, {"k": 2, "max_depth": 0}],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_is_refused(asked):
    with pytest.raises(OptionError):
        ask(**asked)


def test_fractions_have_an_order_too():
    dags = ask(k=2, kind="best", edge_cost=[0.5, 0.25, 1, 1, 1, 1])
    assert dags[0].proof.objective < dags[1].proof.objective


def test_no_network_is_an_error_as_ever():
    with pytest.raises(NoNetworkError):
        ask(k=2, forbidden_nodes=["a", "b"])


def test_what_a_limit_leaves_open_ends_the_list(monkeypatch):
    """The second search is stopped: what it has comes last, and nothing is claimed of it."""
    solve, calls = alternatives.solve, []

    def stopped(problem, **options):
        calls.append(problem)
        solution = solve(problem, **options)
        if len(calls) < 2:
            return solution
        return replace(solution, termination=Termination.LIMIT, bound=solution.objective - 1)

    monkeypatch.setattr(alternatives, "solve", stopped)
    dags = ask(k=4, kind="best")
    assert [dag.proof.termination for dag in dags] == ["optimal", "limit"]
    assert dags[0].proof.details["complete"] is False
    assert "Not proved minimal" in dags[1].proof.sentence()


@pytest.mark.parametrize("kind", ["diverse", "best"])
def test_no_time_at_all_is_no_crash(kind):
    try:
        dags = ask(k=3, kind=kind, time_limit_s=0)
    except NoAnswerInTimeError:
        return
    assert all(dag.proof.bound <= dag.proof.objective for dag in dags)


# -- the same networks every time ----------------------------------------------------------------------------------

SCRIPT = """
import json
import graphnn as gn
from tests.extract.drawn import cases
for case in cases(8, seed=76, most=12, least=6):
    ask = (case.graph, case.inputs, case.outputs)
    weights = [float(edge % 4) for edge in range(case.graph.n_edges)]
    dags = [*gn.extract_alternatives(*ask, k=3), *gn.extract_alternatives(*ask, k=3, kind="best")]
    dags += [gn.extract_dag(*ask, **asked) for asked in (
        {"prefer": weights}, {"prefer": "shallow"}, {"min_routes": 2}, {"rewards": dict.fromkeys(case.inputs, 2)},
        {"node_cost": dict.fromkeys({*case.names}, 1), "forbidden_edges": {*()}},
    )]
    found = gn.extract_samples(case.graph, {"a": (case.inputs, case.outputs), "b": (case.inputs, case.outputs[:1])})
    whole = found.to_dict()
    for data in (*(dag.to_dict() for dag in dags), whole, whole["dag"], *whole["dags"].values()):
        text = json.dumps({key: value for key, value in data.items() if key not in ("proof", "dag", "dags")})
        print(text, json.dumps(data["proof"]["details"].get("constraints")), data["proof"]["objective"])
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
    assert texts[0].count(b"\n") > 60


@pytest.mark.real_data
def test_five_smallest_t_cell_networks_that_share_little():
    graph = gn.read_sif(real_data("pkn/tcell_abc.sif.gz"))
    inputs = [name for name in graph.nodes if name.endswith("_gene")]
    pruned = graph.prune(inputs, ["LCK"])
    dags = gn.extract_alternatives(pruned, inputs, ["LCK"], k=5, time_limit_s=120)
    assert len(dags) > 1
    assert {dag.proof.objective for dag in dags} == {4603}
    assert len({dag.fingerprint for dag in dags}) == len(dags)
