"""The compiled model computes what the network says: against a vertex-by-vertex pass in plain Python."""

from __future__ import annotations

from collections import Counter

import jax
import numpy as np
import pytest
from hypothesis import given, settings

from graphnn.compiler.model import compile_network, plan_of
from graphnn.compiler.options import ACTIVATIONS, NetworkOptions
from graphnn.compiler.plan import plan_layers
from graphnn.extract.dag import Dag
from tests.compiler.by_hand import ByHand, check_names, expected_of
from tests.compiler.drawn import awkward, cells, dags, everything, randomize, rich_dag, run_python
from tests.oracles.forward import FUNCTIONS

# Of order 1 are the values, not the weights: they are divided by the square root of the fan-in. What is left is the
# rounding of float32, 6e-8 for each of some ten operations on a way.
TOLERANCE = 1e-6
SMOOTH = ("elu", "tanh", "sigmoid", "softplus", "silu")


def drawn(seed: int, activations: tuple[str, ...] = ("elu", "tanh", "relu", "sigmoid")) -> tuple[Dag, NetworkOptions]:
    """A network and options that change what it computes: units, activations of vertices and levels, heads."""
    dag, rng = rich_dag(seed), np.random.default_rng((seed, 1))
    levels = [number for number, level in enumerate(plan_layers(dag).levels, start=1) if level.n_hidden]
    places = [*dag.hidden, *levels]
    chosen = [places[i] for i in rng.permutation(len(places))[: int(rng.integers(0, 4))]]
    tasks = ("binary", "regression", "multiclass") if len(dag.outputs) > 1 else ("binary", "regression")
    options = NetworkOptions(
        task=str(rng.choice(tasks)),
        hidden_activation=str(rng.choice(activations)),
        activations={of: str(rng.choice(activations)) for of in chosen},
        units=1 + seed % 3,
    )
    return dag, options


def traits(dag: Dag, options: NetworkOptions) -> set[str]:
    """What a drawn case has that could go wrong."""
    levels = plan_layers(dag).levels
    feeding = {source for source, _, _ in dag.graph.to_sif_tuples()}
    found = {
        "hidden": dag.hidden,
        "units": dag.hidden and options.units > 1,
        "three hidden vertices in a level": any(level.n_hidden > 2 for level in levels),
        "an activation of its own": options.activations,
        "skip edges": any(len(level.blocks) > 1 for level in levels),
        "three levels": len(levels) > 2,
        "several outputs": len(dag.outputs) > 1,
        "an output with a successor": feeding & set(dag.outputs),
        "a fed input": any(level.n_fed for level in levels),
        "softmax": options.task == "multiclass",
    }
    return {name for name, holds in found.items() if holds}


def test_two_hundred_drawn_networks_agree_with_the_oracle():
    seen: Counter[str] = Counter()
    for seed in range(200):
        dag, options = drawn(seed)
        seen.update(traits(dag, options))
        model = compile_network(dag, options)
        randomize(model, seed)
        check_names(model, dag, options.units)
        data = cells(len(dag.inputs), n_cells=2, seed=seed)
        expected = expected_of(model, dag, data, options)
        np.testing.assert_allclose(np.asarray(model(data)), expected, rtol=0, atol=TOLERANCE, err_msg=f"seed {seed}")
    assert min(seen.values()) >= 20, seen
    assert len(seen) == 10


def test_gradients_by_every_weight_are_finite_differences_of_the_oracle():
    for seed in range(12):
        check_gradients(*drawn(seed, SMOOTH), seed)


@settings(max_examples=20, deadline=None)
@given(dags())
def test_small_networks_agree_with_the_oracle(dag):
    """Drawn so that a failure shrinks to the smallest network that shows it."""
    model = compile_network(dag)
    randomize(model)
    data = cells(len(dag.inputs))
    np.testing.assert_allclose(np.asarray(model(data)), expected_of(model, dag, data), rtol=0, atol=TOLERANCE)


def check_gradients(dag: Dag, options: NetworkOptions, seed: int, *, step: float = 1e-5) -> None:
    """The derivative of a random combination of the predictions, by each weight and each bias."""
    model = compile_network(dag, options)
    randomize(model, seed)
    data = cells(len(dag.inputs), n_cells=2, seed=seed)
    weight = np.random.default_rng(seed).normal(size=(2, len(dag.outputs)))
    by_hand = ByHand(model, dag, options)

    def total(trainable):
        other = [variable.value for variable in model.non_trainable_variables]
        return (model.stateless_call(trainable, other, data)[0] * weight).sum()

    slopes = jax.grad(total)([variable.value for variable in model.trainable_variables])
    by_name = list(zip(model.trainable_variables, slopes, strict=True))
    kernels = np.concatenate([np.asarray(slope) for variable, slope in by_name if variable.path.endswith("kernel")])
    biases = np.concatenate([np.asarray(slope) for variable, slope in by_name if variable.path.endswith("bias")])

    def shifted(part: int, position: int, by: float) -> float:
        def change(edges, bias):
            if part == 0:
                source, target, value = edges[position]
                edges[position] = (source, target, value + by)
            else:
                bias[list(bias)[position]] += by

        return float((by_hand.predict(data, change=change) * weight).sum())

    for part, found in enumerate((kernels, biases)):  # both in the order of the frames
        expected = [(shifted(part, i, step) - shifted(part, i, -step)) / (2 * step) for i in range(len(found))]
        scale = max(1.0, float(np.abs(expected).max(initial=0)))
        np.testing.assert_allclose(found, expected, rtol=0, atol=3e-6 * scale)


@pytest.mark.parametrize(
    "options",
    [
        NetworkOptions(units=2, activations={"k": "tanh", 1: "sigmoid", "g": "softplus"}),
        NetworkOptions(task="multiclass", units=3),
        NetworkOptions(task="multiclass", output_activation="linear", hidden_activation="tanh"),
        NetworkOptions(task="regression", output_activation="softplus"),
    ],
    ids=["units and exceptions", "softmax and units", "logits", "regression"],
)
def test_fed_inputs_and_outputs_with_successors(options):
    dag = everything()
    model = compile_network(dag, options)
    randomize(model, 3)
    data = cells(4)
    np.testing.assert_allclose(np.asarray(model(data)), expected_of(model, dag, data, options), rtol=0, atol=TOLERANCE)
    check_gradients(dag, options, 3)


@pytest.mark.parametrize("hidden", ACTIVATIONS)
def test_every_activation_is_the_function_that_its_name_says(hidden):
    assert set(FUNCTIONS) == set(ACTIVATIONS)
    dag, options = everything(), NetworkOptions(hidden_activation=hidden, task="regression")
    model = compile_network(dag, options)
    randomize(model, seed=2)
    data = cells(4)
    expected = expected_of(model, dag, data, options)
    np.testing.assert_allclose(np.asarray(model.predict_on_batch(data)), expected, rtol=1e-6, atol=TOLERANCE)


def test_the_output_of_a_softmax_hands_on_its_value_before_it():
    """y feeds z: what z reads is y's sum, not y's share."""
    dag, options = everything(), NetworkOptions(task="multiclass")
    model, linear = (
        compile_network(dag, o) for o in (options, NetworkOptions(task="multiclass", output_activation="linear"))
    )
    for one in (model, linear):
        randomize(one, 1)
    data = cells(4)
    shares, logits = np.asarray(model(data)), np.asarray(linear(data))
    powers = np.exp(logits)
    np.testing.assert_allclose(shares, powers / powers.sum(axis=1, keepdims=True), atol=TOLERANCE)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=TOLERANCE)


def test_awkward_names_agree_and_stay_whole():
    dag = awkward()
    model = compile_network(dag)
    randomize(model)
    data = cells(len(dag.inputs))
    np.testing.assert_allclose(np.asarray(model.predict_on_batch(data)), expected_of(model, dag, data), atol=TOLERANCE)
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
        "dag = everything(); options = NetworkOptions(hidden_activation='sigmoid', units=2)\n"
        "model = compile_network(dag, options)\n"
        "randomize(model); data = cells(4).astype('float64')\n"
        "got = np.asarray(model.predict_on_batch(data)); assert got.dtype == np.float64\n"
        "print(abs(got - expected_of(model, dag, data, options)).max())\n"
    )
    assert float(run_python(code, JAX_ENABLE_X64="1")) < 1e-13
