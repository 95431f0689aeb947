"""`prune` against a transitive closure: exactly the vertices on input-to-output walks, and a reason for the others."""

from __future__ import annotations

import pytest
from hypothesis import given

import graphnn as gn
from graphnn.errors import FormatError, NoNetworkError, UnknownNodeError
from tests.oracles.closure import pruned, simple, warshall
from tests.oracles.strategies import PriorCase, prior_cases

ABSENT = "not in any drawn network"


def prior(case: PriorCase) -> gn.PriorGraph:
    return gn.PriorGraph.from_sif_tuples([*case.triples, *((name, 1, name) for name in case.isolated)])


@given(case=prior_cases())
def test_equals_the_closure(case: PriorCase):
    graph = prior(case)
    expected = pruned(simple(case.triples, isolated=case.isolated), case.inputs, case.outputs)
    if not expected.nodes:
        with pytest.raises(NoNetworkError) as caught:
            graph.prune(case.inputs, case.outputs)
        assert caught.value.exit_code == 3
        assert set(caught.value.inputs) == set(case.inputs)
        assert set(caught.value.outputs) == set(case.outputs)
        return
    kept = graph.prune(case.inputs, case.outputs)
    signs = simple(case.triples).signs
    assert set(kept.nodes) == expected.nodes
    assert {(source, target): sign for source, sign, target in kept.to_sif_tuples()} == {
        pair: signs[pair] for pair in expected.edges
    }


@given(case=prior_cases())
def test_whatever_is_lost_has_one_reason(case: PriorCase):
    graph = prior(case)
    full = simple(case.triples, isolated=case.isolated)
    expected = pruned(full, case.inputs, case.outputs)
    if not expected.nodes:
        return
    kept = graph.prune([*case.inputs, ABSENT], case.outputs)
    dropped = kept.dropped
    assert dropped.absent == dropped.absent_inputs == (ABSENT,)
    assert dropped.absent_outputs == ()
    assert dropped.unreachable == tuple(sorted(expected.unreachable))
    assert dropped.dead_end == tuple(sorted(expected.dead_end))
    groups = [*kept.nodes, *dropped.unreachable, *dropped.dead_end]
    assert sorted(groups) == list(graph.nodes)  # disjoint and complete
    assert dropped.lost_inputs == tuple(sorted(expected.dead_end & set(case.inputs)))
    assert dropped.lost_outputs == tuple(sorted(expected.unreachable & set(case.outputs)))
    assert dropped.n_edges == graph.n_edges - kept.n_edges == len(full.signs) - len(expected.edges)
    assert dropped.counts["dead_end"] == len(dropped.dead_end)
    assert dropped.to_dict()["counts"] == dropped.counts
    frame = dropped.to_frame()
    assert list(frame.columns) == ["node", "role", "reason"]
    assert sorted(frame["node"]) == sorted([*dropped.unreachable, *dropped.dead_end, ABSENT])
    roles = {**dict.fromkeys([*case.inputs, ABSENT], "input"), **dict.fromkeys(case.outputs, "output")}
    assert {row.node: row.role for row in frame.itertuples()} == {
        name: roles.get(name, "hidden") for name in frame["node"]
    }


@given(case=prior_cases())
def test_pruning_again_changes_nothing(case: PriorCase):
    try:
        once = prior(case).prune(case.inputs, case.outputs)
    except NoNetworkError:
        return
    twice = once.prune(case.inputs, case.outputs)
    assert twice == once
    assert twice.dropped.unreachable == twice.dropped.dead_end == ()
    assert twice.dropped.n_edges == 0
    reach = warshall(once.nodes, {(source, target) for source, _, target in once.to_sif_tuples()})
    assert all(reach[name] & set(case.outputs) for name in case.inputs if name in once)


@given(case=prior_cases())
def test_order_and_repetition_of_names_do_not_matter(case: PriorCase):
    graph = prior(case)
    try:
        kept = graph.prune(case.inputs, case.outputs)
    except NoNetworkError:
        return
    again = graph.prune(iter([*reversed(case.inputs), *case.inputs]), reversed(case.outputs))
    assert again == kept
    assert again.dropped == kept.dropped


CHAIN = gn.PriorGraph.from_sif_tuples([("x", 1, "h"), ("h", -1, "y"), ("h", 1, "dead"), ("lost", 1, "y")])


def test_absent_names_are_reported():
    kept = CHAIN.prune(["x", "gone", "away"], ["y", "no"])
    assert kept.nodes == ("h", "x", "y")
    assert kept.dropped.absent == ("away", "gone", "no")
    assert kept.dropped.absent_inputs == ("away", "gone")
    assert kept.dropped.absent_outputs == ("no",)


def test_strict_refuses_absent_names():
    with pytest.raises(UnknownNodeError) as caught:
        CHAIN.prune(["x", "gone"], ["y"], strict=True)
    assert caught.value.names == ("gone",)
    with pytest.raises(UnknownNodeError) as caught:
        CHAIN.prune(["x"], ["y", "no"], strict=True)
    assert caught.value.names == ("no",)
    assert CHAIN.prune(["x"], ["y"], strict=True).shape == (3, 2)


def test_strict_names_absent_inputs_and_outputs_together():
    with pytest.raises(UnknownNodeError) as caught:
        CHAIN.prune(["gone"], ["no"], strict=True)
    assert {"gone", "no"} <= set(caught.value.names) or "no" in str(caught.value)


@pytest.mark.parametrize(
    ("inputs", "outputs", "words"),
    [
        (["gone"], ["y"], "'gone'"),
        (["x"], ["no"], "'no'"),
        (["y"], ["x"], "'x'"),
        (["dead"], ["lost"], "'lost'"),
        ([], ["y"], "input"),
        (["x"], [], "output"),
    ],
)
def test_no_network_is_an_error_of_its_own(inputs, outputs, words):
    with pytest.raises(NoNetworkError, match=words) as caught:
        CHAIN.prune(inputs, outputs)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("swap", [False, True])
def test_a_single_string_is_no_list_of_names(swap):
    names = ("xyz", ["y"]) if not swap else (["x"], "y")
    with pytest.raises(FormatError, match="single string"):
        CHAIN.prune(*names)


@pytest.mark.parametrize("name", [7, None, ("x",)])
def test_names_are_strings(name):
    with pytest.raises(FormatError):
        CHAIN.prune(["x", name], ["y"])


def test_an_input_that_is_also_an_output_of_the_request_stays():
    assert CHAIN.prune(["x", "h"], ["h", "y"]).nodes == ("h", "x", "y")


def test_the_graph_itself_is_not_changed():
    before = CHAIN.fingerprint, CHAIN.dropped
    CHAIN.prune(["x"], ["y"])
    assert (CHAIN.fingerprint, CHAIN.dropped) == before
