"""Gradients by the value of each vertex: against central differences through the vertex-by-vertex oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from graphnn.compiler.backend import keras
from graphnn.compiler.model import bias_frame, compile_network, plan_of, weights_frame
from graphnn.compiler.options import NetworkOptions
from graphnn.explain.gradients import gradient_function
from tests.compiler.drawn import cells, dags, everything, randomize
from tests.oracles.forward import forward

STEP = 1e-4
PUSH = "\0push"  # a measured vertex that carries the push to all targets of the pushed one


def pushed_outputs(model, dag, measured: dict[str, float], vertex: str, push: float, **activations) -> list[float]:
    """The outputs where the value of `vertex` is larger by `push`, everything above it computed anew."""
    weights, biases = weights_frame(model), bias_frame(model)
    edges = list(zip(weights["source"], weights["target"], weights["weight"].astype(float), strict=True))
    edges += [(PUSH, target, weight) for source, target, weight in edges if source == vertex]
    bias = dict(zip(biases["node"], biases["bias"].astype(float), strict=True))
    values = forward(edges, bias, {**measured, PUSH: push}, dag.outputs, **activations)
    return [values[name] + (push if name == vertex else 0.0) for name in sorted(dag.outputs)]


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
    gradients, plan = gradient_function(model), plan_of(model)
    activations = {"hidden_activation": options.hidden_activation, "output_activation": options.output}
    for column, output in enumerate(sorted(dag.outputs)):
        parts = gradients(state, data.astype(np.float32), column)
        assert [part.shape for part in parts] == [(len(data), level.n_nodes) for level in plan.levels]
        for level, part in zip(plan.levels, parts, strict=True):
            for position, vertex in enumerate(level.nodes):
                expected = []
                for row in seen:
                    measured = dict(zip(sorted(dag.inputs), row.tolist(), strict=True))
                    up, down = (
                        pushed_outputs(model, dag, measured, vertex, push, **activations)[column]
                        for push in (STEP, -STEP)
                    )
                    expected.append((up - down) / (2 * STEP))
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
    ],
    ids=["normalised", "normalised, dropout, regression"],
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
