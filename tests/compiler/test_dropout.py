"""Dropout of inputs, of edges and of vertices, plain and adaptive: how often, of what, for whom."""

from __future__ import annotations

import numpy as np
import pytest

from graphnn.compiler.dropout import MANY, adapted, siblings
from graphnn.compiler.layers import EdgeDense, InputDropout
from graphnn.compiler.level import Level
from graphnn.compiler.model import compile_network, initial_state, reset
from graphnn.compiler.options import NetworkOptions
from graphnn.compiler.plan import plan_layers
from graphnn.errors import OptionError
from tests.compiler.by_hand import units_of
from tests.compiler.drawn import cells, everything, rich_dag

N_CELLS, RATE = 4000, 0.5


def spread(rate: float) -> float:
    """Four standard errors of a share."""
    return 4 * np.sqrt(rate * (1 - rate) / N_CELLS)


def fans(counts: list[int], **options) -> EdgeDense:
    """A level of vertices with so many inputs each, all of weight 1."""
    targets = np.repeat(np.arange(len(counts)), counts)
    n_edges = len(targets)
    level = Level(
        nodes=tuple(f"h{i}" for i in range(len(counts))),
        n_hidden=len(counts),
        n_outputs=0,
        n_fed=0,
        input_columns=np.array([], dtype=np.int64),
        source_level=np.zeros(n_edges, dtype=np.int64),
        source_column=np.arange(n_edges),
        target_column=targets,
        interaction=np.zeros(n_edges, dtype=np.int64),
    )
    layer = EdgeDense(level, number=1, hidden_activation="linear", seed=1, **options)
    layer.build([(None, n_edges)])
    layer.set_weights([np.ones(n_edges, dtype=np.float32), np.zeros(len(counts), dtype=np.float32)])
    return layer


def test_the_rule_is_that_of_kpnn():
    """Keep probabilities 1, max(keep, 0.9), max(keep, 0.7), keep with 1, 2, 3, more children of the parents."""
    for rate in (0.05, 0.2, 0.5):
        keep = 1 - rate
        expected = [1.0, max(keep, 0.9), max(keep, 0.7), keep, keep]
        np.testing.assert_allclose(1 - adapted(rate, np.array([1, 2, 3, 4, 50])), expected, rtol=1e-6)


def test_adaptive_dropout_of_edges_goes_by_the_inputs_of_the_target():
    counts = [1, 2, 3, 4]
    layer = fans(counts, dropout=RATE, adaptive_dropout=True)
    data = np.ones((N_CELLS, sum(counts)), dtype=np.float32)
    np.testing.assert_array_equal(layer([data]), np.tile(counts, (N_CELLS, 1)))
    got = np.asarray(layer([data], training=True))
    for column, (count, rate) in enumerate(zip(counts, (0.0, 0.1, 0.3, RATE), strict=True)):
        kept = got[:, column] * (1 - rate)
        assert np.allclose(kept, np.round(kept), atol=1e-5)
        assert abs(kept.mean() / count - (1 - rate)) <= spread(rate) / np.sqrt(count)
    assert (got[:, 0] == 1).all()


def test_adaptive_dropout_of_vertices_goes_by_the_given_counts():
    layer = fans([1, 1, 1, 1], dropout=RATE, dropout_on="nodes", adaptive_dropout=True, siblings=[1, 2, 3, 4])
    got = np.asarray(layer([np.ones((N_CELLS, 4), dtype=np.float32)], training=True))
    for column, rate in enumerate((0.0, 0.1, 0.3, RATE)):
        kept = got[:, column] != 0
        np.testing.assert_allclose(got[kept, column], 1 / (1 - rate), rtol=1e-6)
        assert abs(kept.mean() - (1 - rate)) <= spread(rate)
    with pytest.raises(OptionError, match="siblings"):
        fans([1], dropout=RATE, dropout_on="nodes", adaptive_dropout=True)


@pytest.mark.parametrize("units", [1, 2, 3])
def test_siblings_are_all_that_the_targets_of_a_vertex_read(units):
    seen = set()
    for seed in range(40):
        dag = rich_dag(seed)
        edges = [(source, target) for source, _, target in dag.graph.to_sif_tuples()]
        plan = plan_layers(dag)
        for level, counts in zip(plan.levels, siblings(plan, units=units), strict=True):
            for name, count in zip(level.nodes[: level.n_hidden], counts.tolist(), strict=True):
                parents = {target for source, target in edges if source == name}
                children = {source for source, target in edges if target in parents}
                n_units = sum(unit in children for unit, _ in units_of(dag, units))
                assert count == min(n_units, MANY)
                seen.add(count)
    assert len(seen) == {1: 4, 2: 3, 3: 2}[units]  # with several units a vertex is no single one any more


def test_the_compiled_model_knows_the_siblings():
    plan = plan_layers(everything())
    options = NetworkOptions(dropout=RATE, dropout_on="nodes", adaptive_dropout=True)
    layers = [layer for layer in compile_network(plan, options).layers if isinstance(layer, EdgeDense)]
    assert [list(layer.siblings) for layer in layers] == [count.tolist() for count in siblings(plan, units=1)]


def test_each_unit_drops_by_itself():
    options = NetworkOptions(dropout=RATE, dropout_on="nodes", units=2, hidden_activation="linear")
    layer = next(layer for layer in compile_network(everything(), options).layers if isinstance(layer, EdgeDense))
    got = np.asarray(layer([np.ones((N_CELLS, 4), dtype=np.float32)], training=True)) != 0
    assert abs(got.mean() - (1 - RATE)) < spread(RATE)
    assert np.abs(np.corrcoef(got.T) - np.eye(4)).max() < 4 / np.sqrt(N_CELLS)


def test_a_dropped_input_is_dropped_for_all_its_targets():
    layer = InputDropout(0.3, seed=2)
    data = np.ones((N_CELLS, 3), dtype=np.float32)
    np.testing.assert_array_equal(layer(data), data)
    got = np.asarray(layer(data, training=True))
    kept = got != 0
    np.testing.assert_allclose(got[kept], 1 / 0.7, rtol=1e-6)
    assert np.abs(kept.mean(axis=0) - 0.7).max() < spread(0.3)
    assert np.abs(np.corrcoef(kept.T) - np.eye(3)).max() < 4 / np.sqrt(N_CELLS)
    assert not np.array_equal(np.asarray(layer(data, training=True)), got)
    with pytest.raises(OptionError):
        InputDropout(1.0)


def test_inputs_are_dropped_behind_their_normalisation():
    model = compile_network(everything(), NetworkOptions(input_dropout=0.3, input_normalization=True))
    names = [layer.name for layer in model.layers]
    assert names.index("input_names") < names.index("input_normalization") < names.index("input_dropout")


def test_a_replicate_draws_its_own_dropout_of_inputs():
    model = compile_network(everything(), NetworkOptions(input_dropout=0.5))
    data = cells(4)

    def first(seed: int) -> np.ndarray:
        trainable, other = initial_state(model, 0)[0], initial_state(model, seed)[1]
        return np.asarray(model.stateless_call(trainable, other, data, training=True)[0])

    assert np.array_equal(first(1), first(1))
    assert not np.array_equal(first(1), first(2))
    reset(model, 1)
    trainable = initial_state(model, 0)[0]
    for variable, value in zip(model.trainable_variables, trainable, strict=True):
        variable.assign(value)
    assert np.array_equal(np.asarray(model(data, training=True)), first(1))


def test_the_state_of_dropout_is_saved(tmp_path):
    from graphnn.compiler.backend import keras

    model = compile_network(everything(), NetworkOptions(input_dropout=0.5, dropout=0.2, adaptive_dropout=True))
    data, labels = cells(4), np.zeros((6, 2), dtype=np.float32)
    model.fit(data, labels, epochs=2, verbose=0)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    for ours, theirs in zip(again.non_trainable_variables, model.non_trainable_variables, strict=True):
        assert np.array_equal(ours.value, theirs.value)
    assert again.train_on_batch(data, labels) == model.train_on_batch(data, labels)
