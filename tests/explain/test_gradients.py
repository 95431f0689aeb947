"""Gradients by the value of each vertex: against central differences through the vertex-by-vertex oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from graphnn.compiler.backend import keras
from graphnn.compiler.model import compile_network, plan_of
from graphnn.compiler.options import NetworkOptions
from tests.compiler.by_hand import ByHand, units_of
from tests.compiler.drawn import cells, dags, everything, randomize
from tests.oracles.gradients import gradient_function

STEP = 1e-4


def check(dag, options: NetworkOptions, *, seed: int = 0) -> None:
    model = compile_network(dag, options)
    randomize(model, seed)
    data = cells(len(dag.inputs), n_cells=3, seed=seed).astype(np.float64)
    seen = data
    if options.input_normalization:
        norm = next(layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization))
        rng = np.random.default_rng(seed)
        mean, variance = rng.normal(size=data.shape[1]), rng.uniform(0.5, 3, size=data.shape[1])
        norm.moving_mean.assign(mean)
        norm.moving_variance.assign(variance)
        seen = (data - mean) / np.sqrt(variance + norm.epsilon)
    state = ([v.value for v in model.trainable_variables], [v.value for v in model.non_trainable_variables])
    gradients, plan, by_hand = gradient_function(model), plan_of(model), ByHand(model, dag, options)
    units = {name: [unit for unit in units_of(dag, options.units) if unit[0] == name] for name in dag.graph.nodes}
    for column, output in enumerate(sorted(dag.outputs)):
        parts = gradients(state, data.astype(np.float32), column)
        assert [part.shape for part in parts] == [(len(data), level.n_nodes) for level in plan.levels]
        for level, part in zip(plan.levels, parts, strict=True):
            for position, vertex in enumerate(level.nodes):
                up, down = (by_hand.predict(seen, pushed=units[vertex], push=push) for push in (STEP, -STEP))
                expected = (up - down)[:, column] / (2 * STEP)
                scale = max(1.0, float(np.abs(expected).max()))
                np.testing.assert_allclose(part[:, position], expected, atol=2e-5 * scale, err_msg=f"{vertex} {output}")


@settings(max_examples=6, deadline=None)
@given(dags(max_nodes=8))
def test_drawn_networks(dag):
    check(dag, NetworkOptions())


@pytest.mark.parametrize(
    "options",
    [
        NetworkOptions(input_normalization=True),
        NetworkOptions(hidden_activation="sigmoid", dropout=0.5, input_normalization=True, task="regression"),
        NetworkOptions(units=3, activations={"k": "tanh"}, input_dropout=0.3),
        NetworkOptions(units=2, task="multiclass"),
    ],
    ids=["normalised", "normalised, dropout, regression", "units move together", "units, softmax"],
)
def test_fed_inputs_outputs_with_successors_and_input_normalisation(options):
    check(everything(), options, seed=4)


def test_the_gradient_of_an_output_by_itself_is_one():
    dag = everything()
    model = compile_network(dag)
    randomize(model)
    state = ([v.value for v in model.trainable_variables], [v.value for v in model.non_trainable_variables])
    parts = gradient_function(model)(state, cells(4), 1)  # z, which nothing follows
    names = [name for level in plan_of(model).levels for name in level.nodes]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1)[:, names.index("z")], 1.0)
