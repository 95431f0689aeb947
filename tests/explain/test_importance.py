"""Importance of vertices: the right vertex, the right fit, the right network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from graphnn.compiler.model import compile_network
from graphnn.compiler.plan import plan_layers
from graphnn.evaluate.compare import compare
from graphnn.evaluate.options import TrainingOptions
from graphnn.explain.importance import node_importance
from tests.compiler.drawn import dag_of
from tests.evaluate.small import cells, comparison, named_weights, networks
from tests.oracles.forward import forward

NETWORKS = ("full", "compressed")
COLUMNS = ["node", "network", "output", "fold", "seed", "score", "bias"]


def test_one_row_for_each_hidden_vertex_of_each_fit_in_order():
    found = comparison()
    frame = found.importance()
    assert frame.columns.tolist() == COLUMNS
    expected = [
        (name, output, seed, fold, node)
        for name in NETWORKS
        for output in found.outputs
        for seed in (4, 5)
        for fold in range(3)
        for node in sorted(found.networks[name].hidden)
    ]
    assert list(frame[["network", "output", "seed", "fold", "node"]].itertuples(index=False, name=None)) == expected
    assert frame.index.tolist() == list(range(len(frame)))
    assert np.isfinite(frame["score"]).all()
    assert (frame["score"] >= 0).all()
    assert frame["score"].max() > 0
    pd.testing.assert_frame_equal(frame, node_importance(found), check_exact=True)


def test_bias_is_the_fits_bias_by_name():
    found = comparison()
    frame = found.importance()
    for name in NETWORKS:
        for fit in found.fits[name]:
            named = named_weights(found.networks[name], fit)
            rows = frame.query("network == @name and seed == @fit.split.seed and fold == @fit.split.fold")
            assert rows["bias"].tolist() == pytest.approx([named[node] for node in rows["node"]], abs=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_score_is_the_mean_absolute_difference_quotient_on_the_reported_cells(name):
    """By the oracle for every fit: its reported cells alone, however many, scaled as its training cells say."""
    found, step = comparison(), 1e-4
    x, dag = cells()[0].to_numpy(dtype=np.float64), found.networks[name]
    assert len({len(fit.split.test) for fit in found.fits[name]}) > 1  # folds of different sizes
    scores = found.importance().set_index(["network", "seed", "fold", "node"])["score"]
    for fit in found.fits[name]:
        train = x[fit.split.train]
        scaled = (x[fit.split.test] - train.mean(axis=0)) / train.std(axis=0)
        named = named_weights(dag, fit)
        edges = [(*key, value) for key, value in named.items() if isinstance(key, tuple)]
        biases = {key: value for key, value in named.items() if isinstance(key, str)}
        for node in dag.hidden:
            more = [*edges, *(("push", target, weight) for source, target, weight in edges if source == node)]
            slopes = []
            for row in scaled:
                measured = dict(zip(sorted(dag.inputs), row.tolist(), strict=True))
                up, down = (forward(more, biases, {**measured, "push": s}, ["y"])["y"] for s in (step, -step))
                slopes.append(abs(up - down) / (2 * step))
            score = scores[name, fit.split.seed, fit.split.fold, node]
            assert score == pytest.approx(np.mean(slopes), rel=1e-5, abs=1e-9), (fit.split, node)


def test_a_vertex_whose_outgoing_weights_are_zero_scores_zero_and_no_other_does():
    found = comparison()
    dag = found.networks["full"]
    silent = dag.hidden[1]
    plan = plan_layers(dag)
    model = compile_network(plan, found.options)
    silenced = []
    for fit in found.fits["full"]:
        arrays = [array.copy() for array in fit.state[0]]
        for array, variable in zip(arrays, model.trainable_variables, strict=True):
            for number in range(1, plan.depth + 1):
                if f"level_{number}/kernel" in variable.path:
                    cut = [source == silent for source, _ in plan.level_edges(number)]
                    array[cut] = 0.0
        silenced.append(replace(fit, state=(arrays, fit.state[1])))
    changed = replace(found, fits={**found.fits, "full": tuple(silenced)})
    frame = node_importance(changed).query("network == 'full'")
    assert (frame.loc[frame["node"] == silent, "score"] == 0).all()
    last = [node for node in dag.hidden if node != silent and (node, "y") in plan.edges()]
    assert last
    assert (frame.loc[frame["node"].isin(last), "score"] > 0).all()


def test_a_network_without_hidden_vertices_has_an_empty_ranking_and_a_report():
    from graphnn.report.payload import make_payload
    from graphnn.report.write import html_bytes, json_bytes

    full, _ = networks()
    bare = dag_of("a>y b>y c>y d>y", inputs="a b c d", outputs="y")
    x, y = cells()
    for pair in ((full, bare), (bare, bare)):
        found = compare(*pair, x, y, folds=2, training=TrainingOptions(epochs=1))
        frame = found.importance()
        assert frame.columns.tolist() == COLUMNS
        assert set(frame["network"]) == ({"full"} if pair[0] is full else set())
        payload = make_payload(found)
        assert json_bytes(payload)
        assert html_bytes(payload)
