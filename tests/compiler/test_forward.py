"""The compiled model computes what the network says: against a vertex-by-vertex pass in plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from graphnn.compiler.model import bias_frame, compile_network, plan_of, weights_frame
from graphnn.compiler.options import NetworkOptions
from graphnn.compiler.plan import plan_layers
from tests.compiler.drawn import awkward, cells, dags, everything, randomize, run_python
from tests.oracles.forward import forward


def expected_of(model, dag, data, **activations) -> np.ndarray:
    weights, biases = weights_frame(model), bias_frame(model)
    edges = list(zip(weights["source"], weights["target"], weights["weight"].astype(float), strict=True))
    bias = dict(zip(biases["node"], biases["bias"].astype(float), strict=True))
    assert {(source, target) for source, target, _ in edges} == {(s, t) for s, _, t in dag.graph.to_sif_tuples()}
    assert sorted(bias) == sorted({*dag.hidden, *dag.outputs})
    rows = []
    for row in data.astype(float):
        measured = dict(zip(sorted(dag.inputs), row.tolist(), strict=True))
        values = forward(edges, bias, measured, dag.outputs, **activations)
        rows.append([values[name] for name in sorted(dag.outputs)])
    return np.array(rows)


@settings(max_examples=12, deadline=None)
@given(dags())
def test_drawn_networks_agree_with_the_oracle(dag):
    model = compile_network(dag)
    randomize(model)
    data = cells(len(dag.inputs))
    got = np.asarray(model.predict_on_batch(data))
    np.testing.assert_allclose(got, expected_of(model, dag, data), atol=2e-6)


@pytest.mark.parametrize("hidden", ["elu", "tanh", "relu", "linear", "sigmoid"])
@pytest.mark.parametrize("task", ["binary", "regression"])
def test_activations_reach_the_vertices_they_name(hidden, task):
    dag = everything()
    model = compile_network(dag, NetworkOptions(hidden_activation=hidden, task=task))
    randomize(model, seed=2)
    data = cells(4)
    output = "sigmoid" if task == "binary" else "linear"
    expected = expected_of(model, dag, data, hidden_activation=hidden, output_activation=output)
    np.testing.assert_allclose(np.asarray(model.predict_on_batch(data)), expected, atol=1e-5, rtol=1e-5)


def test_awkward_names_agree_and_stay_whole():
    dag = awkward()
    model = compile_network(dag)
    randomize(model)
    data = cells(len(dag.inputs))
    np.testing.assert_allclose(np.asarray(model.predict_on_batch(data)), expected_of(model, dag, data), atol=2e-6)
    assert plan_of(model) == plan_layers(dag)
    assert all(layer.name.replace("_", "").isalnum() and len(layer.name) < 30 for layer in model.layers)


def test_exact_in_double_precision():
    """What differs in float32 is rounding: in float64 the two passes agree to 1e-13.

    With sigmoid, because keras.ops.tanh (3.15, JAX) gives float32 for float64.
    """
    code = (
        "import numpy as np\n"
        "from graphnn.compiler.backend import keras\n"
        "keras.config.set_floatx('float64'); keras.config.set_dtype_policy('float64')\n"
        "from tests.compiler.test_forward import *\n"
        "dag = everything(); model = compile_network(dag, NetworkOptions(hidden_activation='sigmoid'))\n"
        "randomize(model); data = cells(4).astype('float64')\n"
        "got = np.asarray(model.predict_on_batch(data)); assert got.dtype == np.float64\n"
        "print(abs(got - expected_of(model, dag, data, hidden_activation='sigmoid')).max())\n"
    )
    assert float(run_python(code, JAX_ENABLE_X64="1")) < 1e-13
