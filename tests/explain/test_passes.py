"""Passes in NumPy: forward against the Keras model, reverse against JAX through it, on drawn networks of every kind."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphnn.compiler.backend import keras
from graphnn.compiler.model import compile_network, plan_of
from graphnn.compiler.options import ACTIVATIONS, NetworkOptions
from graphnn.compiler.plan import plan_layers
from graphnn.errors import MismatchError, OptionError
from graphnn.explain.activations import ACTIVATIONS as IN_NUMPY
from graphnn.explain.passes import Passes
from tests.compiler.drawn import awkward, cells, dags, everything, randomize, rich_dag
from tests.oracles.forward import FUNCTIONS
from tests.oracles.gradients import gradient_function

SMOOTH = ("tanh", "sigmoid", "softplus", "silu", "gelu", "elu", "mish", "softsign")
EVERY_OPTION = {
    "defaults": NetworkOptions(),
    "normalised": NetworkOptions(input_normalization=True, input_dropout=0.4, dropout=0.3),
    "units": NetworkOptions(units=3, hidden_activation="tanh", dropout=0.5, dropout_on="nodes"),
    "units, exceptions": NetworkOptions(units=2, activations={"k": "softsign", 1: "silu", "g": "linear"}),
    "logits": NetworkOptions(output_activation="linear", hidden_activation="mish"),
    "softmax": NetworkOptions(task="multiclass", units=2, hidden_activation="softplus"),
    "logits of classes": NetworkOptions(task="multiclass", output_activation="linear"),
    "regression": NetworkOptions(task="regression", hidden_activation="gelu", input_normalization=True),
    "regression above 0": NetworkOptions(task="regression", output_activation="softplus", sign_policy="soft"),
    "dense": NetworkOptions(kernel="dense", adaptive_dropout=True, dropout=0.2, units=2),
}


def fitted(dag, options: NetworkOptions, seed: int = 0):
    """A model with numbers of its own in every variable, its state, and its passes."""
    model = compile_network(dag, options)
    randomize(model, seed)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            rng = np.random.default_rng(seed)
            layer.moving_mean.assign(rng.normal(size=layer.moving_mean.shape))
            layer.moving_variance.assign(rng.uniform(0.5, 3, size=layer.moving_variance.shape))
    state = ([v.value for v in model.trainable_variables], [v.value for v in model.non_trainable_variables])
    return model, state, Passes.of(plan_of(model), options, state)


def by_vertex(passes: Passes, values):
    """Values of units to those of all vertices, level by level: summed over the units of each."""
    found = []
    for level, layer in zip(passes.circuit.plan.levels, passes.circuit.layers, strict=True):
        rows, n_hidden = values[layer.units], level.n_hidden * passes.circuit.units
        hidden = rows[:n_hidden].reshape(level.n_hidden, passes.circuit.units, values.shape[1]).sum(axis=1)
        found.append(np.concatenate([hidden, rows[n_hidden:]]))
    return found


def check(dag, options: NetworkOptions, seed: int = 0) -> None:
    model, state, passes = fitted(dag, options, seed)
    x = cells(len(dag.inputs), n_cells=5, seed=seed)
    run = passes.forward(passes.from_data(x))
    expected = np.asarray(model.stateless_call(*state, x)[0])
    np.testing.assert_allclose(passes.read(run).T, expected, rtol=2e-5, atol=2e-6)
    gradients = gradient_function(model)
    for column in range(len(passes.circuit.plan.outputs)):
        slopes = by_vertex(passes, passes.reverse(run, output=column).by_value)
        for ours, theirs in zip(slopes, gradients(state, x, column), strict=True):
            scale = max(1.0, float(np.abs(theirs).max(initial=0)))
            np.testing.assert_allclose(ours, theirs.T, atol=1e-5 * scale)


@pytest.mark.parametrize("options", EVERY_OPTION.values(), ids=EVERY_OPTION)
def test_every_option_on_a_network_with_all_there_is(options):
    check(everything(), options, seed=3)


@settings(max_examples=6, deadline=None)
@given(
    dag=dags(max_nodes=9),
    activation=st.sampled_from(SMOOTH),
    units=st.integers(1, 3),
    normalised=st.booleans(),
    seed=st.integers(0, 99),
)
def test_drawn_networks(dag, activation, units, normalised, seed):
    check(dag, NetworkOptions(hidden_activation=activation, units=units, input_normalization=normalised), seed)


@pytest.mark.parametrize("seed", range(3))
def test_rich_networks(seed):
    dag = rich_dag(seed)
    several = len(dag.outputs) > 1 and seed % 2 == 0
    options = NetworkOptions(
        hidden_activation=SMOOTH[seed], units=1 + seed % 2, task="multiclass" if several else "binary"
    )
    check(dag, options, seed)


def test_names_that_would_break_positions():
    check(awkward(), NetworkOptions(units=2))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_and_its_slope(name):
    z = np.concatenate([np.linspace(-7.913, 8.087, 161), [-30.0, 30.0]])
    ours = IN_NUMPY[name].value(z)
    np.testing.assert_allclose(ours, [FUNCTIONS[name](value) for value in z], rtol=1e-12, atol=1e-15)
    step = 1e-6
    quotient = (IN_NUMPY[name].value(z + step) - IN_NUMPY[name].value(z - step)) / (2 * step)
    np.testing.assert_allclose(IN_NUMPY[name].slope(z, ours), quotient, rtol=1e-6, atol=1e-7)


def test_there_is_no_activation_but_the_compilers():
    assert sorted(IN_NUMPY) == sorted(ACTIVATIONS)


@pytest.mark.parametrize("of", ["prediction", "logit"])
@pytest.mark.parametrize("name", ["units", "softmax", "regression above 0", "normalised"])
def test_derivatives_by_the_data_are_difference_quotients(name, of):
    dag = everything()
    _, _, passes = fitted(dag, EVERY_OPTION[name], seed=5)
    x, step = cells(len(dag.inputs), n_cells=4, seed=5).astype(np.float64), 1e-6
    run = passes.forward(passes.from_data(x))
    for output in range(2):
        slopes = passes.to_data(passes.reverse(run, output=output, of=of).by_sum)
        for column in range(x.shape[1]):
            up, down = x.copy(), x.copy()
            up[:, column] += step
            down[:, column] -= step
            read = [passes.read(passes.forward(passes.from_data(data)), of)[output] for data in (up, down)]
            np.testing.assert_allclose(slopes[column], (read[0] - read[1]) / (2 * step), atol=1e-8)


def test_derivatives_along_a_line_are_difference_quotients():
    _, _, passes = fitted(everything(), NetworkOptions(units=2, activations={"h": "tanh"}), seed=1)
    x, step = cells(4, n_cells=3).astype(np.float64), 1e-6
    base = passes.from_data(x)
    change = passes.from_data(x[::-1]) - base
    moved = passes.along(change, passes.bends(passes.forward(base)))
    up, down = (passes.forward(base + sign * step * change) for sign in (1, -1))
    np.testing.assert_allclose(moved.values, (up.values - down.values) / (2 * step), atol=1e-8)
    np.testing.assert_allclose(moved.sums, (up.sums - down.sums) / (2 * step), atol=1e-8)


def test_a_logit_is_what_the_activation_or_softmax_makes_the_prediction_of():
    x = cells(4)
    for name, made in (("defaults", FUNCTIONS["sigmoid"]), ("regression above 0", FUNCTIONS["softplus"])):
        passes = fitted(everything(), EVERY_OPTION[name])[2]
        run = passes.forward(passes.from_data(x))
        expected = [[made(value) for value in row] for row in passes.read(run, "logit")]
        np.testing.assert_allclose(passes.read(run), expected, rtol=1e-12)
    passes = fitted(everything(), EVERY_OPTION["softmax"])[2]
    run = passes.forward(passes.from_data(x))
    powers = np.exp(passes.read(run, "logit"))
    np.testing.assert_allclose(passes.read(run), powers / powers.sum(axis=0), rtol=1e-12)


def test_values_of_hidden_vertices_are_means_over_units():
    _, _, passes = fitted(everything(), EVERY_OPTION["units"])
    x = cells(4, n_cells=7)
    found = passes.hidden_values(x)
    run = passes.forward(passes.from_data(x))
    assert found.shape == (7, 3)
    assert sorted(passes.circuit.hidden) == ["g", "h", "k"]
    for column, name in enumerate(passes.circuit.hidden):
        number = next(n for n, level in enumerate(passes.circuit.plan.levels) if name in level.nodes)
        level, layer = passes.circuit.plan.levels[number], passes.circuit.layers[number]
        start = layer.units.start + 3 * level.nodes.index(name)
        np.testing.assert_allclose(found[:, column], run.values[start : start + 3].mean(axis=0))


def test_the_state_of_another_model_and_other_cells_are_refused():
    options = NetworkOptions(input_normalization=True)
    _, state, passes = fitted(everything(), options)
    plan = plan_layers(everything())
    with pytest.raises(MismatchError, match="weights of"):
        Passes.of(plan, NetworkOptions(units=2), state)
    with pytest.raises(MismatchError, match="weights of"):
        Passes.of(plan, options, (state[0][:-1], state[1]))
    with pytest.raises(MismatchError, match="mean and variance"):
        Passes.of(plan, options, (state[0], []))
    with pytest.raises(MismatchError, match="cells of shape"):
        passes.from_data(cells(3))
    run = passes.forward(passes.from_data(cells(4)))
    with pytest.raises(OptionError, match="of"):
        passes.read(run, "probability")
    with pytest.raises(OptionError, match="of"):
        passes.reverse(run, output=0, of="odds")
