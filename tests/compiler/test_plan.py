"""Laws of the plan: each edge in one level, longest path, JSON both ways, fingerprints, refusals."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphnn.compiler.plan import LayerPlan, describe_difference, plan_layers
from graphnn.errors import FormatError, VerificationError
from graphnn.extract.dag import Dag
from graphnn.graph.prior import PriorGraph
from tests.compiler.drawn import awkward, dag_of, dags, everything, run_python

laws = settings(max_examples=60, deadline=None)


@laws
@given(dags())
def test_each_edge_is_in_exactly_one_level_with_its_interaction(dag):
    plan = plan_layers(dag)
    signs = {(source, target): sign for source, sign, target in dag.graph.to_sif_tuples()}
    assert len(plan.edges()) == len(signs) == plan.n_edges
    assert set(plan.edges()) == set(signs)
    planned = np.concatenate([level.interaction for level in plan.levels]).tolist()
    assert planned == [signs[edge] for edge in plan.edges()]


def _depths(dag: Dag) -> dict[str, int]:
    """Longest path by relaxing edges until nothing moves."""
    depth = dict.fromkeys(dag.graph.nodes, 0)
    for _ in dag.graph.nodes:
        for source, _, target in dag.graph.to_sif_tuples():
            depth[target] = max(depth[target], depth[source] + 1)
    return depth


@laws
@given(dags())
def test_vertices_stand_by_longest_path_then_role_then_name(dag):
    plan = plan_layers(dag)
    depth = _depths(dag)
    assert plan.depth == max(depth.values())
    assert plan.inputs == tuple(sorted(dag.inputs))
    assert plan.outputs == dag.outputs
    rank = {**dict.fromkeys(dag.hidden, 0), **dict.fromkeys(dag.outputs, 1), **dict.fromkeys(dag.inputs, 2)}
    for number, level in enumerate(plan.levels, start=1):
        members = [name for name, steps in depth.items() if steps == number]
        assert list(level.nodes) == sorted(members, key=lambda name: (rank[name], name))
        assert [plan.inputs[column] for column in level.input_columns] == list(level.fed)
        keys = list(zip(level.source_level, level.target_column, level.source_column, strict=True))
        assert keys == sorted(set(keys))
        assert all(plan.block(block) == plan.inputs or block > 0 for block in level.blocks)
    assert plan.n_parameters == dag.graph.n_edges + len(dag.hidden) + len(dag.outputs)


@laws
@given(dags())
def test_a_source_is_read_from_the_data_only_if_nothing_feeds_it(dag):
    plan = plan_layers(dag)
    fed = {target for _, _, target in dag.graph.to_sif_tuples()}
    for number, level in enumerate(plan.levels, start=1):
        for (source, _), block in zip(plan.level_edges(number), level.source_level.tolist(), strict=True):
            assert (block == 0) == (source not in fed)


@laws
@given(dags())
def test_json_round_trip_keeps_everything(dag):
    plan = plan_layers(dag)
    again = LayerPlan.from_json(plan.to_json())
    assert again == plan
    assert hash(again) == hash(plan)
    assert again.edges() == plan.edges()
    assert again.to_json() == plan.to_json()


def test_arrays_are_read_only_and_names_survive():
    plan = plan_layers(awkward())
    for level in plan.levels:
        for array in level.arrays:
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0
    assert set(plan.edges()) == {(source, target) for source, _, target in awkward().graph.to_sif_tuples()}


def test_a_vertex_that_is_input_and_output_is_refused():
    graph = PriorGraph.from_sif_tuples([("a", 1, "b"), ("b", 1, "c")])
    dag = Dag.from_graph(graph, ["a"], ["c"])
    with pytest.raises(VerificationError, match="'b'") as caught:
        plan_layers(replace(dag, inputs=("a", "b"), outputs=("b", "c")))  # from_graph would refuse it already
    assert caught.value.names == ("b",)


def _changed(change) -> str:
    data = copy.deepcopy(plan_layers(everything()).to_dict())
    change(data)
    return json.dumps(data)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(format="graphnn-plan/2"),
        lambda d: d.update(extra=1),
        lambda d: d.pop("levels"),
        lambda d: d.update(fingerprint="0" * 64),
        lambda d: d.update(inputs=d["inputs"][::-1]),
        lambda d: d.update(inputs=["a", "b", "c", 3]),
        lambda d: d.update(inputs="abcf"),
        lambda d: d.update(outputs=["y"]),
        lambda d: d.update(outputs=["y", "nowhere"]),
        lambda d: d.update(levels=[]),
        lambda d: d["levels"].pop(),
        lambda d: d["levels"].reverse(),
        lambda d: d["levels"][0].update(extra=1),
        lambda d: d["levels"][0].update(n_hidden=True),
        lambda d: d["levels"][0].update(n_hidden=-1),
        lambda d: d["levels"][0].update(nodes=["h", "g"]),
        lambda d: d["levels"][0].update(nodes=["a", "h"]),
        lambda d: d["levels"][0]["source_column"].__setitem__(0, 99),
        lambda d: d["levels"][0]["source_column"].__setitem__(0, -1),
        lambda d: d["levels"][0]["source_column"].__setitem__(0, 2**70),
        lambda d: d["levels"][0]["source_column"].__setitem__(0, 0.0),
        lambda d: d["levels"][0]["target_column"].__setitem__(0, 5),
        lambda d: d["levels"][0]["source_level"].__setitem__(0, 1),
        lambda d: d["levels"][0]["interaction"].__setitem__(0, 2),
        lambda d: d["levels"][0]["interaction"].__setitem__(0, -d["levels"][0]["interaction"][0] or 1),
        lambda d: d["levels"][0]["interaction"].pop(),
        lambda d: d["levels"][1].update(input_columns=[0]),
        lambda d: d["levels"][1].update(input_columns=[9]),
    ],
)
def test_nonsense_is_refused(change):
    with pytest.raises(FormatError):
        LayerPlan.from_json(_changed(change))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '{"format": "graphnn-dag/1"}'])
def test_what_is_no_plan_is_refused(text):
    with pytest.raises(FormatError):
        LayerPlan.from_json(text)


def test_fingerprint_sees_names_roles_edges_and_signs():
    plans = [
        plan_layers(dag_of("a>h h>y", inputs="a", outputs="y")),
        plan_layers(dag_of("a>g g>y", inputs="a", outputs="y")),
        plan_layers(dag_of("a>h h>y a>y", inputs="a", outputs="y")),
        plan_layers(dag_of("a>h h>y", inputs="a", outputs="h y")),
        plan_layers(dag_of("a>h h>y", inputs="a h", outputs="y")),
        plan_layers(dag_of("h>y a>h", inputs="a", outputs="y")),
    ]
    assert len({plan.fingerprint for plan in plans}) == len(plans)
    assert len(set(plans)) == len(plans)
    for plan in plans[1:]:
        assert describe_difference(plans[0], plan)
    assert describe_difference(plans[0], plans[0]) == ""


def test_fingerprint_and_json_do_not_depend_on_the_hash_seed_and_need_no_keras():
    code = (
        "import sys\n"
        "from tests.compiler.drawn import everything\n"
        "from graphnn.compiler.plan import plan_layers\n"
        "import graphnn.compiler.options, graphnn.compiler.initial\n"
        "plan = plan_layers(everything())\n"
        "assert 'keras' not in sys.modules and 'jax' not in sys.modules\n"
        "print(plan.fingerprint, plan.to_json())\n"
    )
    first, second = (run_python(code, PYTHONHASHSEED=seed) for seed in ("1", "2"))
    assert first == second
    assert first.split()[0] == plan_layers(everything()).fingerprint


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_order_of_the_given_edges_does_not_matter(data):
    tuples = everything().graph.to_sif_tuples()
    shuffled = PriorGraph.from_sif_tuples(data.draw(st.permutations(tuples)))
    dag = Dag.from_graph(shuffled, ["f", "c", "b", "a"], ["z", "y"])
    assert plan_layers(dag) == plan_layers(everything())
