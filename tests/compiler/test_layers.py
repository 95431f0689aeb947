"""The layers by themselves: masked and edge-wise kernels agree, absent edges stay absent, dropout does what it says."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from graphnn.compiler.backend import keras
from graphnn.compiler.initial import SPREAD
from graphnn.compiler.layers import EdgeDense, MaskedDense
from graphnn.compiler.level import Level
from graphnn.compiler.noise import keep_mask
from graphnn.errors import MismatchError, OptionError
from tests.compiler.drawn import cells

MASK = np.array([[1, 0, 1], [1, 1, 0], [0, 0, 1], [1, 0, 0]], dtype=np.float32)


def level_of_mask(mask: np.ndarray) -> tuple[Level, np.ndarray]:
    targets, sources = np.nonzero(mask.T)
    level = Level(
        nodes=tuple(f"h{i}" for i in range(mask.shape[1])),
        n_hidden=mask.shape[1],
        n_outputs=0,
        n_fed=0,
        input_columns=np.array([], dtype=np.int64),
        source_level=np.zeros(len(sources), dtype=np.int64),
        source_column=sources,
        target_column=targets,
        interaction=np.zeros(len(sources), dtype=np.int64),
    )
    return level


def edge_layer(mask: np.ndarray = MASK, **options) -> EdgeDense:
    return EdgeDense(level_of_mask(mask), number=1, **options)


def test_edge_kernel_equals_masked_kernel():
    edges, masked = edge_layer(hidden_activation="tanh"), MaskedDense(MASK, activation="tanh")
    data = cells(4, n_cells=9)
    edges.build([data.shape])
    masked.build(data.shape)
    rng = np.random.default_rng(1)
    weights, bias = rng.normal(size=6).astype(np.float32), rng.normal(size=3).astype(np.float32)
    kernel = rng.normal(size=MASK.shape).astype(np.float32)  # numbers on absent edges too: they must not count
    kernel[edges.level.source_column, edges.level.target_column] = weights
    edges.set_weights([weights, bias])
    masked.set_weights([kernel, bias])
    expected = np.tanh(data @ (kernel * MASK) + bias)
    np.testing.assert_allclose(edges([data]), expected, atol=1e-6)
    np.testing.assert_allclose(masked(data), expected, atol=1e-6)


def _gradient(layer, data, *, with_losses: bool = False):
    def loss(kernel):
        values = [kernel if variable is layer.kernel else variable.value for variable in layer.trainable_variables]
        result, _, penalties = layer.stateless_call(values, [], data, return_losses=True)
        return keras.ops.sum(result**2) + (sum(penalties) if with_losses else 0.0)

    return np.asarray(jax.grad(loss)(layer.kernel.value))


@pytest.mark.parametrize("regularizer", [None, "l1", "l2"])
@pytest.mark.parametrize("initializer", [None, "glorot_uniform", "ones"])
def test_gradient_of_an_absent_edge_is_exactly_zero(regularizer, initializer):
    layer = MaskedDense(MASK, activation="tanh", kernel_regularizer=regularizer, kernel_initializer=initializer)
    data = cells(4, n_cells=9)
    layer.build(data.shape)
    assert (np.asarray(layer.kernel.value)[MASK == 0] == 0).all()
    layer.kernel.assign(np.random.default_rng(0).normal(size=MASK.shape))
    gradient = _gradient(layer, data, with_losses=True)
    assert (gradient[MASK == 0] == 0).all()
    assert (gradient[MASK == 1] != 0).all()


def test_masked_dense_trained_keeps_absent_weights_at_zero_and_saves_its_mask(tmp_path):
    layer = MaskedDense(
        MASK,
        activation="relu",
        kernel_regularizer="l2",
        bias_regularizer=keras.regularizers.L1(0.1),
        kernel_constraint="max_norm",
        bias_initializer="ones",
        activity_regularizer="l1",
        seed=3,
    )
    model = keras.Sequential([keras.Input((4,)), layer])
    model.compile(optimizer="adam", loss="mse")
    data = cells(4, n_cells=32)
    model.fit(data, cells(3, n_cells=32, seed=1), epochs=3, verbose=0)
    assert (np.asarray(layer.kernel.value)[MASK == 0] == 0).all()
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    assert np.array_equal(again.layers[0].mask, MASK)
    assert again.layers[0].get_config() == layer.get_config()
    assert np.array_equal(again.predict(data, verbose=0), model.predict(data, verbose=0))


def test_masked_dense_takes_what_dense_takes():
    options = {
        "use_bias": False,
        "kernel_initializer": keras.initializers.Constant(0.5),
        "activation": "sigmoid",
        "name": "d",
    }
    data = cells(4)
    masked, dense = MaskedDense(np.ones((4, 3)), **options), keras.layers.Dense(3, **options)
    np.testing.assert_allclose(masked(data), dense(data), atol=1e-6)
    assert len(masked.weights) == 1


@pytest.mark.parametrize("mask", [[[0.5, 1.0]], [1.0, 0.0], [[np.nan]]])
def test_what_is_no_mask_is_refused(mask):
    with pytest.raises(OptionError):
        MaskedDense(mask)


def test_wrong_widths_and_options_are_refused():
    with pytest.raises(MismatchError):
        MaskedDense(MASK).build((None, 5))
    with pytest.raises(MismatchError):
        edge_layer().build([(None, 4), (None, 3)])
    with pytest.raises(MismatchError, match="columns"):
        edge_layer(np.eye(4)).build([(None, 3)])
    with pytest.raises(OptionError):
        edge_layer(hidden_activation="softmax")
    with pytest.raises(OptionError):
        edge_layer(dropout=1.0)
    with pytest.raises(OptionError):
        edge_layer(dropout_on="Edges")


def test_the_live_fan_in_sets_the_initial_kernel():
    layer = edge_layer(seed=5)
    layer.build([(None, 4)])
    level = layer.level
    kernel = np.asarray(layer.kernel.value)
    relative = kernel * MASK.sum(axis=0)[level.target_column]
    assert (np.abs(relative - 1) <= SPREAD + 1e-6).all()
    assert np.array_equal(kernel, layer.initial_weights(5)[0])
    assert not np.array_equal(kernel, layer.initial_weights(6)[0])
    assert (np.asarray(layer.bias.value) == 0).all()


N_CELLS, RATE = 4000, 0.3


def test_edge_dropout_drops_each_edge_by_itself_and_only_where_fan_in_is_two():
    mask = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]], dtype=np.float32)  # h2 has one input
    layer = edge_layer(mask, dropout=RATE, hidden_activation="linear", seed=1)
    data = np.ones((N_CELLS, 3), dtype=np.float32)
    layer.build([data.shape])
    layer.set_weights([np.array([1, 10, 1, 10, 1], dtype=np.float32), np.zeros(3, dtype=np.float32)])
    np.testing.assert_array_equal(layer([data]), np.tile([11, 11, 1], (N_CELLS, 1)))
    np.testing.assert_array_equal(layer([data], training=False), np.tile([11, 11, 1], (N_CELLS, 1)))
    dropped = np.asarray(layer([data], training=True)) * (1 - RATE)
    assert np.allclose(dropped[:, 2], 1 - RATE)  # neither dropped nor scaled
    levels = np.round(dropped[:, :2]).astype(int)
    assert set(np.unique(levels)) == {0, 1, 10, 11}
    kept = np.stack([levels[:, 0] % 10, levels[:, 0] // 10, levels[:, 1] % 10, levels[:, 1] // 10])
    spread = 4 * np.sqrt(RATE * (1 - RATE) / N_CELLS)
    assert np.abs(kept.mean(axis=1) - (1 - RATE)).max() < spread
    correlation = np.corrcoef(kept) - np.eye(4)  # a source dropped for one target may stay for the other
    assert np.abs(correlation).max() < 4 / np.sqrt(N_CELLS)
    assert not np.array_equal(np.asarray(layer([data], training=True)) * (1 - RATE), dropped)


def test_node_dropout_drops_a_hidden_value_for_all_its_targets():
    layer = edge_layer(dropout=RATE, dropout_on="nodes", hidden_activation="linear", seed=1)
    data = np.ones((N_CELLS, 4), dtype=np.float32)
    layer.build([data.shape])
    layer.set_weights([np.ones(6, dtype=np.float32), np.zeros(3, dtype=np.float32)])
    plain, dropped = np.asarray(layer([data])), np.asarray(layer([data], training=True))
    kept = dropped != 0
    np.testing.assert_allclose(dropped[kept], (plain / (1 - RATE))[kept], rtol=1e-6)
    assert np.abs(kept.mean(axis=0) - (1 - RATE)).max() < 4 * np.sqrt(RATE * (1 - RATE) / N_CELLS)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_counter_hash_is_as_good_as_coins(rate):
    masks = np.stack([np.asarray(keep_mask(np.array([9, step]), shape=(400, 100), rate=rate)) for step in range(5)])
    sigma = np.sqrt(rate * (1 - rate))
    assert abs(masks.mean() - (1 - rate)) < 4 * sigma / np.sqrt(masks.size)
    assert masks[0].mean(axis=1).std() == pytest.approx(sigma / 10, rel=0.2)
    assert masks[0].mean(axis=0).std() == pytest.approx(sigma / 20, rel=0.3)
    steps = np.corrcoef(masks.reshape(5, -1).astype(float)) - np.eye(5)
    assert np.abs(steps).max() < 4.5 / np.sqrt(40_000)
    for shift in (masks[0][1:] ^ masks[0][:-1], masks[0][:, 1:] ^ masks[0][:, :-1]):
        assert shift.mean() == pytest.approx(2 * sigma**2, abs=5 / np.sqrt(40_000))
    assert np.array_equal(masks[0], keep_mask(np.array([9, 0]), shape=(400, 100), rate=rate))
    assert not np.array_equal(masks[0], keep_mask(np.array([10, 0]), shape=(400, 100), rate=rate))


def test_layer_battery_of_keras_configuration_round_trip():
    layer = edge_layer(dropout=0.2, kernel_regularizer=keras.regularizers.L1L2(0.1, 0.2), seed=2, name="level_1")
    again = EdgeDense.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.level == layer.level
